"""meta.yaml -> `Recipe`, with every problem of a file reported at once by file, line and key.

The format is that of pyodide-build 0.39.2 (its ``recipe/spec.py``), unchanged, but for one addition: ``source.url`` may
be a package URL (purl, ECMA-427), which pyodide-build never sees.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from urllib.parse import urlsplit

import yaml
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from emwheels.errors import RecipeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

BUILD_TYPES = ("package", "static_library", "shared_library", "cpython_module")
EXPORTS = ("pyinit", "requested", "whole_archive")
PURL_FORMS = {
    "pypi": "pkg:pypi/NAME@VERSION",
    "deb": "pkg:deb/debian/NAME@VERSION",
    "npm": "pkg:npm/NAME@VERSION or pkg:npm/%40SCOPE/NAME@VERSION",
}

_T = TypeVar("_T")

_MAX_BYTES = 1 << 20
_MAX_NODES = 100_000
_MAX_DEPTH = 40
_PLACED_DEPTH = 4  # section.key[i][j]: nothing deeper has a meaning of its own
_SHOWN_CHARACTERS = 60
_SHOWN_UNKNOWN_KEYS = 20

_LIBRARY_KEYS = frozenset({"type", "script", "exports", "unvendor-tests"})
_WHEEL_KEYS = frozenset({
    "type", "post", "exports", "unvendor-tests", "_retain-test-patterns", "vendor-sharedlib",
    "cross-build-env", "_cross-build-env-skip-install", "cross-build-files",
})  # fmt: skip
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PURL_NAMESPACES = {"pypi": re.compile(""), "deb": re.compile("debian"), "npm": re.compile(r"(@[a-z0-9][a-z0-9._-]*)?")}
_PURL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_PURL_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~:-]*")
_PATCH_NAME = re.compile(r"[0-9]{4}-[a-z0-9][a-z0-9._-]*\.patch")


@dataclass(frozen=True, kw_only=True)
class Package:
    """The ``package`` section."""

    name: str
    version: str
    top_level: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    disabled: bool = False
    pinned: bool = False


@dataclass(frozen=True, kw_only=True)
class Source:
    """The ``source`` section: either ``url`` with ``sha256``, or ``path``."""

    url: str | None = None
    extract_dir: str | None = None
    path: str | None = None
    """Relative to the recipe's folder and inside it."""
    sha256: str | None = None
    patches: tuple[str, ...] = ()
    """As written, relative to the recipe's folder; `Recipe.patches` has all that are to be applied."""
    extras: tuple[tuple[str, str], ...] = ()
    """Pairs of a file in the recipe's folder and where it goes in the source tree."""

    @property
    def purl(self) -> PackageURL | None:
        """``url`` parsed, if it is a package URL."""
        return PackageURL.from_string(self.url) if self.url and self.url.startswith("pkg:") else None


