"""Files and answers of others, as an attacker lays them out: archives, recipes, wheels, leavings of builds, indexes.

No image is needed. Each attack reports what stopped it, or raises: `EmwheelsError` is a clear error, `BrokenError` a
hole, anything else a traceback, which is one as well.
"""

from __future__ import annotations

# ruff: noqa: E501  (each attack on a line)
import http.server
import io
import itertools
import json
import os
import socket
import stat
import tarfile
import threading
import time
import warnings
import zipfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from loopback import serving
from packaging.utils import NormalizedName
from sample_target import TARGET
from synthetic_wheels import make_wheel

from emwheels.audit import Owner, Runtime, audit_wheel
from emwheels.build.results import pack_libraries, read_counters, take_wheel
from emwheels.build.source import prepare_source
from emwheels.build.workplace import Workplace
from emwheels.errors import EmwheelsError
from emwheels.fetch.archive import unpack
from emwheels.fetch.fetcher import Fetched
from emwheels.outputs.builds import check_record
from emwheels.outputs.remote.model import Manifest
from emwheels.recipe.load import load_recipe, load_recipes
from emwheels.serve.app import application
from emwheels.serve.patience import PatientProtocol
from emwheels.target import load_targets
from emwheels.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET = "a secret of the host"
SHA256 = "0123456789abcdef" * 4


class BrokenError(Exception):
    """The attack got through; the message says how."""


class Ground:
    """A folder for each attack, beside a victim that none may read or write."""

    def __init__(self, folder: Path) -> None:
        self._root, self._numbers = folder / "files", itertools.count()
        self.victim = folder / "victim-of-files"
        self.victim.mkdir()
        (self.victim / "file").write_text(SECRET)

    def folder(self) -> Path:
        """Return a new folder."""
        folder = self._root / str(next(self._numbers))
        folder.mkdir(parents=True)
        return folder

    def check(self) -> None:
        """Raise `BrokenError` where the victim is not as it was."""
        if sorted(path.name for path in self.victim.iterdir()) != ["file"] or self.read() != SECRET:
            raise BrokenError(f"the host wrote outside: {[*self.victim.iterdir()]}")

    def read(self) -> str:
        """Return what is in the victim's file."""
        return (self.victim / "file").read_text()


def attacks(folder: Path) -> Iterator[tuple[str, str, Callable[[], str]]]:
    """Yield area, name and attack."""
    ground = Ground(folder)
    for area, source in (
        ("archives", archives), ("recipes", recipes), ("wheels", wheels), ("leavings of builds", leavings),
        ("patched sources", patched_sources), ("remote stores", records), ("indexes", indexes), ("serve", requests),
    ):  # fmt: skip
        for name, attack in source(ground):
            yield area, name, partial(_then_check, ground, attack)


def _then_check(ground: Ground, attack: Callable[[], str]) -> str:
    try:
        return attack()
    finally:
        ground.check()


# Archives.


def _tar(*members: tuple[str, bytes, str, str], path: Path) -> Path:
    """Write a tar of (name, type, link target, content)."""
    with tarfile.open(path, "w:gz") as tar:
        for name, kind, link, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, link, len(content) if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(content.encode()))
    return path


