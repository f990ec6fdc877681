"""A build's log -> the first error in it that matters, without what every tool says around it.

Left out: the script that pyodide-build repeats, its own traceback and pip's, CMake's call stack, compiler commands, and
the errors that only follow from the first.
"""

from __future__ import annotations

import re
from itertools import groupby, pairwise, takewhile
from typing import TYPE_CHECKING

from emwheels.image.places import CMAKE_FILES, OWN, SYSTEM, WORK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Find = Callable[[Sequence[str]], tuple[str, ...]]

MOST_LINES = 12
_WIDTH = 300
"""Characters of a line that are shown."""
_WIDEST = 4000
"""Characters of a line that are looked at: compiler commands are long, and their ends say nothing of a cause."""
_NEAR = 400
"""Lines before make's own complaint that can have the reason for it."""

_ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_TREE = re.compile(rf"{WORK}/build/[^/\s]+/build/[^/\s]+/|/tmp/emscripten_temp_\w+/")
"""The source tree in the sandbox, and where the compiler drives the linker: names below are as in the source."""
_ECHO = "ERROR: build script failed"
_OTHERS_TRACEBACK = re.compile(r'^Traceback \(most recent call last\):\n  File "[^"\n]*/pyodide_build/', re.MULTILINE)
_OF_OTHERS = re.compile(
    rf"\[[\d :-]+\] (?:Building|Failed building) package |Running build script in|seconds\.$|{WORK}/build/\S+$"
)

_CMAKE = re.compile(r"CMake Error(?: at |: | in )")
_CALL_STACK = "Call Stack (most recent call first):"
_MESON = re.compile(r"(?:\S*meson\.build(?::\d+){1,2}|\S+\.wrap): ERROR: ")
_CONFIGURE = re.compile(r"configure: error: |\S*configure(?:\.ac|\.in)?:\d+: error: |error: possibly undefined macro")
_NINJA = re.compile(r"FAILED: ")
_FAULT = re.compile(
    r"(?:[^\s:][^:\n]{0,500}:\d+(?::\d+)?: )(?:fatal |internal compiler )?error: "
    r"|(?:\S*/)?(?:wasm-ld|ld|lld)[\w.-]*: error: |(?:\S*/)?(?:emcc|em\+\+|clang|cc1)[\w.+-]*: (?:fatal )?error: "
)
_CYTHON = re.compile(r"[^\s:]+\.(?:pyx|pxd|pxi|py):\d+:\d+: (?!.*[Ww]arning)")
_COMMAND = re.compile(r"(?:\[\d+/\d+\] )?\S*(?:/|^)(?:cc|c\+\+|gcc|g\+\+|emcc|em\+\+|clang|clang\+\+)\s")
_FAILED_COMMAND = re.compile(r"error: [Cc]ommand ")
_MAKE = re.compile(r"make(?:\[\d+\])?: \*\*\* ")
_TRACEBACK = "Traceback (most recent call last):"
_FRAME = re.compile(r'  File "(?P<file>[^"]+)", line (?P<line>\d+)(?:, in (?P<where>.+))?$')
_NOT_THE_PACKAGE = re.compile(rf"/site-packages/|/dist-packages/|^{SYSTEM}|^<frozen|^{OWN}")
_FROM_A_COMMAND = re.compile(
    r"(?:\w+\.)*(?:CalledProcessError|CompileError|LinkError|DistutilsExecError|ExecError|BackendUnavailable|SystemExit)\b"
)
_PIP = re.compile(
    r"ERROR: (?:Could not find a version|No matching distribution|Cannot install|.*is not a supported wheel)"
)
_BUILDER = re.compile(r"ERROR (?!Backend subprocess exited|Command '\[)\S")
_SHELL = re.compile(
    r".*: command not found$|.*: not found$|\S+: .*: (?:No such file or directory|Permission denied"
    r"|Read-only file system|No space left on device|Exec format error)$"
    r"|error: command '.*' failed|make(?:\[\d+\])?: \*\*\* |ninja: (?:fatal|error): "
    r"|fatal: |curl: \(\d+\)|wget: |Hunk #\d+ FAILED|\*\*\*\* |.*\bKilled\b|.*Errno \d+\b|RuntimeError: |error: "
)
_NOTHING = re.compile(
    r"\[[\d :-]+\] |Creating isolated environment|Installing packages in|- \S|Getting build depend|Building wheel"
)


