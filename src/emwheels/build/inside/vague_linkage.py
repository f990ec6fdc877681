"""Links a side module so that C++ types are one across modules. Runs in the build image: standard library only.

    python3 vague_linkage.py EMCC ARGUMENT...

does what ``EMCC ARGUMENT...`` does. ``-Wl,-Bsymbolic`` has every symbol of a module bound to the module's own
definition. Types must not be: libc++abi (LLVM 21) tells that two C++ types are the same by the address of their name,
``_ZTS…``, so that with a name of its own in each module a ``dynamic_cast`` of another module's object fails, and an
exception is not caught. The same holds for what there is once in a program: inline variables, static variables of
inline functions, and their guards. wasm-ld (LLVM 21) has no ``-Bsymbolic-non-weak``, so the visibility that the
symbols have is changed in copies of the objects (WebAssembly/tool-conventions, ``Linking.md``), and
``-Wl,-Bsymbolic`` is left out:

* names of types, and other weak data, keep their visibility: the loader gives every module the address in the module
  that it loaded first. Vtables and typeinfo stay each module's own, as with ELF modules that Python loads
  (``RTLD_LOCAL``), where types are compared by name as well: two versions of a library do not get each other's.
* a symbol that is hidden in one object is hidden in all, as in ELF: some code reaches it without the loader.
* everything else is hidden, and thereby bound; where a library exports all that it has, it still does.

Functions being hidden in every object or in none is also what keeps wasm-ld 21 from giving a wrong address to those
that are not (LLVM pull request 104043). A link without such data, of sources, or of LLVM bitcode is run as it is.

pyodide-build has a module export its ``PyInit_…`` and nothing else. A module without one is a library that something
opens by its name (ctypes, cffi) or links: it exports all that is visible in its objects, as it would natively.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

OPTION = "-Wl,-Bsymbolic"
"""What asks for all this: no other command is changed."""

_WEAK, _LOCAL, _HIDDEN, _UNDEFINED, _EXPORTED, _EXPLICIT_NAME = 0x1, 0x2, 0x4, 0x10, 0x20, 0x40
_FUNCTION, _DATA, _GLOBAL, _SECTION, _TAG, _TABLE = range(6)
_SYMBOL_TABLE = 8
_WASM = b"\0asm\1\0\0\0"
_ARCHIVE, _THIN = b"!<arch>\n", b"!<thin>\n"
_OBJECTS = (".o", ".obj", ".lo")
_SOURCES = (".c", ".cc", ".cpp", ".cxx", ".c++", ".C", ".m", ".mm", ".s", ".S", ".ll", ".bc", ".i", ".ii")
_EACH_MODULE = ("_ZTV", "_ZTI", "_ZTT", "_ZTC")
"""Vtables, typeinfo, and the tables of classes with virtual bases."""
_EXPORTS = "-sEXPORTED_FUNCTIONS=@"
_EMSCRIPTEN = "__em_"
"""What EM_JS and EM_ASM leave for the loader to read."""


class NotChanged(Exception):  # noqa: N818  not an error
    """A command that is to be run as it is."""


@dataclass(frozen=True)
class Symbol:
    """An entry of an object's symbol table."""

    kind: int
    flags: int
    at: int
    """Where the lowest 7 bits of the flags are in the file."""
    name: str

    @property
    def is_bound(self) -> bool:
        """Whether other objects or modules could not see it, or it is nothing that they could see."""
        return self.kind not in (_FUNCTION, _DATA) or bool(self.flags & _LOCAL)

    @property
    def is_visible(self) -> bool:
        """Whether a library has it for others."""
        return not self.is_bound and not self.flags & (_HIDDEN | _UNDEFINED) and not self.name.startswith(_EMSCRIPTEN)

    @property
    def is_shared(self) -> bool:
        """Whether there must be one of it, whatever modules define it."""
        if self.kind != _DATA or self.flags & (_UNDEFINED | _LOCAL | _HIDDEN):
            return False
        return self.name.startswith("_ZTS") or (bool(self.flags & _WEAK) and not self.name.startswith(_EACH_MODULE))


class _Cursor:
    """Reads numbers and names of a WebAssembly file."""

    def __init__(self, data: bytes | memoryview, at: int) -> None:
        self.data, self.at = data, at

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def name(self) -> str:
        size = self.number()
        self.at += size
        return bytes(self.data[self.at - size : self.at]).decode(errors="replace")


def read_symbols(data: bytes | memoryview, start: int = 0) -> list[Symbol]:
    """Return the symbol table of the object file that is at ``start`` of ``data`` and goes on to its end.

    Raises `NotChanged` for what is no WebAssembly object, IndexError for one that ends early.
    """
    if bytes(data[start : start + 8]) != _WASM:
        raise NotChanged
    at, end = start + 8, len(data)
    while at < end:
        section = data[at]
        cursor = _Cursor(data, at + 1)
        size = cursor.number()
        at = cursor.at + size
        if section == 0 and cursor.name() == "linking":
            cursor.number()  # the version of the format
            while cursor.at < at:
                kind = data[cursor.at]
                cursor.at += 1
                following = cursor.number() + cursor.at
                if kind == _SYMBOL_TABLE:
                    return [_symbol(cursor) for _ in range(cursor.number())]
                cursor.at = following
    return []


