"""Links the program of a check, and fails if Pyodide lacks what it calls.

Runs in the build image: standard library only.

    python3 check_link.py COMPILER ARGUMENT...

does what ``COMPILER ARGUMENT...`` does, with two differences. A program cannot link a side module, such as a shared
library of a host requirement: an object that defines the same names stands for it. And Emscripten links a program with
functions that Pyodide was linked without, such as ``uuid_generate``: a module that calls one does not load, so a check
that asks for it fails here.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NAMES = Path(__file__).with_name("runtime-names")
_WASM = b"\0asm\1\0\0\0"
_IMPORTS, _EXPORTS = 2, 7
_FUNCTION, _TABLE, _MEMORY, _GLOBAL, _TAG = range(5)
_MADE_BY_THE_LOADER = ("invoke_", "__cxa_find_matching_catch_", "_Z")
"""How names begin that the loader makes for each module, and of C++, which a check does not ask for."""
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
_NOT_DEFINED = re.compile(r"main|_initialize|__wasm_.*|__em_.*|__dso_handle")


def main(command: list[str]) -> int:
    """Run the command, and return its status or 1."""
    words = list(_expanded(command))
    modules = [path for word in words if (path := _module(word, words))]
    status = _run([_stands_for(word, words, command[0]) for word in words] if modules else command)
    if status or not _NAMES.is_file():
        return status
    lacking = sorted(_lacking(words, set(_NAMES.read_text(encoding="utf-8").split()), modules))
    if lacking:
        print(f"emwheels: Pyodide does not have {', '.join(lacking)}", file=sys.stderr)
    return 1 if lacking else 0


def _run(command: Sequence[str]) -> int:
    return subprocess.run(command, check=False).returncode


def _expanded(command: Sequence[str]) -> Iterator[str]:
    """Give the words of a command, those in response files included."""
    for word in command:
        if word.startswith("@") and Path(word[1:]).is_file():
            yield from shlex.split(Path(word[1:]).read_text(encoding="utf-8", errors="surrogateescape"))
        else:
            yield word


def _library(word: str, words: Sequence[str], suffixes: Sequence[str]) -> Path | None:
    """Return the file that a word stands for, if it is a library of one of these kinds."""
    if not word.startswith("-"):
        return Path(word) if re.search(r"\.so(\.\d+)*$", word) or word.endswith(tuple(suffixes)) else None
    if not word.startswith("-l"):
        return None
    folders = [Path(other[2:]) for other in words if other.startswith("-L") and len(other) > len("-L")]
    found = [folder / f"lib{word[2:]}{suffix}" for folder in folders for suffix in (".a", ".so")]
    first = next((path for path in found if path.is_file()), None)
    return first if first and first.suffix in suffixes else None


def _module(word: str, words: Sequence[str]) -> Path | None:
    """Return the side module that a word stands for."""
    path = _library(word, words, (".so",))
    if path is None or not path.is_file():
        return None
    with path.open("rb") as stream:
        return path if stream.read(len(_WASM)) == _WASM else None


def _stands_for(word: str, words: Sequence[str], compiler: str) -> str:
    module = _module(word, words)
    return str(_stub(module, compiler)) if module else word


def _stub(module: Path, compiler: str) -> Path:
    """Return an object that defines what a side module exports, made once a build. What else defines it wins."""
    data = module.read_bytes()
    made = Path(tempfile.gettempdir()) / f"emwheels-stub-{hashlib.sha256(data).hexdigest()[:32]}.o"
    if not made.exists():
        with tempfile.TemporaryDirectory() as folder:
            source, out = Path(folder) / "stub.c", Path(folder) / "stub.o"
            source.write_text("".join(_definitions(data)), encoding="utf-8")
            if _run([compiler, "-w", "-c", str(source), "-o", str(out)]):
                return module
            out.replace(made)
    return made


def _definitions(data: bytes) -> Iterator[str]:
    """Give C that defines what a side module exports."""
    for number, (name, kind) in enumerate(_exports(data)):
        if _IDENTIFIER.fullmatch(name) and not _NOT_DEFINED.fullmatch(name):
            if kind == _FUNCTION:
                yield f'__attribute__((weak)) void s{number}(void) __asm__("{name}");\nvoid s{number}(void) {{}}\n'
            elif kind == _GLOBAL:
                yield f'__attribute__((weak)) char s{number}[16] __asm__("{name}");\n'


def _lacking(words: Sequence[str], known: set[str], modules: Sequence[Path]) -> set[str]:
    """Return the functions that the check's own objects call, and that neither Pyodide nor a library of it has."""
    objects = [Path(word) for word in words if word.endswith((".o", ".obj")) and Path(word).is_file()]
    wanted = {name for path in objects for name in _functions_wanted(path.read_bytes())}
    wanted = {name for name in wanted - known if not name.startswith(_MADE_BY_THE_LOADER)}
    if not wanted:
        return wanted
    for module in modules:
        wanted -= {name for name, _ in _exports(module.read_bytes())}
    archives = [path for word in words if (path := _library(word, words, (".a",))) and path.is_file()]
    for data in (path.read_bytes() for path in archives if "/sysroot/" not in str(path)):
        wanted = {name for name in wanted if name.encode() not in data}
    if len(objects) > 1:
        wanted -= {name for path in objects for name in wanted if _defines(path.read_bytes(), name)}
    return wanted


def _defines(data: bytes, name: str) -> bool:
    """Tell whether an object has a name that it does not import."""
    return name.encode() in data and name not in set(_functions_wanted(data))


class _WasmReader:
    """Reads numbers and names of a WebAssembly file."""

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data, self.at, self.end = data, at, end

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def name(self) -> str:
        size = self.number()
        self.at += size
        return self.data[self.at - size : self.at].decode(errors="replace")

    def limits(self) -> None:
        flags = self.number()
        for _ in range(1 + (flags & 1)):
            self.number()


def _section(data: bytes, wanted: int) -> _WasmReader | None:
    """Return a section of a WebAssembly file; None if it has none, or is no such file."""
    if not data.startswith(_WASM):
        return None
    at = len(_WASM)
    while at < len(data):
        head = _WasmReader(data, at + 1, len(data))
        size = head.number()
        if data[at] == wanted:
            return _WasmReader(data, head.at, head.at + size)
        at = head.at + size
    return None


def _functions_wanted(data: bytes) -> Iterator[str]:
    """Give the functions that an object does not define."""
    cursor = _section(data, _IMPORTS)
    for _ in range(cursor.number() if cursor else 0):
        assert cursor is not None
        module, name, kind = cursor.name(), cursor.name(), cursor.number()
        if kind == _FUNCTION:
            cursor.number()
            if module == "env":
                yield name
        elif kind == _GLOBAL:
            cursor.at += 2
        elif kind == _TAG:
            cursor.at += 1
            cursor.number()
        else:
            cursor.at += kind == _TABLE
            cursor.limits()


def _exports(data: bytes) -> Iterator[tuple[str, int]]:
    """Give what a side module exports, each with its kind."""
    cursor = _section(data, _EXPORTS)
    for _ in range(cursor.number() if cursor else 0):
        assert cursor is not None
        name, kind = cursor.name(), cursor.number()
        cursor.number()
        yield name, kind


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
