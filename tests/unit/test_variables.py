"""The tables of environment variables say what the code reads and sets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from emwheels.build import answers, cmake, variables
from emwheels.build import compile as compiling
from emwheels.build.compiler_cache import CompilerCache
from emwheels.build.rust import rust_environment
from emwheels.cli.variables import OTHERS, OWN
from emwheels.image import debian
from emwheels.image.toolchain import Toolchain, emsdk
from emwheels.schedule import JobServer
from emwheels.target.profiles import PROFILES

ROOT = Path(__file__).parents[2]
SOURCE = {path: path.read_text() for path in (ROOT / "src").rglob("*.py") if path.name != "variables.py"}
READ = re.compile(r"""os\.environ(?:\.get\(|\[)["'](\w+)["']""")
INSIDE = {"CCACHE_COMPILERCHECK", "CCACHE_DIR", "CCACHE_STATSLOG", "EM_CACHE", "PATH", "PYTHONPATH"}
"""What a program in the sandbox reads."""


def test_every_variable_of_its_own():
    named = {name for text in SOURCE.values() for name in re.findall(r"\bEMWHEELS_[A-Z_]+\b", text)}
    for_ci = {"EMWHEELS_PACKAGES"}  # set and read in a job of a CI service
    assert named - for_ci == set(OWN) | {name for name in variables.FROM_EMWHEELS if name.startswith("EMWHEELS_")}


def test_every_variable_that_is_read():
    read = {name for text in SOURCE.values() for name in READ.findall(text)} - INSIDE
    told = " ".join((*OTHERS, *OTHERS.values()))
    assert [name for name in sorted(read - set(OWN)) if name.upper() not in told.upper()] == []


def test_the_readme_has_them():
    text = (ROOT / "README.md").read_text()
    assert [name for name in OWN if f"`{name}" not in text] == []


@pytest.fixture
def seen(targets, tmp_path):
    """Return what emwheels gives a build, from each place that adds to it."""
    toolchain = Toolchain(crossenv=tmp_path, key="")
    server = JobServer(tmp_path / "jobs", cores=1, inside="/jobs")
    try:
        with server.build() as (_, shared):
            return {
                *dict(debian.environment(targets.image)),
                *compiling._ENVIRONMENT,
                *answers.ENVIRONMENT,
                *cmake.ENVIRONMENT,
                *toolchain.environment("3.14", ""),
                *emsdk.toolchain_environment("3.14"),
                *CompilerCache.environment("", "", launchers=""),
                *shared,
            }
    finally:
        server.close()


def test_every_variable_that_a_build_sees(seen):
    launchers = {"EMWHEELS_COMPILER"}  # between two of them
    prelude = set(re.findall(r"(\w+)=", cmake.PRELUDE)) - set(variables.FOR_RECIPES)
    assert set(variables.FROM_EMWHEELS) == seen | launchers | prelude


def test_every_variable_that_a_build_in_rust_sees():
    seen = {name for profile in PROFILES.values() for name in rust_environment(profile, "")}
    assert set(variables.FOR_RUST) == seen - {"PATH"}


def test_flags(monkeypatch):
    monkeypatch.setattr(Toolchain, "module_flags", lambda _: ("", ""))
    flags = compiling.side_module_flags(Toolchain(crossenv=Path(), key=""), ["-O3"])
    assert set(flags) <= set(variables.FOR_RECIPES)


def test_recipes_use_nothing_that_is_not_told():
    told = set(variables.FOR_RECIPES) | set(variables.FROM_EMWHEELS)
    for path in (ROOT / "recipes").glob("*/meta.yaml"):
        text = path.read_text()
        own = set(re.findall(r"\b([A-Z][A-Z0-9_]+)(?:=|: )", text)) | {"CMAKE_ARGS", "PWD"}
        used = set(re.findall(r"\$[{(]?([A-Z][A-Z0-9_]+)", text))
        assert used - own <= told, path