def _symbol(cursor: _Cursor) -> Symbol:
    kind = cursor.number()
    at, flags, name = cursor.at, cursor.number(), ""
    if kind == _DATA:
        name = cursor.name()
        if not flags & _UNDEFINED:
            for _ in ("segment", "offset", "size"):
                cursor.number()
    else:
        cursor.number()  # what it is, among those of its kind
        if kind != _SECTION and (not flags & _UNDEFINED or flags & _EXPLICIT_NAME):
            name = cursor.name()
    return Symbol(kind, flags, at, name)


@dataclass
class Input:
    """A file that is linked, with the symbols of all objects in it."""

    path: Path
    data: bytes
    symbols: list[Symbol]

    def bound(self, shared: frozenset[str], *, exported: bool) -> bytes:
        """Return the file with every symbol bound but for those ``shared``; ``exported`` ones are still to be seen."""
        changed = bytearray(self.data)
        for symbol in self.symbols:
            name = symbol.name
            if symbol.is_bound or symbol.flags & _HIDDEN or name in shared or name.startswith(_EMSCRIPTEN):
                continue
            if not symbol.flags & _UNDEFINED:
                changed[symbol.at] |= _HIDDEN | (_EXPORTED if exported else 0)
        return bytes(changed)


def read_input(path: Path) -> Input:
    """Read an object or an archive. Raises `NotChanged` for what is neither, or refers to other files."""
    try:
        data = path.read_bytes()
    except OSError:
        raise NotChanged from None
    if not data.startswith(_ARCHIVE):
        return Input(path, data, read_symbols(data))
    symbols: list[Symbol] = []
    at, view = len(_ARCHIVE), memoryview(data)
    while at < len(data):
        # 60 bytes of header: name, ten digits of size at 48, and two bytes that end it; members start at even bytes.
        name, size = data[at : at + 16].rstrip(), _size(data[at + 48 : at + 58])
        at += 60
        if name not in (b"/", b"//", b"/SYM64/"):
            symbols += read_symbols(view[: at + size], at)
        at += size + size % 2
    return Input(path, data, symbols)


def _size(digits: bytes) -> int:
    """Return the size of an archive's member. Raises `NotChanged`: less than nothing would lead back to the header."""
    if (size := int(digits)) < 0:
        raise NotChanged
    return size


def expand(arguments: list[str]) -> list[str]:
    """Return the arguments with those of response files in their place, as emcc reads them. Raises `NotChanged`."""
    words = []
    for word in arguments:
        if word.startswith("@"):
            try:
                words += expand(shlex.split(Path(word[1:]).read_text()))
            except (OSError, ValueError):
                raise NotChanged from None
        else:
            words.append(word)
    return words


def exports_all(words: list[str]) -> bool:
    """Tell whether the module exports whatever is not hidden (``SIDE_MODULE=1``); the last option counts."""
    values = [word.removeprefix("-s").strip() for word in words]
    modes = [value.partition("=")[2] for value in values if value.partition("=")[0] == "SIDE_MODULE"]
    return bool(modes) and modes[-1] in ("1", "")


def _library(name: str, folders: list[str]) -> Path | None:
    """Return the archive that ``-lNAME`` means; None if it means a shared library, or one that is in no folder."""
    for folder in folders:
        if (Path(folder) / f"lib{name}.so").exists():
            return None
        if (archive := Path(folder) / f"lib{name}.a").exists():
            return archive
    return None


def read_inputs(words: list[str]) -> dict[int, list[Input]]:
    """Return for each place in ``words`` that names files to link what is in them. Raises `NotChanged`.

    The members of a thin archive, which are files of their own, are several.
    """
    folders = [
        word[2:] or following for word, following in zip(words, [*words[1:], ""], strict=True) if word.startswith("-L")
    ]
    inputs = {}
    for at, word in enumerate(words):
        if at and words[at - 1] in ("-o", "-L", "-I", "-s", "-include", "-isystem"):
            continue
        if word.endswith(_SOURCES) and not word.startswith("-"):
            raise NotChanged
        if word.startswith("-l:") or (word.startswith("-Wl,") and word.endswith((*_OBJECTS, ".a"))):
            raise NotChanged  # a file that is named in another way
        path: Path | None = None
        if word.startswith("-l"):
            path = _library(word[2:], folders)
        elif word.endswith((*_OBJECTS, ".a")) and not word.startswith("-"):
            path = Path(word)
        if path is not None:
            inputs[at] = [read_input(each) for each in _files(path)]
    return inputs


