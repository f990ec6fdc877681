"""An unpacked source of a C or C++ library -> a recipe that builds it statically, one for each way it offers."""

from __future__ import annotations

import re
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emwheels.author.edit import written
from emwheels.author.new import find_hosts
from emwheels.author.new_source import examine_source
from emwheels.errors import visible
from emwheels.fetch.archive import unpack

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from emwheels.author.new_debian import DebianSource
    from emwheels.recipe.model import Recipe

_LARGEST = 1 << 20
_UNWANTED = re.compile(
    r"(^|_)(TESTS?|TESTING|UNITTESTS?|EXAMPLES?|SAMPLES?|DOCS?|DOCUMENTATION|TOOLS?|PROGRAMS?|APPS?|UTILS?|UTILITIES|CLI"
    r"|BENCH\w*|FUZZ\w*|MAN|MANPAGES?|PYTHON|JAVA|PERL|RUBY|GUI|WERROR)($|_)"
)
"""Words in the name of a CMake option whose subject no other build needs."""
_OPTION = re.compile(r"^\s*(?:option|cmake_dependent_option)\s*\(\s*(\w+)", re.MULTILINE | re.IGNORECASE)
_CMAKE = """\
emcmake cmake -G Ninja -S {folder} -B build-wasm \\
  -DCMAKE_BUILD_TYPE=None \\
  -DCMAKE_C_FLAGS="${{SIDE_MODULE_CFLAGS}}" \\
  -DCMAKE_CXX_FLAGS="${{SIDE_MODULE_CXXFLAGS}}" \\
  -DCMAKE_EXE_LINKER_FLAGS=-O0 \\
  -DCMAKE_INSTALL_PREFIX="${{WASM_LIBRARY_DIR}}" \\
  -DCMAKE_INSTALL_LIBDIR=lib \\
  -DCMAKE_FIND_ROOT_PATH="${{WASM_LIBRARY_DIR}}" \\
  -DCMAKE_POLICY_VERSION_MINIMUM=3.5 \\
  -DBUILD_SHARED_LIBS=OFF \\
  -DBUILD_TESTING=OFF{options}
cmake --build build-wasm --target install
"""
_AUTOTOOLS = """\
{prepare}find . -name config.sub -exec cp "$(automake --print-libdir)/config.sub" '{{}}' ';'
CPPFLAGS="-I${{WASM_LIBRARY_DIR}}/include" LDFLAGS="-L${{WASM_LIBRARY_DIR}}/lib" emconfigure ./configure \\
  --host=wasm32-unknown-emscripten \\
  --prefix="${{WASM_LIBRARY_DIR}}" \\
  --libdir="${{WASM_LIBRARY_DIR}}/lib" \\
  --disable-shared \\
  --enable-static \\
  --disable-dependency-tracking \\
  CFLAGS="${{SIDE_MODULE_CFLAGS}}" \\
  CXXFLAGS="${{SIDE_MODULE_CXXFLAGS}}"
emmake make
emmake make install
"""
_MAKE = """\
emmake make CFLAGS="${{SIDE_MODULE_CFLAGS}}" CXXFLAGS="${{SIDE_MODULE_CXXFLAGS}}"
emmake make install PREFIX="${{WASM_LIBRARY_DIR}}" prefix="${{WASM_LIBRARY_DIR}}"
"""


def library_recipes(source: DebianSource, name: str, archive: Path, recipes: Mapping[str, Recipe]) -> list[str]:
    """Return a meta.yaml for each way in which the source can be built, the most promising first; empty for none.

    Raises `FetchError` for an archive that is not to be trusted.
    """
    with tempfile.TemporaryDirectory(prefix="emwheels-new-") as folder:
        named = Path(folder) / source.filename
        named.symlink_to(archive)
        tree = unpack(named, Path(folder) / "tree", strip_single_top=True)
        hosts, _ = find_hosts(examine_source(tree, name, ()), recipes)
        return [_meta(source, name, hosts, script, programs) for script, programs in _scripts(tree)]


