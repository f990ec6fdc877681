from __future__ import annotations

import json

import pytest

from emwheels.errors import EmwheelsError
from emwheels.status.documents import due_after, recorded_reproductions, recorded_results
from emwheels.status.ledger import Ledger, RecordedResult, write_ledger

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
    write_ledger(Ledger(target="314.0.7", profile="speed", date="2026-11-22", wheels={}), tmp_path / "wheels.json")
    return tmp_path


def test_every_result(docs):
    assert recorded_results(docs) == [
        RecordedResult(name="upstream-tests/lxml", date="2025-01-01", wheels={}),
        RecordedResult(name="upstream-tests/scipy", date="2026-11-20", wheels={"scipy": ONE, "numpy": TWO}),
        RecordedResult(name="reproduce/scipy", date="2026-11-21", wheels={"scipy": TWO}),
        RecordedResult(name="performance.md#speed", date="2026-11-22", wheels={"numpy": ONE[:12], "scipy": "?"}),
    ]


def due(docs, contents, target="314.0.7", profile="speed"):
    return due_after(docs, contents, target=target, profile=profile)


def test_no_documents(tmp_path):
    assert recorded_results(tmp_path / "docs") == []
    assert due(tmp_path / "docs", {"numpy": ONE}) == {}


@pytest.mark.parametrize("text", ["{", "[]", "null", "{}", '{"date": "2026-11-22", "wheels": []}', b"\xff"])
@pytest.mark.parametrize("kind", ["upstream-tests", "reproduce"])
def test_a_file_that_is_no_result(docs, kind, text):
    path = docs / kind / "bad.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(EmwheelsError) as caught:
        recorded_results(docs)
    assert caught.value.message.startswith(f"{path}: not a result: ")
    assert caught.value.hint.startswith(f"make it again (emwheels {kind} bad)")
    assert due(docs, {"numpy": TWO}) == {}, "a build does not fail for a document"


def test_a_page_that_is_not_utf8(docs):
    (docs / "bad.md").write_bytes(b"caf\xe9")
    with pytest.raises(EmwheelsError, match=r"bad\.md: not UTF-8: "):
        recorded_results(docs)
    assert due(docs, {"numpy": ONE}) == {}, "a build does not fail for a document"


def test_a_ledger_that_is_none(docs):
    (docs / "wheels.json").write_text("{")
    assert due(docs, {"numpy": ONE}) == {}, "a build does not fail for a document"


def test_reproduced_builds(docs):
    path = docs / "reproduce" / "scipy.json"
    with pytest.raises(EmwheelsError) as caught:
        recorded_reproductions(docs)
    assert caught.value.message == f"{path}: not a result: it has no 'name'"
    row = {"name": "scipy", "version": "1", "same": False, "difference": "x", "how": "y", "date": "2026-11-21"}
    path.write_text(json.dumps(row | {"varied": []}))
    assert recorded_reproductions(docs) == [row | {"wheels": {}}]


def test_what_is_due_after_a_build(docs):
    assert due(docs, {"numpy": ONE, "scipy": ONE, "lxml": ONE, "zlib": ONE}) == {
        "numpy": ["upstream-tests/scipy"],
        "scipy": ["reproduce/scipy", "performance.md#speed"],
        "lxml": ["upstream-tests/lxml"],
    }
    assert due(docs, {"numpy": TWO}) == {"numpy": ["performance.md#speed"]}
    assert due(docs, {}) == {}


@pytest.mark.parametrize("other", [{"target": "315.0.0-alpha.2"}, {"profile": "size"}])
def test_nothing_is_due_for_wheels_that_the_documents_are_not_about(docs, other):
    assert due(docs, {"numpy": TWO}, **other) == {}
