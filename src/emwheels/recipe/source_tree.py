"""A source that is a folder (``source.path``): which of its files count, and all of them as one archive.

The archive has the same bytes for the same files, so that its hash stands for them in a build key. Files are opened one
name at a time and never through a link: what lies in the folder may be a stranger's.
"""

from __future__ import annotations

import hashlib
import io
import os
import posixpath
import shutil
import stat
import subprocess
import tarfile
import tempfile
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from emwheels.atomic import read_regular
from emwheels.errors import RecipeError, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from emwheels.recipe.model import Recipe

PROJECT_FILES = ("pyproject.toml", "setup.py")
MOST_FILES = 50_000
MOST_BYTES = 2 << 30
_SECONDS = 60
_EPOCH = 315532800
"""Every file's time: the first that a zip archive can have."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LEFTOVERS = (
    *(".git", ".hg", ".svn", "__pycache__", "*.egg-info", ".eggs", ".venv", "venv", ".tox", ".nox", "node_modules"),
    *(".mypy_cache", ".pytest_cache", ".ruff_cache", ".cache", "*.pyc", "*.pyo", "*.o", "*.so", "*.pyd", "*.dylib"),
)
"""What builds and tools leave, by name."""
_LEFTOVERS_AT_THE_TOP = ("build", "dist", "_skbuild")
OWN_LOCK = "emwheels.lock"
"""Beside pyproject.toml: the lock files of a project without a recipe. It locks the build, and is no source."""
_OF_EMWHEELS = (OWN_LOCK, "emwheels.md", "wheelhouse")
"""What emwheels writes into a project: at the top, these are no sources."""
_OF_THE_RECIPE = ("meta.yaml", "upstream.yaml", "test_*.py", "requirements.*.txt")
_GIT = ("-c", "core.fsmonitor=false", "-c", "safe.directory=*", "-c", f"core.excludesFile={os.devnull}")
_LIST = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")
_LIST_ALONE = ("ls-files", "-z", "--others", "--exclude-per-directory=.gitignore")
_QUIET = {"LC_ALL": "C", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_OPTIONAL_LOCKS": "0"}
"""So that git starts no program of the folder's, and what is listed does not depend on the machine."""


def source_folder(recipe: Recipe) -> Path:
    """Return the folder that ``source.path`` names."""
    assert recipe.source.path is not None
    return (recipe.folder / recipe.source.path).resolve()


def tree_digest(recipe: Recipe) -> str:
    """Return the sha256 of the archive that `write_tree` makes. Raises `RecipeError` as that does."""
    digest = _Digest()
    write_tree(recipe, digest)
    return digest.hexdigest()


def write_tree(recipe: Recipe, out: IO[bytes] | io.RawIOBase) -> None:
    """Write the files of the folder as a tar archive: names, whether they can be run, links and bytes.

    Of a git repository these are all files that git tracks or would (``.gitignore`` and ``.git/info/exclude``), else
    all that no ``.gitignore`` names and no build leaves. The project's own recipes, patches and output are never among
    them. Raises `RecipeError` for an empty submodule, for a link that leads out
    of the folder, for no file, and for more than `MOST_FILES` files or `MOST_BYTES` bytes.
    """
    folder, top = source_folder(recipe), f"{recipe.spelling}-{recipe.version}"
    names, left = sorted(_listed(recipe, folder)), MOST_BYTES
    if not names or len(names) > MOST_FILES:
        raise _error(recipe, f"{folder} has {len(names):,} files; it must have some, and at most {MOST_FILES:,}")
    try:
        root = os.open(folder, _FOLDER)
    except OSError as error:
        raise _error(recipe, f"{folder} cannot be read: {error.strerror}") from error
    try:
        with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar:
            for name in names:
                left -= _add(tar, recipe, root, name, top=top, left=left)
    finally:
        os.close(root)


class _Digest(io.RawIOBase):
    """A file of which only the hash is kept."""

    def __init__(self) -> None:
        self._sum = hashlib.sha256()

    def write(self, data: Any, /) -> int:
        self._sum.update(data)
        return len(data)

    def hexdigest(self) -> str:
        return self._sum.hexdigest()


