"""The name of a package -> the recipe for it, or the reason why it needs none."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from emwheels.atomic import make_once
from emwheels.author.edit import Edit, edited, written
from emwheels.author.new_metadata import Described, about_of_source
from emwheels.author.new_needs import COMPILED, MISSING, Need, find_needs
from emwheels.author.new_release import OfferedRelease, choose
from emwheels.author.new_source import Examined, examine_source, required_name
from emwheels.errors import FetchError, RecipeError, UsageError, visible
from emwheels.fetch.archive import unpack
from emwheels.fetch.lock import read_build_requirements
from emwheels.recipe.load import load_recipe
from emwheels.recipe.provides import providers, with_needs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from emwheels.author.new_needs import PackageSource
    from emwheels.recipe.model import Recipe
    from emwheels.target import Target

WRITE, PURE_ONLY, HAS_WHEEL = "recipe", "pure", "published"
INCLUDE, LIBRARIES = "-I$(WASM_LIBRARY_DIR)/include", "-L$(WASM_LIBRARY_DIR)/lib"
_ALIASES = {"oldest-supported-numpy": "numpy"}
"""A name that only pins another."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A package as the user names it: ``NAME`` or ``NAME==VERSION``."""

    name: str
    specifier: SpecifierSet = field(default_factory=SpecifierSet)


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What is to be done for one package."""

    name: str
    version: str
    state: str
    """``recipe`` (there is one to write), ``pure`` or ``published`` (a wheel of upstream's does)."""
    why: str = ""
    meta: str = ""
    """The text of meta.yaml."""
    needs: tuple[Need, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def first(self) -> list[Need]:
        """What needs a recipe before this one can be used."""
        return [need for need in self.needs if need.state == COMPILED]


def parse_asked(text: str) -> Asked:
    """Read ``NAME`` or ``NAME==VERSION``. Raises `UsageError`."""
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise UsageError(f"{text!r} is not the name of a package", hint="write NAME or NAME==VERSION") from error
    if requirement.url or requirement.extras or requirement.marker:
        raise UsageError(f"{text!r} is more than a name and a version", hint="write NAME or NAME==VERSION")
    return Asked(name=canonicalize_name(requirement.name), specifier=requirement.specifier)


def propose(
    asked: Asked, registry: PackageSource, target: Target, recipes: Mapping[str, Recipe], *, anyway: bool = False
) -> Proposal:
    """Return what is to be done for ``asked``. Nothing is written, and nothing of the package is run.

    With ``anyway`` a recipe is proposed even where a wheel of upstream's does. Raises `UsageError` for a package that
    has a recipe, and `FetchError` for one that no index has.
    """
    if asked.name in recipes:
        version = recipes[asked.name].version
        raise UsageError(f"{asked.name} has a recipe, of version {version}", hint=f"edit {recipes[asked.name].folder}")
    release = _release(asked, registry, target)
    if release.pure is not None and not anyway:
        return _no_recipe(asked, release, PURE_ONLY, _pure_words(release))
    if release.published is not None and not anyway:
        file = release.published.resource.filename
        why = f"upstream publishes a wheel for this Pyodide: {file} (a recipe all the same: --anyway)"
        return _no_recipe(asked, release, HAS_WHEEL, why)
    return _proposal(asked, release, registry, target, recipes)


def _release(asked: Asked, registry: PackageSource, target: Target) -> OfferedRelease:
    offers = registry.offers(asked.name)
    if not offers:
        raise FetchError(f"{asked.name}: there is no such package", hint="check the name and the index of this machine")
    release = choose(offers, target, asked.specifier, sources=True)
    if release is None:
        wanted = f"{asked.name}{asked.specifier}"
        raise FetchError(
            f"{wanted}: no release has a source archive for Python {target.python_minor}",
            hint=f"see what there is: emwheels explain {asked.name}",
        )
    return release


def _pure_words(release: OfferedRelease) -> str:
    words = "pure Python: its own wheel installs in Pyodide, no recipe is needed"
    return f"{words}; there is a compiled variant too" if release.compiled else words


def _no_recipe(asked: Asked, release: OfferedRelease, state: str, why: str) -> Proposal:
    return Proposal(name=asked.name, version=release.version, state=state, why=why, notes=release.passed_over)


def _proposal(
    asked: Asked, release: OfferedRelease, registry: PackageSource, target: Target, recipes: Mapping[str, Recipe]
) -> Proposal:
    source = release.source
    if source is None:
        raise FetchError(
            f"{asked.name} {release.version} has no source archive",
            hint=f"emwheels explain {asked.name} lists its files",
        )
    url = f"pkg:pypi/{asked.name}@{release.version}"
    fetched = registry.fetch(url, source.resource.sha256)
    project = LocalProject(
        name=asked.name,
        version=release.version,
        source={"url": url, "sha256": fetched.sha256},
        label=source.resource.filename,
        notes=release.passed_over,
    )
    with tempfile.TemporaryDirectory(prefix="emwheels-new-") as folder:
        named = Path(folder) / source.resource.filename
        named.symlink_to(fetched.path)
        tree = unpack(named, Path(folder) / "tree", strip_single_top=True)
        return propose_tree(project, tree, about_of_source(tree), registry=registry, target=target, recipes=recipes)


@dataclass(frozen=True, kw_only=True)
class LocalProject:
    """A project whose files are here."""

    name: str
    version: str
    source: Mapping[str, str]
    """The section ``source`` of its recipe."""
    label: str
    """Where its files are from, in messages."""
    build: Mapping[str, str] = field(default_factory=dict)
    """What the section ``build`` of its recipe has to have."""
    notes: Sequence[str] = ()


def propose_tree(
    project: LocalProject,
    tree: Path,
    about: Described,
    *,
    registry: PackageSource,
    target: Target,
    recipes: Mapping[str, Recipe],
) -> Proposal:
    """Return a recipe for the project whose files are in ``tree``, and which says ``about`` of itself."""
    try:
        build_requires = read_build_requirements(tree, label=f"{project.label}: pyproject.toml")
        fault = ""
    except RecipeError as error:
        build_requires, fault = (), error.message
    examined = examine_source(tree, project.name, build_requires)
    needs = tuple(find_needs(project.name, about.requires, registry, target, recipes))
    hosts, notes = find_hosts(examined, recipes)
    document = {
        "package": {"name": project.name, "version": project.version} | _listed("top-level", examined.top_level),
        "source": dict(project.source),
        "build": dict(project.build) | ({"cflags": INCLUDE, "ldflags": LIBRARIES} if hosts else {}),
        "requirements": _requirements(project.name, hosts, needs, build_requires, recipes),
        "test": _listed("imports", examined.top_level),
        "about": {key: text for key, text in _about(about).items() if text},
    }
    if examined.rust:
        notes.append("it is written in Rust: its first build makes the Rust layer, once (2 to 5 minutes, 0.5 GB)")
    notes = [*project.notes, *([fault] if fault else []), *notes]
    notes += [f"{_chain(need)}: no index has it" for need in needs if need.state == MISSING]
    return Proposal(
        name=project.name,
        version=project.version,
        state=WRITE,
        meta=written(document),
        needs=needs,
        notes=tuple(visible(note, lines=False) for note in notes),
    )


def _requirements(
    name: str, hosts: Sequence[str], needs: Sequence[Need], build: Iterable[str], recipes: Mapping[str, Recipe]
) -> dict[str, list[str]]:
    cross = cross_needs(build, recipes)
    direct = [need.name for need in needs if need.chain == (name,)]
    further = [need.name for need in needs if need.state == COMPILED]
    run = list(dict.fromkeys([*cross, *direct, *further]))
    return _listed("host", [*cross, *hosts]) | _listed("run", run)


def cross_needs(build: Iterable[str], recipes: Mapping[str, Recipe]) -> list[str]:
    """Return the recipes among the requirements of a build that are compiled against, sorted."""
    asked = {required_name(text) for text in build}
    return [each for each in sorted({_ALIASES.get(one, one) for one in asked}) if _is_cross(each, recipes)]


def _listed(key: str, values: Sequence[str]) -> dict[str, list[str]]:
    return {key: list(values)} if values else {}


def _about(about: Described) -> dict[str, str]:
    return {"home": about.home, "summary": about.summary, "license": about.license}


def _is_cross(name: str, recipes: Mapping[str, Recipe]) -> bool:
    return name in recipes and recipes[name].build.cross_build_env


def find_hosts(examined: Examined, recipes: Mapping[str, Recipe]) -> tuple[list[str], list[str]]:
    """Return the libraries that the source looks for and that recipes provide, and a line about each."""
    libraries = {name: recipe for name, recipe in recipes.items() if recipe.build.type != "package"}
    hosts: dict[str, str] = {}
    for look in examined.looks:
        for provider in providers(libraries, look.kind, look.name)[:1]:
            hosts.setdefault(provider, f"{look.file} looks for {look.name} ({look.kind}): host requirement {provider}")
    return with_needs(hosts, libraries), list(hosts.values())


def _chain(need: Need) -> str:
    return " needs ".join((*need.chain, need.name))


def first_words(need: Need) -> str:
    """Return a line about a requirement that needs a recipe first."""
    return f"{_chain(need)}: it is compiled and has no wheel for Pyodide, so it needs a recipe first"


def _elsewhere(meta: str, folder: Path) -> str:
    """Return a meta.yaml that is right in another folder, too."""
    path = (yaml.safe_load(meta).get("source") or {}).get("path")
    if not isinstance(path, str):
        return meta
    return edited(meta, [Edit(key="source.path", value=os.path.abspath(folder / path))], "meta.yaml")  # noqa: PTH100


def write_recipe(folder: Path, meta: str, patches: Path) -> None:
    """Write a recipe's folder, whole or not at all.

    Raises `RecipeError` for text that makes no recipe, and `UsageError` where there is one.
    """

    def fill(made: Path) -> None:
        made.mkdir()
        with tempfile.TemporaryDirectory(prefix="emwheels-new-") as parent:
            proof = Path(parent) / folder.name
            proof.mkdir()
            (proof / "meta.yaml").write_text(_elsewhere(meta, folder), encoding="utf-8")
            load_recipe(proof, patches=patches)
        (made / "meta.yaml").write_text(meta, encoding="utf-8")

    if folder.exists():
        raise UsageError(f"{folder} is there already", hint="edit it, or move it away")
    make_once(folder, fill)
