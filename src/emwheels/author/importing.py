"""Recipes that are written for pyodide-build, taken over: what is different here is changed, or said."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from ruamel.yaml.error import YAMLError

from emwheels.atomic import IrregularFileError, make_once, read_regular
from emwheels.author.edit import Edit, edited
from emwheels.author.importing_keys import Others, converted, file_of, kind_of
from emwheels.author.importing_scripts import Changes
from emwheels.author.importing_tests import plain_tests
from emwheels.errors import EmwheelsError, UsageError, visible
from emwheels.recipe.document import Findings, UnreadableError, printable, read_document
from emwheels.recipe.examine import examine, is_patch
from emwheels.recipe.provides import providers

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from emwheels.recipe.model import Recipe

IMPORTED, TO_FINISH = "imported", "to finish"
"""A recipe that can be built, and one that is written with ``_disabled`` and a list of what is to be done by hand."""
PURE, TESTS, THERE, IMPOSSIBLE, WRONG = "pure Python", "for tests", "there already", "impossible", "wrong"
"""What is not written: its own wheel does; it tests Pyodide itself; there is a recipe; no build here can make it."""
_TEST_TAG = "pyodide.test"
_MOST_FILES, _MOST_BYTES = 2000, 64 << 20
_NO_HEADER = "Taken over with the recipe. Why it is needed, and where it is reported, its author did not write.\n\n"


@dataclass(kw_only=True)
class TakenOver:
    """What came of one recipe."""

    name: str
    version: str = ""
    state: str = IMPORTED
    done: list[str] = field(default_factory=list)
    """What was changed."""
    left: list[str] = field(default_factory=list)
    """What is to be done by hand, or why there is no recipe."""
    files: dict[str, bytes] = field(default_factory=dict)
    """What the recipe's folder is to hold."""

    @property
    def is_written(self) -> bool:
        """Whether it is a recipe here."""
        return self.state in (IMPORTED, TO_FINISH)


def foreign_recipes(folder: Path) -> dict[str, Path]:
    """Return the recipes in ``folder`` by name: of a folder of recipes, a repository with packages/, or one recipe.

    Raises `UsageError` for a folder without any.
    """
    for place in (folder, folder / "packages", folder / "recipes"):
        found = [path.parent for path in sorted(place.glob("*/meta.yaml"))] if place.is_dir() else []
        if found:
            return {path.name: path for path in found}
    if (folder / "meta.yaml").is_file():
        return {folder.absolute().name: folder.absolute()}
    raise UsageError(
        f"{folder} has no recipe: there is no meta.yaml, NAME/meta.yaml or packages/NAME/meta.yaml",
        hint="name the folder of one recipe, or one that has a folder for each",
    )


def import_recipes(
    folders: Mapping[str, Path], names: Sequence[str], known: Mapping[str, Recipe], own: Collection[str]
) -> list[TakenOver]:
    """Return what comes of the recipes ``names`` of ``folders`` (all without names); each problem costs its own.

    ``known`` are the recipes that there are, and ``own`` the names of those that belong to the project: these stay.
    A recipe that is named takes the place of one that is not the project's own.
    """
    documents = {name: _document(folder) for name, folder in folders.items()}
    wheels = {canonicalize_name(name) for name, (read, _) in documents.items() if _has_wheel(read)}
    libraries = {canonicalize_name(name) for name, recipe in known.items() if not recipe.takes_wheels}
    libraries |= {canonicalize_name(name) for name, (read, _) in documents.items() if kind_of(read).endswith("library")}
    found = []
    for name in dict.fromkeys(names or folders):
        canonical = canonicalize_name(name)
        if canonical in own or (canonical in known and not names):
            found.append(_there(name, known.get(canonical), mine=canonical in own))
            continue
        document, findings = documents[name]
        others = Others(libraries=frozenset(libraries), wheels=frozenset(wheels), providers=partial(_providers, known))
        found.append(_imported(folders[name], document, findings, others))
    _check_needs(found, folders, known)
    return found


