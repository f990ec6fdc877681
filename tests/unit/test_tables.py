from __future__ import annotations

from typing import TYPE_CHECKING

from emwheels.builds import Output
from emwheels.package import Outcome
from emwheels.recipe import load_recipes
from emwheels.tables import packages_page, upstream_page
from emwheels.upstream import Group, SuiteResult

if TYPE_CHECKING:
    from pathlib import Path

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
)


def outcome(name: str, kind: str, engines: dict[str, str]) -> Outcome:
    output = Output(name=name, kind=kind, filename="x", sha256="0" * 64, size=12345, seconds=61.7, key="0" * 64)
    return Outcome(name=name, state="reused", output=output, engines=engines)


def test_packages(tmp_path: Path) -> None:
    for name, build in (("app", ""), ("lib", "build: {type: static_library, script: make}\n"), ("new", "")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "meta.yaml").write_text(
            f"package: {{name: {name}, version: '1.2'}}\nsource: {{url: 'pkg:pypi/{name}@1.2', sha256: {'0' * 64}}}\n"
            f"{build}about: {{license: MIT}}\n"
        )
        (tmp_path / name / "test_it.py").touch()
    page = packages_page(
        load_recipes(tmp_path, patches=tmp_path),
        [
            outcome("lib", "libraries", {}),
            outcome("app", "wheels", {"node": "3 passed", "chromium-page": "3 passed"}),
            Outcome(name="new", state="missing"),
        ],
        {"app": SUITE},
        target="314.0.7",
        profile="speed",
        date="2026-01-02",
    )
    assert "| app | 1.2 | 12,345 | 62 | 3 passed | 3 passed | not run | 1,999 of 2,000 (99.95 %) |" in page
    assert "| new | 1.2 | not built |  | not run | not run | not run |  |" in page
    assert "| lib | 1.2 | 12,345 | 62 | MIT |" in page


def test_upstream() -> None:
    page = upstream_page([SUITE])
    assert "| app | 1.2 | 314.0.7 | 2,000 | 1,999 | 99.95 % | 1 | 0 | 7 | 12 | 2026-01-02 |" in page
    assert "* not run: `b.py`: needs a compiler" in page
    assert "* 1 failed: **no threads**: `a.py::test_t`" in page
