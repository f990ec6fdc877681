from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from emwheels.errors import HarnessError, UsageError
from emwheels.harness import run_tests
from emwheels.harness.protocol import read_engine

if TYPE_CHECKING:
    from pathlib import Path

    from emwheels.harness.model import Event


def lines(*records: dict[str, Any]) -> list[bytes]:
    return [json.dumps({"engine": "node", **record}).encode() + b"\n" for record in records]


def case(nodeid: str, outcome: str) -> dict[str, Any]:
    return {"event": "case", "nodeid": nodeid, "outcome": outcome, "seconds": 1, "message": "", "output": ""}


def test_reads_up_to_the_end_of_the_engine(tmp_path: Path) -> None:
    events: list[Event] = []
    stream = iter(
        lines(
            {"event": "boot", "seconds": 2.5},
            {"event": "start", "nodeid": "t.py::a"},
            {"event": "log", "stream": "stdout", "text": "lone \ud800"},
            case("t.py::a", "passed"),
            {"event": "end", "seconds": 4},
            {"event": "boot", "seconds": 1},
        )
    )
    result = read_engine(stream, engine="node", output=tmp_path, on_event=events.append)
    assert (result.ok, result.passed, result.boot_seconds, result.seconds) == (True, 1, 2.5, 4)
    assert [event.kind for event in events] == ["boot", "start", "case", "end"]
    assert (tmp_path / "node.log").read_text() == "[stdout] lone \\ud800\n"
    assert (tmp_path / "node.xml").is_file()
    assert len(list(stream)) == 1


@pytest.mark.parametrize("records", [[], [case("t.py::a", "skipped")]])
def test_no_test_ran(tmp_path: Path, records: list[dict[str, Any]]) -> None:
    result = read_engine(lines(*records, {"event": "end", "seconds": 0}), engine="node", output=tmp_path)
    assert not result.ok
    assert result.cases[-1].message == "collection: no test ran"


@pytest.mark.parametrize(("stream", "message"), [([], "ended before"), ([b"Killed\n"], "not JSON")])
def test_driver_that_fails_leaves_nothing(tmp_path: Path, stream: list[bytes], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        read_engine(stream, engine="node", output=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_unknown_engine(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="netscape"):
        run_tests(
            image=None,  # type: ignore[arg-type]
            runtime=tmp_path,
            playwright_core=tmp_path,
            harness_wheels=[],
            wheels=[],
            requirements=[],
            tests=tmp_path,
            engines=["netscape"],
            output=tmp_path,
        )