def _there(name: str, recipe: Recipe | None, *, mine: bool) -> TakenOver:
    version = recipe.version if recipe else ""
    why = "the project has a recipe of this name" if mine else "another one is in use; name it to take this one instead"
    return TakenOver(name=name, state=THERE, version=version, left=[why])


def write_imported(each: TakenOver, recipes: Path) -> Path:
    """Write a recipe's folder below ``recipes``, whole or not at all. Raises `UsageError` where there is one."""
    folder = recipes / each.name

    def fill(made: Path) -> None:
        for name, content in each.files.items():
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            (made / name).write_bytes(content)

    if os.path.lexists(folder):
        raise UsageError(f"{folder} is there already", hint="edit it, or move it away")
    make_once(folder, fill)
    return folder


def _document(folder: Path) -> tuple[dict[str, Any], Findings]:
    findings = Findings(folder / "meta.yaml")
    try:
        return read_document(findings.file, findings), findings
    except UnreadableError as error:
        findings.report("", error.message, line=error.line)
        return {}, findings


def _imported(folder: Path, document: dict[str, Any], findings: Findings, others: Others) -> TakenOver:
    package = document.get("package")
    package = package if isinstance(package, dict) else {}
    each = TakenOver(name=folder.name, version=printable(str(package.get("version", ""))))
    if not document or findings.problems:
        return _as(each, WRONG, *map(str, findings.problems))
    if reason := _no_recipe(folder, document, package):
        return _as(each, *reason)
    changes = Changes(done=each.done, left=each.left)
    edits = converted(document, findings, others, changes)
    try:
        each.files = dict(_files(folder, each))
        text = edited(findings.file.read_text(encoding="utf-8"), edits, str(findings.file))
        each.files["meta.yaml"] = text.encode()
        faults = _faults(each)
    except (EmwheelsError, YAMLError, OSError, ValueError) as error:
        return _as(each, WRONG, visible(str(error), lines=False))
    return _as(each, WRONG, *faults) if faults else each


def write_all(found: Iterable[TakenOver], recipes: Path) -> None:
    """Write the folders of all that are recipes here; one that cannot be written is `WRONG`, and costs no other."""
    for each in found:
        if each.is_written:
            try:
                write_imported(each, recipes)
            except (UsageError, OSError) as error:
                _as(each, WRONG, visible(str(error), lines=False))


def _as(each: TakenOver, state: str, *why: str) -> TakenOver:
    each.state, each.left, each.files = state, list(why), {}
    return each


