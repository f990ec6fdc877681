from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from emwheels.audit.rules import RULES
from emwheels.cli.tables import generated_pages, packages_page, reproduce_page, upstream_page, with_audit_rules
from emwheels.recipe.load import load_recipes
from emwheels.status.ledger import Ledger, LedgerWheel
from emwheels.upstream import Group, SuiteResult

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from emwheels.recipe.model import Recipe

CONTENT, OTHER = "0123456789abcdef" * 4, "fedcba9876543210" * 4
SUITE = SuiteResult(
    package="app",
    version="1.2",
    target="314.0.7",
    engine="node",
    date="2026-01-02",
    seconds=12.3,
    passed=1999,
    failed=1,
    skipped=7,
    failures=(Group(reason="no threads", count=1, tests=("a.py::test_t",), message="RuntimeError"),),
    left_out=(("b.py", "needs a compiler"),),
    wheels={"app": CONTENT},
)


def wheel(name: str, kind: str, engines: dict[str, str]) -> LedgerWheel:
    return LedgerWheel(
        name=name,
        version="1.2",
        kind=kind,
        filename="x",
        sha256="0" * 64,
        content=CONTENT,
        bytes=12345,
        seconds=61.7,
        inputs="",
        engines=engines,
    )


LEDGER = Ledger(
    target="314.0.7",
    profile="speed",
    date="2026-01-02",
    wheels={
        "lib": wheel("lib", "libraries", {}),
        "app": wheel("app", "wheels", {"node": "3 passed", "chromium-page": "3 passed"}),
    },
)
STALE: list[dict[str, str]] = [{}, {"app": OTHER}, {"app": "?"}, {"app": CONTENT, "lib": OTHER}, {"gone": CONTENT}]
"""What a result may be of that is not of the wheels of `LEDGER`."""


@pytest.fixture
def recipes(tmp_path: Path) -> Mapping[str, Recipe]:
    for name, build in (("app", ""), ("lib", "build: {type: static_library, script: make}\n"), ("new", "")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "meta.yaml").write_text(
            f"package: {{name: {name}, version: '1.2'}}\nsource: {{url: 'pkg:pypi/{name}@1.2', sha256: {'0' * 64}}}\n"
            f"{build}about: {{license: MIT}}\n"
        )
        (tmp_path / name / "test_it.py").touch()
    return load_recipes(tmp_path, patches=tmp_path)


def test_packages(recipes: Mapping[str, Recipe]) -> None:
    page = packages_page(recipes, LEDGER, {"app": SUITE})
    row = "| app | 1.2 | 12,345 | `0123456789ab` | 62 | 3 passed | 3 passed | not run | 1,999 of 2,000 (99.95 %) |"
    assert row in page.splitlines()
    assert "| new | 1.2 | not built |  |  | not run | not run | not run |  |" in page.splitlines()
    assert "| lib | 1.2 | 12,345 | `0123456789ab` | 62 | MIT |" in page.splitlines()
    assert "Pyodide 314.0.7 with the profile `speed`; as of 2026-01-02." in page
    assert "**stale**" not in page


def test_the_row_of_a_recipe_that_moved_on_stays_with_its_wheel(recipes: Mapping[str, Recipe]) -> None:
    before = packages_page(recipes, LEDGER, {"app": SUITE})
    newer = {
        name: replace(recipe, package=replace(recipe.package, version="1.3")) if name != "new" else recipe
        for name, recipe in recipes.items()
    }
    assert packages_page(newer, LEDGER, {"app": SUITE}) == before


@pytest.mark.parametrize("wheels", STALE)
def test_a_suite_of_another_wheel_is_marked_among_packages(
    recipes: Mapping[str, Recipe], wheels: dict[str, str]
) -> None:
    page = packages_page(recipes, LEDGER, {"app": replace(SUITE, wheels=wheels)})
    assert "| 1,999 of 2,000 (99.95 %), **stale**, 2026-01-02 |" in page


def test_upstream() -> None:
    page = upstream_page([SUITE], LEDGER)
    row = "| app | 1.2 | 314.0.7 | 2,000 | 1,999 | 99.95 % | 1 | 0 | 7 | 12 | 2026-01-02 | `0123456789ab` |"
    assert row in page.splitlines()
    assert "* not run: `b.py`: needs a compiler" in page
    assert "* 1 failed: **no threads**: `a.py::test_t`" in page


@pytest.mark.parametrize(
    ("wheels", "said"),
    [
        ({}, "**stale**: an earlier wheel"),
        ({"app": OTHER}, "**stale**: `fedcba987654`, another app"),
        ({"app": CONTENT, "lib": OTHER, "gone": OTHER}, "**stale**: `0123456789ab`, another gone, lib"),
    ],
)
def test_results_of_other_wheels_are_marked(wheels: dict[str, str], said: str) -> None:
    page = upstream_page(
        [replace(SUITE, package="lib", wheels={"lib": CONTENT}), replace(SUITE, wheels=wheels)], LEDGER
    )
    first, second = (line for line in page.splitlines() if line.startswith(("| app ", "| lib ")))
    assert first.endswith(f"| 2026-01-02 | {said} |")
    assert second.endswith("| 2026-01-02 | `0123456789ab` |")
    row = {"name": "app", "version": "1", "same": True, "how": "x", "date": "2026-01-02", "wheels": wheels}
    assert reproduce_page([row], LEDGER).splitlines()[-1] == f"| app | 1 | yes | x | 2026-01-02 | {said} |"


def test_reproduced_builds() -> None:
    row = {"version": "1.2", "how": "`reproduce`", "date": "2026-01-02", "same": True, "difference": ""}
    rows = [
        row | {"name": "lib", "wheels": {"lib": CONTENT}, "same": False, "difference": "lib/libx.a"},
        row | {"name": "app", "wheels": {"app": CONTENT}, "how": "`reproduce --once`"},
    ]
    assert reproduce_page(rows, LEDGER).splitlines()[-2:] == [
        "| app | 1.2 | yes | `reproduce --once` | 2026-01-02 | `0123456789ab` |",
        "| lib | 1.2 | no: lib/libx.a | `reproduce` | 2026-01-02 | `0123456789ab` |",
    ]


@pytest.mark.parametrize("before", ["", "| rule |\n| --- |\n| `gone` |\n"])
def test_the_rules_of_the_audit_stand_below_the_line_that_asks_for_them(tmp_path: Path, before: str) -> None:
    text = f"Text.\n\n<!-- audit rules: written -->\n{before}\n| other | table |\n"
    (tmp_path / "help.md").write_text(text)
    (tmp_path / "other.md").write_text("| rule |\n| --- |\n| `tag` |\n")
    pages = generated_pages(tmp_path, LEDGER, {})
    written = pages["help.md"]
    assert "other.md" not in pages
    assert written.startswith("Text.\n\n<!-- audit rules: written -->\n| rule |")
    assert written.endswith(f"{RULES['archive'].fix} |\n\n| other | table |\n")
    assert "gone" not in written
    assert with_audit_rules(written) == written
