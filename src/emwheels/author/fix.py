"""What a failed build or test said -> changes to the recipe that mend failures of its kind.

The kinds are those of `emwheels.build.diagnosis`. This has a remedy for each kind that has one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from emwheels.author.edit import Edit
from emwheels.author.new_source import Look
from emwheels.build.diagnosis import OF_TESTS, diagnose, kinds_of_builds, known_in
from emwheels.build.diagnosis.late import BETWEEN, with_the_others
from emwheels.recipe.locked import pinned_versions
from emwheels.recipe.provides import providers, with_needs

if TYPE_CHECKING:
    from emwheels.build.diagnosis import Found
    from emwheels.recipe.model import Recipe

INCLUDE, LIBRARIES = "-I$(WASM_LIBRARY_DIR)/include", "-L$(WASM_LIBRARY_DIR)/lib"


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """One thing to change."""

    identity: str
    """The same for the same change, so that none is tried twice."""
    words: str
    """What is wrong and what is done, for a person."""
    edits: tuple[Edit, ...] = ()
    """Changes to meta.yaml."""
    wanted: Look | None = None
    """A library that no recipe provides yet."""


def remedies(log: str, recipe: Recipe, recipes: Mapping[str, Recipe], *, tests: bool = False) -> list[Remedy]:
    """Return what is known to mend a failure with this ``log``, of a build or of ``tests``, the most likely first.

    Of a build that is what mends its first error; then come others that the log has.
    """
    found = known_in(log, OF_TESTS if tests else kinds_of_builds())
    first = None if tests else diagnose(log)
    ordered = ([first] if first else []) + sorted(found, key=lambda each: not each.what)
    given: dict[str, Remedy] = {}
    pinned = pinned_versions(recipe.build_lock)
    for each in (with_the_others(one, log, pinned) for one in ordered):
        for remedy in _REMEDIES.get(each.kind.id, _none)(each, recipe, recipes):
            given.setdefault(remedy.identity, remedy)
    return list(given.values())


def _none(_found: Found, _recipe: Recipe, _recipes: Mapping[str, Recipe]) -> Iterator[Remedy]:
    return iter(())


def _script(recipe: Recipe, line: str) -> tuple[Edit, ...]:
    """Return the change that adds a line to build.script: behind a package's, before a library's own."""
    before = recipe.build.script or ""
    if line in before:
        return ()
    lines = [before.rstrip(), line] if recipe.build.type == "package" else [line, before.rstrip()]
    return (Edit(key="build.script", value="\n".join(filter(None, lines)) + "\n"),)


def _line(identity: str, line: str, words: str) -> _Find:
    """Return a remedy that is one line of build.script; ``{version}`` in it is the recipe's."""

    def find(_found: Found, recipe: Recipe, _recipes: Mapping[str, Recipe]) -> Iterator[Remedy]:
        if edits := _script(recipe, line.replace("{version}", recipe.version)):
            yield Remedy(identity=identity, words=words, edits=edits)

    return find


_PROJECTS = {
    "skbuild": "scikit-build",
    "Cython": "cython",
    "pkg_resources": "setuptools<81",
    "distutils": "setuptools",
    "yaml": "pyyaml",
    "git_versioning": "setuptools-git-versioning",
    "mesonbuild": "meson",
    "jinja2": "jinja2",
}
"""Modules whose project has another name."""


def _late_requirement(found: Found, recipe: Recipe, recipes: Mapping[str, Recipe]) -> Iterator[Remedy]:
    all_at_once = [each for text in found.what.split(BETWEEN) for each in _build_extra(text, recipe, recipes)]
    if len(all_at_once) < 2:
        yield from all_at_once
    else:
        yield Remedy(
            identity=", ".join(each.identity for each in all_at_once),
            words=f"the build asks for {found.what}, which the source does not declare",
            edits=tuple(edit for each in all_at_once for edit in each.edits),
        )


def _module(found: Found, recipe: Recipe, recipes: Mapping[str, Recipe]) -> Iterator[Remedy]:
    name = found.what.partition(".")[0]
    yield from _build_extra(_PROJECTS.get(name, name.replace("_", "-")), recipe, recipes)


def _cython(_found: Found, recipe: Recipe, recipes: Mapping[str, Recipe]) -> Iterator[Remedy]:
    yield from _build_extra("cython", recipe, recipes)