def first_error(log: str) -> tuple[str, ...]:
    """Return the lines to show of a failed build, at most `MOST_LINES`; none for a log without a line."""
    own, rest = parts_of(log)
    lines, after = own.splitlines(), rest.splitlines()
    for find in (_configuring, _compiling, _running_python, _reason):
        if found := find(lines):
            return _shown(found)
    others = [line for line in _running_python(after) if "BuildBackendException" not in line]
    return _shown(_reason(after) or _running(lines) or others or _last(lines))


_MOST_READ = 40_000
"""Lines of a log that are looked at, from its end: what 2 MB of compiling have."""


def parts_of(log: str) -> tuple[str, str]:
    """Return what the package's own build wrote, and what came after it, both without colours."""
    lines = (line.rstrip()[:_WIDEST] for line in _ESCAPE.sub("", log).splitlines())
    text = "\n".join([line for line, _ in groupby(lines)][-_MOST_READ:])  # one of equal lines in a row
    starts = [text.find(f"\n{_ECHO}")]
    if found := _OTHERS_TRACEBACK.search(text):
        starts.append(found.start())
    start = min((each for each in starts if each >= 0), default=len(text))
    echo = text.find(f"\n{_ECHO}", start)
    return text[:start], text[start:] if echo != start else ""


def _shown(lines: Sequence[str]) -> tuple[str, ...]:
    """Return what a person needs to see of these: no empty line, no line twice, paths as in the source."""
    kept = [_TREE.sub("", line)[:_WIDTH] for line in lines if line.strip()]
    return tuple(dict.fromkeys(kept))[:MOST_LINES]


def _first(pattern: re.Pattern[str], lines: Sequence[str], start: int = 0) -> int:
    """Return the index of the first line that matches; the number of lines if none does."""
    return next((at for at in range(start, len(lines)) if pattern.match(lines[at])), len(lines))


def _configuring(lines: Sequence[str]) -> tuple[str, ...]:
    """Find what CMake, meson, configure or ninja say of their own accord, the earliest."""
    found = {_first(pattern, lines): take for pattern, take in _TAKEN.items()}
    at = min(found)
    return found[at](lines, at) if at < len(lines) else ()


def _of_cmake(lines: Sequence[str], at: int) -> tuple[str, ...]:
    body = list(takewhile(_of_message, lines[at + 1 :]))
    place = _place(lines, at, at + 1 + len(body))
    return (place, *takewhile(lambda line: line.strip() != "log:", body))


def _of_message(line: str) -> bool:
    """Tell whether a line goes on with a message of CMake: these are indented, also where they quote others."""
    return not line or line.startswith(("  ", "\t"))


def _place(lines: Sequence[str], at: int, end: int) -> str:
    """Return the head of an error of CMake; for one that its own modules raise, with the package's line instead."""
    if CMAKE_FILES not in lines[at] or lines[end : end + 1] != [_CALL_STACK]:
        return lines[at]
    stack = takewhile(lambda line: line.startswith("  "), lines[end + 1 :])
    own = [line.strip() for line in stack if CMAKE_FILES not in line]
    return f"CMake Error at {own[-1]}:" if own else lines[at]


def _of_meson(lines: Sequence[str], at: int) -> tuple[str, ...]:
    before = [line for line in lines[max(0, at - 3) : at] if "found: NO" in line]
    return (*before, *takewhile(lambda line: line and "full log can be found" not in line, lines[at : at + 5]))


def _of_configure(lines: Sequence[str], at: int) -> tuple[str, ...]:
    before = [line for line in lines[max(0, at - 4) : at] if line.endswith(" no") or "ackage" in line.partition(" ")[0]]
    return (*before, *takewhile(lambda line: line and not _OF_OTHERS.match(line), lines[at : at + 5]))


def _of_ninja(lines: Sequence[str], at: int) -> tuple[str, ...]:
    end = _first(re.compile(r"FAILED: |ninja: |\[\d+/\d+\] "), lines, at + 1)
    said = lines[at + 2 : end]
    return _compiling(said) or _running_python(said) or (lines[at].partition(" ")[2], *said[-MOST_LINES + 1 :])


_TAKEN = {_CMAKE: _of_cmake, _MESON: _of_meson, _CONFIGURE: _of_configure, _NINJA: _of_ninja}


