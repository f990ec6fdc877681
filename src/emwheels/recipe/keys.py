"""Every key of meta.yaml, in words: what the reference of the documentation is made from.

`examine` decides what is right. A unit test holds this table against what it reads, so that neither drifts.
"""

from __future__ import annotations

from dataclasses import dataclass

from emwheels.recipe.accepted import RULES
from emwheels.recipe.model import BUILD_TYPES, EXPORTS
from emwheels.recipe.own_tests import ENGINES, EVERY_ENGINE


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key."""

    kind: str
    """What its value is: *text*, *true or false*, *a list of texts*, …"""
    example: str
    """A value as YAML writes it."""
    means: str
    default: object = None
    """What a recipe without the key has; None: nothing."""
    required: bool = False


_LIMITS = "time, idle, processes, memory, disk, scratch, log, files"
_FLAG, _TEXT, _TEXTS = "true or false", "text", "a list of texts"


KEYS: dict[str, Key] = {
    "package.name": Key(
        kind=_TEXT,
        example="msgpack",
        required=True,
        means="The package's name. The recipe's folder has the same name.",
    ),
    "package.version": Key(
        kind="a version (PEP 440)",
        example="1.2.4",
        required=True,
        means="Write a version such as 1.10 in quotes, or YAML takes it for a number.",
    ),
    "package.top-level": Key(
        kind=_TEXTS,
        default=(),
        example="[msgpack]",
        means="Modules and packages that a user imports. pyodide-build reads it; emwheels reads the wheel itself.",
    ),
    "package.tag": Key(
        kind=_TEXTS,
        default=(),
        example="[core]",
        means="Groups for the command line: `emwheels build tag:core` takes every recipe with this tag.",
    ),
    "package._disabled": Key(
        kind=_FLAG,
        default=False,
        example="true",
        means="The recipe is not ready. emwheels builds it only if you name it or another package needs it.",
    ),
    "package.pinned": Key(
        kind=_FLAG,
        default=False,
        example="true",
        means="The version is to stay: whatever looks for newer versions leaves the recipe alone.",
    ),
    "source.url": Key(
        kind="a package URL, an http(s) address, or git+https://…@COMMIT",
        example="pkg:pypi/msgpack@1.2.4",
        means="Where the source comes from: an archive, never a wheel, or a commit of a git repository. Give either "
        "`url` or `path`. Your own index answers a package URL.",
    ),
    "source.sha256": Key(
        kind="64 hexadecimal digits",
        example="475c44e12f2a5de766a8448783f149c9b33f3f49b88953c6cd739a77d93c732c",
        means="The hash of the file at `url`, and required with it. emwheels refuses any other file. A commit of git "
        "needs none.",
    ),
    "source.path": Key(
        kind="a folder",
        example="../../acme",
        means="A folder instead of `url`, relative to the recipe's folder or absolute: a Python project, such as your "
        "own working tree. emwheels takes the files that git lists or would (`.gitignore` counts), or without git all "
        "but what builds leave. Their content is part of the build key. It takes neither patches nor extras.",
    ),
    "source.extract_dir": Key(
        kind="a folder",
        example="msgpack-1.2.4",
        means="The folder of the archive that is the source tree. Without it, emwheels strips a single top folder.",
    ),
    "source.patches": Key(
        kind=_TEXTS,
        default=(),
        example="[fix.patch]",
        means="Patches in the recipe's folder, applied after those of `patches/NAME`. Prefer `patches/NAME`.",
    ),
    "source.extras": Key(
        kind="a list of pairs [file in the recipe, place in the source tree]",
        default=(),
        example="[[extra.cmake, cmake/extra.cmake]]",
        means="Files that emwheels copies into the source tree after the patches.",
    ),
    "build.type": Key(
        kind=f"one of {', '.join(BUILD_TYPES)}",
        default="package",
        example="static_library",
        means="What the recipe makes. A library takes only `type`, `script`, `exports` and `unvendor-tests`. "
        "pyodide-build's other types are refused: a shared library is a `static_library` that installs a `.so`.",
    ),
    "build.script": Key(
        kind=_TEXT,
        example='export CMAKE_ARGS="-DWITH_X=OFF"',
        means="Shell commands in the source tree. For a library this is the build. For a package it runs before the "
        "build backend, and what it exports reaches the backend.",
    ),
    "build.cross-script": Key(
        kind=_TEXT,
        example="export CC=emcc",
        means="Shell commands after `script`, with the cross compilers' variables set. What it exports reaches the "
        "backend.",
    ),
    "build.post": Key(
        kind=_TEXT,
        example='rm -r "$PKGDIR"/tests',
        means="Shell commands on the unpacked wheel, before it is packed again.",
    ),
    "build.backend-flags": Key(
        kind=_TEXT,
        default="",
        example="setup-args=-Dwerror=false",
        means="Settings for the build backend, separated by spaces.",
    ),
    "build.cflags": Key(
        kind=_TEXT,
        default="",
        example="-I$(WASM_LIBRARY_DIR)/include",
        means="Flags for the C compiler, added to those of target and profile.",
    ),
    "build.cxxflags": Key(
        kind=_TEXT,
        default="",
        example="-std=c++17",
        means="Flags for the C++ compiler, added to those of target and profile.",
    ),
    "build.ldflags": Key(
        kind=_TEXT,
        default="",
        example="-L$(WASM_LIBRARY_DIR)/lib",
        means="Flags for the linker, added to those of target and profile.",
    ),
    "build.exports": Key(
        kind=f"one of {', '.join(EXPORTS)}, or a list of symbols",
        default="pyinit",
        example="whole_archive",
        means="What a module exports: its `PyInit_` function, what the build asks for, everything, or these symbols.",
    ),
    "build.vendor-sharedlib": Key(
        kind=_FLAG,
        default=True,
        example="false",
        means="Copy the shared libraries that the modules need into the wheel.",
    ),
    "build.unvendor-tests": Key(
        kind=_FLAG,
        default=False,
        example="true",
        means="Move the tests inside the package to a second wheel, NAME-tests: folders `test` and `tests`, "
        "`test_*.py`, `*_test.py` and `conftest.py`. `emwheels upstream-tests` installs it over the wheel. Without the "
        "key they stay.",
    ),
    "build._retain-test-patterns": Key(
        kind=_TEXTS,
        default=(),
        example='["*/tests/data/*"]',
        means="Patterns (fnmatch) of files that `unvendor-tests` does not move.",
    ),
    "build.cross-build-env": Key(
        kind=_FLAG,
        default=False,
        example="true",
        means="Other packages compile against this one, as many do against numpy.",
    ),
    "build.cross-build-files": Key(
        kind=_TEXTS,
        default=(),
        example="[numpy/_core/include]",
        means="What such a build sees of the wheel: its headers and libraries. Only these count in its build key.",
    ),
    "build._cross-build-env-skip-install": Key(
        kind=_FLAG,
        default=False,
        example="true",
        means="pyodide-build does not install the native package into the cross-build environment. It never does "
        "here, so emwheels refuses `false`: what is compiled against the package locks the native one.",
    ),
    "requirements.host": Key(
        kind="a list of recipes",
        default=(),
        example="[libyaml]",
        means="Libraries that the package links, and packages that it compiles against. Each is a recipe.",
    ),
    "requirements.run": Key(
        kind="a list of package names",
        default=(),
        example="[numpy]",
        means="Packages that are imported at run time: recipes, or pure-Python packages that `emwheels lock` pins.",
    ),
    "requirements.build-extras": Key(
        kind="a list of requirements (PEP 508)",
        default=(),
        example='["cython<4"]',
        means="Build requirements that the source does not declare. Lock again after a change. Of a library: "
        "wheels that its script may install, such as meson.",
    ),
    "requirements.executable": Key(
        kind=_TEXTS,
        default=(),
        example="[cmake, ninja]",
        means="Programs that the build starts. If the build image lacks one, the plan blocks the recipe.",
    ),
    "requirements.constraint": Key(
        kind="a list of requirements (PEP 508)",
        default=(),
        example='["setuptools<80"]',
        means="Limits on versions of build requirements, for the isolated build environment.",
    ),
    "test.imports": Key(
        kind=_TEXTS,
        default=(),
        example="[msgpack, msgpack._cmsgpack]",
        means="Modules that emwheels imports in every engine, each a test of its own. Without them and without "
        "`test_*.py`, it imports every module of the wheel.",
    ),
    "about.home": Key(kind=_TEXT, example="https://msgpack.org/", means="The project's home page."),
    "about.PyPI": Key(
        kind=_TEXT, example="https://index.example.org/project/msgpack", means="The project's page on an index."
    ),
    "about.summary": Key(kind=_TEXT, example="MessagePack serializer", means="One line, as `emwheels list` shows it."),
    "about.license": Key(
        kind="an SPDX expression", example="Apache-2.0", means="The licence. The SBOM of a wheel names it."
    ),
    "extra.recipe-maintainers": Key(kind=_TEXTS, default=(), example="[alex]", means="Who looks after the recipe."),
    "extra.emwheels.profiles.PROFILE.environment.NAME": Key(
        kind="text in quotes",
        example='"ON"',
        means="A variable that `build.script` sees in this profile only, such as a package's own SIMD switch.",
    ),
    "extra.emwheels.limits.LIMIT": Key(
        kind=f"a number with a unit, for one of {_LIMITS}",
        example="12G",
        means="What a build of the recipe may use. Reference → Environment lists the limits with their defaults.",
    ),
    "extra.emwheels.overrides[].target": Key(
        kind="a pattern (fnmatch) of a target's name or of its ABI tag",
        example='"315*"',
        means="Which targets of targets.toml the entry is for. It must fit at least one.",
    ),
    "extra.emwheels.overrides[].SECTION.KEY": Key(
        kind="what the key takes",
        example="value",
        means="A key of `build`, `requirements`, `test`, or `package._disabled`, `source.patches`, `source.extras`, "
        "with its value for these targets. It replaces the recipe's value, lists as well. Of two entries that fit, the "
        "later counts. All targets share `build.type`, `requirements.build-extras` and `requirements.constraint`.",
    ),
    "extra.emwheels.test.requirements": Key(
        kind="a list of requirements (PEP 508)",
        default=(),
        example="[hypothesis]",
        means="What the recipe's own tests import beside the package: recipes, or pure-Python packages that "
        "`emwheels lock` pins.",
    ),
    "extra.emwheels.test.environment.NAME": Key(
        kind="text in quotes", example='"1"', means="A variable that the interpreter of the recipe's own tests sees."
    ),
    "extra.emwheels.test.arguments": Key(
        kind=_TEXTS, default=(), example='[-k, "not slow"]', means="Arguments of pytest for the recipe's own tests."
    ),
    "extra.emwheels.test.paths": Key(
        kind=_TEXTS,
        default=(),
        example="[tests/test_core.py]",
        means="What pytest collects, relative to the recipe's folder. Without it: every test file there.",
    ),
    "extra.emwheels.test.time.ENGINE": Key(
        kind="seconds, or a mapping of tests to seconds",
        example='{"test_big.py::test_all": 300}',
        means=f"Limit for each test, or for some, in one of {', '.join(ENGINES)}, or in `{EVERY_ENGINE}`.",
    ),
    "extra.emwheels.test.expected-failures.ENGINE.TEST": Key(
        kind=_TEXT,
        example="there are no threads",
        means=f"Why a test fails in an engine, or in `{EVERY_ENGINE}`. It counts as skipped. If it passes, that is an "
        "error.",
    ),
    "extra.emwheels.test.imports-skip.MODULE": Key(
        kind=_TEXT,
        example="needs the optional package cuda",
        means="Why a module of the wheel is not imported. It is only for recipes without `test.imports` and tests.",
    ),
    "extra.emwheels.accepted[].rule": Key(
        kind=f"one of {', '.join(RULES)}",
        example="split-type",
        means="The audit's rule whose finding you accept. Each entry needs `rule`, `what` and `reason`.",
    ),
    "extra.emwheels.accepted[].what": Key(
        kind="a pattern (fnmatch)",
        example='"geos::geom::*"',
        means="What the finding is about. For `split-type` these are C++ types.",
    ),
    "extra.emwheels.accepted[].reason": Key(
        kind=_TEXT, example="no module hands these to another", means="Why the finding does no harm."
    ),
    "extra.emwheels.lint[].rule": Key(
        kind="a rule of `emwheels lint`",
        example="about",
        means="A rule that lint does not apply to the recipe. Each entry needs `rule` and `reason`.",
    ),
    "extra.emwheels.lint[].reason": Key(
        kind=_TEXT, example="the project has no home page", means="Why the recipe is right all the same."
    ),
    "extra.emwheels.downloads[].name": Key(
        kind=_TEXT,
        example="fmt",
        means="By which the build asks for what it would download: FetchContent, ExternalProject, CPM, or a Meson "
        "subproject. Upper and lower case are the same.",
    ),
    "extra.emwheels.downloads[].url": Key(
        kind="a package URL or an http(s) address",
        example="pkg:deb/debian/fmtlib@10.1.1",
        means="Where the file comes from. emwheels fetches it before the build, which has no network.",
    ),
    "extra.emwheels.downloads[].sha256": Key(
        kind="64 hexadecimal digits",
        example="78b8c0a72b1c35e4443a7e308df52498252d1cefc2b08c9a97bc9ee6cfe61f8b",
        means="The hash of the file. It is part of the build key. Each entry needs `name`, `url` and `sha256`.",
    ),
    "extra.emwheels.downloads[].unpack": Key(
        kind=_FLAG,
        default=True,
        example="false",
        means="Write `false` for a file that the build takes as it is, such as a header.",
    ),
    "extra.emwheels.provides.KIND": Key(
        kind="a list of texts, for one of pkg-config, cmake, headers, libraries",
        example="[zlib.h, zconf.h]",
        means="Names by which sources look for this library; `emwheels new-recipe` reads it. Headers may be patterns.",
    ),
}
"""Dotted key -> what it is. Words in capitals stand for a name of your own, SECTION and KEY for one of this table;
[] for each entry of a list."""
