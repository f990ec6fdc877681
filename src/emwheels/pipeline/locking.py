"""Stage: what a recipe's build, wheel and upstream tests require, pinned by hash."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import canonicalize_name

from emwheels.atomic import write_atomically
from emwheels.build.backend import ask_backend, unpack_at, workplace
from emwheels.build.source import prepare_source
from emwheels.errors import BuildError, ImageError, RecipeError, UsageError
from emwheels.fetch.download import PATIENCE, Downloader
from emwheels.fetch.fetcher import manylinux_platforms
from emwheels.fetch.lock import (
    checked_requirement,
    lock_build_requirements,
    lock_pure_requirements,
    read_build_requirements,
)
from emwheels.fetch.lock_index import LockIndex
from emwheels.fetch.lock_selection import Selection
from emwheels.fetch.registries import Registries
from emwheels.image.door import Door
from emwheels.image.toolchain.crossenv import _CONSTRAINTS as HELD_TO
from emwheels.pipeline.crate_locking import lock_crates
from emwheels.pipeline.environment import under_own_name
from emwheels.pipeline.gathering import build_wheels
from emwheels.pipeline.known import headers_fault
from emwheels.pipeline.sources import source_of
from emwheels.pipeline.tools import built_tool
from emwheels.recipe.graph import cross_requirements, foreign_requirements, pinned_to_recipes, run_closure
from emwheels.recipe.load import read_recipes
from emwheels.recipe.locked import BUILD_LOCK, FOLLOWED, RUN_LOCK
from emwheels.recipe.own_tests import TEST_LOCK
from emwheels.recipe.rust import is_rust
from emwheels.target.tags import Policy, fitting_tags
from emwheels.upstream import LOCK_FILE, read_suite, split_requirements

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from packaging.tags import Tag

    from emwheels.fetch.index_pages import Offer
    from emwheels.fetch.lock import Pinned
    from emwheels.pipeline.environment import Environment
    from emwheels.recipe.model import Recipe


@dataclass(frozen=True, kw_only=True)
class LockOptions:
    """How to lock."""

    any_index: tuple[str, ...] = ()
    """Projects that may come from any of pip's indexes."""
    newest: datetime | None = None
    """Only files that were uploaded until then; None: all."""


@dataclass(frozen=True, kw_only=True)
class Locking:
    """What locking some recipes shares. `open_locking` makes it."""

    environment: Environment
    recipes: Mapping[str, Recipe]
    """All of the project."""
    options: LockOptions
    downloader: Downloader
    tools: dict[tuple[str, str], Sequence[str]] = field(default_factory=dict)
    """Name and version of each tool that was built from its source archive -> what its own build requires."""

    @property
    def versions(self) -> dict[str, str]:
        """The recipes that answer a run requirement, with their versions."""
        return {name: recipe.version for name, recipe in self.recipes.items() if recipe.build.type == "package"}

    @property
    def pythons(self) -> list[str]:
        """The minor versions of all targets."""
        return sorted({target.python_minor for target in self.environment.targets.targets.values()})

    @property
    def python(self) -> str:
        """The minor version of the environment's target."""
        return self.environment.target.python_minor

    def index(self, selection: Selection) -> LockIndex:
        """Return the indexes of this machine as one; use it as a context manager."""
        registries = Registries(self.downloader)
        return LockIndex(registries, self.downloader, newest=self.options.newest, selection=selection)

    def lock_build(self, asked: Sequence[str], destination: Path, constraints: Sequence[str]) -> list[Pinned]:
        """Lock what a build needs; see `lock_build_requirements`."""
        with self.index(Selection(build=self._built, native=_native_tags(self.python))) as index:
            return lock_build_requirements(
                asked,
                destination,
                pythons=self.pythons,
                index=index,
                any_index=self.options.any_index,
                constraints=constraints,
            )

    def lock_run(self, asked: Sequence[str], file: Path, recipe: Recipe) -> list[Pinned]:
        """Lock what is installed in Pyodide beside recipes; see `lock_pure_requirements`."""
        versions, constraints = self.versions, recipe.requirements.constraint
        bounded = [canonicalize_name(Requirement(text).name) for text in constraints]
        selection = Selection(
            tags=self._target_tags(), aside={**dict.fromkeys(bounded, False), **dict.fromkeys(versions, True)}
        )
        with self.index(selection) as index:
            return lock_pure_requirements(
                asked,
                file,
                recipes=versions,
                known=run_closure(recipe.name, {**self.recipes, recipe.name: recipe}),
                note=FOLLOWED,
                pythons=self.pythons,
                index=index,
                any_index=self.options.any_index,
                constraints=constraints,
            )

    def _target_tags(self) -> frozenset[Tag]:
        targets = self.environment.targets.targets.values()
        return frozenset(tag for target in targets for tag in fitting_tags(target, Policy.MICROPIP))

    def _built(self, name: str, offer: Offer) -> Path:
        """Build a tool of which there is a source archive only, and note what that took."""
        environment, resource = self.environment, offer.resource
        url = f"pkg:pypi/{name}@{offer.version}?file_name={resource.filename}"
        source = environment.fetcher.fetch(url, resource.sha256)
        environment.board.say(name, f"{resource.filename} has no wheel: building one in the sandbox")
        with workplace() as place, tempfile.TemporaryDirectory() as folder:
            unpack_at(source, place / "inside" / "source")
            lock = Path(folder) / name / BUILD_LOCK
            asked, _ = _ask_and_lock(self, place, lock, _Wish(name=name, label=resource.filename))
            wheels = build_wheels(environment, lock)
        self.tools[canonicalize_name(name), offer.version] = asked
        made = built_tool(environment, source, wheels, python=self.python)
        return under_own_name(made, environment.project.cache / "named" / made.sha256[:24])