def _compiling(lines: Sequence[str]) -> tuple[str, ...]:
    """Find what a compiler, Cython or the linker refuses; not where Python is what stopped the build, later."""
    at = _first(_FAULT, lines, _start(lines))
    cython = _first(_CYTHON, lines)
    if at == cython == len(lines) or _python_stopped_it(lines):
        return ()
    if cython < at:
        before = list(reversed(lines[max(0, cython - 8) : cython]))
        code = takewhile(lambda line: line != "..." and not line.startswith("-----"), before[1:])
        return (lines[cython], *reversed(list(code)[:5]))
    if "error: " in lines[at] and (">>> " in "".join(lines[at + 1 : at + 2]) or ": undefined symbol: " in lines[at]):
        return _of_linker(lines, at)
    included = takewhile(lambda line: line.startswith("In file included from"), reversed(lines[:at]))
    after = takewhile(lambda line: re.match(r"\s*\d* \| |\s+\|?\s*\S", line), lines[at + 1 : at + 6])
    return (*reversed(list(included)[:2]), lines[at], *after)


def _of_linker(lines: Sequence[str], at: int) -> tuple[str, ...]:
    """Return all that a linker misses, one line each: a library that is not linked is known by its symbols."""
    return tuple(takewhile(lambda line: line.startswith(">>> ") or "ld" in line.partition(": error: ")[0], lines[at:]))


def _start(lines: Sequence[str]) -> int:
    """Return where to look for an error: setuptools and make tell which command failed, earlier ones were tries."""
    end = next((at for at in reversed(range(len(lines))) if _FAILED_COMMAND.match(lines[at])), -1)
    if end >= 0:
        command = next((at for at in reversed(range(end)) if _COMMAND.match(lines[at])), 0)
        return command if _first(_FAULT, lines, command) < len(lines) else 0
    end = _first(_MAKE, lines)
    near = max(0, end - _NEAR) if end < len(lines) else 0
    return near if _first(_FAULT, lines, near) < len(lines) else 0


def _python_stopped_it(lines: Sequence[str]) -> bool:
    """Tell whether the log ends with an exception that is no word of a command that failed."""
    traceback = _traceback(lines)
    return bool(traceback) and not _FROM_A_COMMAND.match(_exception(traceback)[0])


def _traceback(lines: Sequence[str]) -> Sequence[str]:
    """Return the lines of the last traceback, if hardly anything comes after it."""
    at = next((at for at in reversed(range(len(lines))) if lines[at].startswith(_TRACEBACK)), len(lines))
    return lines[at:] if any(_FRAME.match(line) for line in lines[at:]) else ()


def _exception(traceback: Sequence[str]) -> list[str]:
    """Return the lines of the exception, behind the last frame and its code."""
    last = next((at for at in reversed(range(len(traceback))) if _FRAME.match(traceback[at])), 0)
    end = next((at for at in range(last + 1, len(traceback)) if traceback[at][:1].strip()), len(traceback) - 1)
    return list(takewhile(bool, traceback[end : end + 6])) or [traceback[-1]]


def _running_python(lines: Sequence[str]) -> tuple[str, ...]:
    """Find the last exception: its words, and the frame of the package."""
    traceback = _traceback(lines)
    if not traceback:
        return ()
    frames = [(match, code) for line, code in pairwise([*traceback, ""]) if (match := _FRAME.match(line))]
    own = [(match, code) for match, code in frames if not _NOT_THE_PACKAGE.search(match["file"])]
    shown: tuple[str, ...] = ()
    if own:
        match, code = own[-1]
        setuptools = any("/setuptools/" in each["file"] for each, _ in frames)
        file = "setup.py" if match["file"] == "<string>" and setuptools else match["file"]
        shown = (f"{file}, line {match['line']}" + (f", in {match['where']}" if match["where"] else ""),)
        shown += (code,) if code.startswith("    ") else ()
    exception = _exception(traceback)
    if _FROM_A_COMMAND.match(exception[0]):
        shown = (*_last_words(lines, len(lines) - len(traceback)), *shown)
    return (*shown, *exception)


def _last_words(lines: Sequence[str], end: int) -> list[str]:
    """Return what a command wrote before Python told that it failed."""
    words = [
        line for line in lines[max(0, end - 6) : end] if line[:1].strip() and not line.startswith("During handling")
    ]
    return [line for line in words[-4:] if not _NOTHING.match(line) and not _OF_OTHERS.match(line)]


def _reason(lines: Sequence[str]) -> tuple[str, ...]:
    """Find what pip or pyodide-build give as their reason."""
    said = [line for line in lines if _PIP.match(line)]
    return tuple(said) or tuple(line.partition(" ")[2] for line in lines if _BUILDER.match(line))


def _running(lines: Sequence[str]) -> tuple[str, ...]:
    """Find the complaint of a program that a script ran."""
    at = _first(_SHELL, lines)
    return tuple(lines[at : at + 4])


def _last(lines: Sequence[str]) -> list[str]:
    return [line for line in lines if line and not _NOTHING.match(line) and not _OF_OTHERS.match(line)][-6:]
