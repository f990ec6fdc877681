"""Real engines: a pure Python wheel made here, tests that pass, fail, hang and kill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from xml.etree import ElementTree as ET

import pytest
from synthetic_wheels import make_wheel

from emwheels.harness import run_tests
from emwheels.harness.engines import ENGINES
from emwheels.harness.model import Suite

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from emwheels.harness.model import EngineResult
    from emwheels.image.model import Image

pytestmark = pytest.mark.image

GOOD = """
from pathlib import Path
import demo, numpy

def test_wheel(): assert demo.ANSWER == 42
def test_not_the_numpy_of_pyodide(): assert numpy.OURS
def test_data(): assert Path(__file__).with_name("a b.bin").read_bytes() == b"\\x00\\xff"
def test_capture(tmp_path, capfd):
    print("x")
    assert capfd.readouterr().out == "x\\n"
"""

BAD = """
import os
def test_hang():
    while True: pass
def test_hang_not(): pass
def test_fail(): assert 0, "told \\x00 so"
def test_exit(): os._exit(3)
def test_abort(): os.abort()
def test_after(): pass
"""


# 4 GB is what WebAssembly can address with 32 bits.
MEMORY = """
def test_memory(): [bytearray(2**31 - 99) for _ in range(3)]
def test_after(): assert len(bytearray(2**20)) == 2**20
"""


class Run(Protocol):
    def __call__(
        self,
        engine: str,
        tests: dict[str, str],
        *,
        requires: Sequence[str] = (),
        test_seconds: float = 15,
        suite: Suite = ...,
        files: dict[str, str] = ...,
    ) -> EngineResult: ...


@pytest.fixture
def run(
    testing_image: Image, runtime: Path, playwright_core: Path, harness_wheels: tuple[Path, ...], tmp_path: Path
) -> Run:
    def run(
        engine: str,
        tests: dict[str, str],
        *,
        requires: Sequence[str] = (),
        test_seconds: float = 15,
        suite: Suite = Suite(),  # noqa: B008  (it is immutable)
        files: dict[str, str] = {"demo.py": "ANSWER = 42\n"},  # noqa: B006  (nothing changes it)
    ) -> EngineResult:
        recipe = tmp_path / "recipe"
        recipe.mkdir()
        for name, text in tests.items():
            (recipe / name).write_bytes(text.encode("latin-1"))
        wheels = [
            make_wheel(tmp_path, "demo", requires=["numpy", *requires], files=files),
            make_wheel(tmp_path, "numpy", "2.4.3", files={"numpy.py": "OURS = True\n"}),
        ]
        results = run_tests(
            image=testing_image,
            runtime=runtime,
            playwright_core=playwright_core,
            harness_wheels=harness_wheels,
            wheels=wheels,
            requirements=["demo==1.0"],
            tests=recipe,
            engines=[engine],
            output=tmp_path / "reports",
            suite=suite,
            test_seconds=test_seconds,
        )
        ET.parse(tmp_path / "reports" / f"{engine}.xml")
        return results[engine]

    return run


@pytest.mark.parametrize("engine", ENGINES)
def test_tests_pass(run: Run, engine: str) -> None:
    result = run(engine, {"test_good.py": GOOD, "a b.bin": "\x00\xff"})
    assert result.ok, result.cases
    assert result.passed == 4
    assert "4 passed" in result.console.read_text()


TWINS = """
import pytest
class Twin(pytest.Item):
    def runtest(self):
        while self.number == 1: pass
class Twins(pytest.File):
    def collect(self):
        for number in range(3):
            item = Twin.from_parent(self, name="twin")
            item.number = number
            yield item
def pytest_collect_file(file_path, parent):
    return Twins.from_parent(parent, path=file_path) if file_path.suffix == ".twins" else None