def _files(path: Path) -> list[Path]:
    """Return the file, or those that a thin archive (GNU's format, as llvm-ar writes it) names. Raises `NotChanged`."""
    try:
        with path.open("rb") as file:
            if file.read(len(_THIN)) != _THIN:
                return [path]
            archive = file.read()
    except OSError:
        raise NotChanged from None
    table, names, at = b"", [], 0
    while at < len(archive):
        name, size = archive[at : at + 16].rstrip(), _size(archive[at + 48 : at + 58])
        at += 60
        if name in (b"/", b"//", b"/SYM64/"):
            table = archive[at : at + size] if name == b"//" else table
            at += size + size % 2
        elif name[:1] == b"/":
            names.append(table[int(name[1:]) :].partition(b"/\n")[0].decode())
        else:
            names.append(name.rstrip(b"/").decode())
    return [path.parent / name for name in names]


def bind(words: list[str], folder: Path) -> tuple[list[str], dict[str, str]]:
    """Write changed copies of what is linked to ``folder``; return the command with them, and copy -> original.

    Raises `NotChanged` if there is nothing to share between modules, or no telling.
    """
    try:
        inputs = read_inputs(words)
    except (IndexError, ValueError):
        raise NotChanged from None
    symbols = [symbol for files in inputs.values() for file in files for symbol in file.symbols]
    hidden = {symbol.name for symbol in symbols if not symbol.is_bound and symbol.flags & _HIDDEN}
    shared = frozenset(symbol.name for symbol in symbols if symbol.is_shared) - hidden
    if not shared:
        raise NotChanged
    exported = exports_all(words)
    changed: dict[int, list[str]] = {}
    copies: dict[str, str] = {}
    for at, files in inputs.items():
        names = []
        for file in files:
            copy = folder / str(len(copies)) / file.path.name
            copy.parent.mkdir()
            copy.write_bytes(file.bound(shared, exported=exported))
            copies[str(copy)] = str(file.path)
            names.append(str(copy))
        # A thin archive's members are taken if something needs them, as they were from the archive.
        from_archive = words[at].startswith("-l") or words[at].endswith(".a")
        is_thin = from_archive and [file.path.suffix for file in files] != [".a"]
        lazy = is_thin and not _is_whole(words[:at])
        changed[at] = ["-Wl,--start-lib", *names, "-Wl,--end-lib"] if lazy else names
    after = [part for at, word in enumerate(words) for part in changed.get(at, [word])]
    return [word for word in after if word != OPTION], copies


def _is_whole(before: list[str]) -> bool:
    """Tell whether archives after these words are taken as a whole."""
    options = [word for word in before if word.startswith("-Wl,-") and word.endswith("-whole-archive")]
    return bool(options) and "-no-" not in options[-1]


def exporting(words: list[str], folder: Path) -> list[str]:
    """Return a command that is told to export nothing (``[]``) as one that exports what is visible in its objects.

    Those in archives count if nothing else is linked. The list is written to ``folder``.
    """
    at = next((at for at, word in enumerate(words) if word.startswith(_EXPORTS)), -1)
    if at < 0 or "-sSIDE_MODULE=2" not in words:
        return words
    try:
        if json.loads(Path(words[at].removeprefix(_EXPORTS)).read_text()) != []:
            return words
        inputs = read_inputs(words)
    except (OSError, IndexError, ValueError, NotChanged):
        return words
    objects = [file for each, files in inputs.items() if words[each].endswith(_OBJECTS) for file in files]
    objects = objects or [file for files in inputs.values() for file in files]
    names = {symbol.name for file in objects for symbol in file.symbols if symbol.is_visible}
    if not names:
        return words
    own = folder / "exports"
    own.write_text(json.dumps([f"_{name}" for name in sorted(names)]))
    return [*words[:at], f"{_EXPORTS}{own}", *words[at + 1 :]]


def main(compiler: str, arguments: list[str]) -> int:
    """Link, and return the exit status."""
    command = ["python3", "-E", compiler]
    try:
        words = expand(arguments)
        with tempfile.TemporaryDirectory(prefix=".bind-", dir=_output(words).parent) as folder:
            exported = exporting(words, Path(folder))
            try:
                bound, copies = bind(exported, Path(folder))
            except NotChanged:
                if exported is words:
                    raise
                bound, copies = exported, {}
            file = Path(folder) / "command"
            file.write_text("\n".join(shlex.quote(word) for word in bound))
            done = subprocess.run([*command, f"@{file}"], check=False, capture_output=True)
    except (NotChanged, OSError):
        os.execvp(command[0], [*command, *arguments])  # noqa: S606
    for stream, said in ((sys.stdout, done.stdout), (sys.stderr, done.stderr)):
        stream.buffer.write(_with_names(said, copies))
        stream.flush()
    return done.returncode


def _output(words: list[str]) -> Path:
    """Return what a command of ours writes. Raises `NotChanged` for any other command."""
    if OPTION not in words:
        raise NotChanged
    return Path(next((words[at + 1] for at, word in enumerate(words[:-1]) if word == "-o"), "a.out"))


def _with_names(said: bytes, copies: dict[str, str]) -> bytes:
    """Return what emcc said with the names of the originals in place of those of the copies."""
    for copy, original in copies.items():
        said = said.replace(copy.encode(), original.encode())
    return said


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