def _add(tar: tarfile.TarFile, recipe: Recipe, root: int, name: str, *, top: str, left: int) -> int:
    """Add one file or link and return its size; what is neither, or gone, is left out."""
    info = tarfile.TarInfo(f"{top}/{name}")
    info.mtime, info.mode = _EPOCH, 0o644
    try:
        with _parent(root, name) as (folder, last):
            if stat.S_ISLNK(os.stat(last, dir_fd=folder, follow_symlinks=False).st_mode):
                info.type, info.linkname = tarfile.SYMTYPE, os.readlink(last, dir_fd=folder)
                _check_link(recipe, name, info.linkname)
                tar.addfile(info)
                return 0
            descriptor = os.open(last, _FILE, dir_fd=folder)
    except (FileNotFoundError, NotADirectoryError):  # git tracks what is not there any more
        return 0
    except OSError as error:
        raise _error(recipe, f"{printable_name(name)} cannot be read: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return 0
        if status.st_size > left:
            raise _error(recipe, f"the files have more than {MOST_BYTES:,} bytes: have .gitignore name what is data")
        info.size = status.st_size
        info.mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
        try:
            tar.addfile(info, stream)
        except OSError as error:  # it became shorter
            raise _error(recipe, f"{printable_name(name)} changed while it was read; run the command again") from error
    return status.st_size


@contextmanager
def _parent(root: int, name: str) -> Iterator[tuple[int, str]]:
    *above, last = name.split("/")
    current = os.dup(root)
    try:
        for part in above:
            below = os.open(part, _FOLDER, dir_fd=current)
            os.close(current)
            current = below
        yield current, last
    finally:
        os.close(current)


def _check_link(recipe: Recipe, name: str, target: str) -> None:
    end = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
    if target.startswith("/") or end == ".." or end.startswith("../"):
        raise _error(
            recipe,
            f"{printable_name(name)} is a link to {printable_name(target)}, which leads out of the folder; copy the "
            "file, or have .gitignore name the link",
        )


def printable_name(name: str) -> str:
    """Return the name of a file fit for a message."""
    return visible(name.encode(errors="replace").decode(), lines=False)[:200]


def _listed(recipe: Recipe, folder: Path) -> list[str]:
    """Return the names of the files that count, relative to ``folder``; each can be written as UTF-8."""
    aside = _aside(recipe, folder)
    own = _OF_THE_RECIPE if folder == recipe.folder.resolve() else ()
    names = set(_by_git(recipe, folder) or _by_walk(folder))
    kept = [name for name in names if not any(name == each or name.startswith(f"{each}/") for each in aside)]
    kept = [name for name in kept if not any(fnmatchcase(name, pattern) for pattern in own)]
    kept = [name for name in kept if name.partition("/")[0] not in _OF_EMWHEELS]
    for name in kept:
        if not _is_utf8(name):
            raise _error(recipe, f"{printable_name(name)}: its name is not UTF-8; rename it")
    return kept


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _aside(recipe: Recipe, folder: Path) -> list[str]:
    """Return what the project of the recipes has in a folder that holds it, too: that is no source."""
    recipes = recipe.folder.resolve().parent
    others = (recipes, recipes.parent / "patches", recipes.parent / "dist")
    return [path.relative_to(folder).as_posix() for path in others if path != folder and path.is_relative_to(folder)]


def _by_git(recipe: Recipe, folder: Path, below: str = "", depth: int = 0) -> list[str]:
    """Return what git tracks or would; nothing without git, or outside of a repository."""
    if depth > _DEEPEST:
        return []
    found: list[str] = []
    for name in filter(None, _git(folder, *_LIST).split(b"\0")):
        path = os.fsdecode(name).rstrip("/")
        inner = folder / path
        if inner.is_dir() and not inner.is_symlink():  # a submodule, or a repository within
            if not any(inner.iterdir()):
                shown = printable_name(below + path)
                raise _error(recipe, f"the submodule {shown} is empty; run git submodule update --init in {folder}")
            found += _by_git(recipe, inner, f"{below}{path}/", depth + 1)
        else:
            found.append(below + path)
    return found


def changed_submodules(folder: Path) -> list[str]:
    """Return the submodules of a git repository that are not as it records them: at another commit, or edited.

    Files are hashed here: git would run the filters that a repository names.
    """
    return [name for mode, digest, name in _index(folder) if mode == _SUBMODULE and _is_changed(folder / name, digest)]


def _is_changed(submodule: Path, commit: str) -> bool:
    if _git(submodule, "rev-parse", "HEAD").decode(errors="replace").strip() != commit:
        return True
    return any(mode in _FILES and digest != _blob(submodule / name) for mode, digest, name in _index(submodule))


def _index(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Give mode, hash and name of what git tracks."""
    for entry in filter(None, _git(folder, "ls-files", "-z", "--stage").split(b"\0")):
        told, _, name = entry.partition(b"\t")
        mode, digest, _ = told.decode().split(" ")
        yield mode, digest, os.fsdecode(name)


def _blob(file: Path) -> str:
    """Return git's hash of a file; empty for what cannot be read."""
    try:
        data = read_regular(file, limit=MOST_BYTES)
    except OSError:
        return ""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


_SUBMODULE = "160000"
_FILES = ("100644", "100755")


def last_tag(folder: Path) -> str:
    """Return the last tag of git before what is checked out; empty without one."""
    return _git(folder, "describe", "--tags", "--abbrev=0").decode(errors="replace").strip()


def _git(folder: Path, *arguments: str) -> bytes:
    """Return what git prints; nothing without git, outside of a repository, or where it fails."""
    git = shutil.which("git")
    if git is None:
        return b""
    try:
        done = subprocess.run(
            [git, "-C", str(folder), *_GIT, *arguments],
            env=_QUIET | {"PATH": os.environ.get("PATH", "")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return done.stdout if done.returncode == 0 else b""


_DEEPEST = 10
"""Repositories within repositories."""


def _by_walk(folder: Path) -> list[str]:
    names = list(_walked(folder))
    if not any(name.rpartition("/")[2] == ".gitignore" for name in names):
        return names
    kept = _not_ignored(folder)
    return [name for name in names if name in kept] if kept else names


def _not_ignored(folder: Path) -> set[str]:
    """Return what no ``.gitignore`` of a folder outside of a repository names; nothing without git.

    git itself reads those files, by way of an empty repository: nothing else knows all that may stand there.
    """
    with tempfile.TemporaryDirectory(prefix="emwheels-git-") as place:
        _git(Path(place), "init", "--quiet", "--bare", "--template=")
        listed = _git(folder, f"--git-dir={place}", f"--work-tree={folder}", *_LIST_ALONE)
    return {os.fsdecode(name) for name in listed.split(b"\0") if name}


def _walked(folder: Path) -> Iterator[str]:
    count = 0
    for above, folders, files in os.walk(folder):
        place = Path(above).relative_to(folder)
        kept = [name for name in folders if not _is_leftover(name, at_top=above == str(folder))]
        links = [name for name in kept if (Path(above) / name).is_symlink()]
        folders[:] = [name for name in kept if name not in links]
        for name in (*links, *_without_leftovers(files)):
            count += 1
            if count > MOST_FILES + 1:  # that is one too many, whoever counts
                return
            yield (place / name).as_posix()


def _without_leftovers(names: Iterable[str]) -> Iterator[str]:
    return (name for name in names if not _is_leftover(name, at_top=False))


def _is_leftover(name: str, *, at_top: bool) -> bool:
    patterns = (*_LEFTOVERS, *(_LEFTOVERS_AT_THE_TOP if at_top else ()))
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _error(recipe: Recipe, message: str) -> RecipeError:
    return RecipeError(
        f"{recipe.folder / 'meta.yaml'}: source.path: {message}",
        hint="the build takes the files that git lists, or without git all but what builds leave",
    )
