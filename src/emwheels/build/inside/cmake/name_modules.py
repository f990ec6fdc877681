"""Links the program of a check whose words name side modules. Runs in the build image: standard library only.

    python3 name_modules.py COMPILER ARGUMENT...

does what ``COMPILER ARGUMENT...`` does, with ``-Wl,FILE.so`` in place of ``FILE.so``: pyodide-build's compiler
(pywasmcross, 0.39.2) links a side module wherever a word ends so. ``mend_link.py`` has the rest.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path

_SHARED = re.compile(r"[^-].*\.so(\.\d+)*")


def renamed(words: list[str]) -> list[str]:
    """Return a command with its side modules, those in response files included, as options of the linker."""
    changed: list[str] = []
    for word in words:
        if word.startswith("@") and Path(word[1:]).is_file():
            inside = shlex.split(Path(word[1:]).read_text(encoding="utf-8", errors="surrogateescape"))
            changed += renamed(inside) if any(_SHARED.fullmatch(each) for each in inside) else [word]
        else:
            changed.append(f"-Wl,{word}" if _SHARED.fullmatch(word) else word)
    return changed


if __name__ == "__main__":
    command = renamed(sys.argv[1:])
    os.execvp(command[0], command)  # noqa: S606
