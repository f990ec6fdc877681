"""Keeps what emcc links beside ccache, which keeps objects only. Runs in the build image: standard library only.

    python3 link_cache.py EMCC ARGUMENT...

does what ``EMCC ARGUMENT...`` does. A link of objects and archives, and of one source as the checks before a build
have it, is looked up by its command, the variables that emcc reads, and the content of each file that it reads. Any
other command, and each that may read or write something else, is run as it is.

`vague_linkage`, which lies beside this, reads response files and thin archives on its own: ``python3 -I`` imports no
neighbour, and its bytes are in every build key.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

HIT, MISS = "link_cache_hit", "link_cache_miss"
"""What is noted in the file of CCACHE_STATSLOG."""
FOLDER = "links"
"""In ccache's folder."""
MAX_BYTES = 512 << 20
"""Limit for the folder; what was used longest ago goes."""

_FORMAT = 1
_NOT_KEPT = (
    # No link.
    *("-c", "-E", "-S", "-M", "-v", "-x", "-###", "--version", "-dump", "-print", "--print", "--cflags", "--help"),
    # Files that are read or written besides those that the command names.
    *("-include", "-T", "--sysroot", "-isysroot", "-save-temps", "--save-temps", "-fprofile"),
    *("-sMAIN_MODULE", "MAIN_MODULE", "-l:"),
    *("--js-library", "--pre-js", "--post-js", "--extern-pre-js", "--extern-post-js", "--shell-file", "--embed-file"),
    *("--preload-file", "--emit", "-gsource-map", "-gseparate-dwarf", "-gsplit-dwarf"),
    *("-Wl,-Map", "-Wl,--Map", "-Wl,--reproduce", "-Wl,@", "-Wl,--print", "-Wl,--verbose", "-Wl,-t", "-Wl,-T"),
)
_INPUTS = (".o", ".obj", ".lo", ".a")
_SOURCES = (".c", ".cc", ".cpp", ".cxx", ".c++")
_OTHER_SOURCES = (".C", ".m", ".mm", ".s", ".S", ".ll", ".bc", ".i", ".ii")
_OF_THE_IMAGE = ("/usr/", "/opt/")
"""What no build can change."""
_CHECK = re.compile(r"cmTC_[0-9a-f]+")
"""CMake's names for the programs of its checks, another one each time (CMake 4)."""
_RANDOM = re.compile(rf"{_CHECK.pattern}|(?<=/)tmp[a-z0-9_]{{8}}(?=/|$)")
"""These, and the folders that Python's tempfile makes, as Meson has them for its checks."""
_LIST = ".headers"
_THIN = b"!<thin>\n"


class NotKept(Exception):  # noqa: N818  not an error
    """A command that is to be run as it is."""


@dataclass
class Link:
    """What one command links."""

    output: Path
    words: list[list[str]] = field(default_factory=list)
    """The command without what may differ: files as their hash, CMake's random names as one."""
    compiles: bool = False
    """Whether one of the inputs is C or C++, which reads headers."""

    def key(self, compiler: str) -> str:
        """Return what identifies the result."""
        variables = sorted(
            (name, value)
            for name, value in os.environ.items()
            if name.startswith(("EM", "BINARYEN")) and name not in ("EMCC_CORES", "BINARYEN_CORES")
        )
        said = [_FORMAT, compiler, os.environ.get("CCACHE_COMPILERCHECK", ""), variables, self.words]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def read_link(arguments: list[str]) -> Link:
    """Return what ``arguments`` of emcc link. Raises `NotKept`."""
    words = _expand(arguments)
    outputs = [words[at + 1] for at, word in enumerate(words[:-1]) if word == "-o"]
    outputs += [word[2:] for word in words if word.startswith("-o") and len(word) > len("-o")]
    if (
        len(outputs) != 1
        or not any(word.startswith("-o") for word in arguments)
        or any(word.startswith(_NOT_KEPT) for word in words)
    ):
        raise NotKept
    link = Link(output=Path(outputs[0]))
    if link.output.exists() and (link.output.is_symlink() or not link.output.is_file()):
        raise NotKept
    folders = [word[2:] for word in words if word.startswith("-L")]
    folders += [words[at + 1] for at, word in enumerate(words[:-1]) if word == "-L"]
    inputs = sources = 0
    for before, word in zip(["", *words], words, strict=False):
        plain = _RANDOM.sub("?", word)
        if before == "-o" or (word.startswith("-o") and word != "-o"):
            link.words.append(["output", Path(plain if before == "-o" else plain[2:]).name])
        elif before == "-l" or word.startswith("-l"):
            link.words.append([plain, *_libraries(word.removeprefix("-l"), folders)])
        elif word.startswith("-"):
            link.words.append(_option(plain))
        elif word.endswith(_INPUTS):
            inputs += 1
            link.words.append(["input", _hash(Path(word))])
        elif word.endswith(_SOURCES):
            sources += 1
            link.words.append([plain, _hash(Path(word))])
        elif word.endswith(_OTHER_SOURCES):
            raise NotKept
        else:
            link.words.append(_option(plain))
    if sources:
        # Where it is compiled may be in what comes out.
        link.words.append([_RANDOM.sub("?", str(Path.cwd()))])
    if sources > 1 or not inputs + sources:
        raise NotKept
    link.compiles = bool(sources)
    return link