def archives(ground: Ground) -> Iterator[tuple[str, Callable[[], str]]]:
    """Archives of sources: what leaves the folder, what is no file, what is too much."""
    victim = str(ground.victim)
    up = "../" * 12 + victim.lstrip("/")
    file, sym, hard = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
    tars: dict[str, list[tuple[str, bytes, str, str]]] = {
        "an absolute path": [(f"{victim}/new", file, "", "evil")],
        "a path upwards": [(f"a/{up}/new", file, "", "evil")],
        "a link to a folder, then a file in it": [("a/l", sym, victim, ""), ("a/l/new", file, "", "evil")],
        "a relative link out": [("a/l", sym, up, ""), ("a/l/new", file, "", "evil")],
        "a link to a file, then that file": [("a/l", sym, f"{victim}/file", ""), ("a/l", file, "", "evil")],
        "a hard link to a file": [("a/l", hard, f"{victim}/file", ""), ("a/l", file, "", "evil")],
        "a chain of links": [("a/b", sym, ".", ""), ("a/b/c", sym, "..", ""), ("a/b/c/d", sym, "../..", "")],
        "a link to itself": [("a/l", sym, "l", "")],
        "a fifo": [("a/f", tarfile.FIFOTYPE, "", "")],
        "a character device": [("a/d", tarfile.CHRTYPE, "", "")],
        "a block device": [("a/d", tarfile.BLKTYPE, "", "")],
        "a file in place of a folder": [("a", file, "", "x"), ("a/b", file, "", "x")],
        "a name that ends in a dot": [("a/..", file, "", "x")],
        "a name with a NUL": [("a/b\0c", file, "", "x")],
        "a very long name": [("a/" + "n" * 5000, file, "", "x")],
        "a very deep name": [("a/" + "d/" * 3000 + "x", file, "", "x")],
        "an empty name": [("", file, "", "x")],
        "control characters": [("a/\x1b[2J\u202e", file, "", "x")],
    }
    for name, members in tars.items():
        yield name, partial(_unpack_tar, ground, members)
    for name, make in {
        "a truncated archive": lambda path: path.write_bytes(b"\x1f\x8b\x08\0" + b"x" * 50),
        "an empty file": lambda path: path.write_bytes(b""),
        "zeros": lambda path: path.write_bytes(b"\0" * 100_000),
        "a zip bomb": _bomb,
        "a zip with a path upwards": partial(_zip_with, name="../" * 12 + victim.lstrip("/") + "/new"),
        "a zip with a link": partial(_zip_with, name="l", mode=stat.S_IFLNK | 0o777, data=victim),
        "a zip with a drive": partial(_zip_with, name="C:/evil"),
        "a zip with backslashes": partial(_zip_with, name="..\\..\\evil"),
    }.items():
        yield name, partial(_unpack_made, ground, make)


def _unpack_tar(ground: Ground, members: list[tuple[str, bytes, str, str]]) -> str:
    folder = ground.folder()
    unpack(_tar(*members, path=folder / "a-1.0.tar.gz"), folder / "tree", strip_single_top=True)
    return _inside(folder / "tree", ground)


def _unpack_made(ground: Ground, make: Callable[[Path], object]) -> str:
    folder = ground.folder()
    archive = folder / "a-1.0.zip"
    make(archive)
    unpack(archive, folder / "tree", limit_bytes=50 << 20)
    return _inside(folder / "tree", ground)


def _inside(tree: Path, ground: Ground) -> str:
    for path in tree.rglob("*"):
        if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(tree.resolve()):
            raise BrokenError(f"a link leads out: {path} -> {path.readlink()}")
        if path.is_file() and SECRET in path.read_text(errors="replace"):
            raise BrokenError(f"{path} is a file of the host")
    return "what is in it stays in its folder"


def _bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(20):
            archive.writestr(f"zeros{number}", bytes(10 << 20))


def _zip_with(path: Path, *, name: str, mode: int = stat.S_IFREG | 0o644, data: str = "evil") -> None:
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("x")
        info.filename, info.external_attr = name, mode << 16
        archive.writestr(info, data)


# Recipes.

_PLAIN = f"package:\n  name: demo\n  version: '1.0'\nsource:\n  url: pkg:pypi/demo@1.0\n  sha256: {SHA256}\n"


