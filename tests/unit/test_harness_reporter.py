"""The plugin that runs inside Pyodide, run by the pytest that is here."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from emwheels.harness.inside import reporter

RUN = """
import json, sys
sys.path.insert(0, sys.argv[1])
import reporter
reporter.run(sys.argv[2], lambda text: print("EVENT", text, file=sys.__stderr__))
"""

TESTS = """
import pytest, warnings
def test_a(): print("said")
def test_ab(): assert 0, "why"
@pytest.fixture
def broken(): raise OSError("fixture")
def test_setup(broken): pass
@pytest.mark.xfail(reason="known")
def test_x(): assert 0
@pytest.mark.skip(reason="not now")
def test_s(): pass
def test_w(): warnings.warn("careful")
"""


def run(folder: Path, **given: tuple[str, ...] | dict[str, str]) -> list[dict[str, Any]]:
    job = {"root": str(folder), "paths": (), "options": (), "finished": (), "ignored": ()}
    job |= {"imports": {}, "environment": {}} | given
    argv = [sys.executable, "-c", RUN, str(Path(reporter.__file__).parent), json.dumps(job)]
    said = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stderr
    return [json.loads(line.removeprefix("EVENT ")) for line in said.splitlines() if line.startswith("EVENT ")]


def cases(events: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {event["nodeid"]: event for event in events if event["event"] == "case"}


def test_every_step_is_told(tmp_path: Path) -> None:
    (tmp_path / "test_t.py").write_text(TESTS)
    events = run(tmp_path)
    found = cases(events)
    assert {name.partition("::")[2]: case["outcome"] for name, case in found.items()} == {
        "test_a": "passed",
        "test_ab": "failed",
        "test_setup": "error",
        "test_x": "skipped",
        "test_s": "skipped",
        "test_w": "passed",
    }
    assert "said" in found["test_t.py::test_a"]["output"]
    assert "why" in found["test_t.py::test_ab"]["message"]
    assert found["test_t.py::test_x"]["message"] == "expected failure: known"
    assert "not now" in found["test_t.py::test_s"]["message"]
    collected = next(event["nodeids"] for event in events if event["event"] == "collected")
    assert sorted(collected) == sorted(found), "what is reported is what was collected"
    assert any(event["event"] == "warning" and "careful" in event["text"] for event in events)
    assert [event["event"] for event in events if event["event"] in ("start", "case")] == ["start", "case"] * 6
    assert events[-1] == {"event": "finish", "status": 1}


def test_paths_and_options_of_a_suite(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"test_{name}.py").write_text("def test_fast(): pass\ndef test_slow(): pass\n")
    events = run(tmp_path, paths=("b",), options=("-k", "fast"))
    assert list(cases(events)) == ["b/test_b.py::test_fast"]


def test_finished_tests_are_left_out_by_exact_name(tmp_path: Path) -> None:
    (tmp_path / "test_t.py").write_text("def test_a(): pass\ndef test_ab(): pass\n")
    assert list(cases(run(tmp_path, finished=("test_t.py::test_a",)))) == ["test_t.py::test_ab"]


TWINS = """
import pytest
class Twin(pytest.Item):
    def runtest(self): pass
class Twins(pytest.File):
    def collect(self): return [Twin.from_parent(self, name="twin") for _ in range(3)]
def pytest_collect_file(file_path, parent):
    return Twins.from_parent(parent, path=file_path) if file_path.suffix == ".twins" else None
"""


def test_of_tests_with_one_name_as_many_are_left_out_as_are_finished(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(TWINS)
    (tmp_path / "a.twins").write_text("")
    for finished, left in (((), 3), (("a.twins::twin",), 2), (("a.twins::twin",) * 3, 0)):
        events = run(tmp_path, finished=finished)
        assert [event["nodeid"] for event in events if event["event"] == "case"] == ["a.twins::twin"] * left


def test_imports_are_tests_of_their_own_and_come_first(tmp_path: Path) -> None:
    (tmp_path / "test_t.py").write_text("import os\ndef test_a(): assert os.environ['WORD'] == 'x'\n")
    (tmp_path / "conftest.py").write_text(
        "def pytest_collection_modifyitems(items):\n    [i.function for i in items]\n"
    )
    imports = {"json": "", "nowhere": "", "gpu": "there is none"}
    found = cases(run(tmp_path, imports=imports, environment={"WORD": "x"}, finished=("import json",)))
    assert {name: case["outcome"] for name, case in found.items()} == {
        "import nowhere": "failed",
        "import gpu": "skipped",
        "test_t.py::test_a": "passed",
    }
    assert "No module named 'nowhere'" in found["import nowhere"]["message"]
    assert "there is none" in found["import gpu"]["message"]
    assert list(cases(run(tmp_path, imports=imports, environment={"WORD": "x"}, options=("-k", "json")))) == [
        "import json"
    ]


def test_a_file_that_cannot_be_collected(tmp_path: Path) -> None:
    (tmp_path / "test_bad.py").write_text("def (:\n")
    (tmp_path / "test_skip.py").write_text("import pytest\npytest.skip('no', allow_module_level=True)\n")
    (tmp_path / "test_ok.py").write_text("def test_ok(): pass\n")
    found = cases(run(tmp_path))
    assert {name: case["outcome"] for name, case in found.items()} == {
        "test_bad.py": "error",
        "test_skip.py": "skipped",
        "test_ok.py::test_ok": "passed",
    }
    assert list(cases(run(tmp_path, ignored=("test_bad.py", "test_skip.py")))) == ["test_ok.py::test_ok"]


def test_installed_distribution_is_known_by_its_record() -> None:
    record = importlib.metadata.distribution("packaging").read_text("RECORD")
    assert record is not None
    reporter.check_installed({"packaging": hashlib.sha256(record.encode()).hexdigest(), "absent": ""}, ["packaging"])
    with pytest.raises(RuntimeError, match="not the wheel under test"):
        reporter.check_installed({"packaging": "0" * 64}, [])
    with pytest.raises(RuntimeError, match="absent was not installed"):
        reporter.check_installed({"absent": "0" * 64}, ["absent"])