def _expand(arguments: list[str]) -> list[str]:
    """Return the arguments with those of response files in their place."""
    words = []
    for word in arguments:
        if not word.startswith("@"):
            words.append(word)
            continue
        try:
            text = Path(word[1:]).read_text()
        except (OSError, ValueError):
            raise NotKept from None
        if any(mark in text for mark in "\"'\\"):
            raise NotKept
        words += _expand(text.split())
    return words


def _libraries(name: str, folders: list[str]) -> list[str]:
    """Return the hashes of each file that ``-lNAME`` might mean; those of the image are known by the image."""
    return [_hash(path) for folder in folders for path in sorted(Path(folder).glob(f"lib{glob.escape(name)}.*"))]


def _option(word: str) -> list[str]:
    """Return an option with the hashes of the files that it names, e.g. ``-sEXPORTED_FUNCTIONS=@names``."""
    found = []
    for part in re.split("[=,@]", word):
        with suppress(OSError, ValueError):
            if part and Path(part).is_file():
                found.append(_hash(Path(part)))
                word = word.replace(f"@{part}", "@")
    return [word, *found]


def _hash(path: Path) -> str:
    """Return the hash of a file, and of the files that a thin archive names. Raises `NotKept`."""
    try:
        with path.open("rb") as file:
            if file.read(len(_THIN)) == _THIN:
                text = json.dumps([_hash(path.parent / name) for name in _names_in(file.read())])
                return hashlib.sha256(text.encode()).hexdigest()
            file.seek(0)
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        raise NotKept from None


def _names_in(archive: bytes) -> list[str]:
    """Return the files that a thin archive (GNU's format, as llvm-ar writes it) names after its first 8 bytes.

    Each has a header of 60 bytes and no content; a name is where it begins in the member ``//``. Raises `NotKept`.
    """
    table, names, at = b"", [], 0
    while at < len(archive):
        header = archive[at : at + 60]
        name, size, at = header[:16].rstrip(), header[48:58], at + 60
        if header[58:] != b"`\n" or not size.strip().isdigit():
            raise NotKept
        if name in (b"/", b"//"):  # the table of symbols, and that of names
            content = archive[at : at + int(size)]
            table = content if name == b"//" else table
            at += int(size) + int(size) % 2
        elif name[:1] == b"/" and name[1:].isdigit():
            names.append(table[int(name[1:]) :].partition(b"/\n")[0].decode())
        else:
            names.append(name.rstrip(b"/").decode())
    return names


@dataclass(frozen=True)
class Result:
    """What a link gave."""

    status: int
    said: tuple[bytes, bytes]
    """Standard output and standard error."""
    files: dict[str, tuple[int, bytes]]
    """Name, beside the output -> permissions and content."""
    headers: dict[str, str] = field(default_factory=dict)
    """Path -> hash of what was included, if it is not the image's."""

    @property
    def is_of_the_inputs(self) -> bool:
        """Whether the same inputs will give it again: no failure, or symbols that nothing defines."""
        if self.status == 0:
            return True
        errors = [line for line in self.said[1].splitlines() if b"error:" in line]
        known = (b"undefined symbol", b"failed (returned 1)")
        return self.status == 1 and bool(errors) and all(any(one in line for one in known) for line in errors)

    def pack(self) -> bytes:
        """Return it as the bytes of a file: the hash of the rest, then the rest."""
        names = [[name, mode, len(data)] for name, (mode, data) in self.files.items()]
        head = [self.status, len(self.said[0]), len(self.said[1]), names, self.headers]
        first = json.dumps(head).encode() + b"\n"
        packed = zlib.compress(b"".join([first, *self.said, *(data for _, data in self.files.values())]), 1)
        return hashlib.sha256(packed).digest() + packed

    @classmethod
    def unpack(cls, data: bytes) -> Result:
        """Return what was packed. Raises ValueError for a file that is damaged."""
        if hashlib.sha256(data[32:]).digest() != data[:32]:
            raise ValueError("damaged")
        first, _, rest = zlib.decompress(data[32:]).partition(b"\n")
        status, out, err, names, headers = json.loads(first)
        said, at, files = (rest[:out], rest[out : out + err]), out + err, {}
        for name, mode, size in names:
            files[name] = (mode, rest[at : at + size])
            at += size
        return cls(status, said, files, headers)


