"""What runs inside Pyodide to do as ``python SCRIPT``, ``-m MODULE``, ``-c CODE`` or a prompt do.

The engine imports this file alone, under the name ``emwheels_program``; it must import nothing of emwheels.
"""

from __future__ import annotations

import builtins
import code
import io
import os
import runpy
import sys
import traceback
from types import ModuleType
from typing import Any

_OWN = (__file__, runpy.__file__, "<frozen runpy>")


def main(words: list[str], folder: str) -> int:
    """Run the program in ``folder``, and return its exit status."""
    os.chdir(folder)
    try:
        _run(list(words))
        status = 0
    except SystemExit as stop:
        status = _status(stop.code)
    except BaseException as error:  # noqa: BLE001  (Python itself prints every other one, and ends)
        traceback.print_exception(_of_the_program(error))
        status = 130 if isinstance(error, KeyboardInterrupt) else 1
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return status


def _run(words: list[str]) -> None:
    if not words:
        sys.argv = [""]
        sys.path.insert(0, "")
        code.interact(banner=f"Python {sys.version} on {sys.platform}", local=vars(_fresh_main()), exitmsg="")
    elif words[0] == "-c":
        sys.argv = ["-c", *words[2:]]
        sys.path.insert(0, "")
        exec(compile(words[1], "<string>", "exec"), vars(_fresh_main()))  # noqa: S102  (what the user asked to run)
    elif words[0] == "-m":
        sys.argv = words[1:]
        sys.path.insert(0, os.getcwd())  # noqa: PTH109  (as Python has it)
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        script = os.path.abspath(words[0])  # noqa: PTH100  (as Python has it, and tracebacks show it)
        sys.path.insert(0, os.path.dirname(script))  # noqa: PTH120
        module = _fresh_main()
        vars(module)["__file__"] = script
        with io.open_code(script) as file:
            exec(compile(file.read(), script, "exec"), vars(module))  # noqa: S102


def _fresh_main() -> ModuleType:
    """Return a new ``__main__``, so that a program sees nothing of this one's."""
    module = ModuleType("__main__")
    vars(module)["__builtins__"] = builtins
    sys.modules["__main__"] = module
    return module


def _status(given: Any) -> int:
    """Return the exit status that ``sys.exit(given)`` asks for, and print what it says, as Python does."""
    if given is None:
        return 0
    if isinstance(given, int):
        return given & 0xFF
    print(given, file=sys.stderr)
    return 1


def _of_the_program(error: BaseException) -> BaseException:
    """Return the error with a traceback that begins in the program."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename in _OWN:
        trace = trace.tb_next
    return error.with_traceback(trace)