def library_name(source: DebianSource, recipes: Collection[str]) -> str:
    """Return what the recipe of a library is to be called: ``lib`` before a name that a package has."""
    name = re.sub(r"[^a-z0-9-]", "-", source.name)
    return f"lib{name}" if name in recipes and not name.startswith("lib") else name


def plain_version(text: str) -> str:
    """Return a version of Debian as PEP 440 can read it: ``2.15.4+dfsg`` is ``2.15.4``."""
    really = text.rpartition("really")[2]
    match = re.match(r"\d+(?:\.\d+)*", really)
    return match[0] if match else "0"


def _scripts(tree: Path) -> Iterable[tuple[str, list[str]]]:
    for folder in (".", *sorted(each.name for each in tree.iterdir() if each.name in ("build", "cmake", "lib", "src"))):
        if (tree / folder / "CMakeLists.txt").is_file():
            options = "".join(f" \\\n  -D{name}=OFF" for name in _unwanted(tree / folder))
            yield _CMAKE.format(folder=folder, options=options), ["cmake", "ninja"]
            break
    if (tree / "configure").is_file():
        yield _AUTOTOOLS.format(prepare=""), ["make", "automake"]
    elif any((tree / name).is_file() for name in ("configure.ac", "configure.in")):
        prepare = "autoreconf --force --install\n"
        yield _AUTOTOOLS.format(prepare=prepare), ["autoreconf", "automake", "libtoolize", "make"]
    elif any((tree / name).is_file() for name in ("Makefile", "makefile", "GNUmakefile")):
        yield _MAKE.format(), ["make"]


def _unwanted(folder: Path) -> list[str]:
    found: dict[str, None] = {}
    for path in (folder / "CMakeLists.txt", *sorted(folder.glob("cmake/*.cmake"))):
        if path.is_file() and path.stat().st_size < _LARGEST:
            text = path.read_text(encoding="utf-8", errors="replace")
            found |= dict.fromkeys(name for name in _OPTION.findall(text) if _UNWANTED.search(name.upper()))
    found.pop("BUILD_TESTING", None)
    return list(found)


def _meta(source: DebianSource, name: str, hosts: Sequence[str], script: str, programs: list[str]) -> str:
    requirements: dict[str, Any] = {"host": list(hosts)} if hosts else {}
    return written({
        "package": {"name": name, "version": plain_version(source.version)},
        "source": {"url": f"pkg:deb/debian/{source.name}@{source.version}", "sha256": source.sha256},
        "build": {"type": "static_library", "script": script},
        "requirements": requirements | {"executable": programs},
        "about": {"home": visible(source.home, lines=False), "summary": f"Library, by Debian's source {source.name}"},
    })  # fmt: skip


_HEADER_PATH = re.compile(r"include/(.+\.(?:h|hh|hpp|hxx))")
_MOST = 12


def provided(archive: Path) -> dict[str, list[str]]:
    """Return what a built library installs, as ``extra.emwheels.provides`` has it."""
    found: dict[str, dict[str, None]] = {"pkg-config": {}, "cmake": {}, "headers": {}, "libraries": {}}
    with tarfile.open(archive) as tar:
        for path in sorted(tar.getnames()):
            if match := re.fullmatch(r"(?:lib|share)/pkgconfig/(.+)\.pc", path):
                found["pkg-config"][match[1]] = None
            elif match := re.fullmatch(r"(?:lib|share)/(?:.*/)?([^/]+?)(?:-config|Config)\.cmake", path):
                found["cmake"][match[1]] = None
            elif match := re.fullmatch(r"lib/lib([^/]+)\.(?:a|so)", path):
                found["libraries"][match[1]] = None
            elif match := _HEADER_PATH.fullmatch(path):
                found["headers"][match[1]] = None
    headers = list(found["headers"])
    if len(headers) > _MOST:
        folders = {f"{header.partition('/')[0]}/*": None for header in headers if "/" in header}
        headers = [*folders, *(header for header in headers if "/" not in header)]
    lists = {key: list(names) for key, names in found.items()} | {"headers": headers}
    return {key: names for key, names in lists.items() if names}
