from __future__ import annotations

import json

import pytest

from emwheels.errors import EmwheelsError
from emwheels.status.documents import due_after, recorded_results
from emwheels.status.ledger import RecordedResult

ONE, TWO = "1" * 64, "2" * 64


@pytest.fixture
def docs(tmp_path):
    files = {
        "upstream-tests/scipy.json": {"date": "2026-11-20", "wheels": {"scipy": ONE, "numpy": TWO}, "passed": 3},
        "upstream-tests/lxml.json": {"date": "2025-01-01"},
        "reproduce/scipy.json": {"date": "2026-11-21", "wheels": {"scipy": TWO}},
        "elsewhere/scipy.json": {},
    }
    for name, document in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(document))
    (tmp_path / "performance.md").write_text(f"## Speed\n\n<!-- wheels: numpy={ONE[:12]} scipy=? 2026-11-22 -->\n")
    (tmp_path / "how-it-works.md").write_text("# How it works\n")
    (tmp_path / "upstream-tests" / "notes.md").write_text("<!-- wheels: numpy=? 2026-11-22 -->\n")
    return tmp_path


def test_every_result(docs):
    assert recorded_results(docs) == [
        RecordedResult(name="upstream-tests/lxml", date="2025-01-01", wheels={}),
        RecordedResult(name="upstream-tests/scipy", date="2026-11-20", wheels={"scipy": ONE, "numpy": TWO}),
        RecordedResult(name="reproduce/scipy", date="2026-11-21", wheels={"scipy": TWO}),
        RecordedResult(name="performance.md#speed", date="2026-11-22", wheels={"numpy": ONE[:12], "scipy": "?"}),
    ]


def test_no_documents(tmp_path):
    assert recorded_results(tmp_path / "docs") == []
    assert due_after(tmp_path / "docs", {"numpy": ONE}) == {}


@pytest.mark.parametrize("text", ["{", "[]", "null", "{}", '{"date": "2026-11-22", "wheels": []}', b"\xff"])
@pytest.mark.parametrize("kind", ["upstream-tests", "reproduce"])
def test_a_file_that_is_no_result(docs, kind, text):
    path = docs / kind / "bad.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(EmwheelsError) as caught:
        recorded_results(docs)
    assert caught.value.message.startswith(f"{path}: not a result: ")
    assert due_after(docs, {"numpy": TWO}) == {}, "a build does not fail for a document"


def test_what_is_due_after_a_build(docs):
    assert due_after(docs, {"numpy": ONE, "scipy": ONE, "lxml": ONE, "zlib": ONE}) == {
        "numpy": ["upstream-tests/scipy"],
        "scipy": ["reproduce/scipy", "performance.md#speed"],
        "lxml": ["upstream-tests/lxml"],
    }
    assert due_after(docs, {"numpy": TWO}) == {"numpy": ["performance.md#speed"]}
    assert due_after(docs, {}) == {}