@dataclass(frozen=True, kw_only=True)
class Build:
    """The ``build`` section."""

    exports: str | tuple[str, ...] = "pyinit"
    """One of `EXPORTS`, or the names of the symbols."""
    backend_flags: str = ""
    cflags: str = ""
    cxxflags: str = ""
    ldflags: str = ""
    type: str = "package"
    """One of `BUILD_TYPES`."""
    cross_script: str | None = None
    script: str | None = None
    post: str | None = None
    unvendor_tests: bool = True
    retain_test_patterns: tuple[str, ...] = ()
    vendor_sharedlib: bool = True
    cross_build_env: bool = False
    cross_build_env_skip_install: bool = False
    cross_build_files: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """The ``requirements`` section.

    ``host`` names other recipes; ``run`` names other recipes or pure-Python packages; ``build_extras`` and
    ``constraint`` are requirements in the sense of PEP 508.
    """

    run: tuple[str, ...] = ()
    host: tuple[str, ...] = ()
    build_extras: tuple[str, ...] = ()
    executable: tuple[str, ...] = ()
    constraint: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Test:
    """The ``test`` section."""

    __test__: ClassVar[bool] = False  # or pytest takes it for a test class

    imports: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class About:
    """The ``about`` section."""

    home: str | None = None
    pypi: str | None = None
    summary: str | None = None
    license: str | None = None


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One package: its meta.yaml, and the files that go with it."""

    folder: Path
    package: Package
    source: Source
    build: Build = Build()
    requirements: Requirements = Requirements()
    test: Test = Test()
    about: About = About()
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)
    patches: tuple[Path, ...] = ()
    """In the order in which they are applied: those of the patches folder, then those of ``source.patches``."""
    tests: tuple[Path, ...] = ()
    build_lock: Path | None = None
    """requirements.build.txt, the hash-pinned build requirements."""
    document: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)
    """meta.yaml as plain dicts, lists and scalars without sharing. To change it, copy it deeply first."""

    @property
    def name(self) -> str:
        """The package's name, which is also the folder's."""
        return self.package.name

    @property
    def version(self) -> str:
        """The package's version as written."""
        return self.package.version


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing to mend; ``line`` counts from 1, ``key`` is dotted (``build.cflags``) or empty for the whole file."""

    file: Path
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        """Return it as compilers do: file, line, then what is wrong."""
        where = f"{self.key}: " if self.key else ""
        return f"{self.file.as_posix()}:{self.line}: {where}{self.message}"


class RecipeProblems(RecipeError):  # noqa: N818 - its name says that it holds several
    """All that is wrong with one or more recipes."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            "\n".join(map(str, self.problems)),
            hint="each line names the file, the line and the key to mend; docs/ has a page on adding a recipe",
        )


def load_recipe(folder: Path, *, patches: Path) -> Recipe:
    """Return the recipe in ``folder`` with its patches from ``patches/NAME``. Raises `RecipeProblems`."""
    recipe, findings = _examine(folder, patches)
    if recipe is None or findings.problems:
        raise RecipeProblems(findings.problems)
    return recipe


def load_recipes(recipes: Path, *, patches: Path, names: Iterable[str] | None = None) -> dict[str, Recipe]:
    """Return the recipes called ``names`` and all recipes that those need, or every recipe; sorted by name.

    Raises `RecipeProblems` with all problems of all of them, and `UsageError` for a name that no recipe has.
    """
    folders = _recipe_folders(recipes)
    waiting = list(folders.values()) if names is None else [_asked(name, folders, recipes) for name in names]
    seen: set[Path] = set()
    loaded: dict[str, Recipe] = {}
    problems: list[Problem] = []
    while waiting:
        folder = waiting.pop()
        if folder in seen:
            continue
        seen.add(folder)
        recipe, findings = _examine(folder, patches)
        if recipe is not None:
            loaded[folder.name] = recipe
            _check_host_recipes(recipe, folders, findings)
            waiting.extend(_matches(recipe.requirements, folders))
        problems += findings.problems
    if problems:
        raise RecipeProblems(sorted(problems, key=lambda problem: (str(problem.file), problem.line)))
    return dict(sorted(loaded.items()))


def required_recipes(recipe: Recipe, recipes: Mapping[str, Recipe]) -> list[str]:
    """Return the names of those ``recipes`` that ``recipe`` needs, at build (host) or at run time; sorted."""
    return sorted(set(_matches(recipe.requirements, {canonicalize_name(name): name for name in recipes})))


def dependency_order(recipes: Mapping[str, Recipe]) -> list[str]:
    """Return the names so that each comes after all that it needs, the same for the same recipes.

    Raises `RecipeError` if some recipes need each other.
    """
    graph = {name: required_recipes(recipes[name], recipes) for name in sorted(recipes)}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        ring: list[str] = error.args[1][:0:-1]  # graphlib repeats the first and points from the needed to the needing
        start = ring.index(min(ring))
        ring = [*ring[start:], *ring[:start], ring[start]]
        raise RecipeError(
            f"these recipes need each other: {' -> '.join(ring)}",
            hint="take one of them out of another's requirements.host or requirements.run",
        ) from None


