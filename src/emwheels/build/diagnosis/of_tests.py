"""Kinds of failures of a wheel's tests, in what the engine printed."""

from __future__ import annotations

from emwheels.build.diagnosis.kind import Kind

OF_TESTS = (
    Kind(
        id="test-symbol",
        pattern=r"unknown symbol \"?'?(\w+)|undefined symbol: (\w+)[^\n]*dlsym|AttributeError: [^\n]*symbol not found",
        sees='`Tried to lookup unknown symbol "x"`',
        means="A library is opened by ctypes or cffi, and its function {what} was left out at the link.",
        do="Set build.exports: whole_archive.",
    ),
    Kind(
        id="test-import-symbol",
        pattern=(
            r"bad export type for '([^']+)'|could not load dynamic lib[^\n]*|ImportError: dynamic module does "
            r"not define"
        ),
        sees="`bad export type for 'x'`, `could not load dynamic lib`",
        means="A module needs the symbol {what}, which nothing that is loaded defines.",
        do="Link the library that has it (requirements.host, build.ldflags), or build without what uses it.",
        what="that is named above",
    ),
    Kind(
        id="test-module",
        pattern=r"ModuleNotFoundError: No module named '([A-Za-z_]\w*)",
        sees="`ModuleNotFoundError: No module named 'X'` in a test",
        means="The tests, or the package, import {what}, which is not installed with it.",
        do=(
            "If the package needs it, name it under requirements.run; if only the tests do, under "
            "test.requirements. Then lock."
        ),
    ),
    Kind(
        id="test-threads",
        pattern=r"can't start new thread",
        sees="`can't start new thread`",
        means="Something starts a thread. Pyodide has none.",
        do="Have the test call it without (n_jobs=1, workers=0), or leave the test out.",
    ),
    Kind(
        id="test-process",
        pattern=(
            r"emscripten does not support processes|\[Errno (?:52|138)\] Function not implemented|OSError: "
            r"\[Errno \d+\] Function not implemented"
        ),
        sees="`emscripten does not support processes`",
        means="Something starts a process. A browser has none.",
        do="Leave the test out, or patch the package to do it in the same process.",
    ),
    Kind(
        id="test-socket",
        pattern=(
            r"(?:OSError|ConnectionError|BlockingIOError|socket\.gaierror|gaierror|TimeoutError)[^\n]*(?:Host is "
            r"unreachable|in progress|resolution|Not supported|not known|unreachable|Operation)"
        ),
        sees="`OSError: [Errno …] Host is unreachable`",
        means="Something opens a socket. A browser has none.",
        do="Leave the test out; a package can use fetch by way of pyodide.http.",
    ),
    Kind(
        id="test-signature",
        pattern=(
            r"null function or function signature mismatch|indirect call signature mismatch|function signature "
            r"mismatch"
        ),
        sees="`null function or function signature mismatch`",
        means="A function was called as one of another type, which ends the interpreter.",
        do=(
            "Run `emwheels audit --imports` on the wheel, and patch the declaration. Casts of PyCFunction are "
            "the usual place."
        ),
    ),
    Kind(
        id="test-stack",
        pattern=r"Maximum call stack size exceeded|RecursionError: maximum recursion|stack overflow",
        sees="`Maximum call stack size exceeded`, `RecursionError`",
        means="The calls went deeper than the stack of the engine.",
        do="Have the test use less depth; a browser's stack cannot be made larger.",
    ),
    Kind(
        id="test-memory",
        pattern=r"MemoryError|Cannot enlarge memory|memory access out of bounds|Array buffer allocation failed",
        sees="`MemoryError`, `memory access out of bounds`",
        means="Memory ran out, of which WebAssembly has 4 GB at most, or a pointer was wrong.",
        do=(
            "Have the test use less. For a wrong pointer, build with --profile debug and look for code that "
            "takes 64 bits for granted."
        ),
    ),
    Kind(
        id="test-killed",
        pattern=(
            r"RuntimeError: (unreachable|divide by zero|integer overflow|[^\n]*unreachable[^\n]*)|Pyodide has "
            r"suffered a fatal error"
        ),
        sees="`Pyodide has suffered a fatal error`, `RuntimeError: unreachable`",
        means="Compiled code ended the interpreter: {what}.",
        do=(
            "If the package is compiled against NumPy, check that numpy is under requirements.host. Else build with "
            "--profile debug, which gives names and assertions."
        ),
        what="abort or a trap",
    ),
)
