"""Where a project keeps its things, which recipes it has beside its own, and where the user's cache is."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from emwheels.checkout.settings import FILE, Settings, read_settings
from emwheels.checkout.standard import standard_folder, standard_version
from emwheels.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """A project with recipes, and the cache that all projects of this user share."""

    root: Path
    cache: Path
    settings: Settings = field(default_factory=Settings)
    """What emwheels.toml says."""
    others: tuple[Path, ...] = ()
    """Further folders of recipes: those that emwheels.toml names, then the standard ones."""

    @property
    def targets_file(self) -> Path:
        """The project's own targets.toml; where emwheels.toml makes the project, else that of emwheels."""
        own, standard = self.root / "targets.toml", standard_folder()
        return standard / "targets.toml" if self.settings.file and standard and not own.is_file() else own

    @property
    def recipes(self) -> Path:
        """One folder for each recipe of the project itself. What is written goes here."""
        return self.root / self.settings.paths[0]

    @property
    def patches(self) -> Path:
        """One folder of patches for each recipe of the project itself that needs some."""
        return self.recipes.with_name("patches")

    @property
    def shelves(self) -> tuple[Path, ...]:
        """All folders of recipes. The first that has a recipe of some name wins; patches lie in ``patches`` beside."""
        return (self.recipes, *(folder for folder in self.others if folder != self.recipes))

    @property
    def dist(self) -> Path:
        """What is published: wheels, index, reports."""
        return self.root / self.settings.index

    def dist_of(self, profile: str) -> Path:
        """Where wheels of ``profile`` are published: those of the project's default profile in dist itself."""
        return self.dist if profile == self.settings.profile else self.dist / profile

    def is_own(self, folder: Path) -> bool:
        """Tell whether a recipe's folder is one of the project itself."""
        return folder.parent == self.recipes

    def origin(self, folder: Path) -> str:
        """Return where a recipe is from that is none of the project's own, in a word or as a path."""
        standard = standard_folder()
        return "standard" if standard and folder.parent == standard / "recipes" else str(folder.parent)

    def check_own(self, folder: Path, verb: str) -> None:
        """Raise `UsageError` for a recipe's folder that ``emwheels VERB`` must not write to."""
        if not self.is_own(folder):
            raise UsageError(
                f"{folder.name}: its recipe is in {folder.parent}, and `emwheels {verb}` changes only {self.recipes}",
                hint=f"make it yours first: emwheels recipe copy {folder.name}",
            )


def find_project(start: Path | None = None) -> Checkout:
    """Return the project that ``start`` (the working folder by default) is in.

    ``EMWHEELS_CACHE`` moves the cache. Raises `UsageError` outside of a project, and for a wrong emwheels.toml.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / FILE).is_file():
            return _with_settings(folder)
        if (folder / "targets.toml").is_file() and (folder / "recipes").is_dir():
            return Checkout(root=folder, cache=user_cache())
    raise UsageError(
        f"{here} is not inside a project: no folder above it has {FILE}, or targets.toml and recipes/",
        hint="make one (emwheels init), run the command in a project, or give its folder with --project",
    )


def new_project(folder: Path | None = None) -> Checkout:
    """Return what is to become a project, with the standard targets."""
    root = (folder or Path.cwd()).resolve()
    return Checkout(root=root, cache=user_cache(), settings=Settings(file=root / FILE))


def bare_project() -> Checkout:
    """Return a project without recipes of its own, with what emwheels itself has: for what needs no project."""
    cache = user_cache()
    root, standard = cache / "bare", standard_folder()
    (root / "recipes").mkdir(parents=True, exist_ok=True)
    others = (standard / "recipes",) if standard else ()
    return Checkout(root=root, cache=cache, settings=Settings(file=root / FILE), others=others)


def user_cache() -> Path:
    """Return the cache that all projects of this user share."""
    return Path(os.environ.get("EMWHEELS_CACHE") or platformdirs.user_cache_dir("emwheels")).resolve()


def _with_settings(root: Path) -> Checkout:
    settings = read_settings(root / FILE)
    project = Checkout(root=root, cache=user_cache(), settings=settings)
    if not project.recipes.is_dir():
        raise _wrong(settings, f"{project.recipes} is no folder", "make it, or name another")
    others = [(root / path).resolve() for path in settings.paths[1:]]
    for path, folder in zip(settings.paths[1:], others, strict=True):
        if not folder.is_dir():
            raise _wrong(settings, f"{path!r} is no folder ({folder})", "name a folder with one folder per recipe")
    return Checkout(root=root, cache=project.cache, settings=settings, others=(*others, *_standard_recipes(settings)))


def _wrong(settings: Settings, words: str, hint: str, *, key: str = "paths") -> UsageError:
    return UsageError(f"{settings.place('recipes', key)}: recipes.{key}: {words}", hint=hint)


def _standard_recipes(settings: Settings) -> tuple[Path, ...]:
    """Return the folder of the standard recipes, if the project takes them."""
    if settings.standard is False:
        return ()
    folder = standard_folder()
    if folder is None:
        raise _wrong(settings, "this emwheels has no standard recipes", "write standard = false", key="standard")
    has = standard_version(folder)
    if settings.standard not in (None, has):
        raise _wrong(
            settings,
            f"this emwheels has the standard recipes {has}, not {settings.standard}",
            f'install the emwheels that has {settings.standard}, or write standard = "{has}"',
            key="standard",
        )
    return (folder / "recipes",)