def _recipe_folders(recipes: Path) -> dict[str, Path]:
    try:
        found = sorted(
            entry for entry in recipes.iterdir() if entry.is_dir() and not entry.name.startswith((".", "__"))
        )
    except OSError as error:
        raise UsageError(
            f"{recipes} cannot be read: {error.strerror}", hint="name the folder that holds the recipes"
        ) from None
    folders: dict[str, Path] = {}
    for folder in found:
        other = folders.setdefault(canonicalize_name(folder.name), folder)
        if other is not folder:
            raise RecipeError(f"{other} and {folder} are the same name (PEP 503)", hint="remove one of the two folders")
    return folders


def _asked(name: str, folders: Mapping[str, Path], recipes: Path) -> Path:
    folder = folders.get(canonicalize_name(name))
    if folder is None:
        near = _did_you_mean(name, [folder.name for folder in folders.values()])
        raise UsageError(f"there is no recipe {_shown(name)}{near}", hint=f"{recipes} has one folder per recipe")
    return folder


def _matches(requirements: Requirements, known: Mapping[str, _T]) -> list[_T]:
    names = (canonicalize_name(name) for name in (*requirements.host, *requirements.run))
    return [known[name] for name in names if name in known]


def _check_host_recipes(recipe: Recipe, folders: Mapping[str, Path], findings: _Findings) -> None:
    for i, name in enumerate(recipe.requirements.host):
        if canonicalize_name(name) not in folders:
            near = _did_you_mean(name, [folder.name for folder in folders.values()])
            findings.report(f"requirements.host[{i}]", f"there is no recipe {_shown(name)}{near}")


def _did_you_mean(word: str, right: Sequence[str]) -> str:
    folded = {name.casefold(): name for name in right}
    near = difflib.get_close_matches(word[:_SHOWN_CHARACTERS].casefold(), folded, n=1)
    return f"; did you mean {folded[near[0]]}?" if near else ""


def _shown(text: str) -> str:
    """Return ``text`` fit for one line of a terminal."""
    cut = text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
    return cut if cut.isprintable() else cut.encode("unicode_escape").decode()


# From bytes to plain data


@dataclass(frozen=True, kw_only=True)
class _Place:
    line: int
    text: str
    """A scalar as written."""


class _Findings:
    """What is known of one meta.yaml while it is examined: where each key stands, and what is wrong."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.places: dict[str, _Place] = {}
        self.problems: list[Problem] = []

    def report(self, key: str, message: str, *, line: int | None = None) -> None:
        self.problems.append(Problem(file=self.file, line=line or self._line(key), key=key, message=message))

    def report_file(self, file: Path, message: str) -> None:
        self.problems.append(Problem(file=file, line=1, key="", message=message))

    def _line(self, key: str) -> int:
        while key and key not in self.places:
            key = key.rpartition(".")[0]
        return self.places[key].line if key else 1


class _UnreadableError(Exception):
    """The file as a whole makes no sense; there is one problem and nothing more to say."""

    def __init__(self, message: str, *, line: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class _RecipeLoader(yaml.SafeLoader):
    """Reads scalars as YAML 1.2 does, hence as pyodide-build's ruamel.yaml: ``yes`` and ``2024-01-01`` are text."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]  # the stub has it per instance

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=self.get_mark())
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


_TAG = "tag:yaml.org,2002:"
_SCALARS: dict[str, tuple[str, list[str] | None, Callable[[str], Any]]] = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""], lambda _: None),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF"), lambda text: text.lower() == "true"),
    "int": (r"[-+]?[0-9]{1,18}", list("-+0123456789"), int),
    "float": (
        r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?",
        list("-+.0123456789"),
        float,
    ),
}
for _name, (_pattern, _first, _) in _SCALARS.items():
    _RecipeLoader.add_implicit_resolver(_TAG + _name, re.compile(f"(?:{_pattern})$"), _first)

