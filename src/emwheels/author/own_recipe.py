"""A project without a recipe -> a recipe for it, made of its files and of ``[tool.emwheels]``. Nothing of it is run."""

from __future__ import annotations

import shlex
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from emwheels.atomic import read_regular
from emwheels.author.edit import written
from emwheels.author.new import INCLUDE, LIBRARIES, cross_needs, find_hosts
from emwheels.author.new_folder import FolderProject, build_requires, describe
from emwheels.author.new_metadata import Described, about_of_source, wanted_here
from emwheels.author.new_needs import COMPILED, Need, find_needs
from emwheels.author.new_source import examine_source
from emwheels.author.own_commands import Commands, conftest_file, read_commands, test_file
from emwheels.author.own_settings import OwnSettings, OwnTable
from emwheels.errors import UsageError, visible

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from emwheels.author.new_needs import PackageSource
    from emwheels.recipe.model import Recipe
    from emwheels.recipe.overrides import Aim
    from emwheels.target import Target

_LARGEST = 1 << 20
_TESTS = ("tests", "test")
_COMMAND_TEST = "test_command.py"
_ALWAYS_THERE = frozenset({"pytest"})
_SYSTEM = '[build-system] with requires and build-backend, e.g. requires = ["setuptools"]'


@dataclass(frozen=True, kw_only=True)
class OwnRecipe:
    """A recipe for one project and one target, and what belongs into its folder."""

    name: str
    version: str
    meta: str
    """The text of meta.yaml."""
    files: Mapping[str, bytes]
    """What is written into the recipe's folder."""
    copied: Sequence[str]
    """Files and folders of the source that its tests are in."""
    asked: Sequence[str]
    """All requirements, of the build, at run time and of the tests: with others, locks are made anew."""
    pure: bool
    """Whether there is nothing to compile."""
    needs: Sequence[Need] = ()
    notes: Sequence[str] = field(default=())

    @property
    def first(self) -> list[Need]:
        """What is compiled and has neither a recipe nor a wheel."""
        return [need for need in self.needs if need.state == COMPILED]


def read_table(tree: Path, label: str, aim: Aim, *, strict: bool) -> OwnTable:
    """Return ``[tool.emwheels]`` of the project in ``tree``; messages name the file by ``label``.

    Raises `UsageError` for a table with mistakes and, if ``strict``, for a project without what builds need.
    """
    try:
        text = read_regular(tree / "pyproject.toml", limit=_LARGEST).decode()
        document = tomllib.loads(text)
    except FileNotFoundError:
        if strict:
            raise UsageError(f"{label}: there is no pyproject.toml", hint=f"write one that has {_SYSTEM}") from None
        text, document = "", {}
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{label}/pyproject.toml cannot be read: {visible(str(error), lines=False)}") from error
    if strict and not isinstance(document.get("build-system"), dict):
        raise UsageError(f"{label}/pyproject.toml has no [build-system]", hint=f"write {_SYSTEM}")
    return OwnTable(f"{label}/pyproject.toml", text, document, aim)