def recipes(ground: Ground) -> Iterator[tuple[str, Callable[[], str]]]:
    """Folders of recipes: what stands in meta.yaml, and what lies in place of its files."""
    texts = {
        "a secret in an address": _PLAIN.replace("pkg:pypi/demo@1.0", "https://u:p@example.org/a.tar.gz"),
        "a NUL in an address": _PLAIN.replace("pkg:pypi/demo@1.0", "https://example.org/a.tar.gz%00"),
        "a file's address": _PLAIN.replace("pkg:pypi/demo@1.0", "file:///etc/passwd"),
        "an option as address": _PLAIN.replace("pkg:pypi/demo@1.0", "--upload-pack=evil"),
        "a package URL upwards": _PLAIN.replace("pkg:pypi/demo@1.0", "pkg:pypi/..%2f..%2fetc@1.0"),
        "a path outside": _PLAIN.replace(f"url: pkg:pypi/demo@1.0\n  sha256: {SHA256}", "path: ../../etc"),
        "an absolute path": _PLAIN.replace(f"url: pkg:pypi/demo@1.0\n  sha256: {SHA256}", "path: /etc"),
        "extras outside": _PLAIN + "  extras:\n    - [../../../etc/passwd, x]\n",
        "extras to outside": _PLAIN + "  extras:\n    - [meta.yaml, ../../x]\n",
        "a name upwards": _PLAIN.replace("name: demo", "name: ../demo"),
        "a name that is an option": _PLAIN.replace("name: demo", "name: --demo"),
        "a version that is none": _PLAIN.replace("'1.0'", "'1.0; rm -rf /'"),
        "a version with a path": _PLAIN.replace("'1.0'", "'../../1.0'"),
        "an object of Python": _PLAIN + "extra: !!python/object/apply:os.system ['id']\n",
        "aliases without end": "a: &a [*a]\n",
        "a billion laughs": "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in itertools.pairwise("abcdefghij")),
        "deep nesting": "a: " + "[" * 100_000,
        "deep mappings": "".join(" " * n + "a:\n" for n in range(3000)),
        "half a surrogate": _PLAIN + 'about:\n  summary: "\\ud800"\n  license: "\\udfff"\n  home: [1]\n',
        "another encoding": "\ufeff" + _PLAIN + "\x00",
        "a huge number": _PLAIN + "build:\n  script: " + "9" * 100_000 + "\n  type: 1e999999\n",
        "a key twice": _PLAIN + "package:\n  name: other\n",
        "an unknown key": _PLAIN + "\u202eevil: 1\n",
        "a limit that is none": _PLAIN + "extra:\n  emwheels:\n    accepted: {a: 1}\n    limits: [1]\nbuild: {x: 1}\n",
    }
    for name, text in texts.items():
        yield name, partial(_load, ground, text)
    for file, what in itertools.product(
        ("meta.yaml", "requirements.build.txt", "test_demo.py", "upstream.yaml", "0001-x.patch"),
        ("fifo", "zero", "secret", "folder", "ring"),
    ):
        yield f"{what} in place of {file}", partial(_load_with, ground, file, what)


def _load(ground: Ground, text: str) -> str:
    folder = ground.folder() / "demo"
    folder.mkdir()
    (folder / "meta.yaml").write_text(text, errors="surrogatepass")
    load_recipe(folder, patches=folder.parent / "patches")
    raise BrokenError("it was taken for a recipe")


def _load_with(ground: Ground, file: str, what: str) -> str:
    root = ground.folder()
    folder = root / "recipes" / "demo"
    folder.mkdir(parents=True)
    (folder / "meta.yaml").write_text(_PLAIN)
    path = root / "patches" / "demo" / file if file.endswith(".patch") else folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    _lay(path, what, ground)
    began = time.monotonic()
    try:
        load_recipes(root / "recipes", patches=root / "patches")
    except EmwheelsError as error:
        if SECRET in error.message or time.monotonic() - began > 10:
            raise BrokenError(f"it took {time.monotonic() - began:.0f} s: {error.message}") from error
        raise
    raise BrokenError("it was read")


def _lay(path: Path, what: str, ground: Ground) -> None:
    match what:
        case "fifo":
            os.mkfifo(path)
        case "zero":
            path.symlink_to("/dev/zero")
        case "secret":
            path.symlink_to(ground.victim / "file")
        case "folder":
            path.mkdir()
        case "ring":
            path.symlink_to(path.name)


# Wheels.