def _build_extra(asked: str, recipe: Recipe, recipes: Mapping[str, Recipe]) -> Iterator[Remedy]:
    name = canonicalize_name(re.split(r"[<>=!~\[]", asked)[0])
    if name in recipes and recipes[name].build.cross_build_env:
        yield from _cross(name, recipe)
    elif name and name != recipe.name and not any(extra.startswith(name) for extra in recipe.requirements.build_extras):
        yield Remedy(
            identity=f"build-extra {name}",
            words=f"the build asks for {name}, which the source does not declare: requirements.build-extras",
            edits=(Edit(key="requirements.build-extras", value=name + asked[len(name) :], adds=True),),
        )


def _numpy(_found: Found, recipe: Recipe, recipes: Mapping[str, Recipe]) -> Iterator[Remedy]:
    if "numpy" in recipes:
        yield from _cross("numpy", recipe)


def _cross(name: str, recipe: Recipe) -> Iterator[Remedy]:
    missing = [key for key in ("host", "run") if name not in getattr(recipe.requirements, key)]
    if missing:
        yield Remedy(
            identity=f"cross {name}",
            words=f"it is compiled against {name}: requirements.host and requirements.run",
            edits=tuple(Edit(key=f"requirements.{key}", value=name, adds=True) for key in missing),
        )


def _library(kind: str) -> _Find:
    """Return a remedy for what a recipe provides under a name of that ``kind``."""

    def find(found: Found, recipe: Recipe, recipes: Mapping[str, Recipe]) -> Iterator[Remedy]:
        libraries = {name: each for name, each in recipes.items() if each.build.type != "package"}
        look = Look(kind=kind, name=found.what, file="")
        if names := providers(libraries, kind, found.what):
            edits = host_edits([names[0]], recipe, libraries)
            if any(edit.key == "requirements.host" for edit in edits):
                words = f"{look.name} ({kind}) was not found: host requirement {names[0]}"
                yield Remedy(identity=f"host {names[0]}", words=words, edits=edits)
        elif found.what:
            words = f"it needs {look.name} ({kind}), which no recipe provides"
            yield Remedy(identity=f"library {kind} {look.name}", words=words, wanted=look)

    return find


def host_edits(names: list[str], recipe: Recipe, libraries: Mapping[str, Recipe]) -> tuple[Edit, ...]:
    """Return the changes that add libraries, and what is inside them, to a recipe's host requirements."""
    added = [each for each in with_needs(names, libraries) if each not in recipe.requirements.host]
    edits = [Edit(key="requirements.host", value=each, adds=True) for each in added]
    if recipe.build.type == "package":
        if INCLUDE not in recipe.build.cflags:
            edits.append(Edit(key="build.cflags", value=f"{recipe.build.cflags} {INCLUDE}".strip()))
        if LIBRARIES not in recipe.build.ldflags:
            edits.append(Edit(key="build.ldflags", value=f"{recipe.build.ldflags} {LIBRARIES}".strip()))
    return tuple(edits)


_BUILD_FILES = ("setup.py", "CMakeLists.txt", "*.cmake", "meson.build", "setup.cfg", "Makefile")
_FLAG = re.compile(r"-m[\w.=+-]+")


def _machine_flag(found: Found, recipe: Recipe, _recipes: Mapping[str, Recipe]) -> Iterator[Remedy]:
    flag = found.what if found.what.startswith("-") else f"-march={found.what}"
    if not _FLAG.fullmatch(flag):
        return
    files = " ".join(f"--include='{name}'" for name in _BUILD_FILES)
    line = f"grep -rlIe '{flag}' {files} . | xargs -r sed -i 's/{re.escape(flag)}[[:alnum:]]*//g'"
    if edits := _script(recipe, line):
        words = f"the compiler for WebAssembly does not know {flag}: it is taken out of the build files"
        yield Remedy(identity=f"flag {flag}", words=words, edits=edits)


def _openmp(_found: Found, recipe: Recipe, _recipes: Mapping[str, Recipe]) -> Iterator[Remedy]:
    files = " ".join(f"--include='{name}'" for name in (*_BUILD_FILES, "*.mk", "*.pyx"))
    line = f"grep -rlIe '-fopenmp' {files} . | xargs -r sed -i -E 's/-fopenmp(=[[:alnum:]]+)?//g'"
    if edits := _script(recipe, line):
        words = "there are no threads for OpenMP: -fopenmp is taken out of the build files"
        yield Remedy(identity="flag -fopenmp", words=words, edits=edits)


def _flag(identity: str, key: str, flag: str, words: str) -> _Find:
    """Return a remedy that is one more flag."""

    def find(_found: Found, recipe: Recipe, _recipes: Mapping[str, Recipe]) -> Iterator[Remedy]:
        before = getattr(recipe.build, key)
        if recipe.build.type == "package" and flag not in before:
            yield Remedy(
                identity=identity, words=words, edits=(Edit(key=f"build.{key}", value=f"{before} {flag}".strip()),)
            )

    return find


