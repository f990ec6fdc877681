"""A recipe of another version: rewritten, tried in a copy of the project, and taken over if all went well."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from packaging.utils import InvalidSdistFilename, parse_sdist_filename

from emwheels.atomic import read_regular, write_atomically
from emwheels.author.edit import Edit, difference, edited
from emwheels.author.newer import cleaned, origin
from emwheels.errors import EmwheelsError, RecipeError, StoppedError, of_os_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from emwheels.author.newer import Origin
    from emwheels.recipe.model import Recipe

META = "meta.yaml"
Step = tuple[str, Callable[[Path], str]]
"""What is tried with a project in which the recipe is rewritten: its name, and what is given that project's folder,
does it and says how it went."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a recipe becomes, but for its hash."""

    version: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Bumped:
    """What came of one recipe."""

    name: str
    before: str
    after: str
    steps: tuple[tuple[str, str], ...]
    """Each step that went well, and what it said."""
    diff: str
    """Of meta.yaml."""
    error: EmwheelsError | None = None
    """Why the recipe is as it was, or what is wrong with one that was kept all the same."""
    written: bool = False
    """Whether the recipe is the new one."""


def changed(recipe: Recipe, to: str) -> Change:
    """Return the recipe's version and url for ``to``, a version of its source.

    Raises `RecipeError` where the version is not that of the source, or does not stand in the url.
    """
    file, found, url = recipe.folder / META, origin(recipe), recipe.source.url
    if found is None or url is None:
        raise RecipeError(f"{file}: the version does not stand in source.url", hint="change version and source by hand")
    if recipe.version == found.version:
        version = to
    elif recipe.version == cleaned(found.version):
        version = cleaned(to)
    else:
        raise RecipeError(
            f"{file}: version {recipe.version} is not that of its source, {found.project} {found.version}",
            hint="change package.version, source.url and source.sha256 by hand",
        )
    return Change(version=version, url=_moved(url, found, recipe, to))


def _moved(url: str, found: Origin, recipe: Recipe, to: str) -> str:
    if not url.startswith("pkg:") and _is_archive_of(url, recipe):
        return f"pkg:pypi/{found.project}@{to}"  # the folders of its address are of that file alone
    for old, new in ((quote(found.version, safe="+~:"), quote(to, safe="+~:")), (quote(found.version), quote(to))):
        if old in url:
            return url.replace(old, new)
    raise RecipeError(
        f"{recipe.folder / META}: version {found.version} does not stand in source.url",
        hint="change version and source by hand",
    )


def _is_archive_of(url: str, recipe: Recipe) -> bool:
    """Tell whether the file is a source archive as package indexes have them."""
    try:
        name, _ = parse_sdist_filename(unquote(url.rpartition("/")[2].partition("#")[0]))
    except InvalidSdistFilename:
        return False
    return name == recipe.name


def bump(
    root: Path,
    recipe: Recipe,
    change: Change,
    *,
    sha256: Callable[[str], str],
    steps: Sequence[Step],
    parts: Sequence[Path],
    folder: Path,
    also: Sequence[str] = (),
    keep: bool = False,
) -> Bumped:
    """Rewrite a recipe in a copy of the project at ``root``, take the steps there, and take over what came of it.

    If a step fails, the recipe stays as it was, unless it is to be kept; and so it does when this is stopped. The copy
    stays after a failure. The copy is ``folder``, with those ``parts`` of the project that there are. ``sha256``
    returns the hash of a source; ``also`` are further files of the project, relative to it, that the steps may write.
    """
    place = recipe.folder.relative_to(root)
    before = _files(root, place, also)
    old = before[f"{place}/{META}"].decode()
    _copy(parts, folder)
    error: EmwheelsError | None = None
    done: list[tuple[str, str]] = []
    new = old
    try:
        edits = (
            Edit(key="package.version", value=change.version),
            Edit(key="source.url", value=change.url),
            Edit(key="source.sha256", value=sha256(change.url)),
        )
        new = edited(old, edits, str(recipe.folder / META))
        write_atomically(folder / place / META, new.encode())
        for name, step in steps:
            done.append((name, step(folder)))
    except StoppedError:
        raise
    except (EmwheelsError, OSError) as failure:
        error = of_os_error(failure) if isinstance(failure, OSError) else failure
    written = (error is None or keep) and new != old
    if written:
        _take_over(root, before, _files(folder, place, also))
    if error is None:
        shutil.rmtree(folder, ignore_errors=True)
    return Bumped(
        name=recipe.name,
        before=recipe.version,
        after=change.version,
        steps=tuple(done),
        diff=difference(old, new, f"{place}/{META}"),
        error=error,
        written=written,
    )


def _copy(parts: Sequence[Path], folder: Path) -> None:
    """Make ``folder`` anew, with copies of those files and folders of a project that there are."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for part in parts:
        if part.is_dir():
            shutil.copytree(part, folder / part.name, symlinks=True)
        elif part.is_file():
            shutil.copyfile(part, folder / part.name)


def _files(root: Path, place: Path, also: Sequence[str]) -> dict[str, bytes]:
    """Return what a bump may change, by path relative to ``root``."""
    paths = [root / place / META, *sorted((root / place).glob("requirements*.txt")), *(root / path for path in also)]
    return {str(path.relative_to(root)): read_regular(path) for path in paths if path.is_file()}


def _take_over(root: Path, before: Mapping[str, bytes], after: Mapping[str, bytes]) -> None:
    """Write ``after`` where ``before`` is; all of it or nothing. Raises `RecipeError` if that changed meanwhile."""
    if edited_meanwhile := [path for path in before if _content(root / path) != before[path]]:
        raise RecipeError(
            f"{', '.join(edited_meanwhile)}: changed while the new version was tried, so nothing was written",
            hint="run the same command again",
        )
    try:
        for path in _in_order({*before, *after}):
            _put(root / path, after.get(path))
    except BaseException:
        for path in _in_order({*before, *after}):
            _put(root / path, before.get(path))
        raise


def _in_order(paths: set[str]) -> Iterator[str]:
    """Yield meta.yaml last: what else there is belongs to it."""
    yield from sorted(paths, key=lambda path: (path.endswith(META), path))


def _content(path: Path) -> bytes | None:
    return read_regular(path) if path.is_file() else None


def _put(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    else:
        write_atomically(path, content)
