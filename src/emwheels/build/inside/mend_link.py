"""Mends what a link is asked for, and has `vague_linkage` do it. Runs in the build image: standard library only.

    python3 mend_link.py EMCC ARGUMENT...

* A runtime path that leads out of the wheel is left out: it names a folder of the build, or of some machine.
* A side module that calls a function of threads which the runtime lacks gets a stand-in of its own, `threads.c`.
* A program of one source or object, as the checks before a build are, does not link if it names a function that the
  libraries of this Emscripten have and the runtime does not: a check is to say what is true of the runtime.
* Such a program cannot link a side module, as the shared library of a host requirement is one: an object that defines
  the same names stands for it.

What the runtime has is in the file ``runtime.names`` beside this; without it, no check is changed. Everything else goes
on as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = "runtime.names"
THREADS = "threads.c"

_HERE = Path(__file__).parent
_ORIGIN = "$ORIGIN"
"""What a runtime path in a wheel begins with: the module's own folder."""
_ARCHIVE = b"!<arch>\n"
_LIBC = "sysroot/lib/wasm32-emscripten/libc.a"
"""In Emscripten's cache."""
_TRACED = re.compile(rb"^(.*): (reference to|(?:lazy |shared )?definition of) (\w+)$")
"""What wasm-ld (LLVM 21) says of a symbol that ``--trace-symbol`` names."""
_NO_PROGRAM = ("-shared", "-r", "-c", "-E", "-S", "-M", "-MM", "--version", "-v", "-###")
_CODE = (".c", ".cc", ".cpp", ".cxx", ".c++", ".C", ".o", ".obj")
_STAND_IN = re.compile(r"^#ifdef WANTED_(\w+)", re.MULTILINE)
_WASM = b"\0asm\1\0\0\0"
_IMPORTS, _EXPORTS = 2, 7
"""Sections of a WebAssembly module."""
_FUNCTION, _GLOBAL = 0, 3
"""Kinds of what it exports."""
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
_NOT_FOR_OTHERS = re.compile(r"main|_initialize|__wasm_.*|__em_.*|__dso_handle")


def expanded(words: list[str]) -> list[str]:
    """Return a command with the words of response files in their place; one that cannot be read stays."""
    all_words: list[str] = []
    for word in words:
        try:
            all_words += shlex.split(Path(word[1:]).read_text()) if word.startswith("@") else [word]
        except (OSError, ValueError):
            all_words.append(word)
    return all_words


def without_runtime_paths(words: list[str]) -> list[str]:
    """Return a command without those runtime paths that lead out of a wheel."""
    kept: list[str] = []
    waiting = ""
    if any(word.startswith(("-rpath", "--rpath", "-R")) for word in words):
        words = _joined(words)
    for word in words:
        if waiting:  # the path that belongs to the word before
            paths = _inside(word.rpartition(",")[2] if word.startswith("-Wl,") else word)
            if paths:
                kept += [f"-Wl,-rpath,{paths}"]
            waiting = ""
        elif word in ("-rpath", "-R", "-Wl,-rpath", "-Wl,--rpath", "-Wl,-R"):
            waiting = word
        elif word.startswith(("-Wl,", "-R/", "-R.", "-R$")):
            kept += _options(word)
        elif not word.startswith(("-rpath=", "--rpath=")):
            kept.append(word)
        elif paths := _inside(word.partition("=")[2]):
            kept.append(f"-Wl,-rpath,{paths}")
    return kept


def _joined(words: list[str]) -> list[str]:
    """Return a command with ``-Wl,A`` in place of ``-Xlinker A``."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] == "-Xlinker" and "," not in word:
            joined[-1] = f"-Wl,{word}"
        else:
            joined.append(word)
    return joined


def _options(word: str) -> list[str]:
    """Return options of the linker, ``-Wl,A,B`` or ``-RPATH``, without what leads out of a wheel."""
    kept: list[str] = []
    options = iter(word.split(",")[1:] if word.startswith("-Wl,") else [word])
    changed = False
    for option in options:
        name, equals, value = option.partition("=")
        if name in ("-rpath", "--rpath", "-R"):
            paths = value if equals else next(options, "")
        elif option.startswith("-R"):
            paths = option[2:]
        elif option == "--enable-new-dtags":
            changed = True
            continue
        else:
            kept.append(option)
            continue
        if inside := _inside(paths):
            kept += ["-rpath", inside]
        changed = changed or inside != paths
    if not changed:
        return [word]
    return [",".join(["-Wl", *kept])] if kept else []


def _inside(paths: str) -> str:
    """Return those of a list of runtime paths, ``A:B``, that begin at the module's own folder."""
    return ":".join(path for path in paths.split(":") if path.replace("${ORIGIN}", _ORIGIN).startswith(_ORIGIN))


