"""Mends what a link is asked for, and has `vague_linkage` do it. Runs in the build image: standard library only.

    python3 mend_link.py EMCC ARGUMENT...

* A runtime path that leads out of the wheel is left out: it names a folder of the build, or of some machine.
* A side module that calls a function of threads which the runtime lacks gets a stand-in of its own, `threads.c`.
* A program of one source or object, as the checks before a build are, does not link if it names a function that the
  libraries of this Emscripten have and the runtime does not: a check is to say what is true of the runtime.

What the runtime has is in the file ``runtime.names`` beside this; without it, no check is changed. Everything else goes
on as it is.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

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
_IMPORTS = 2
"""The section of a WebAssembly module that says what it imports."""


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


def imports(data: bytes) -> bytes:
    """Return the section of a module that names its imports. Raises ValueError or IndexError for what is no module."""
    if data[:4] != b"\0asm":
        raise ValueError("no WebAssembly")
    at = 8
    while at < len(data):
        section = data[at]
        size, at = _number(data, at + 1)
        if section == _IMPORTS:
            return data[at : at + size]
        at += size
    return b""


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Return the number (LEB128) at ``at``, and where it ends."""
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at += 1
        shift += 7
        if data[at - 1] < 0x80:
            return value, at


def _linking(compiler: str) -> list[str]:
    return [sys.executable, "-I", "-S", str(_HERE / "vague_linkage.py"), compiler]


def link_check(compiler: str, words: list[str], absent: list[str]) -> int:
    """Link a program that names nothing that is ``absent``, and return the exit status."""
    traced = [f"-Wl,--trace-symbol={name}" for name in absent]
    done = subprocess.run([*_linking(compiler), *words, *traced], check=False, capture_output=True)
    found, said = set(), []
    for line in done.stdout.splitlines(keepends=True):
        match = _TRACED.match(line.rstrip())
        if match is None:
            said.append(line)
        elif match[2] == b"reference to" and b".a(" not in match[1]:
            found.add((match[1], match[3].decode()))
    sys.stdout.buffer.write(b"".join(said))
    sys.stderr.buffer.write(done.stderr)
    if done.returncode or not found:
        return done.returncode
    for file, name in sorted(found):
        print(f"wasm-ld: error: {file.decode(errors='replace')}: undefined symbol: {name}", file=sys.stderr)
    print(f"{Path(compiler).stem}: error: 'wasm-ld' failed (returned 1)", file=sys.stderr)
    output = _output(words)
    for made in (output, output.with_suffix(".wasm"), output.with_suffix(".js")):
        made.unlink(missing_ok=True)
    return 1


def link_module(compiler: str, words: list[str], runtime: set[str]) -> int:
    """Link a side module, with a stand-in for each function of threads that it wants and the runtime lacks."""
    done = subprocess.run([*_linking(compiler), *words], check=False)
    source = _HERE / THREADS
    known = set(_STAND_IN.findall(source.read_text())) - runtime
    try:
        section = imports(_output(words).read_bytes())
    except (OSError, ValueError, IndexError):
        section = b""
    wanted = {name for name in known if bytes([len(name)]) + name.encode() in section}
    if done.returncode or not wanted:
        return done.returncode
    with tempfile.TemporaryDirectory(prefix=".threads-", dir=_output(words).parent) as folder:
        stand_ins = f"{folder}/threads.o"
        flags = ["-c", "-O2", "-fPIC", *(f"-DWANTED_{name}" for name in sorted(wanted))]
        plain = str(Path(compiler).with_name("emcc.py"))  # em++ takes C for C++
        compiled = subprocess.run(["python3", "-E", plain, *flags, str(source), "-o", stand_ins], check=False)
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
    words = without_runtime_paths(arguments)
    runtime: set[str] = set()
    with suppress(OSError):
        runtime = set((_HERE / NAMES).read_text().split())
    if runtime and is_module(words):
        return link_module(compiler, words, runtime)
    if runtime and is_program(words):
        absent = absent_names(runtime, Path(os.environ.get("EM_CACHE", "/nowhere")))
        if absent:
            return link_check(compiler, words, absent)
    return subprocess.run([*_linking(compiler), *words], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
