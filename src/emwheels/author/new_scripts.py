"""An unpacked source of a C or C++ library -> the script that builds and installs it, for each way that it offers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_LARGEST = 1 << 20
_UNWANTED = re.compile(
    r"(^|_)(TESTS?|TESTING|UNITTESTS?|EXAMPLES?|SAMPLES?|DOCS?|DOCUMENTATION|TOOLS?|PROGRAMS?|APPS?|UTILS?|UTILITIES|CLI"
    r"|BENCH\w*|FUZZ\w*|MAN|MANPAGES?|PYTHON|JAVA|PERL|RUBY|GUI|WERROR|INTROSPECTION|GIR|GTK_?DOC|VALA|VAPI)($|_)"
)
"""Words in the name of an option whose subject no other build needs."""
_OPTION = re.compile(r"^\s*(?:option|cmake_dependent_option)\s*\(\s*(\w+)", re.MULTILINE | re.IGNORECASE)
_MESON_OPTION = re.compile(r"\boption\s*\(\s*'([\w-]+)'\s*,\s*type\s*:\s*'(boolean|feature)'")
_TARGET = re.compile(r"^(?:\$\(\w+\)/)?(lib[\w.+-]+\.a)\s*:", re.MULTILINE)
_MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
_DEEPEST = 3
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
_MESON = """\
python3 -m pip install --quiet --target build-tools meson
export PYTHONPATH="${{PWD}}/build-tools${{PYTHONPATH:+:${{PYTHONPATH}}}}"
export CC=emcc CXX=em++ AR=emar RANLIB=emranlib STRIP=emstrip
python3 -m mesonbuild.mesonmain setup build-wasm {folder} \\
  --cross-file "${{MESON_CROSS_FILE}}" \\
  --buildtype=plain \\
  --default-library=static \\
  --wrap-mode=nodownload \\
  --prefix="${{WASM_LIBRARY_DIR}}" \\
  --libdir=lib \\
  -Dc_args="${{SIDE_MODULE_CFLAGS}}" \\
  -Dcpp_args="${{SIDE_MODULE_CXXFLAGS}}"{options}
ninja -C build-wasm
python3 -m mesonbuild.mesonmain install -C build-wasm --no-rebuild
"""
_FLAGS = 'CFLAGS="${{SIDE_MODULE_CFLAGS}}" CXXFLAGS="${{SIDE_MODULE_CXXFLAGS}}"'
_PROGRAMS = "CC=emcc CXX=em++ AR=emar RANLIB=emranlib"
_MAKE = f"""\
{{enter}}emmake make {_PROGRAMS} {_FLAGS}
emmake make install {_PROGRAMS} {_FLAGS} PREFIX="${{{{WASM_LIBRARY_DIR}}}}" prefix="${{{{WASM_LIBRARY_DIR}}}}"
{{pc}}"""
_COPY = f"""\
{{enter}}emmake make {{targets}} {_PROGRAMS} {_FLAGS}
install -D -m 644 -t "${{{{WASM_LIBRARY_DIR}}}}/lib" {{targets}}
install -D -m 644 -t "${{{{WASM_LIBRARY_DIR}}}}/include" {{headers}}
{{pc}}"""
_PC = """\
if [ ! -e "${{WASM_LIBRARY_DIR}}/lib/pkgconfig/{name}.pc" ]; then
  mkdir -p "${{WASM_LIBRARY_DIR}}/lib/pkgconfig"
  cat > "${{WASM_LIBRARY_DIR}}/lib/pkgconfig/{name}.pc" <<EOF
prefix=${{WASM_LIBRARY_DIR}}
Name: {name}
Description: {name}
Version: {version}
Libs: -L\\${{prefix}}/lib -l{name}
Cflags: -I\\${{prefix}}/include
EOF
fi
"""
_LICENCE = re.compile(r"(?:licen[cs]e|copying|copyright|notice)", re.IGNORECASE)
_SAFE = re.compile(r"[\w./+-]+")


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to build a library."""

    script: str
    programs: tuple[str, ...]
    """Programs of the image that it starts."""
    wheels: tuple[str, ...] = ()
    """Build requirements that it installs."""