def _plugin(found: Found, recipe: Recipe, _recipes: Mapping[str, Recipe]) -> Iterator[Remedy]:
    """Accept a plugin of pytest that is called after the package or a module of it, and no other."""
    own = {canonicalize_name(each) for each in (recipe.name, *recipe.package.top_level)}
    called = canonicalize_name(found.what)
    if any(called == each or called.startswith(f"{each}-") for each in own):
        reason = "the package's own, as in its wheels for other platforms"
        yield Remedy(
            identity=f"plugin {found.what}",
            words=f"the wheel has a plugin of pytest of its own, {found.what}: extra.emwheels.accepted",
            edits=(
                Edit(
                    key="extra.emwheels.accepted",
                    value={"rule": "plugin", "what": found.what, "reason": reason},
                    adds=True,
                ),
            ),
        )


def _build_path(found: Found, recipe: Recipe, recipes: Mapping[str, Recipe]) -> Iterator[Remedy]:
    flag = f"-ffile-prefix-map={found.what}/="
    words = f"a module names {found.what}, a folder of the build: build.cflags has {flag}"
    yield from _flag(f"build path {found.what}", "cflags", flag, words)(found, recipe, recipes)


def _exports(_found: Found, recipe: Recipe, _recipes: Mapping[str, Recipe]) -> Iterator[Remedy]:
    if recipe.build.exports == "pyinit" and recipe.build.type == "package":
        yield Remedy(
            identity="exports",
            words="a library is opened by ctypes, and its functions were left out: build.exports: whole_archive",
            edits=(Edit(key="build.exports", value="whole_archive"),),
        )


def _run_requirement(found: Found, recipe: Recipe, _recipes: Mapping[str, Recipe]) -> Iterator[Remedy]:
    module = found.what
    name = canonicalize_name(_PROJECTS.get(module, module))
    if name not in (*recipe.requirements.run, recipe.name) and module not in recipe.package.top_level:
        yield Remedy(
            identity=f"run {name}",
            words=f"it imports {module}, which it does not declare: requirements.run",
            edits=(Edit(key="requirements.run", value=name, adds=True),),
        )


_Find = Callable[["Found", "Recipe", Mapping[str, "Recipe"]], Iterator[Remedy]]
_HEADERS_OF_PYTHON = " ".join(f"-D{name}_INCLUDE_DIR=${{PYTHONINCLUDE}}" for name in ("Python", "Python3"))
_AUTORECONF = _line("autoreconf", "autoreconf -fi", "configure was never made: autoreconf makes it")
_REMEDIES: dict[str, _Find] = {
    "cmake-policy": _line(
        "cmake-policy",
        "export CMAKE_POLICY_VERSION_MINIMUM=3.5",
        "the source is for an older CMake: CMAKE_POLICY_VERSION_MINIMUM=3.5",
    ),
    "cmake-python": _line(
        "cmake-python",
        f'export CMAKE_ARGS="${{CMAKE_ARGS:-}} {_HEADERS_OF_PYTHON}"',
        "CMake does not find Python's headers: CMAKE_ARGS names them",
    ),
    "scm-version": _line(
        "scm-version",
        "export SETUPTOOLS_SCM_PRETEND_VERSION={version}",
        "setuptools-scm finds no version outside of a repository: SETUPTOOLS_SCM_PRETEND_VERSION",
    ),
    "no-configure": _AUTORECONF,
    "configure-files": _AUTORECONF,
    "late-requirement": _late_requirement,
    "module": _module,
    "pkg-resources": _module,
    "cython-missing": _cython,
    "cmake-numpy": _numpy,
    "numpy-module": _numpy,
    "numpy-header": _numpy,
    "cmake-package": _library("cmake"),
    "pkg-config": _library("pkg-config"),
    "library": _library("libraries"),
    "header": _library("headers"),
    "machine-flag": _machine_flag,
    "openmp": _openmp,
    "werror": _flag("werror", "cflags", "-Wno-error", "warnings end the build: build.cflags has -Wno-error"),
    "audit-plugin": _plugin,
    "audit-build-path": _build_path,
    "test-symbol": _exports,
    "test-module": _run_requirement,
}
"""Kind of failure -> what mends it."""


def mended_kinds() -> frozenset[str]:
    """Return the kinds of failures that have a remedy here."""
    return frozenset(_REMEDIES)