def _native_tags(python: str) -> frozenset[Tag]:
    """Return the tags of wheels for CPython ``python`` (``3.14``) in an image."""
    major, minor = (int(part) for part in python.split("."))
    platforms = [*manylinux_platforms(), "any"]
    own = f"cp{major}{minor}"
    return frozenset(
        [
            *cpython_tags((major, minor), abis=[own], platforms=platforms),
            *compatible_tags((major, minor), interpreter=own, platforms=platforms),
        ]
    )


@contextmanager
def open_locking(
    environment: Environment, options: LockOptions | None = None, recipes: Mapping[str, Recipe] | None = None
) -> Iterator[Locking]:
    """Give what `lock_recipe` needs. Without ``recipes``, they are all of the project in which nothing is wrong."""
    project = environment.project
    if recipes is None:
        recipes = read_recipes(project.shelves, aim=environment.aim).sound
    yield Locking(
        environment=environment,
        recipes=recipes,
        options=options or LockOptions(),
        downloader=Downloader(patience=PATIENCE),
    )


def lock_recipe(locking: Locking, recipe: Recipe) -> list[tuple[Path, list[Pinned]]]:
    """Lock ``recipe`` and return the files that were written, each with what is in it; what is not needed is removed.

    A recipe in Rust whose source has no Cargo.lock gets one beside them.

    Raises `RecipeError` where there is no solution, `FetchError` for what cannot be had, and `UsageError` for a recipe
    that has nothing to lock.
    """
    _check_kind(recipe)
    written = [_lock_build(locking, recipe)]
    suite, recipe = read_suite(recipe.folder), _as_written(recipe)
    for name, asked in (
        (RUN_LOCK, foreign_requirements(recipe, locking.versions)),
        (LOCK_FILE, split_requirements(suite, locking.versions)[1] if suite else []),
        (TEST_LOCK, recipe.own_tests.to_lock(locking.versions)),
    ):
        file = recipe.folder / name
        if not asked:
            file.unlink(missing_ok=True)
            continue
        pinned = locking.lock_run(asked, file, recipe)
        locking.environment.run_wheels(file)  # now, as one that cannot be had is a mistake in the recipe
        written.append((file, pinned))
    if is_rust(replace(recipe, build_lock=recipe.folder / BUILD_LOCK)):
        made = lock_crates(locking.environment, recipe)
        written += [(made, [])] if made else []
    return written


def _check_kind(recipe: Recipe) -> None:
    if not recipe.takes_wheels:
        raise UsageError(f"{recipe.name} has no build requirements of its own: it is a {recipe.build.type}")


def _as_written(recipe: Recipe) -> Recipe:
    """Return the recipe without the run requirements that an earlier lock found."""
    texts = (recipe.document.get("requirements") or {}).get("run") or ()
    written = {canonicalize_name(str(text)) for text in texts}
    run = tuple(name for name in recipe.requirements.run if name in written)
    return replace(recipe, requirements=replace(recipe.requirements, run=run))


@dataclass(frozen=True, kw_only=True)
class _Wish:
    """Whose build is locked, and what is known of it beside its source."""

    name: str
    label: str
    """The source archive, in messages."""
    extras: Sequence[str] = ()
    cross: Sequence[Recipe] = ()
    constraints: Sequence[str] = ()