def is_program(words: list[str]) -> bool:
    """Tell whether a program is linked of one source or object, as the checks of build systems are."""
    if any(word in _NO_PROGRAM or word.startswith("@") for word in words):
        return False
    if any(word.removeprefix("-s").strip().startswith("SIDE_MODULE") for word in words):
        return False
    values = {at + 1 for at, word in enumerate(words) if word in ("-o", "-MF", "-MT", "-I", "-include", "-x")}
    code = [word for at, word in enumerate(words) if word.endswith(_CODE) and word[:1] != "-" and at not in values]
    return len(code) == 1


def absent_names(runtime: set[str], cache: Path) -> list[str]:
    """Return the C functions of this Emscripten that the runtime lacks, whether of libc or of JavaScript.

    ``cache`` is Emscripten's. What cannot be read there has none.
    """
    names: set[str] = set()
    with suppress(OSError, ValueError):
        names |= archive_names((cache / _LIBC).read_bytes())
    for file in (cache / "symbol_lists").glob("*.json"):
        with suppress(OSError, ValueError, KeyError, AttributeError):
            names |= json.loads(file.read_text())["deps"].keys()
    return sorted(name for name in names - runtime if re.fullmatch(r"[A-Za-z]\w*", name))


def archive_names(data: bytes) -> set[str]:
    """Return the symbols in the table of an archive (GNU's format). Raises ValueError for a file without one."""
    if not data.startswith(_ARCHIVE) or data[8:10] != b"/ ":
        raise ValueError("no table of symbols")
    table = data[68 : 68 + int(data[56:66])]
    count = int.from_bytes(table[:4])
    return {name.decode() for name in table[4 + 4 * count :].split(b"\0")[:count]}


def section(data: bytes, wanted: int) -> bytes:
    """Return a section of a module, empty if it has none. Raises ValueError or IndexError for what is no module."""
    if not data.startswith(_WASM):
        raise ValueError("no WebAssembly")
    at = len(_WASM)
    while at < len(data):
        number = data[at]
        size, at = _number(data, at + 1)
        if number == wanted:
            return data[at : at + size]
        at += size
    return b""