def wheels(ground: Ground) -> Iterator[tuple[str, Callable[[], str]]]:
    """Wheels for the audit."""
    own = {"demo/__init__.py": ""}
    info = "demo-1.0.dist-info"
    many: dict[str, dict[str, Any]] = {
        "another project's module": {"files": {"numpy/__init__.py": ""}},
        "a module of Python": {"files": {"json.py": ""}},
        "pip itself": {"files": {"demo-1.0.data/purelib/pip/__init__.py": ""}},
        "what runs at every start": {"files": {"sitecustomize.py": ""}},
        "a .pth file": {"files": {"a.pth": "import os"}},
        "a .pth file by .data": {"files": {"demo-1.0.data/platlib/a.pth": "import os"}},
        "python3": {"files": {"demo-1.0.data/scripts/python3": ""}},
        "pip by an entry point": {"files": {f"{info}/entry_points.txt": "[console_scripts]\npip = demo:x\n"}},
        "a plugin of pytest": {"files": {f"{info}/entry_points.txt": "[pytest11]\nx = demo\n"}},
        "entry points that are none": {"files": {f"{info}/entry_points.txt": "[[[\n=\n"}},
        "a requirement by address": {"requires": ["x @ https://example.org/x.whl"]},
        "a requirement that is none": {"requires": ["--index-url https://example.org"]},
        "a path upwards": {"files": {"../evil.py": ""}},
        "an absolute path": {"files": {"/etc/evil.py": ""}},
        "a drive": {"files": {"C:/evil.py": ""}},
        "backslashes": {"files": {"..\\evil.py": ""}},
        "names that differ by case": {"files": {"demo/A": "", "demo/a": ""}},
        "300 folders": {"files": {"demo/" + "d/" * 300 + "x": ""}},
        "RECORD that lies": {"record": f"demo/__init__.py,sha256=AAAA,0\n{info}/RECORD,,\n"},
        "RECORD that is empty": {"record": ""},
        "RECORD that is no table": {"record": '"\n\0' * 10},
        "METADATA of another": {"metadata": "Metadata-Version: 2.1\nName: other\nVersion: 1.0\n"},
        "METADATA that is empty": {"metadata": ""},
        "METADATA that is binary": {"metadata": "\0\x01\udcff".encode(errors="surrogateescape").decode("latin-1")},
        "a library that is none": {"files": {"demo/_c.so": b"\0asm\1\0\0\0\xff\xff\xff\xff\xff"}},
        "a library of the host": {"files": {"demo/_c.so": b"\x7fELF" + bytes(100)}},
        "sections without end": {"files": {"demo/_c.so": b"\0asm\1\0\0\0" + b"\0\xff\xff\xff\xff\x0f"}},
        "a name of another": {"name": "other"},
        "a version of another": {"version": "2.0"},
        "a file name that is none": {"filename": "demo.whl"},
    }
    for name, options in many.items():
        given = {"name": "demo", **options, "files": own | options.get("files", {})}
        yield name, partial(_audit, ground, given)
    for name, damage in {
        "no zip": lambda path: path.write_bytes(b"no zip"),
        "a directory that lies": lambda path: path.write_bytes(path.read_bytes()[:-30] + b"\xff" * 30),
        "a bomb": _bomb,
        "a link": partial(_zip_with, name="demo/l", mode=stat.S_IFLNK | 0o777, data="/etc/passwd"),
        "a member twice": _twice,
    }.items():
        yield name, partial(_audit, ground, {"name": "demo", "files": own}, damage)