def run(compiler: str, arguments: list[str], link: Link) -> Result:
    """Link into a folder of its own beside the output, so that all that comes out is seen. Raises `NotKept`."""
    try:
        own = tempfile.TemporaryDirectory(prefix=".link-", dir=link.output.parent)
    except OSError:
        raise NotKept from None
    with own as folder:
        there = str(Path(folder) / link.output.name)
        words = list(arguments)
        for at, word in enumerate(arguments):
            if word == "-o":
                words[at + 1] = there
            elif word.startswith("-o"):
                words[at] = f"-o{there}"
        if link.compiles:
            words += ["-MD", "-MF", f"{folder}/{_LIST}"]
        done = subprocess.run([compiler, *words], check=False, capture_output=True)
        headers = read_headers(Path(folder) / _LIST) if link.compiles and done.returncode == 0 else {}
        made = sorted(path for path in Path(folder).rglob("*") if path.is_file() and path.name != _LIST)
        if any(path.parent != Path(folder) for path in made):
            raise NotKept
        files = {path.name: (path.stat().st_mode & 0o777, path.read_bytes()) for path in made}

    def plain(text: bytes) -> bytes:
        return text.replace(f"{folder}/".encode(), b"").replace(f"{Path(folder).name}/".encode(), b"")

    said = (plain(done.stdout), plain(done.stderr))
    return Result(done.returncode, said, files, headers)


def read_headers(file: Path) -> dict[str, str]:
    """Return the files that a compiler's list names besides those of the image, with their hashes. Raises `NotKept`."""
    try:
        text = file.read_text()
    except OSError:
        raise NotKept from None
    names = text.replace("\\\n", " ").partition(": ")[2].split()
    if any("\\" in name for name in names):
        raise NotKept
    return {name: _hash(Path(name)) for name in names if not name.startswith(_OF_THE_IMAGE)}


def lay_out(result: Result, output: Path) -> None:
    """Write the files beside ``output``, with CMake's present name of the check in them, and say what emcc said."""
    own = _CHECK.search(output.name)

    def named(text: bytes) -> bytes:
        return re.sub(_CHECK.pattern.encode(), own[0].encode(), text) if own else text

    for name, (mode, data) in result.files.items():
        path = output.parent / named(name.encode()).decode()
        handle, temporary = tempfile.mkstemp(prefix=".link-", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data if data.startswith(b"\0asm") else named(data))
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    for stream, text in zip((sys.stdout, sys.stderr), result.said, strict=True):
        stream.buffer.write(text)
        stream.flush()


def keep(result: Result, path: Path) -> None:
    """Write ``result`` at ``path``, whole or not at all, and remove what is too much."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".", dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(result.pack())
    Path(temporary).replace(path)
    kept = sorted(((one.stat().st_mtime, one.stat().st_size, one) for one in path.parent.iterdir()), reverse=True)
    total = 0
    for _, size, one in kept:
        total += size
        if total > MAX_BYTES:
            one.unlink(missing_ok=True)


def note(what: str) -> None:
    """Add a line to the file of CCACHE_STATSLOG."""
    if log := os.environ.get("CCACHE_STATSLOG"):
        with Path(log).open("a") as file:
            file.write(f"{what}\n")


def run_as_it_is(compiler: str, arguments: list[str]) -> NoReturn:
    """Go on as the command itself."""
    os.execv(compiler, [compiler, *arguments])  # noqa: S606


def main(compiler: str, arguments: list[str]) -> int:
    """Link, or have it done as it is."""
    try:
        link = read_link(arguments)
        path = Path(os.environ["CCACHE_DIR"]) / FOLDER / link.key(Path(compiler).name)
    except (NotKept, KeyError):
        run_as_it_is(compiler, arguments)
    result = None
    with suppress(OSError, ValueError, zlib.error, NotKept):
        found = Result.unpack(path.read_bytes())
        if all(_hash(Path(name)) == known for name, known in found.headers.items()):
            result = found
            os.utime(path)
    if result is None:
        note(MISS)
        try:
            result = run(compiler, arguments, link)
        except NotKept:
            run_as_it_is(compiler, arguments)
        if result.is_of_the_inputs:
            with suppress(OSError):
                keep(result, path)
    else:
        note(HIT)
    lay_out(result, link.output)
    return result.status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
