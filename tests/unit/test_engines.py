"""A new engine is an entry of the table and a module; whatever names engines takes it from there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from packaging.version import Version
from sample_run import make_environment
from small_project import make_command_in

from emwheels import harness
from emwheels.cli.tables import packages_page
from emwheels.errors import UsageError
from emwheels.harness import Installed
from emwheels.harness.engines import ENGINES, SUITE_ENGINE, Engine
from emwheels.pipeline.model import Options
from emwheels.recipe.load import load_recipes
from emwheels.status.ledger import Ledger, LedgerWheel
from emwheels.status.model import EngineTests, StatusRow
from emwheels.status.page import status_page
from emwheels.verify import Verification, all_checks, all_clients
from emwheels.verify.clients import Wanted, try_lock, try_micropip

INSIDE = Path(harness.__file__).parent / "inside"


@pytest.fixture
def fourth(monkeypatch):
    """Add an engine to the table."""
    place = "a Firefox page from another origin"
    monkeypatch.setitem(ENGINES, "firefox-page", Engine(title="Firefox", client="firefox", place=place, cors=True))


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    return make_command_in(make_environment(tmp_path), "build", monkeypatch, capsys)


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_has_a_module_that_starts_it(name):
    assert re.search(
        r"^export (async function start\(|const start = )", (INSIDE / f"{name}.mjs").read_text(), re.MULTILINE
    )


def test_clients_of_engines_have_a_name_of_their_own_and_a_place():
    clients = [engine.client for engine in ENGINES.values() if engine.client]
    assert len(clients) == len(set(clients))
    assert all(engine.place for engine in ENGINES.values() if engine.client)
    assert SUITE_ENGINE in ENGINES


def test_the_readme_names_every_engine():
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (row,) = (line for line in readme.splitlines() if line.startswith("| `--engine"))
    assert re.findall(r"`([a-z-]+)`", row) == list(ENGINES)


def test_a_run_and_the_harness_take_a_fourth_engine(fourth, tmp_path):
    assert Options().engines[-1] == "firefox-page"
    with pytest.raises(UsageError) as error:
        harness.run_tests(
            image=None, runtime=tmp_path, playwright_core=tmp_path, harness_wheels=[], wheels=[], requirements=[],
            tests=tmp_path, engines=["firefox-page", "netscape"], output=tmp_path,
        )  # fmt: skip
    assert str(error.value) == "there is no engine 'netscape'"
    assert error.value.hint.endswith(", firefox-page")


@pytest.mark.parametrize(
    ("words", "text"), [(["build"], "chromium-worker,firefox-page"), (["index", "verify"], "micropip-firefox,pip")]
)
def test_options_and_help_have_a_fourth_engine(fourth, command, words, text):
    assert text in command(*words, "--help", status=0).out.replace("\n", "").replace(" ", "")


def test_the_table_of_packages_has_a_column_for_a_fourth_engine(fourth, tmp_path):
    for name, has_tests in (("app", True), ("plain", False)):
        (tmp_path / name).mkdir()
        source = f"source: {{url: 'pkg:pypi/{name}@1', sha256: {'0' * 64}}}"
        (tmp_path / name / "meta.yaml").write_text(
            f"package: {{name: {name}, version: '1'}}\n{source}\nabout: {{license: MIT}}\n"
        )
        if has_tests:
            (tmp_path / name / "test_it.py").touch()
    wheel = LedgerWheel(
        name="app", version="1", kind="wheels", filename="x", sha256="0" * 64, content="0" * 64, bytes=1, seconds=1.0,
        inputs="", engines={"firefox-page": "3 passed"},
    )  # fmt: skip
    ledger = Ledger(target="t", profile="speed", date="2026-01-02", wheels={"app": wheel})
    rows = [
        line for line in packages_page(load_recipes(tmp_path, patches=tmp_path), ledger, {}).splitlines() if "|" in line
    ]
    heads, rule, app, plain = ([cell.strip() for cell in row.strip("|").split("|")] for row in rows[:4])
    assert heads[5:-1] == list(ENGINES)
    assert app[5:-1] == ["not run", "not run", "not run", "3 passed"]
    assert plain[5:-1] == ["not run"] * 4
    assert {len(row) for row in (heads, rule, app, plain)} == {len(heads)}


def test_the_status_page_shows_a_fourth_engine_by_its_title(fourth):
    row = StatusRow(
        name="app", version=Version("1"), target="t", filename="app.whl", sha256="0" * 64, size=1,
        changed=datetime(2026, 1, 2, tzinfo=UTC), tests={"firefox-page": EngineTests(passed=3, failed=0)},
    )  # fmt: skip
    assert "Firefox: 3 passed" in status_page([row], profile="speed")


def test_a_verification_installs_in_a_fourth_engine(fourth):
    assert all_clients() == ("micropip-node", "micropip-chromium", "micropip-firefox", "pip", "uv")
    assert (
        all_checks()["micropip-firefox"].means == "micropip does not install it in a Firefox page from another origin"
    )
    calls = []

    def engines(*, installs, engines, lock_url=""):
        calls.append(engines)
        return [
            Installed(engine=engine, id=install.id, error="error: no", seconds=1.0, distributions={})
            for engine in engines
            for install in installs
        ]

    report = Verification(url="https://x/simple", target="t")
    want = Wanted(project="app", version="1", filename="app.whl", sha256=None, copy=None)
    try_micropip({report.url: (report, [want])}, engines, all_clients())
    try_lock(report, "https://x/pyodide-lock.json", [want], engines, ["micropip-firefox"])
    assert calls == [["node", "chromium-page", "firefox-page"], ["firefox-page"]]
    assert report.checks() == {"micropip-node", "micropip-chromium", "micropip-firefox", "loadpackage-firefox"}
    fixes = {finding["check"]: finding["fix"] for finding in report.to_dict()["findings"]}
    assert fixes["micropip-firefox"] == "mend the errors above; if Node installs it, it is CORS or an encoding"
    assert fixes["micropip-node"] == "mend the errors above; this is their effect"


FOURTH = """
export async function start({ receive }) {
  setTimeout(() => {
    receive({ event: "boot", seconds: 1 });
    receive({ event: "finish", status: 0 });
  });
  return { async stop() {} };
}
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node on this machine")
@pytest.mark.parametrize(("module", "events"), [(FOURTH, ["boot", "end"]), ("export {}", ["log", "case", "end"])])
def test_the_driver_starts_a_fourth_engine_by_its_module(tmp_path, module, events):
    shutil.copytree(INSIDE, tmp_path / "harness")
    (tmp_path / "harness" / "firefox-page.mjs").write_text(module)
    (tmp_path / "pyodide-lock.json").write_text('{"packages": {}}')
    job = {"engines": ["firefox-page"], "boot_seconds": 20, "test_seconds": 20, "folders": {"/pyodide/": str(tmp_path)}}
    (tmp_path / "job.json").write_text(json.dumps(job))
    command = ["node", str(tmp_path / "harness" / "driver.mjs"), str(tmp_path / "job.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["event"] for each in said] == events
    assert {each["engine"] for each in said} == {"firefox-page"}
