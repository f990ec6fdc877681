"""Prepares a source of autotools or Meson. Runs in the build image before the recipe's script: standard library only.

    python3 prepare_tree.py TREE CONFIG_FILES [ANSWERS DOWNLOADS CACHE]

* A ``config.sub`` that does not know wasm32-emscripten is replaced, with the ``config.guess`` beside it, by those of
  the folder CONFIG_FILES.
* Where there is a ``configure.ac`` and no ``configure``, the latter is a small script which makes the true one the
  first time it is run: a plain copy of a repository can be configured like a release.
* A wrap of Meson's finds what the recipe lists as a download: the archive whose hash it names in CACHE, or, if it names
  none, the download of its name as a folder of ``subprojects``. ANSWERS has the files by their hash, DOWNLOADS has them
  unpacked.
"""

from __future__ import annotations

import configparser
import json
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

_NAMES = ("config.sub", "config.guess")
_KNOWN = ("wasm32", "emscripten")
_DEEPEST = 6
"""Folders below the tree's root that are looked into."""
_LARGEST = 4 << 20
_CONFIGURE = """\
#!/bin/sh
# Of emwheels: this source has no configure script. It is made when this one is run, which it replaces.
folder=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd) || exit 1
own=$folder/.configure-of-emwheels
mv -- "$folder/configure" "$own" || exit 1
(
    cd -- "$folder" || exit 1
    echo "emwheels: there is no configure script in $folder: autoreconf makes it" >&2
    autoreconf --force --install >&2 && [ -f configure ] && exit 0
    for script in autogen.sh bootstrap bootstrap.sh buildconf; do
        [ -f "$script" ] || continue
        echo "emwheels: autoreconf failed; $script is tried" >&2
        NOCONFIGURE=1 sh "./$script" >&2 < /dev/null
        [ -f configure ] && exit 0
    done
    exit 1
) || { mv -- "$own" "$folder/configure"; exit 1; }
rm -f -- "$own"
exec "${CONFIG_SHELL:-/bin/sh}" "$folder/configure" "$@"
"""


def prepare(tree: Path, config_files: Path) -> None:
    """Prepare all folders of ``tree``; links are not followed."""
    for folder, below, names in os.walk(tree):
        here = Path(folder)
        if len(here.relative_to(tree).parts) >= _DEEPEST:
            below.clear()
        if "config.sub" in names and not _knows_the_target(here / "config.sub"):
            for name in _NAMES:
                _replace(here / name, config_files / name)
        sources = [name for name in ("configure.ac", "configure.in") if name in names]
        if sources and "configure" not in (*names, *below) and "Makefile.PL" not in names:
            _add_configure(here, here / sources[0])


def serve_wraps(tree: Path, answers: Path, downloads: Path, cache: Path) -> None:
    """Have each wrap of ``tree`` find what the recipe lists for it."""
    by_name = {name.casefold(): name for name in json.loads((answers / "downloads.json").read_text())}
    for path in sorted(tree.glob("subprojects/*.wrap")):
        wrap = _read_wrap(path)
        found = [_take(wrap, kind, answers / "downloads", cache) for kind in ("source", "patch")]
        names = (path.stem, wrap.get("directory", ""))
        name = next((by_name[each.casefold()] for each in names if each.casefold() in by_name), None)
        if not found[0] and name:
            _lay_out(downloads / name, path.parent, wrap.get("directory", path.stem), wrap)


def _read_wrap(path: Path) -> dict[str, str]:
    """Return what a wrap says of its source; nothing for a file that is none."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    with suppress(OSError, configparser.Error, UnicodeDecodeError):
        if path.stat().st_size < _LARGEST and not path.is_symlink():
            parser.read_string(path.read_text())
    return {
        name: value
        for section in parser.sections()
        if section.startswith("wrap-")
        for name, value in parser.items(section)
    }


def _take(wrap: dict[str, str], kind: str, downloads: Path, cache: Path) -> bool:
    """Copy the archive that a wrap names by its hash to where Meson looks for it; tell whether it is there."""
    name, known = wrap.get(f"{kind}_filename", ""), downloads / wrap.get(f"{kind}_hash", "-").strip().lower()
    if not name or "/" in name or not known.is_file():
        return False
    shutil.copyfile(known, cache / name)
    return True


def _lay_out(download: Path, subprojects: Path, directory: str, wrap: dict[str, str]) -> None:
    """Copy a download, and the files that the source adds to it, to a folder of ``subprojects``."""
    place = subprojects / directory
    if "/" in directory or directory in ("", ".", "..") or place.exists() or place.is_symlink():
        return
    shutil.copytree(download, place, symlinks=True)
    added = wrap.get("patch_directory", "")
    if added and "/" not in added and (subprojects / "packagefiles" / added).is_dir():
        shutil.copytree(subprojects / "packagefiles" / added, place, symlinks=True, dirs_exist_ok=True)


def _knows_the_target(path: Path) -> bool:
    if path.is_symlink() or path.stat().st_size > _LARGEST:
        return True
    text = path.read_text(errors="replace")
    return "timestamp=" not in text or all(word in text for word in _KNOWN)


def _replace(path: Path, newer: Path) -> None:
    """Put the newer file in place; the time stays, so that nothing is made again for it."""
    if path.is_symlink() or not path.is_file():
        return
    before = path.stat()
    path.unlink()
    shutil.copyfile(newer, path)
    path.chmod(0o755)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _add_configure(folder: Path, source: Path) -> None:
    path = folder / "configure"
    path.write_text(_CONFIGURE)
    path.chmod(0o755)
    time = source.lstat().st_mtime_ns - 10**9  # older than what it is made of: autoreconf without --force makes it too
    os.utime(path, ns=(time, time))


if __name__ == "__main__":
    prepare(Path(sys.argv[1]), Path(sys.argv[2]))
    if len(sys.argv) > 3:
        serve_wraps(Path(sys.argv[1]), *map(Path, sys.argv[3:]))