def _twice(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it is there twice
        archive.writestr(zipfile.ZipInfo("demo/__init__.py"), "evil = 1")


def _audit(ground: Ground, options: dict[str, Any], damage: Callable[[Path], object] | None = None) -> str:
    wheel = make_wheel(ground.folder(), **options)
    if damage:
        damage(wheel)
    owner = Owner(name=NormalizedName("demo"), version="1.0", modules=("demo",), others={"numpy": "numpy"})
    report = audit_wheel(wheel, target=TARGET, runtime=Runtime(exports={}, javascript_names=frozenset()), owner=owner)
    if not report.errors:
        raise BrokenError(f"nothing was found in it but {report.findings}")
    return f"{report.errors[0].rule}: {report.errors[0].message}"


# What a build leaves.


def leavings(ground: Ground) -> Iterator[tuple[str, Callable[[], str]]]:
    """Folders after a build, as the host reads them."""
    for what in ("fifo", "zero", "secret", "folder", "ring"):
        yield f"{what} in place of the wheel", partial(_wheel_left, ground, what)
        yield f"{what} in place of the counters", partial(_counters_left, ground, what)
        yield f"{what} in place of a licence", partial(_library_left, ground, "source/LICENSE", what)
        yield f"{what} in place of a library", partial(_library_left, ground, "build/.libs/lib/liba.a", what)
    for part in ("packages/demo/dist", "packages/demo", "packages", "build/.libs", "build", "source"):
        yield f"a link in place of {part}", partial(_link_left, ground, part)
    yield "a tree of 5,000 folders", partial(_deep_left, ground)
    yield "a huge file with holes", partial(_sparse_left, ground)


def _place(ground: Ground) -> tuple[Workplace, Any]:
    root = ground.folder()
    folder = root / "demo"
    folder.mkdir()
    (folder / "meta.yaml").write_text(_PLAIN)
    place = Workplace(root / "work")
    place.lay_out()
    for name in ("packages/demo/dist", "build/.libs/lib", "source"):
        (place.inside / name).mkdir(parents=True, exist_ok=True)
    return place, load_recipe(folder, patches=root / "patches")


def _wheel_left(ground: Ground, what: str) -> str:
    place, recipe = _place(ground)
    _lay(place.inside / "packages/demo/dist/demo-1.0-py3-none-any.whl", what, ground)
    wheel = take_wheel(place, recipe, Path("log"))
    raise BrokenError(f"it was taken: {wheel.read_bytes()[:100]!r}")


def _counters_left(ground: Ground, what: str) -> str:
    place, _ = _place(ground)
    _lay(place.inside / "ccache.log", what, ground)
    if text := read_counters(place, "ccache.log"):
        raise BrokenError(f"it was read: {text[:100]}")
    return "nothing was read"


def _library_left(ground: Ground, path: str, what: str) -> str:
    place, recipe = _place(ground)
    (place.inside / "build/.libs/include.h").write_text("x")
    _lay(place.inside / path, what, ground)
    archive = pack_libraries(place, recipe, frozenset())
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            stream = tar.extractfile(member) if member.isreg() else None
            if stream and SECRET.encode() in stream.read():
                raise BrokenError(f"{member.name} holds a file of the host")
            if member.issym() and member.linkname.startswith("/"):
                raise BrokenError(f"{member.name} is a link to {member.linkname}")
    return "it is not in the archive"


def _link_left(ground: Ground, part: str) -> str:
    place, recipe = _place(ground)
    path = place.inside / part
    elsewhere = ground.folder()
    path.rename(elsewhere / "moved")
    path.symlink_to(ground.victim)
    (elsewhere / "moved").mkdir(exist_ok=True)
    try:
        take_wheel(place, recipe, Path("log"))
    except EmwheelsError:
        pack_libraries(place, recipe, frozenset())
    raise BrokenError("the link was followed")


def _deep_left(ground: Ground) -> str:
    place, recipe = _place(ground)
    here = os.open(place.inside / "build/.libs", os.O_RDONLY)
    for _ in range(5000):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    pack_libraries(place, recipe, frozenset())
    raise BrokenError("all of it was packed")


def _sparse_left(ground: Ground) -> str:
    place, recipe = _place(ground)
    with (place.inside / "packages/demo/dist/demo-1.0-py3-none-any.whl").open("wb") as stream:
        stream.truncate(1 << 40)
    take_wheel(place, recipe, Path("log"))
    raise BrokenError("a tebibyte was copied")


def patched_sources(ground: Ground) -> Iterator[tuple[str, Callable[[], str]]]:
    """Source trees in which links lie where the recipe's own files go."""
    for name, place, link in (
        ("a link to a folder", "l/x.txt", ("l", str(ground.victim))),
        ("a link to a file", "l", ("l", str(ground.victim / "file"))),
        ("a relative link", "l/x.txt", ("l", "../../victim-of-files")),
    ):
        yield f"{name} where an extra file goes", partial(_extra, ground, place, link)


def _extra(ground: Ground, place: str, link: tuple[str, str]) -> str:
    root = ground.folder()
    folder = root / "demo"
    folder.mkdir()
    (folder / "meta.yaml").write_text(f"{_PLAIN}  extras:\n    - [x.txt, {place}]\n")
    (folder / "x.txt").write_text("evil")
    recipe = load_recipe(folder, patches=root / "patches")

    class Patched:
        """Stands for the image: a patch has made a link."""

        def run(self, *_: object, **__: object) -> None:
            raise AssertionError("there is no patch")

    archive = _tar(("demo-1.0/setup.py", tarfile.REGTYPE, "", "x"), path=root / "a.tar.gz")
    source = Fetched(path=archive, sha256=SHA256, filename="a.tar.gz", url="")
    tree = root / "tree"
    original = unpack

    def unpack_with_link(*arguments: Any, **options: Any) -> Path:
        done = original(*arguments, **options)
        (done / link[0]).symlink_to(link[1])
        return done

    import emwheels.build.source as module

    module.unpack = unpack_with_link  # type: ignore[attr-defined]
    try:
        prepare_source(recipe, source, tree, Patched())  # type: ignore[arg-type]
    finally:
        module.unpack = original  # type: ignore[attr-defined]
    return "the link was replaced by the file"


# A shared store of builds.


def records(_: Ground) -> Iterator[tuple[str, Callable[[], str]]]:
    """Manifests and records of a remote store."""
    manifests = {
        "no JSON": b"<html>", "a list": b"[]", "a number": b"1", "nothing": b"", "deep": b"[" * 500_000,
        "a huge number": b'{"config": {"mediaType": "x", "digest": "sha256:' + b"0" * 64 + b'", "size": 1e999}}',
        "another type": b'{"config": {"mediaType": "text/html", "digest": "sha256:' + b"0" * 64 + b'", "size": 1}}',
        "a digest with a path": b'{"config": {"mediaType": "x", "digest": "sha256:../../etc", "size": 1}}',
        "a negative size": b'{"config": {"mediaType": "x", "digest": "sha256:' + b"0" * 64 + b'", "size": -1}}',
        "layers that are none": b'{"config": {}, "layers": {"a": 1}}', "surrogates": b'"\\ud800"', "NaN": b"NaN",
    }  # fmt: skip
    for name, data in manifests.items():
        yield f"a manifest: {name}", partial(_manifest, data)
    output = {
        "name": "demo", "kind": "wheels", "filename": "demo-1.0-py3-none-any.whl", "sha256": SHA256, "size": 1,
        "seconds": 1.0, "key": "",
    }  # fmt: skip
    for name, changes in {
        "another key": {}, "a path": {"filename": "../demo-1.0-py3-none-any.whl"}, "another name": {"name": "other"},
        "a kind with a path": {"kind": "../wheels"}, "a hash that is none": {"sha256": "../../x"},
        "a size that is text": {"size": "1"}, "one key more": {"evil": 1},
    }.items():  # fmt: skip
        yield f"a record: {name}", partial(_record, output | changes, right=name != "another key")
    for name, record in {"a list": [], "nothing": {}, "text": {"inputs": "x", "output": "y"}}.items():
        yield f"a record: {name}", partial(check, record)


def check(record: Any) -> str:
    """Hold a record against a key that it is not of."""
    check_record("0" * 64, record)
    raise BrokenError("it was taken")


def _manifest(data: bytes) -> str:
    Manifest.parse(data)
    raise BrokenError("it was taken")


def _record(output: dict[str, Any], *, right: bool) -> str:
    import hashlib

    inputs = {"recipe": {"package": {"name": "demo"}}}
    key = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest() if right else "0" * 64
    check_record(key, {"inputs": inputs, "output": {**output, "key": key}, "log": SHA256})
    raise BrokenError("it was taken")


# Indexes.


class _Hostile(http.server.BaseHTTPRequestHandler):
    """Answers everything with ``answer(handler)``."""

    answer: Callable[[Any], None]

    def do_GET(self) -> None:
        """Answer."""
        type(self).answer(self)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def give(self, data: bytes, kind: str = "text/html", status: int = 200, **headers: str) -> None:
        """Send an answer."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)


_JSON = "application/vnd.pypi.simple.v1+json"


def indexes(_: Ground) -> Iterator[tuple[str, Callable[[], str]]]:
    """Indexes for `emwheels index verify`: pages, headers, names."""
    import gzip

    import brotli

    bomb = gzip.compress(bytes(200 << 20), 9)
    pages: dict[str, Callable[[Any], None]] = {
        "deep JSON": lambda h: h.give(b"[" * 500_000, _JSON),
        "JSON of another kind": lambda h: h.give(b'{"projects": 1, "files": {"a": []}}', _JSON),
        "half surrogates": lambda h: h.give(b'{"projects": [{"name": "\\ud800"}]}', _JSON),
        "numbers for names": lambda h: h.give(b'{"projects": [{"name": 1}, {}, [], null]}', _JSON),
        "a gzip bomb": lambda h: h.give(bomb, Content_Encoding="gzip"),
        "a brotli bomb": lambda h: h.give(brotli.compress(bytes(100 << 20), quality=5), Content_Encoding="br"),
        "an encoding that is none": lambda h: h.give(b"x", Content_Encoding="evil"),
        "another encoding than it says": lambda h: h.give(b"x" * 100, Content_Encoding="gzip"),
        "a redirect to itself": lambda h: h.give(b"", status=302, Location=h.path),
        "a redirect to a file": lambda h: h.give(b"", status=302, Location="file:///etc/passwd"),
        "a redirect to nowhere": lambda h: h.give(b"", status=302, Location="http://[::bad/"),
        "a redirect with a NUL": lambda h: h.give(b"", status=302, Location="/%00%0d%0aX: y"),
        "a name that is an address": lambda h: h.give(b"<a href='http:%2f%2fevil/'>x</a>"),
        "a name that is an option": lambda h: h.give(b"<a href='-r%2fetc%2fpasswd/'>x</a>"),
        "a name upwards": lambda h: h.give(b"<a href='..%2f..%2fevil/'>x</a>"),
        "a name of 100,000 characters": lambda h: h.give(b"<a href='" + b"x" * 100_000 + b"/'>x</a>"),
        "escapes in names": lambda h: h.give("<a href='\x1b]0;evil\x07\u202e/'>x</a>".encode()),
        "tags without end": lambda h: h.give(b"<a " * 200_000),
        "a comment without end": lambda h: h.give(b"<!--" * 100_000),
        "20,000 projects": lambda h: h.give(
            b"".join(b"<a href='p%d/'>x</a>" % n for n in range(20_000)) if h.path == "/simple/" else b"", status=200
        ),
        "binary": lambda h: h.give(bytes(range(256)) * 100),
        "another charset": lambda h: h.give(b"\xff\xfe<\0a\0", "text/html; charset=utf-7"),
        "no content type": lambda h: h.give(b"<a href='a/'>a</a>", ""),
        "1,000 headers": lambda h: h.give(b"", **{f"X_{n}": "y" for n in range(90)}),
        "a length that lies": lambda h: h.give(b"x", Content_Length="1000000"),
        "half an answer": lambda h: h.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type"),
        "no HTTP": lambda h: h.wfile.write(b"SSH-2.0-evil\r\n"),
        "status 999": lambda h: h.give(b"", status=999),
        "a server that drips": _drip,
    }
    for name, answer in pages.items():
        yield name, partial(_verify, answer)


def _drip(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "text/html")
    handler.end_headers()
    for _ in range(600):
        try:
            handler.wfile.write(b" ")
        except OSError:
            return
        time.sleep(0.1)


def _verify(answer: Callable[[Any], None]) -> str:
    kind = type("Answering", (_Hostile,), {"answer": staticmethod(answer)})
    targets = load_targets(Path(__file__).resolve().parents[2] / "targets.toml")
    began = time.monotonic()
    with serving(kind) as address:
        reports = verify([f"{address}/simple"], target=targets.get(None), clients=(), seconds=3)
    took = time.monotonic() - began
    if took > 30:
        raise BrokenError(f"it took {took:.0f} s")
    return reports[0].findings[0].message if reports[0].findings else "nothing was found"


# What `emwheels serve` is asked.


def requests(ground: Ground) -> Iterator[tuple[str, Callable[[], str]]]:
    """Requests for `emwheels serve`, over a folder with what no web server should open."""
    for name, path in {
        "a path upwards": "/../victim-of-files/file", "encoded": "/%2e%2e/%2e%2e/victim-of-files/file",
        "encoded slashes": "/..%2f..%2fvictim-of-files%2ffile", "a link out": "/link", "a folder that is a link": "/dir/file",
        "a fifo": "/fifo", "a socket": "/socket", "zero": "/zero", "a NUL": "/a%00b", "backslashes": "/..\\victim\\file",
        "two slashes": "//etc/passwd", "an absolute path": "/%2fetc%2fpasswd", "not UTF-8": "/%ff%fe", "long": "/" + "x" * 9000,
        "a dot file": "/.secret",
    }.items():  # fmt: skip
        yield name, partial(_request, ground, path)
    yield "a header without end", partial(_raw, ground, b"GET / HTTP/1.1\r\nX: " + b"y" * 5_000_000)
    yield "10,000 headers", partial(_raw, ground, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000 + b"\r\n")
    yield "no HTTP", partial(_raw, ground, b"\x16\x03\x01\0\xff" * 50)


def _site(ground: Ground) -> Path:
    site = ground.folder() / "site"
    site.mkdir()
    (site / "index.html").write_text("hello")
    (site / "link").symlink_to(ground.victim / "file")
    (site / "dir").symlink_to(ground.victim)
    (site / "zero").symlink_to("/dev/zero")
    os.mkfifo(site / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(site)
        listening.bind("socket")
        os.chdir(here)
    return site


def _request(ground: Ground, path: str) -> str:
    with _serving(_site(ground)) as port:
        request = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        answer = _exchange(port, request)
    if SECRET.encode() in answer or b"root:" in answer or len(answer) > 1 << 20:
        raise BrokenError(f"it answered {answer[:200]!r}")
    return answer.split(b"\r\n", 1)[0].decode(errors="replace")


def _raw(ground: Ground, data: bytes) -> str:
    with _serving(_site(ground)) as port:
        answer = _exchange(port, data)
        if b"hello" not in _exchange(port, b"GET /index.html HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"):
            raise BrokenError("nobody else is answered any more")
    return answer.split(b"\r\n", 1)[0].decode(errors="replace") or "the connection was closed"


class _serving:  # noqa: N801  (used as a function)
    """Serve a folder as `emwheels serve` does, and give the port."""

    def __init__(self, site: Path) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(
            application(site), log_level="critical", access_log=False, lifespan="off", http=PatientProtocol
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listening]})

    def __enter__(self) -> int:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)
        return int(self._listening.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._listening.close()


def _exchange(port: int, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        answer = b""
        try:
            connection.sendall(data)
            while len(answer) <= 1 << 20 and (block := connection.recv(65536)):
                answer += block
        except (ConnectionError, BrokenPipeError):
            pass
        except TimeoutError:
            raise BrokenError("no answer after 10 s") from None
        return answer