def propose_own(
    tree: Path,
    source: Mapping[str, str],
    settings: OwnSettings,
    *,
    registry: PackageSource | None,
    target: Target,
    recipes: Mapping[str, Recipe],
) -> OwnRecipe:
    """Return a recipe for the project whose files are in ``tree``, which a build takes from ``source``.

    Without a ``registry`` nothing is asked what run requirements are. Raises `UsageError` for what cannot be.
    """
    said = describe(tree)
    about = said.about or about_of_source(tree)
    system = build_requires(said.table)
    examined = examine_source(tree, said.name, system)
    wanted = wanted_here(about.requires, target)
    needs = find_needs(said.name, wanted, registry, target, recipes) if registry else []
    hosts, notes = find_hosts(examined, recipes)
    hosts = [*settings.texts("host"), *(name for name in hosts if name not in settings.texts("host"))]
    check_hosts(settings.texts("host"), recipes)
    cross = cross_needs([*system, *settings.texts("build-requires")], recipes)
    tests = _tests(tree, settings, said, target, found="url" not in source)
    needed = dict.fromkeys([*cross, *(canonicalize_name(each.name) for each in wanted)])
    needed |= dict.fromkeys(need.name for need in needs if need.state == COMPILED)
    document = {
        "package": {"name": said.name, "version": said.version}
        | ({"top-level": list(examined.top_level)} if examined.top_level else {}),
        "source": dict(source),
        "build": _build(said, settings, libraries=bool(hosts)),
        "requirements": _without_empty(
            {
                "host": [*dict.fromkeys([*cross, *hosts])],
                "run": list(needed),
                "build-extras": list(settings.texts("build-requires")),
                "constraint": _constraints(wanted, system, recipes),
            }
        ),
        "test": _without_empty({"imports": list(examined.top_level)}),
        "about": _without_empty({"home": about.home, "summary": about.summary, "license": about.license}),
        "extra": {"emwheels": {"test": tests.table}} if tests.table else {},
    }
    return OwnRecipe(
        name=said.name,
        version=said.version,
        meta=written({key: value for key, value in document.items() if value}),
        files=tests.files,
        copied=tests.copied,
        asked=[*_asked(system, document), *tests.table.get("requirements", ())],
        pure=not examined.has_code,
        needs=tuple(needs),
        notes=tuple(visible(note, lines=False) for note in (*said.notes, *notes)),
    )


def check_hosts(names: Iterable[str], recipes: Collection[str]) -> None:
    """Raise `UsageError` for a library of ``host`` that no recipe has."""
    for name in names:
        if canonicalize_name(name) not in recipes:
            known = ", ".join(sorted(recipes)) or "none here: give a checkout with recipes by --project"
            raise UsageError(f"tool.emwheels.host: there is no recipe {name}", hint=f"the recipes are {known}")


def _asked(system: Sequence[str], document: Mapping[str, Any]) -> list[str]:
    return [*system, *(f"{key}: {value}" for key, value in sorted(document["requirements"].items()))]


def _without_empty(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if value}


def _build(said: FolderProject, settings: OwnSettings, *, libraries: bool) -> dict[str, str]:
    """Return the section ``build``."""
    variables = "".join(
        f"export {name}={shlex.quote(value)}\n" for name, value in settings.table("environment").items()
    )
    commands = "".join(f"{_in_tree(text)}\n" for text in settings.texts("before-build"))
    flags = {key: settings.text(key) for key in ("cflags", "cxxflags", "ldflags")}
    if libraries:
        flags["cflags"] = f"{INCLUDE} {flags['cflags']}".strip()
        flags["cxxflags"] = f"{INCLUDE} {flags['cxxflags']}".strip()
        flags["ldflags"] = f"{LIBRARIES} {flags['ldflags']}".strip()
    script = said.script + variables + commands
    return _without_empty({"script": script, "backend-flags": _backend_flags(settings), **flags})


def _in_tree(command: str) -> str:
    """Return a shell command that runs in the source tree, where the project is."""
    return command.replace("{project}", ".").replace("{package}", ".")


def _backend_flags(settings: OwnSettings) -> str:
    pairs = [
        (name, value)
        for name, given in settings.table("config-settings").items()
        for value in ([given] if isinstance(given, str) else given)
    ]
    return " ".join(shlex.quote(f"{name}={value}") for name, value in pairs)


def _constraints(wanted: Iterable[Requirement], system: Iterable[str], recipes: Collection[str]) -> list[str]:
    """Return the bounds of run requirements that no recipe answers and no build requirement names."""
    built = {_name_of(text) for text in system}
    bounded = [each for each in wanted if each.specifier and canonicalize_name(each.name) not in (*recipes, *built)]
    return [f"{each.name}{each.specifier}" for each in bounded]


def _name_of(text: str) -> str:
    try:
        return canonicalize_name(Requirement(text).name)
    except InvalidRequirement:
        return ""


@dataclass(frozen=True, kw_only=True)
class _Tests:
    table: Mapping[str, Any]
    """``extra.emwheels.test``."""
    files: Mapping[str, bytes]
    copied: Sequence[str]