_REFUSED = object()  # stands for a value that has been reported already


def _read_document(file: Path, findings: _Findings) -> dict[str, Any]:
    text = _read_text(file)
    node = _compose(text)
    if not isinstance(node, yaml.MappingNode):
        raise _UnreadableError("must be a mapping with the keys package, source, …")
    document = _PlainData(findings).convert(node, "", 0)
    return document if isinstance(document, dict) else {}


def _read_text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        raise _UnreadableError("there is no such file; every recipe folder has a meta.yaml") from None
    except OSError as error:
        raise _UnreadableError(f"cannot be read: {error.strerror}") from None
    if len(data) > _MAX_BYTES:
        raise _UnreadableError(f"is larger than {_MAX_BYTES} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _UnreadableError("is not UTF-8; save it as UTF-8", line=line) from None


def _compose(text: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=_RecipeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        reason = _shown(error.problem or error.context or "cannot be parsed")
        raise _UnreadableError(f"malformed YAML at column {column}: {reason}", line=line) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _UnreadableError(f"malformed YAML: {error.reason}", line=line) from None
    except (ValueError, OverflowError) as error:  # PyYAML lets through those of chr() and int() on escapes, directives
        raise _UnreadableError(f"malformed YAML: {_shown(str(error))}") from None


class _PlainData:
    """Converts a node graph to dicts, lists and scalars, and notes where each key stands."""

    def __init__(self, findings: _Findings) -> None:
        self._findings = findings
        self._visits = 0

    def convert(self, node: yaml.Node, key: str, depth: int) -> Any:
        self._visits += 1
        line = node.start_mark.line + 1
        if self._visits > _MAX_NODES:
            raise _UnreadableError(f"has over {_MAX_NODES} values once its aliases are expanded", line=line)
        if depth > _MAX_DEPTH:  # the loader bounds the text; this bounds an alias of its own ancestor
            raise _UnreadableError("nested too deeply", line=line)
        match node:
            case yaml.MappingNode(tag="tag:yaml.org,2002:map"):
                return self._mapping(node, key, depth)
            case yaml.SequenceNode(tag="tag:yaml.org,2002:seq"):
                return [self._item(item, f"{key}[{i}]", depth) for i, item in enumerate(node.value)]
            case yaml.ScalarNode(tag="tag:yaml.org,2002:str"):
                return node.value
            case yaml.ScalarNode(tag=tag) if tag.removeprefix(_TAG) in _SCALARS:
                return self._scalar(node, key, line)
        self._findings.report(key, f"the YAML tag {_shown(node.tag)} is not allowed", line=line)
        return _REFUSED

    def _scalar(self, node: yaml.ScalarNode, key: str, line: int) -> Any:
        kind = node.tag.removeprefix(_TAG)
        pattern, _, read = _SCALARS[kind]
        if re.fullmatch(pattern, node.value):
            return read(node.value)
        self._findings.report(key, f"{_shown(node.value)} is not of the YAML type {kind}", line=line)
        return _REFUSED

    def _item(self, node: yaml.Node, key: str, depth: int) -> Any:
        self._note(key, node, node, depth)
        return self.convert(node, key, depth + 1)

    def _mapping(self, node: yaml.MappingNode, parent: str, depth: int) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for name_node, value_node in node.value:
            name = name_node.value
            line = name_node.start_mark.line + 1
            if not isinstance(name, str):
                self._findings.report(parent, "a key must be text", line=line)
                continue
            key = f"{parent}.{_shown(name)}" if parent else _shown(name)
            if name in lines:
                message = f"duplicate key on line {line}; the first is on line {lines[name]}"
                self._findings.report(key, message, line=line)
                continue
            lines[name] = line
            self._note(key, name_node, value_node, depth)
            mapping[name] = self.convert(value_node, key, depth + 1)
        return mapping

    def _note(self, key: str, at: yaml.Node, value: yaml.Node, depth: int) -> None:
        if depth < _PLACED_DEPTH:
            text = value.value if isinstance(value, yaml.ScalarNode) else ""
            self._findings.places[key] = _Place(line=at.start_mark.line + 1, text=text)


# From plain data to sections


class _WrongTypeError(Exception):
    """A value is not of the expected type; its argument is what was expected."""


def _as_text(value: Any) -> str:
    if not isinstance(value, str):
        raise _WrongTypeError("text")
    return value


def _as_optional_text(value: Any) -> str | None:
    return None if value is None else _as_text(value)


def _as_flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _WrongTypeError("true or false")
    return value


def _as_texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _WrongTypeError("a list of texts")
    return tuple(value)


def _as_pairs(value: Any) -> tuple[tuple[str, str], ...]:
    expected = "a list of pairs [file in the recipe, place in the source tree]"
    if not isinstance(value, list):
        raise _WrongTypeError(expected)
    pairs = []
    for item in value:
        match item:
            case [str(source), str(place)]:
                pairs.append((source, place))
            case _:
                raise _WrongTypeError(expected)
    return tuple(pairs)


def _as_text_or_texts(value: Any) -> str | tuple[str, ...]:
    return value if isinstance(value, str) else _as_texts(value)


def _kind(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int() | float():
            return "a number (put it in quotes to make it text)"
        case str():
            return "text"
        case list():
            return "a list"
    return "a mapping"


class _Section:
    """One section of a document. It knows the keys that were asked of it, so the rest are unknown."""

    def __init__(self, name: str, document: Mapping[str, Any], findings: _Findings) -> None:
        self.name = name
        self._findings = findings
        value = document.get(name, {})
        if not isinstance(value, dict) and value is not _REFUSED:
            findings.report(name, f"must be a mapping, not {_kind(value)}")
        self.given: dict[str, Any] = value if isinstance(value, dict) else {}
        self.changed: set[str] = set()
        self._asked: list[str] = []

    def report(self, key: str, message: str) -> None:
        self._findings.report(f"{self.name}.{key}", message)

    def get(self, key: str, read: Callable[[Any], _T], default: _T) -> _T:
        """Return the value of ``key``, or ``default`` if it is missing or, which is reported, of a wrong type."""
        self._asked.append(key)
        given = self.given.get(key, _REFUSED)
        if given is _REFUSED:
            return default
        try:
            value = read(given)
        except _WrongTypeError as error:
            self._report_type(key, given, str(error))
            return default
        if value != default:
            self.changed.add(key)
        return value

    def _report_type(self, key: str, given: Any, expected: str) -> None:
        if isinstance(given, list) and expected == "a list of texts":
            for i, item in enumerate(given):
                if not isinstance(item, str) and item is not _REFUSED:
                    self.report(f"{key}[{i}]", f"must be text, not {_kind(item)}")
            return
        found = "" if isinstance(given, list) else f", not {_kind(given)}"
        self.report(key, f"must be {expected}{found}")

    def texts(self, key: str) -> tuple[str, ...]:
        return self.get(key, _as_texts, ())

    def required_text(self, key: str) -> str:
        if key not in self.given:
            self.report(key, "is missing")
        return self.get(key, _as_text, "")

    def required_version(self, key: str) -> str:
        """Return a version even if YAML took it for a number, as long as that loses nothing (1.10 would)."""
        given = self.given.get(key)
        if type(given) in {int, float} and str(given) == self._findings.places[f"{self.name}.{key}"].text:
            self._asked.append(key)
            return str(given)
        return self.required_text(key)

    def report_unknown(self) -> None:
        unknown = [key for key in self.given if key not in self._asked]
        for key in unknown[:_SHOWN_UNKNOWN_KEYS]:
            self.report(_shown(key), f"unknown key{_did_you_mean(key, self._asked)}")
        if len(unknown) > _SHOWN_UNKNOWN_KEYS:
            self._findings.report(self.name, f"{len(unknown) - _SHOWN_UNKNOWN_KEYS} more unknown keys")


def _examine(folder: Path, patches: Path) -> tuple[Recipe | None, _Findings]:
    """Return the recipe and what is wrong with it; no recipe if its file as a whole makes no sense."""
    findings = _Findings(folder / "meta.yaml")
    try:
        document = _read_document(findings.file, findings)
    except _UnreadableError as error:
        findings.report("", error.message, line=error.line)
        return None, findings
    sections = {
        name: _Section(name, document, findings)
        for name in ("package", "source", "build", "requirements", "test", "about", "extra")
    }
    package = _package(sections["package"], folder)
    source = _source(sections["source"], folder)
    build = _build(sections["build"])
    requirements = _requirements(sections["requirements"])
    test = Test(imports=sections["test"].texts("imports"))
    about = _about(sections["about"])
    extra = sections.pop("extra")
    extra.texts("recipe-maintainers")
    for name in document.keys() - sections.keys() - {"extra"}:
        findings.report(_shown(name), f"unknown key{_did_you_mean(name, [*sections, 'extra'])}")
    for section in sections.values():
        section.report_unknown()
    all_patches = _patches(patches / folder.name, findings) + _source_patches(source, folder, findings)
    _check_kind_of_source(sections, source, requirements, all_patches)
    findings.problems.sort(key=lambda problem: (problem.file != findings.file, str(problem.file), problem.line))
    lock = folder / "requirements.build.txt"
    recipe = Recipe(
        folder=folder,
        package=package,
        source=source,
        build=build,
        requirements=requirements,
        test=test,
        about=about,
        extra=extra.given,
        patches=all_patches,
        tests=tuple(sorted(folder.glob("test_*.py"))),
        build_lock=lock if lock.is_file() else None,
        document=document,
    )
    return recipe, findings


def _package(section: _Section, folder: Path) -> Package:
    package = Package(
        name=section.required_text("name"),
        version=section.required_version("version"),
        top_level=section.texts("top-level"),
        tag=section.texts("tag"),
        disabled=section.get("_disabled", _as_flag, False),
        pinned=section.get("pinned", _as_flag, False),
    )
    if "name" in section.changed:
        _check_package_name(section, package.name, folder)
    if package.version and not _parses(Version, package.version):
        section.report("version", f"{_shown(package.version)} is not a version (PEP 440)")
    return package


def _check_package_name(section: _Section, name: str, folder: Path) -> None:
    if not _is_bare_name(name):
        section.report("name", f"{_shown(name)} is not a package name (letters, digits, '-', '_' and '.')")
    elif name != folder.name:
        section.report("name", f"is {_shown(name)}, but the folder is {folder.name}; they must be the same")


def _parses(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except (ValueError, RecursionError):  # a number of 5,000 digits, a marker of 500 parentheses
        return False
    return True


def _is_bare_name(text: str) -> bool:
    return _parses(Requirement, text) and Requirement(text).name == text


def _source(section: _Section, folder: Path) -> Source:
    source = Source(
        url=section.get("url", _as_optional_text, None),
        extract_dir=section.get("extract_dir", _as_optional_text, None),
        path=section.get("path", _as_optional_text, None),
        sha256=section.get("sha256", _as_optional_text, None),
        patches=section.texts("patches"),
        extras=section.get("extras", _as_pairs, ()),
    )
    _check_origin(section, source)
    if source.sha256 is not None and not _SHA256.fullmatch(source.sha256):
        section.report("sha256", "must be 64 hexadecimal digits in lower case")
    if source.extract_dir is not None and _escapes(source.extract_dir):
        section.report("extract_dir", _escape_message(source.extract_dir))
    if source.path is not None:
        _check_inside(section, "path", source.path, folder)
    for i, (extra, place) in enumerate(source.extras):
        _check_inside(section, f"extras[{i}][0]", extra, folder)
        if _escapes(place):
            section.report(f"extras[{i}][1]", _escape_message(place))
    return source


def _check_origin(section: _Section, source: Source) -> None:
    if source.url is not None:
        if fault := _url_fault(source.url):
            section.report("url", fault)
        if section.given.get("sha256") is None:
            section.report("sha256", "is missing; a url needs it")
        if source.path is not None:
            section.report("path", "url and path exclude each other")
    elif source.path is None and section.given.get("url") is None and section.given.get("path") is None:
        section.report("url", "is missing; a source needs a url or a path")


def _url_fault(url: str) -> str:
    if url.startswith("pkg:"):
        return _purl_fault(url)
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"} or not url.isprintable() or " " in url:
        return f"{_shown(url)} is neither an http(s) address nor a package URL such as pkg:pypi/NAME@VERSION"
    return ""


def _purl_fault(url: str) -> str:
    try:
        purl = PackageURL.from_string(url)
    except ValueError as error:
        return f"{_shown(url)} is not a package URL: {_shown(str(error))}"
    if purl.type not in PURL_FORMS:
        return f"packages of the type {_shown(purl.type)} cannot be fetched; the types are {', '.join(PURL_FORMS)}"
    if not purl.version:
        return f"{_shown(url)} has no version; add @VERSION"
    if purl.type == "pypi" and not _parses(Version, purl.version):
        return f"{_shown(purl.version)} is not a version (PEP 440)"
    if not _PURL_NAME.fullmatch(purl.name) or not _PURL_VERSION.fullmatch(purl.version):
        return f"{_shown(url)} has a character in its name or version that no package has"
    if not _PURL_NAMESPACES[purl.type].fullmatch(purl.namespace or ""):
        return f"{_shown(url)} must read {PURL_FORMS[purl.type]}"
    return ""


def _escapes(path: str) -> bool:
    """Return whether ``path`` can leave the folder to which it is relative."""
    parts = PurePosixPath(path)
    return parts.is_absolute() or ".." in parts.parts or "\\" in path or ":" in path[:2]


def _escape_message(path: str) -> str:
    return f"{_shown(path)} leads out of its folder; give a relative path without '..'"


def _resolved_inside(path: str, folder: Path) -> Path | None:
    """Return what ``path`` is after symlinks, or None if there is nothing in ``folder``."""
    try:
        resolved = (folder / path).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):  # too long; NUL or a lone surrogate; a ring of symlinks
        return None
    return resolved if resolved.is_relative_to(folder.resolve()) else None


def _check_inside(section: _Section, key: str, path: str, folder: Path) -> None:
    if _escapes(path):
        section.report(key, _escape_message(path))
    elif _resolved_inside(path, folder) is None:
        section.report(key, f"there is no {_shown(path)} in the recipe's folder")


def _build(section: _Section) -> Build:
    build = Build(
        exports=section.get("exports", _as_text_or_texts, Build.exports),
        backend_flags=section.get("backend-flags", _as_text, ""),
        cflags=section.get("cflags", _as_text, ""),
        cxxflags=section.get("cxxflags", _as_text, ""),
        ldflags=section.get("ldflags", _as_text, ""),
        type=section.get("type", _as_text, "package"),
        cross_script=section.get("cross-script", _as_optional_text, None),
        script=section.get("script", _as_optional_text, None),
        post=section.get("post", _as_optional_text, None),
        unvendor_tests=section.get("unvendor-tests", _as_flag, True),
        retain_test_patterns=section.texts("_retain-test-patterns"),
        vendor_sharedlib=section.get("vendor-sharedlib", _as_flag, True),
        cross_build_env=section.get("cross-build-env", _as_flag, False),
        cross_build_env_skip_install=section.get("_cross-build-env-skip-install", _as_flag, False),
        cross_build_files=section.texts("cross-build-files"),
    )
    if isinstance(build.exports, str) and build.exports not in EXPORTS:
        near = _did_you_mean(build.exports, EXPORTS)
        section.report("exports", f"must be one of {', '.join(EXPORTS)}, or a list of symbols{near}")
    for i, name in enumerate(build.cross_build_files):
        if _escapes(name):
            section.report(f"cross-build-files[{i}]", _escape_message(name))
    if build.type not in BUILD_TYPES:
        section.report("type", f"must be one of {', '.join(BUILD_TYPES)}{_did_you_mean(build.type, BUILD_TYPES)}")
    elif build.type != "package":
        _check_allowed(section, _LIBRARY_KEYS, f"is not allowed for a {build.type}")
    return build


def _check_allowed(section: _Section, allowed: frozenset[str], message: str) -> None:
    for key in sorted(section.changed - allowed):
        section.report(key, message)


def _requirements(section: _Section) -> Requirements:
    requirements = Requirements(
        run=section.texts("run"),
        host=section.texts("host"),
        build_extras=section.texts("build-extras"),
        executable=section.texts("executable"),
        constraint=section.texts("constraint"),
    )
    for key, names in (("run", requirements.run), ("host", requirements.host)):
        for i, name in enumerate(names):
            if not _is_bare_name(name):
                section.report(f"{key}[{i}]", f"{_shown(name)} is not a package name; nothing but the name goes here")
    for key, texts in (("build-extras", requirements.build_extras), ("constraint", requirements.constraint)):
        for i, text in enumerate(texts):
            if not _parses(Requirement, text):
                section.report(f"{key}[{i}]", f"{_shown(text)} is not a requirement (PEP 508)")
    return requirements


def _about(section: _Section) -> About:
    return About(
        home=section.get("home", _as_optional_text, None),
        pypi=section.get("PyPI", _as_optional_text, None),
        summary=section.get("summary", _as_optional_text, None),
        license=section.get("license", _as_optional_text, None),
    )


def _check_kind_of_source(
    sections: Mapping[str, _Section], source: Source, requirements: Requirements, patches: Sequence[Path]
) -> None:
    """Report what pyodide-build does not do to a source tree of the recipe's own, or to a wheel."""
    if source.path is not None:
        key, kind = "path", "in the recipe's folder"
    elif source.url is not None and source.url.endswith(".whl"):
        key, kind = "url", "a wheel"
        _check_allowed(sections["build"], _WHEEL_KEYS, "is not allowed when the source is a wheel")
        if requirements.host:
            sections["requirements"].report("host", "must be empty when the source is a wheel")
    else:
        return
    if patches or source.patches or source.extras:
        sections["source"].report(key, f"a source that is {kind} takes neither patches nor extras")


# Patches


def _patches(folder: Path, findings: _Findings) -> tuple[Path, ...]:
    found = sorted(file for pattern in ("*.patch", "*.diff") for file in folder.glob(pattern))
    for file in found:
        if not _PATCH_NAME.fullmatch(file.name):
            findings.report_file(file, "must be called NNNN-what-it-does.patch, in lower case")
        _check_patch_header(file, findings)
    return tuple(found)


def _source_patches(source: Source, folder: Path, findings: _Findings) -> tuple[Path, ...]:
    patches = []
    for i, path in enumerate(source.patches):
        key = f"source.patches[{i}]"
        resolved = _resolved_inside(path, folder)
        if _escapes(path):
            findings.report(key, _escape_message(path))
        elif resolved is None or not resolved.is_file():
            findings.report(key, f"there is no {_shown(path)} in the recipe's folder")
        else:
            _check_patch_header(folder / path, findings)
            patches.append(folder / path)
    return tuple(patches)


def _check_patch_header(file: Path, findings: _Findings) -> None:
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            first = next((line for line in lines if line.strip()), "---")
    except OSError as error:
        findings.report_file(file, f"cannot be read: {error.strerror}")
        return
    if first.startswith(("---", "diff")):
        findings.report_file(
            file, "has no header; before the first --- or diff line, say why it is needed and where it is reported"
        )