def _lock_build(locking: Locking, recipe: Recipe) -> tuple[Path, list[Pinned]]:
    environment = locking.environment
    if recipe.build.type != "package":
        return _lock_tools(locking, recipe)
    with (
        environment.board.phase(recipe.name, "lock"),
        workplace() as place,
        tempfile.TemporaryDirectory() as folder,
    ):
        source = source_of(environment, recipe)
        prepare_source(recipe, source, place / "inside" / "source", environment.image if recipe.patches else None)
        wish = _Wish(
            name=recipe.name,
            label=source.filename,
            extras=recipe.requirements.build_extras,
            cross=cross_requirements(recipe, locking.recipes),
            constraints=(*recipe.requirements.constraint, *HELD_TO),
        )
        lock = Path(folder) / recipe.folder.name / BUILD_LOCK
        asked, pinned = _ask_and_lock(locking, place, lock, wish)
        names = {*map(_name_of, asked), *(canonicalize_name(pin.name) for pin in pinned)}
        if why := headers_fault(recipe, environment.project, names):
            raise RecipeError(f"{recipe.folder / 'meta.yaml'}: {why}")
        destination = recipe.folder / BUILD_LOCK
        write_atomically(destination, lock.read_bytes())
    return destination, pinned


def _lock_tools(locking: Locking, recipe: Recipe) -> tuple[Path, list[Pinned]]:
    """Lock what the script of a library installs: what the recipe names, as no backend builds it."""
    with locking.environment.board.phase(recipe.name, "lock"), tempfile.TemporaryDirectory() as folder:
        lock = Path(folder) / recipe.folder.name / BUILD_LOCK
        lock.parent.mkdir()
        pinned = locking.lock_build(recipe.requirements.build_extras, lock, recipe.requirements.constraint)
        destination = recipe.folder / BUILD_LOCK
        write_atomically(destination, lock.read_bytes())
    return destination, pinned


def _ask_and_lock(locking: Locking, place: Path, lock: Path, wish: _Wish) -> tuple[list[str], list[Pinned]]:
    """Lock what the source in ``place`` needs to be built into the file ``lock``; return what it asks for, and that.

    What it asks for is in pyproject.toml, and in the backend's answer once that is installed.
    """
    lock.parent.mkdir()
    asked = pinned_to_recipes([*_static(place / "inside" / "source", wish.label), *wish.extras], wish.cross)
    pinned = locking.lock_build(asked, lock, wish.constraints)
    late = _late(locking, place, lock, wish)
    built = [need for pin in pinned for need in locking.tools.get((canonicalize_name(pin.name), pin.version), ())]
    more = [text for text in dict.fromkeys(pinned_to_recipes([*late, *built], ())) if text not in asked]
    more = [text for text in more if _name_of(text) not in {recipe.name for recipe in wish.cross}]
    if more:
        asked += more
        pinned = locking.lock_build(asked, lock, wish.constraints)
    return asked, pinned


def _static(source: Path, label: str) -> tuple[str, ...]:
    """Return what pyproject.toml asks for. An archive, or a patch in the sandbox, may have laid a link in its place."""
    with tempfile.TemporaryDirectory() as folder, Door(source) as tree:
        if any(left.path == _PROJECT for left in tree.files(deep=False)):
            Path(folder, _PROJECT).write_bytes(tree.read(_PROJECT, limit=_PROJECT_LIMIT))
        return read_build_requirements(Path(folder), label=f"{label}: {_PROJECT}")


# HELD_TO: what pyodide-build holds every build requirement to. A lock beyond it could not be installed. That module's
# bytes are in every build key, so the name there waits for a change that builds everything anew.
_PROJECT = "pyproject.toml"
_PROJECT_LIMIT = 4 << 20


def _late(locking: Locking, place: Path, lock: Path, wish: _Wish) -> list[str]:
    """Return what the backend asks for; nothing, and a word about it, where it cannot be asked."""
    environment = locking.environment
    try:
        wheels = build_wheels(environment, lock)
        answer = ask_backend(place, wheels, image=environment.image, python=locking.python)
    except (BuildError, ImageError) as error:
        environment.board.say(
            wish.name,
            f"its build backend could not be asked what it needs when it runs: {error.message}. If the build misses "
            "something, name it in requirements.build-extras of meta.yaml",
        )
        return []
    where = f"{wish.label}: what its build backend asks for"
    return [text for text in (checked_requirement(each, where) for each in answer) if text]


def _name_of(text: str) -> str:
    return canonicalize_name(Requirement(text).name)