def exports(data: bytes) -> Iterator[tuple[str, int]]:
    """Give what a module exports, each with its kind. Raises ValueError or IndexError for what is no module."""
    body = section(data, _EXPORTS)
    count, at = _number(body, 0) if body else (0, 0)
    for _ in range(count):
        size, at = _number(body, at)
        name, kind = body[at : at + size].decode(errors="replace"), body[at + size]
        _, at = _number(body, at + size + 1)
        yield name, kind


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Return the number (LEB128) at ``at``, and where it ends."""
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at += 1
        shift += 7
        if data[at - 1] < 0x80:
            return value, at


def with_stubs(compiler: str, words: list[str]) -> list[str]:
    """Return the command of a program with an object in place of each side module that it names."""
    stubs = {}
    for word in words:
        if module := _side_module(word, words):
            with suppress(
                OSError, ValueError, IndexError, subprocess.CalledProcessError
            ):  # then the linker says what it is
                stubs[word] = _stub(compiler, module)
    return [stubs.get(word, word) for word in words]


def _side_module(word: str, words: list[str]) -> bytes:
    """Return the side module that a word names, by its path or as ``-lNAME``; empty if it names none."""
    path = Path(word.removeprefix("-Wl,"))
    if word.startswith("-l"):
        libraries = [Path(folder) / f"lib{word[2:]}" for folder in _folders(words)]
        files = [library.with_name(library.name + suffix) for library in libraries for suffix in (".a", ".so")]
        path = next((file for file in files if file.is_file()), path)
    if not re.search(r"\.so(\.\d+)*$", path.name):
        return b""
    try:
        data = path.read_bytes()
    except OSError:
        return b""
    return data if data.startswith(_WASM) else b""


def _folders(words: list[str]) -> list[str]:
    """Return the folders in which a command looks for libraries."""
    return [word[2:] or following for word, following in zip(words, [*words[1:], ""], strict=True) if word[:2] == "-L"]


def _stub(compiler: str, module: bytes) -> str:
    """Return an object, made once a build, with what a side module exports. What else defines it wins."""
    made = Path(tempfile.gettempdir()) / f"emwheels-stub-{hashlib.sha256(module).hexdigest()[:32]}.o"
    if not made.exists():
        with tempfile.TemporaryDirectory() as folder:
            source, out = Path(folder) / "stub.c", Path(folder) / "stub.o"
            source.write_text("".join(_definitions(module)))
            subprocess.run(_compiling(compiler, ["-w", str(source), "-o", str(out)]), check=True)
            out.replace(made)
    return str(made)


def _definitions(module: bytes) -> Iterator[str]:
    """Give C that defines what a side module exports."""
    for number, (name, kind) in enumerate(exports(module)):
        if _IDENTIFIER.fullmatch(name) and not _NOT_FOR_OTHERS.fullmatch(name):
            if kind == _FUNCTION:
                yield f'__attribute__((weak)) void s{number}(void) __asm__("{name}");\nvoid s{number}(void) {{}}\n'
            elif kind == _GLOBAL:
                yield f'__attribute__((weak)) char s{number}[16] __asm__("{name}");\n'


def _compiling(compiler: str, arguments: list[str]) -> list[str]:
    plain = str(Path(compiler).with_name("emcc.py"))  # em++ takes C for C++
    return ["python3", "-E", plain, "-c", *arguments]


def _linking(compiler: str) -> list[str]:
    return [sys.executable, "-I", "-S", str(_HERE / "vague_linkage.py"), compiler]


def link_check(compiler: str, words: list[str], absent: list[str]) -> int:
    """Link a program that names nothing that is ``absent``, but for what it links itself. Return the exit status."""
    traced = [f"-Wl,--trace-symbol={name}" for name in absent]
    done = subprocess.run([*_linking(compiler), *words, *traced], check=False, capture_output=True)
    wanted, own, said = set(), set(), []
    for line in done.stdout.splitlines(keepends=True):
        match = _TRACED.match(line.rstrip())
        if match is None:
            said.append(line)
        elif match[2] == b"reference to" and b".a(" not in match[1]:
            wanted.add((match[1].decode(errors="replace"), match[3].decode()))
        elif match[2] != b"reference to" and _is_named(match[1].decode(errors="replace"), words):
            own.add(match[3].decode())
    sys.stdout.buffer.write(b"".join(said))
    sys.stderr.buffer.write(done.stderr)
    lacking = sorted((file, name) for file, name in wanted if name not in own)
    if done.returncode or not lacking:
        return done.returncode
    for file, name in lacking:
        print(f"wasm-ld: error: {file}: undefined symbol: {name}", file=sys.stderr)
    print(f"{Path(compiler).stem}: error: 'wasm-ld' failed (returned 1)", file=sys.stderr)
    output = _output(words)
    for made in (output, output.with_suffix(".wasm"), output.with_suffix(".js")):
        made.unlink(missing_ok=True)
    return 1


def _is_named(file: str, words: list[str]) -> bool:
    """Tell whether a command names a file, ``NAME.o`` or ``NAME.a(MEMBER)``, or looks for libraries where it is."""
    path = file.partition("(")[0]
    return path in words or any(path.startswith(f"{folder.rstrip('/')}/") for folder in _folders(words))


def link_module(compiler: str, words: list[str], runtime: set[str]) -> int:
    """Link a side module, with a stand-in for each function of threads that it wants and the runtime lacks."""
    done = subprocess.run([*_linking(compiler), *words], check=False)
    source = _HERE / THREADS
    known = set(_STAND_IN.findall(source.read_text())) - runtime
    try:
        imports = section(_output(words).read_bytes(), _IMPORTS)
    except (OSError, ValueError, IndexError):
        imports = b""
    wanted = {name for name in known if bytes([len(name)]) + name.encode() in imports}
    if done.returncode or not wanted:
        return done.returncode
    with tempfile.TemporaryDirectory(prefix=".threads-", dir=_output(words).parent) as folder:
        stand_ins = f"{folder}/threads.o"
        flags = ["-O2", "-fPIC", *(f"-DWANTED_{name}" for name in sorted(wanted))]
        compiled = subprocess.run(_compiling(compiler, [*flags, str(source), "-o", stand_ins]), check=False)
        return compiled.returncode or subprocess.run([*_linking(compiler), *words, stand_ins], check=False).returncode


def _output(words: list[str]) -> Path:
    names = [words[at + 1] for at, word in enumerate(words[:-1]) if word == "-o"]
    names += [word[2:] for word in words if word.startswith("-o") and len(word) > len("-o")]
    return Path(names[-1] if names else "a.out")


def is_module(words: list[str]) -> bool:
    """Tell whether a side module is linked."""
    values = [word.removeprefix("-s").strip() for word in words]
    return any(value.partition("=")[0] == "SIDE_MODULE" for value in values) and not {*words} & {"-c", "-E", "-S"}


def main(compiler: str, arguments: list[str]) -> int:
    """Link, and return the exit status."""
    words = without_runtime_paths(expanded(arguments))
    runtime: set[str] = set()
    with suppress(OSError):
        runtime = set((_HERE / NAMES).read_text().split())
    if runtime and is_module(words):
        return link_module(compiler, words, runtime)
    if is_program(words):
        words = with_stubs(compiler, words)
        absent = absent_names(runtime, Path(os.environ.get("EM_CACHE", "/nowhere"))) if runtime else []
        if absent:
            return link_check(compiler, words, absent)
    return subprocess.run([*_linking(compiler), *words], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
