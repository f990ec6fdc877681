"""What a failed build or test said -> changes to the recipe that mend failures of its kind."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from emwheels.author.edit import Edit
from emwheels.author.new_source import Look
from emwheels.recipe.provides import providers, with_needs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from emwheels.recipe.model import Recipe

_TAIL = 400_000
"""Characters of a log that are looked at: its end."""
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


def remedies_for(log: str, recipe: Recipe, recipes: Mapping[str, Recipe], *, tests: bool = False) -> list[Remedy]:
    """Return what is known to mend a failure with this ``log``, of a build or of ``tests``, the most likely first."""
    tail = log[-_TAIL:]
    return [remedy for find in (_OF_TESTS if tests else _OF_BUILDS) for remedy in find(tail, recipe, recipes)]


def _script(recipe: Recipe, line: str) -> tuple[Edit, ...]:
    before = recipe.build.script or ""
    if line in before:
        return ()
    return (Edit(key="build.script", value=f"{before.rstrip()}\n{line}\n".lstrip("\n")),)


_CMAKE_PYTHON = re.compile(
    r"Could NOT find (Python3?)\b[^\n]*(?:\n[^\n]*){0,3}?Development|Python\.h.{0,40}(?:not found|NOT FOUND)"
)


def _python_headers(log: str, recipe: Recipe, _recipes: Mapping[str, Recipe]) -> Iterator[Remedy]:
    if _CMAKE_PYTHON.search(log):
        flags = " ".join(f"-D{name}_INCLUDE_DIR=${{PYTHONINCLUDE}}" for name in ("Python", "Python3"))
        if edits := _script(recipe, f'export CMAKE_ARGS="${{CMAKE_ARGS:-}} {flags}"'):
            yield Remedy(
                identity="cmake-python",
                words="CMake does not find Python's headers: CMAKE_ARGS names them",
                edits=edits,
            )


def _cmake_policy(log: str, recipe: Recipe, _recipes: Mapping[str, Recipe]) -> Iterator[Remedy]:
    if re.search(r"Compatibility with CMake < 3\.\d+ has been\s+removed", log) and (
        edits := _script(recipe, "export CMAKE_POLICY_VERSION_MINIMUM=3.5")
    ):
        words = "the source is for an older CMake: CMAKE_POLICY_VERSION_MINIMUM=3.5"
        yield Remedy(identity="cmake-policy", words=words, edits=edits)


_MODULES = {
    "skbuild": "scikit-build",
    "Cython": "cython",
    "pkg_resources": "setuptools<81",
    "distutils": "setuptools",
    "yaml": "pyyaml",
    "git_versioning": "setuptools-git-versioning",
    "mesonbuild": "meson",
    "hatchling": "hatchling",
}
"""Modules whose package has another name."""
_ASKED = r"([A-Za-z0-9][\w.-]*)((?:\[[\w,.-]+\])?[<>=!~][^\s;(]*)?"
_LATE = re.compile(
    rf"(?:No matching distribution found for|that satisfies the requirement|Missing dependencies:)\s+{_ASKED}"
)
_NO_MODULE = re.compile(r"ModuleNotFoundError: No module named '([A-Za-z_]\w*)")


def _late_requirement(log: str, recipe: Recipe, recipes: Mapping[str, Recipe]) -> Iterator[Remedy]:
    found = [(match[1], match[2] or "") for match in _LATE.finditer(log)]
    found += [(_MODULES.get(match[1], match[1].replace("_", "-")), "") for match in _NO_MODULE.finditer(log)]
    for name, bound in dict.fromkeys(found):
        bare = canonicalize_name(re.split(r"[<>=!~\[]", name)[0])
        if bare in recipes and recipes[bare].build.cross_build_env:
            yield from _cross(bare, recipe)
        elif bare != recipe.name and not any(extra.startswith(bare) for extra in recipe.requirements.build_extras):
            yield Remedy(
                identity=f"build-extra {bare}",
                words=f"the build asks for {bare}, which the source does not declare: requirements.build-extras",
                edits=(
                    Edit(key="requirements.build-extras", value=f"{name if '<' in name else bare}{bound}", adds=True),
                ),
            )


def _cross(name: str, recipe: Recipe) -> Iterator[Remedy]:
    missing = [key for key in ("host", "run") if name not in getattr(recipe.requirements, key)]
    if missing:
        yield Remedy(
            identity=f"cross {name}",
            words=f"it is compiled against {name}: requirements.host and requirements.run",
            edits=tuple(Edit(key=f"requirements.{key}", value=name, adds=True) for key in missing),
        )


def _numpy_headers(log: str, recipe: Recipe, recipes: Mapping[str, Recipe]) -> Iterator[Remedy]:
    if "numpy" in recipes and re.search(
        r"numpy/\w+\.h'? ?(?:file not found|: No such file)|No module named 'numpy'", log
    ):
        yield from _cross("numpy", recipe)


_HEADER = re.compile(r"fatal error: '?([\w./+-]+\.(?:h|hpp|hh|hxx))'? ?(?:file not found|: No such file)")
_SEARCHES = (
    ("headers", _HEADER),
    ("libraries", re.compile(r"wasm-ld: error: unable to find library -l([\w.+-]+)")),
    ("libraries", re.compile(r"C(?:\+\+)? shared or static library '([\w.+-]+)' not found")),
    ("pkg-config", re.compile(r"Dependency \"([\w.+-]+)\" not found|Dependency ([\w.+-]+) found: NO")),
    ("pkg-config", re.compile(r"(?:No package|Package) '?([\w.+-]+)'?,?[^\n]{0,40}(?:found|not found|was not found)")),
    ("cmake", re.compile(r"Could NOT find (\w+)(?! \(missing: Interpreter)")),
    ("cmake", re.compile(r"Could not find a package configuration file provided by \"(\w+)\"")),
)


def _libraries(log: str, recipe: Recipe, recipes: Mapping[str, Recipe]) -> Iterator[Remedy]:
    libraries = {name: each for name, each in recipes.items() if each.build.type != "package"}
    unknown = []
    for kind, pattern in _SEARCHES:
        for match in pattern.finditer(log):
            name = next(group for group in match.groups() if group)
            look = Look(kind=kind, name=name, file="")
            if found := providers(libraries, kind, name):
                yield from _host(found[0], look, recipe, libraries)
            elif name not in ("Python.h", "Python", "Python3", "Threads", "OpenMP", "Git") and not name.startswith(
                "numpy/"
            ):
                unknown.append(look)
    for look in dict.fromkeys(unknown):
        words = f"it needs {look.name} ({look.kind}), which no recipe provides"
        yield Remedy(identity=f"library {look.kind} {look.name}", words=words, wanted=look)


def _host(name: str, look: Look, recipe: Recipe, libraries: Mapping[str, Recipe]) -> Iterator[Remedy]:
    edits = host_edits([name], recipe, libraries)
    if any(edit.key == "requirements.host" for edit in edits):
        words = f"{look.name} ({look.kind}) was not found: host requirement {name}"
        yield Remedy(identity=f"host {name}", words=words, edits=edits)


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


def _versions(log: str, recipe: Recipe, _recipes: Mapping[str, Recipe]) -> Iterator[Remedy]:
    edits = _script(recipe, f"export SETUPTOOLS_SCM_PRETEND_VERSION={recipe.version}")
    if edits and re.search(r"setuptools.scm was unable to detect version|Unable to \w+ (?:the )?version", log):
        words = "setuptools-scm finds no version outside of a repository: SETUPTOOLS_SCM_PRETEND_VERSION"
        yield Remedy(identity="scm-version", words=words, edits=edits)


_MACHINE_FLAG = re.compile(
    r"error: unsupported (?:option|argument) '(-m[\w.=+-]+)'|error: unknown argument:? '(-m[\w.=+-]+)'"
    r"|error: unsupported option '(-m[\w.=+-]+)' for target|unknown target CPU '([\w.+-]+)'"
)


def _machine_flags(log: str, recipe: Recipe, _recipes: Mapping[str, Recipe]) -> Iterator[Remedy]:
    for match in _MACHINE_FLAG.finditer(log):
        flag = next((group for group in match.groups()[:3] if group), f"-march={match[4]}")
        line = (
            "grep -rlIe '"
            + flag
            + "' --include=setup.py --include=CMakeLists.txt --include='*.cmake' --include=meson.build"
            " --include=setup.cfg --include=Makefile . | xargs -r sed -i 's/" + re.escape(flag) + "//g'"
        )
        if edits := _script(recipe, line):
            words = f"the compiler for WebAssembly does not know {flag}: it is taken out of the build files"
            yield Remedy(identity=f"flag {flag}", words=words, edits=edits)


def _exports(log: str, recipe: Recipe, _recipes: Mapping[str, Recipe]) -> Iterator[Remedy]:
    symbol = re.search(
        r"unknown symbol \"?'?(\w+)|undefined symbol: (\w+)[^\n]*dlsym|AttributeError: [^\n]*symbol not found", log
    )
    if symbol and recipe.build.exports == "pyinit" and recipe.build.type == "package":
        yield Remedy(
            identity="exports",
            words="a library is opened by ctypes, and its functions were left out: build.exports: whole_archive",
            edits=(Edit(key="build.exports", value="whole_archive"),),
        )


def _run_requirement(log: str, recipe: Recipe, _recipes: Mapping[str, Recipe]) -> Iterator[Remedy]:
    for module in dict.fromkeys(_NO_MODULE.findall(log)):
        name = canonicalize_name(_MODULES.get(module, module))
        if name not in (*recipe.requirements.run, recipe.name) and module not in recipe.package.top_level:
            yield Remedy(
                identity=f"run {name}",
                words=f"it imports {module}, which it does not declare: requirements.run",
                edits=(Edit(key="requirements.run", value=name, adds=True),),
            )


_Find = Callable[[str, "Recipe", "Mapping[str, Recipe]"], "Iterator[Remedy]"]
_OF_TESTS: tuple[_Find, ...] = (_exports, _run_requirement)
_OF_BUILDS: tuple[_Find, ...] = (
    _late_requirement,
    _numpy_headers,
    _python_headers,
    _cmake_policy,
    _versions,
    _machine_flags,
    _libraries,
)
