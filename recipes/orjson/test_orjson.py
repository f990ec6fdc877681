"""orjson: values there and back, its own types, errors, and what it calls back into Python for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

import orjson
import pytest

TEXT = {"word": "straße \U0001f600", "list": [1, -2.5, None, True], "deep": {"a": {"b": [[]]}}, "big": 2**53}


def test_there_and_back():
    data = orjson.dumps(TEXT)
    assert orjson.loads(data) == TEXT == json.loads(data)
    assert orjson.loads(bytearray(data)) == TEXT
    assert list(orjson.loads(orjson.dumps(TEXT, option=orjson.OPT_SORT_KEYS))) == sorted(TEXT)


def test_many_records():
    records = [{"id": number, "name": f"n{number}", "part": number / 7} for number in range(20_000)]
    assert orjson.loads(orjson.dumps(records)) == records


def test_types_of_python():
    @dataclass
    class Point:
        x: int
        y: float

    when = datetime(2024, 2, 29, 12, 30, tzinfo=UTC)
    assert orjson.dumps([Point(1, 2.5), when, date(2024, 1, 1), UUID(int=1)]) == (
        b'[{"x":1,"y":2.5},"2024-02-29T12:30:00+00:00","2024-01-01","00000000-0000-0000-0000-000000000001"]'
    )


def test_an_error_says_where():
    with pytest.raises(orjson.JSONDecodeError, match="line 1 column"):
        orjson.loads(b'{"a": }')
    with pytest.raises(orjson.JSONEncodeError, match="not JSON serializable"):
        orjson.dumps({1, 2})


def test_default_is_called_and_may_raise():
    assert orjson.dumps({1}, default=list) == b"[1]"

    def broken(value):
        raise KeyError(value)

    with pytest.raises(orjson.JSONEncodeError) as caught:
        orjson.dumps(object(), default=broken)
    assert isinstance(caught.value.__cause__, KeyError)


def test_what_is_too_deep_is_an_error():
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads("[" * 2000 + "]" * 2000)