def _no_recipe(folder: Path, document: Mapping[str, Any], package: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return why no recipe can or need be made, as a state and words."""
    source = document.get("source")
    source = source if isinstance(source, dict) else {}
    if _TEST_TAG in [*_list(package.get("tag")), *_list(package.get("_tag"))]:
        return TESTS, "it is for the tests of Pyodide itself"
    if kind_of(dict(document)) == "cpython_module":
        return IMPOSSIBLE, "Pyodide has the modules of the standard library; no wheel is made of them"
    if isinstance(path := source.get("path"), str) and not _inside(folder, path):
        return (
            IMPOSSIBLE,
            f"source.path: {printable(path)} is no folder of the recipe, but one that another build leaves",
        )
    return _of_wheel(source.get("url"))


def _of_wheel(url: object) -> tuple[str, str] | None:
    file = file_of(url) if isinstance(url, str) else ""
    if not file.endswith(".whl"):
        return None
    try:
        tags = parse_wheel_filename(file)[3]
    except InvalidWheelFilename:
        tags = frozenset()
    if any(tag.platform == "any" for tag in tags):
        return PURE, "its source is a pure wheel, which installs in Pyodide as it is; emwheels lock pins it"
    return IMPOSSIBLE, f"its source is a built wheel ({printable(file)}); name the source archive"


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _inside(folder: Path, path: str) -> bool:
    try:
        return (folder / path).resolve().is_relative_to(folder.resolve()) and (folder / path).is_dir()
    except (OSError, ValueError):
        return False


def _has_wheel(document: Mapping[str, Any]) -> bool:
    source = document.get("source")
    return isinstance(source, dict) and _of_wheel(source.get("url")) is not None


def _providers(known: Mapping[str, Recipe], port: str) -> list[str]:
    """Return the recipes that have the library of one of Emscripten's ports."""
    names = dict.fromkeys((port, port.removeprefix("lib"), f"lib{port}"))
    if named := [name for name in names if name in known and not known[name].takes_wheels]:
        return named
    return [found for name in names for kind in ("libraries", "pkg-config") for found in providers(known, kind, name)]


def _files(folder: Path, each: TakenOver) -> Iterator[tuple[str, bytes]]:
    """Yield the files beside meta.yaml as they are to be. Raises `UsageError` if they are too many, or too large."""
    count = size = 0
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name == "meta.yaml" or "__pycache__" in path.parts or name.lower().endswith(".md"):
            continue
        if path.is_dir() and not path.is_symlink():
            continue
        if path.is_symlink():
            each.left.append(f"{name} is a link; copy what it leads to")
            continue
        try:
            content = read_regular(path, limit=_MOST_BYTES)
        except IrregularFileError as error:
            raise UsageError(f"{path} {error.strerror}", hint="take it out of the recipe") from error
        count, size = count + 1, size + len(content)
        if count > _MOST_FILES or size > _MOST_BYTES:
            raise UsageError(
                f"{folder} has more than {_MOST_FILES} files or {_MOST_BYTES >> 20} MiB", hint="take some out"
            )
        if kept := _file(name, content, each):
            yield name, kept


def _file(name: str, content: bytes, each: TakenOver) -> bytes:
    """Return a file of a recipe as it is to be; nothing if it is not taken."""
    if is_patch(Path(name)):
        first = next((line for line in content.decode(errors="replace").splitlines() if line.strip()), "---")
        if first.startswith(("---", "diff")):
            each.done.append(f"{name}: has a header, which says that nobody wrote one")
            return _NO_HEADER.encode() + content
    if name.startswith("test_") and name.endswith(".py"):
        return _tests(name, content, each)
    return b"" if name == "conftest.py" else content


def _tests(name: str, content: bytes, each: TakenOver) -> bytes:
    try:
        text, lost = plain_tests(content.decode())
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # the last one: nested too deeply
        why = printable(str(error) or "nested too deeply")
        each.done.append(f"{name}: not taken, it is no Python: {why}")
        return b""
    if lost:
        each.done.append(f"{name}: not taken, as they drive a browser themselves: {', '.join(map(printable, lost))}")
    elif text.encode() != content:
        each.done.append(f"{name}: plain tests, as pytest runs inside Pyodide here")
    return text.encode()


def _faults(each: TakenOver) -> list[str]:
    """Return what is wrong with a recipe as it is to be."""
    with tempfile.TemporaryDirectory(prefix="emwheels-import-") as parent:
        folder = write_imported(each, Path(parent))
        _, findings = examine(folder, None)
        return [str(problem).replace(f"{parent}/", "") for problem in findings.problems]


def _check_needs(found: Iterable[TakenOver], folders: Mapping[str, Path], known: Mapping[str, Recipe]) -> None:
    """Note libraries that are nowhere, and disable recipes with something left to do."""
    found = list(found)
    there = {canonicalize_name(each.name) for each in found if each.is_written} | known.keys()
    others = {canonicalize_name(name) for name in folders}
    for each in (each for each in found if each.is_written):
        for name in sorted(set(_hosts(each)) - there):
            more = f": emwheels import … {name}" if name in others else ""
            each.left.append(f"requirements.host: there is no recipe {printable(name)}{more}")
        if each.left:
            each.state = TO_FINISH
            _disable(each)


def _hosts(each: TakenOver) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="emwheels-import-") as parent:
        recipe, _ = examine(write_imported(each, Path(parent)), None)
        return [] if recipe is None else list(recipe.requirements.host)


def _disable(each: TakenOver) -> None:
    """Have a recipe say that it is not ready, and above everything what is to be done."""
    text = edited(each.files["meta.yaml"].decode(), [Edit(key="package._disabled", value=True)], each.name)
    notes = "".join(f"# * {visible(note, lines=False)}\n" for note in each.left)
    head = "# To do, before package._disabled can go:\n"
    each.files["meta.yaml"] = f"{head}{notes}{text}".encode()