def ways_to_build(tree: Path, name: str, version: str) -> Iterator[Way]:
    """Yield the ways that the source in ``tree`` of the library ``name`` offers, the most promising first."""
    for folder in _folders(tree, ("build", "cmake", "lib", "src")):
        if (tree / folder / "CMakeLists.txt").is_file():
            options = "".join(f" \\\n  -D{name}=OFF" for name in _unwanted(tree / folder))
            yield Way(script=_CMAKE.format(folder=folder, options=options), programs=("cmake", "ninja"))
            break
    if (tree / "configure").is_file():
        yield Way(script=_AUTOTOOLS.format(prepare=""), programs=("make", "automake"))
    elif any((tree / name).is_file() for name in ("configure.ac", "configure.in")):
        script = _AUTOTOOLS.format(prepare="autoreconf --force --install\n")
        yield Way(script=script, programs=("autoreconf", "automake", "libtoolize", "make"))
    for folder in _folders(tree, ("meson", "lib", "src")):
        if (tree / folder / "meson.build").is_file():
            options = "".join(f" \\\n  -D{name}={value}" for name, value in _unwanted_in_meson(tree / folder))
            yield Way(script=_MESON.format(folder=folder, options=options), programs=("ninja",), wheels=("meson",))
            break
    if not (tree / "configure").is_file():
        yield from _by_make(tree, name, version)


def _folders(tree: Path, names: Sequence[str]) -> list[str]:
    return [".", *sorted(each.name for each in tree.iterdir() if each.name in names)]


def _unwanted(folder: Path) -> list[str]:
    found: dict[str, None] = {}
    for path in (folder / "CMakeLists.txt", *sorted(folder.glob("cmake/*.cmake"))):
        found |= dict.fromkeys(name for name in _OPTION.findall(_text(path)) if _UNWANTED.search(name.upper()))
    found.pop("BUILD_TESTING", None)
    return list(found)


def _unwanted_in_meson(folder: Path) -> Iterator[tuple[str, str]]:
    for file in ("meson.options", "meson_options.txt"):
        for name, kind in _MESON_OPTION.findall(_text(folder / file)):
            if _UNWANTED.search(name.upper().replace("-", "_")):
                yield name, "false" if kind == "boolean" else "disabled"


def _by_make(tree: Path, name: str, version: str) -> Iterator[Way]:
    """Yield how make builds it: its own install target first, then the archives that the Makefile names, copied."""
    found = sorted(_makefiles(tree), key=lambda each: (not _archives(each), len(each.parts), str(each)))
    if not found:
        return
    makefile = found[0]
    folder, targets = makefile.parent.relative_to(tree).as_posix(), _archives(makefile)
    enter = "" if folder == "." else _enter(tree, folder, name)
    names = [target.removeprefix("lib").removesuffix(".a") for target in targets]
    pc = _PC.format(name=names[0], version=version) if names else ""
    yield Way(script=_MAKE.format(enter=enter, pc=pc), programs=("make",))
    if headers := _headers(makefile.parent):
        for target in targets[:1]:
            script = _COPY.format(enter=enter, targets=target, headers=" ".join(headers), pc=pc)
            yield Way(script=script, programs=("make",))


def _enter(tree: Path, folder: str, name: str) -> str:
    """Return lines that go into a folder, and install its licence files if there are none at the top."""
    files = " ".join(_licences(tree / folder))
    lines = f"cd {folder}\n"
    if files and not _licences(tree):
        lines += f'install -D -m 644 -t "${{WASM_LIBRARY_DIR}}/share/licenses/{name}" {files}\n'
    return lines


def _licences(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if _LICENCE.match(path.name) and _SAFE.fullmatch(path.name))


def _makefiles(tree: Path) -> Iterator[Path]:
    waiting = [tree]
    while waiting:
        folder = waiting.pop()
        for name in _MAKEFILES:
            if (folder / name).is_file():
                yield folder / name
                break
        for below in folder.iterdir():
            place = below.relative_to(tree)
            if (
                below.is_dir()
                and not below.is_symlink()
                and len(place.parts) < _DEEPEST
                and _is_plain(place.as_posix())
            ):
                waiting.append(below)


def _is_plain(place: str) -> bool:
    """Tell whether a path can stand in a script as it is, and is none of those that no library is in."""
    name = place.rpartition("/")[2]
    return bool(_SAFE.fullmatch(place)) and not name.startswith(".") and not _UNWANTED.search(name.upper())


def _archives(makefile: Path) -> list[str]:
    return list(dict.fromkeys(name for name in _TARGET.findall(_text(makefile)) if _SAFE.fullmatch(name)))


def _headers(folder: Path) -> list[str]:
    """Return the headers to install: those of a folder ``include``, else those beside the Makefile."""
    for place in ("include", "."):
        found = sorted(path.name for path in (folder / place).glob("*.h") if _SAFE.fullmatch(path.name))
        if found:
            return [name if place == "." else f"{place}/{name}" for name in found]
    return []


def _text(path: Path) -> str:
    if not path.is_file() or path.stat().st_size >= _LARGEST:
        return ""
    return path.read_text(encoding="utf-8", errors="replace")