"""


def test_tests_that_have_one_name_are_counted(run: Run) -> None:
    result = run("node", {"conftest.py": TWINS, "a.twins": "x"}, test_seconds=5)
    assert [(case.nodeid, case.outcome) for case in result.cases] == [
        ("a.twins::twin", "passed"),
        ("a.twins::twin", "failed"),
        ("a.twins::twin", "passed"),
    ]


@pytest.mark.parametrize("engine", ENGINES)
def test_hang_and_crash_are_failures_with_a_name(run: Run, engine: str) -> None:
    result = run(engine, {"test_bad.py": BAD, "test_syntax.py": "def (:\n"})
    assert {case.nodeid: case.outcome for case in result.cases} == {
        "test_bad.py::test_hang": "failed",
        "test_bad.py::test_hang_not": "passed",
        "test_bad.py::test_fail": "failed",
        "test_bad.py::test_exit": "failed",
        "test_bad.py::test_abort": "failed",
        "test_bad.py::test_after": "passed",
        "test_syntax.py": "error",
    }
    assert len(result.cases) == 7, "a restart must not report anything twice"


@pytest.mark.parametrize("engine", ENGINES)
def test_out_of_memory_is_a_failure_with_a_name(run: Run, engine: str) -> None:
    result = run(engine, {"test_memory.py": MEMORY}, test_seconds=60)
    assert {case.nodeid: case.outcome for case in result.cases} == {
        "test_memory.py::test_memory": "failed",
        "test_memory.py::test_after": "passed",
    }
    assert "MemoryError" in next(case.message for case in result.cases if case.outcome == "failed")


def test_file_that_hangs_while_imported(run: Run) -> None:
    result = run("node", {"test_a.py": "while True: pass\n", "test_b.py": "def test_b(): pass\n"})
    assert {case.nodeid: case.outcome for case in result.cases} == {"test_a.py": "error", "test_b.py::test_b": "passed"}


def test_no_tests(run: Run) -> None:
    result = run("node", {"test_none.py": "x = 1\n"})
    assert [case.message for case in result.cases] == ["collection: no test ran"]


def test_what_is_not_on_the_index_is_not_had_from_elsewhere(run: Run) -> None:
    result = run("node", {"test_good.py": GOOD}, requires=["pandas"])
    (case,) = result.cases
    assert (case.nodeid, case.outcome) == ("boot", "error")
    assert "pandas" in case.message


IMPORTS = {
    "demo/__init__.py": "",
    "demo/trap.py": "import os\nos.abort()\n",
    "demo/broken.py": "import nowhere\n",
    "demo/good.py": "",
}


@pytest.mark.parametrize("engine", ENGINES)
def test_an_import_that_kills_costs_only_its_name(run: Run, engine: str) -> None:
    names = ("demo", "demo.trap", "demo.broken", "demo.gpu", "demo.good")
    suite = Suite(imports={name: "needs a GPU" if name == "demo.gpu" else "" for name in names})
    result = run(engine, {"data.txt": ""}, suite=suite, files=IMPORTS, test_seconds=30)
    assert {case.nodeid: case.outcome for case in result.cases} == {
        "import demo": "passed",
        "import demo.trap": "failed",
        "import demo.broken": "failed",
        "import demo.gpu": "skipped",
        "import demo.good": "passed",
    }
    messages = {case.nodeid: case.message for case in result.cases}
    assert "No module named 'nowhere'" in messages["import demo.broken"]
    assert "needs a GPU" in messages["import demo.gpu"]


def test_imports_and_tests_go_together_with_an_environment_and_arguments(run: Run) -> None:
    tests = "import os\ndef test_word(): assert os.environ['WORD'] == 'x y'\ndef test_slow(): assert 0\n"
    suite = Suite(imports={"demo": ""}, environment={"WORD": "x y"}, options=("-k", "not slow"), partial=True)
    result = run("node", {"test_a.py": tests}, suite=suite, test_seconds=30)
    assert {case.nodeid: case.outcome for case in result.cases} == {
        "import demo": "passed",
        "test_a.py::test_word": "passed",
    }


KILLING = """
import os, pytest
@pytest.mark.parametrize("n", range(5))
def test_kill(n): os.abort()
def test_between(): pass
@pytest.mark.parametrize("n", range(5))
def test_again(n): os.abort()
"""


def test_interpreters_that_end_in_a_row_end_the_run_with_the_reason(run: Run) -> None:
    result = run("node", {"test_kill.py": KILLING}, suite=Suite(ends_in_a_row=3), test_seconds=30)
    outcomes = {case.nodeid: case.outcome for case in result.cases}
    assert [outcomes[f"test_kill.py::test_kill[{n}]"] for n in range(5)] == ["failed"] * 3 + ["skipped"] * 2
    assert outcomes["test_kill.py::test_between"] == "skipped"
    last = result.cases[-1]
    assert (last.nodeid, last.outcome) == ("session", "error")
    assert last.message.startswith("3 interpreters in a row ended: ")
    assert "the extension does not fit" in last.message
    left_out = [case.message for case in result.cases if case.outcome == "skipped"]
    assert len(left_out) == 8
    assert all(message.startswith("not run: 3 interpreters in a row ended: ") for message in left_out)


def test_expected_failures_and_a_test_that_passes_between_do_not_count(run: Run) -> None:
    expected = {"node": {"test_kill.py::test_kill": "there are no signals"}}
    suite = Suite(ends_in_a_row=2, expected=expected)
    result = run("node", {"test_kill.py": KILLING.replace("5", "2", 1).replace("5", "1")}, suite=suite, test_seconds=30)
    assert {case.nodeid.removeprefix("test_kill.py::"): case.outcome for case in result.cases} == {
        "test_kill[0]": "skipped",
        "test_kill[1]": "skipped",
        "test_between": "passed",
        "test_again[0]": "failed",
    }


def test_a_limit_of_one_test(run: Run) -> None:
    tests = "import time\ndef test_long(): time.sleep(4)\ndef test_short(): time.sleep(4)\n"
    limits = {"node": {"test_a.py::test_long": 60, "": 1}}
    result = run("node", {"test_a.py": tests}, suite=Suite(seconds=limits), test_seconds=90)
    assert {case.nodeid: (case.outcome, case.message) for case in result.cases} == {
        "test_a.py::test_long": ("passed", ""),
        "test_a.py::test_short": ("failed", "timeout: still running after 1 s"),
    }
