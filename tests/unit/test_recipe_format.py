"""Each key of pyodide-build's format has an effect, or is refused with its line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
import yaml
from pyodide_build_keys import PYODIDE_BUILD_KEYS
from sample_run import TARGET

from emwheels.build.cmake import PRELUDE
from emwheels.build.source import plain_recipe
from emwheels.plan.key import build_key
from emwheels.recipe.keys import KEYS
from emwheels.recipe.load import RecipeProblems, load_recipe
from emwheels.recipe.model import BUILD_TYPES
from emwheels.recipe.select import select

if TYPE_CHECKING:
    from pathlib import Path

SHA256 = "0123456789abcdef" * 4


@dataclass(frozen=True)
class Honoured:
    """A value, and where it is to be seen: a function of the recipe returns what is there of it."""

    value: object
    seen: object


@dataclass(frozen=True)
class Refused:
    """A value that pyodide-build takes, and words of what is said of it here."""

    value: object
    words: str


def built(key):
    """Return what pyodide-build is told of a key of ``build``."""
    return lambda recipe: plain_recipe(recipe, "source")["build"][key]


def needed(key):
    return lambda recipe: plain_recipe(recipe, "source")["requirements"][key]


SOURCE = {"url": "pkg:pypi/demo@1.0", "sha256": SHA256}

TABLE = {
    "package.name": [Honoured("demo", lambda recipe: recipe.name), Refused("other", "they must be the same")],
    "package.version": [Honoured("1.0", lambda recipe: recipe.version), Refused("x", "is not a version")],
    # The audit compares it with the wheel: test_audit_ownership.py.
    "package.top-level": [Honoured(["demo"], lambda recipe: list(recipe.package.top_level))],
    "package.tag": [Honoured(["core"], lambda recipe: ["core"] * (select(["tag:core"], {"x": recipe}) == ["x"]))],
    "package._disabled": [Honoured(True, lambda recipe: recipe.package.disabled)],
    "package.pinned": [Honoured(True, lambda recipe: recipe.package.pinned)],
    "source.url": [
        Honoured("pkg:pypi/demo@1.0", lambda recipe: recipe.source.url),
        Refused("https://example.org/demo-1.0-py3-none-any.whl", "is a wheel, which is compiled already"),
    ],
    # What is unpacked: test_archive.py, test_cli_lock.py.
    "source.extract_dir": [
        Honoured("demo-1.0/inner", lambda recipe: recipe.source.extract_dir),
        Refused("../demo", "leads out of its folder"),
    ],
    # It is a fault of the plan and the build: test_pipeline_known.py.
    "source.path": [Refused("src", "url and path exclude each other")],
    "source.sha256": [Honoured(SHA256, lambda recipe: recipe.source.sha256), Refused("x", "64 hexadecimal digits")],
    "source.patches": [Honoured(["a.patch"], lambda recipe: [path.name for path in recipe.patches])],
    "source.extras": [Honoured([["a.patch", "x"]], lambda recipe: [list(pair) for pair in recipe.source.extras])],
    "build.exports": [Honoured("requested", built("exports")), Refused("all", "must be one of")],
    "build.backend-flags": [Honoured("-x", built("backend-flags"))],
    "build.cflags": [Honoured("-x", built("cflags"))],
    "build.cxxflags": [Honoured("-x", built("cxxflags"))],
    "build.ldflags": [Honoured("-x", built("ldflags"))],
    "build.type": [
        *(Honoured(name, built("type")) for name in BUILD_TYPES),
        Refused("shared_library", "write static_library, and install the .so into"),
        Refused("cpython_module", "write package for any other"),
    ],
    "build.cross-script": [Honoured("x", built("cross-script"))],
    "build.script": [Honoured("x", lambda recipe: built("script")(recipe).removeprefix(PRELUDE))],
    "build.post": [Honoured("x", built("post"))],
    "build.unvendor-tests": [Honoured(True, built("unvendor-tests"))],
    "build._retain-test-patterns": [Honoured(["x"], built("_retain-test-patterns"))],
    "build.vendor-sharedlib": [Honoured(False, built("vendor-sharedlib"))],
    "build.cross-build-env": [Honoured(True, built("cross-build-env"))],
    "build._cross-build-env-skip-install": [
        Honoured(True, built("_cross-build-env-skip-install")),
        Refused(False, "is always so here"),
    ],
    # What is compiled against the package sees them: test_host.py, test_build.py.
    "build.cross-build-files": [Honoured(["x.h"], lambda recipe: list(recipe.build.cross_build_files))],
    "requirements.run": [Honoured(["x"], lambda recipe: list(recipe.requirements.run))],
    "requirements.host": [Honoured(["x"], lambda recipe: list(recipe.requirements.host))],
    "requirements.build-extras": [Honoured(["x<1"], needed("build-extras")), Refused(["x<"], "is not a requirement")],
    # The plan compares it with the build image: test_cli_plan.py, test_pipeline_gathering.py.
    "requirements.executable": [Honoured(["cmake"], needed("executable")), Refused(["/bin/x"], "name of a program")],
    "requirements.constraint": [Honoured(["x<1"], needed("constraint")), Refused(["x<"], "is not a requirement")],
    "test.imports": [Honoured(["demo"], lambda recipe: list(recipe.test.imports))],
    "about.home": [Honoured("x", lambda recipe: recipe.about.home)],
    "about.PyPI": [Honoured("x", lambda recipe: recipe.about.pypi)],
    "about.summary": [Honoured("x", lambda recipe: recipe.about.summary)],
    "about.license": [Honoured("x", lambda recipe: recipe.about.license)],
    "extra.recipe-maintainers": [Honoured(["x"], lambda recipe: list(recipe.extra["recipe-maintainers"]))],
}


def test_the_table_has_every_key_of_the_format():
    assert set(TABLE) == set(PYODIDE_BUILD_KEYS)
    assert set(PYODIDE_BUILD_KEYS) == {key for key in KEYS if not key.startswith("extra.emwheels.")}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "recipes" / "demo"
    (folder / "src").mkdir(parents=True)
    (folder / "a.patch").write_text("why it is needed\n--- a/x\n+++ b/x\n")
    return folder


def written(folder: Path, key: str, value: object) -> Path:
    """Write a meta.yaml that has the key, and return its folder."""
    section, _, name = key.partition(".")
    document = {"package": {"name": "demo", "version": "1.0"}, "source": dict(SOURCE)}
    document.setdefault(section, {})[name] = value
    (folder / "meta.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    return folder


CASES = [(key, case) for key, cases in TABLE.items() for case in cases]


@pytest.mark.parametrize(("key", "case"), CASES, ids=[f"{key} {case.value}" for key, case in CASES])
def test_each_key_is_honoured_or_refused_with_its_line(folder, key, case):
    written(folder, key, case.value)
    if isinstance(case, Honoured):
        recipe = load_recipe(folder, patches=folder.parent / "patches")
        assert case.seen(recipe) == case.value
        return
    with pytest.raises(RecipeProblems) as caught:
        load_recipe(folder, patches=folder.parent / "patches")
    name = key.rpartition(".")[2]
    line = next(i for i, text in enumerate((folder / "meta.yaml").read_text().splitlines(), 1) if f"{name}:" in text)
    (problem,) = [problem for problem in caught.value.problems if problem.key.startswith(key)]
    assert case.words in problem.message
    assert problem.line in {line, line + 1}  # the entry of a list is on the next one


def test_a_package_to_compile_against_is_not_installed_by_pyodide_build(folder):
    recipe = load_recipe(written(folder, "build.cross-build-env", True), patches=folder / "none")
    assert plain_recipe(recipe, "source")["build"]["_cross-build-env-skip-install"] is True
    assert "_cross-build-env-skip-install" not in recipe.document["build"]  # nor in the key of its build


def key_of(recipe):
    return build_key(
        recipe, TARGET, profile="speed", image_digest="", toolchain="", toolchain_key="", dependencies={}
    ).digest


@pytest.mark.parametrize("key", [key for key in TABLE if key.partition(".")[0] in {"about", "extra", "test"}])
def test_what_does_not_reach_the_compiler_is_not_in_the_build_key(folder, key):
    plain = load_recipe(written(folder, "about.summary", "plain"), patches=folder / "none")
    described = load_recipe(written(folder, key, TABLE[key][0].value), patches=folder / "none")
    assert key_of(described) == key_of(replace(plain, about=described.about))