def _tests(tree: Path, settings: OwnSettings, said: FolderProject, target: Target, *, found: bool) -> _Tests:
    """Return how the project is tested: by its commands, by pytest on its test files, or by imports alone.

    Tests that nothing names are run only if they may be ``found``: those of a stranger need more than there is.
    """
    commands = read_commands(settings.texts("test-command"), tree, "test-command")
    before = read_commands(settings.texts("before-test"), tree, "before-test")
    sources = list(settings.texts("test-sources"))
    if not settings.has("test-sources") and (found or settings.has("test-command")):
        sources = _found(tree, settings, commands)
    copied = [*dict.fromkeys([*sources, *commands.files, *before.files])]
    for name in copied:
        if not (tree / name).exists():
            raise UsageError(f"tool.emwheels.test-sources: there is no {name} in the project (or git leaves it out)")
    files: dict[str, bytes] = {}
    if commands.programs:
        files[_COMMAND_TEST] = test_file(commands.programs).encode()
    if before.pytest is not None:
        raise UsageError("tool.emwheels.before-test: pytest is no preparation", hint="write it into test-command")
    if before.programs:
        if "conftest.py" in copied:
            raise UsageError("tool.emwheels.before-test and a conftest.py at the top exclude each other")
        files["conftest.py"] = conftest_file(before.programs).encode()
    paths = [*commands.paths] if commands.pytest is not None else []
    if settings.has("test-command") and commands.pytest is None:
        paths = [_COMMAND_TEST]  # files that its programs need are no tests
    elif paths and commands.programs:
        paths.append(_COMMAND_TEST)
    table = {
        "requirements": _test_requirements(settings, said, target),
        "environment": dict(settings.table("environment")),
        "arguments": list(commands.pytest or ()),
        "paths": paths,
    }
    return _Tests(table=_without_empty(table), files=files, copied=copied)


def _found(tree: Path, settings: OwnSettings, commands: Commands) -> list[str]:
    """Return where the tests are that no ``test-sources`` names: what the command names, else the usual folder."""
    if settings.has("test-command") and (commands.paths or commands.pytest is None):
        return []
    folders = [name for name in _TESTS if any((tree / name).rglob("test_*.py"))]
    return folders[:1]


def _test_requirements(settings: OwnSettings, said: FolderProject, target: Target) -> list[str]:
    """Return what the tests need; pytest is there always."""
    texts = list(settings.texts("test-requires"))
    project = said.table.get("project")
    extras = project.get("optional-dependencies", {}) if isinstance(project, dict) else {}
    texts += _of_tables(settings.texts("test-extras"), extras, "test-extras", "[project.optional-dependencies]")
    groups = said.table.get("dependency-groups", {})
    texts += _of_tables(settings.texts("test-groups"), groups, "test-groups", "[dependency-groups]")
    wanted = wanted_here([Requirement(text) for text in texts if _name_of(text)], target)
    aside = (said.name, *_ALWAYS_THERE)
    named = {canonicalize_name(each.name): each for each in wanted}
    return [_without_marker(each) for name, each in named.items() if name not in aside]


def _without_marker(requirement: Requirement) -> str:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{requirement.specifier}"


def _of_tables(names: Iterable[str], tables: object, key: str, where: str) -> Iterator[str]:
    found = tables if isinstance(tables, dict) else {}
    waiting, seen = [*names], set()
    while waiting:
        name = waiting.pop(0)
        entries = next(
            (each for known, each in found.items() if canonicalize_name(known) == canonicalize_name(name)), None
        )
        if not isinstance(entries, list):
            raise UsageError(f"tool.emwheels.{key}: {where} has no {name}")
        for entry in entries:
            if isinstance(entry, str):
                yield entry
            elif isinstance(entry, dict) and (inner := str(entry.get("include-group", ""))) not in seen:
                seen.add(inner)
                waiting.append(inner)


def late_needs(about: Described, recipe: Recipe, target: Target) -> list[str]:
    """Return the run requirements that only the built wheel tells of."""
    names = [canonicalize_name(each.name) for each in wanted_here(about.requires, target)]
    return [name for name in names if name not in (*recipe.requirements.run, recipe.name)]
