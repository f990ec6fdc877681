"""JSON, HTML, packed bytes and file names that are made to hurt whoever reads them."""

from __future__ import annotations

import gzip
import json
import zlib
from html.parser import HTMLParser

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emwheels.fetch.documents import JSON_DEPTH, decoded, feed_within, is_modest, parse_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=30)
@given(VALUES)
def test_json_is_read_as_json_does(value):
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        assert parse_json(text.encode()) == value


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"[" * 500_000, "more than 100 levels deep"),
        (b"[" * (JSON_DEPTH + 1) + b"]" * (JSON_DEPTH + 1), "more than 100 levels deep"),
        (b'{"a":' * 200 + b"1" + b"}" * 200, "more than 100 levels deep"),
        (b"[" + b"1," * 5_000_000 + b"1]", "more than 2,000,000 values"),
        (b"NaN", "NaN is not JSON"),
        (b"[Infinity]", "Infinity is not JSON"),
        (b'"\\ud800"', "half a surrogate pair"),
        (b'{"\\udfff": 1}', "half a surrogate pair"),
        ("[]".encode("utf-16"), "utf-8"),
        (b"\xff", "utf-8"),
        (b"", "Expecting value"),
        (b"1" * 5000, "digits"),
    ],
    ids=range(12),
)
def test_json_that_is_refused(data, words):
    with pytest.raises(ValueError, match=words):
        parse_json(data)


def test_brackets_in_strings_are_no_levels():
    assert parse_json(json.dumps(["[" * 1000, '\\"{{{' * 1000]).encode()) == ["[" * 1000, '\\"{{{' * 1000]
    assert parse_json(b'["\\ud83d\\ude00"]') == ["\N{GRINNING FACE}"]


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "data",
    [b'"' + b'\\"' * 2_000_000, b'"' * 2_000_001, b'"' + b"\\" * 2_000_001],
    ids=["escaped", "quotes", "backslashes"],
)
def test_a_string_without_end_is_read_once(data):
    with pytest.raises(ValueError, match=r"Unterminated|Extra data"):
        parse_json(data)


def test_html_within_bounds():
    parser = HTMLParser()
    feed_within(parser, "<a href='x'>x</a>" * 10)
    with pytest.raises(ValueError, match="a tag of more than"):
        feed_within(HTMLParser(), "<a " + "x" * (3 << 20))
    with pytest.raises(ValueError, match="more than 500,000 tags"):
        feed_within(HTMLParser(), "<a>" * 500_001)
    with pytest.raises(ValueError, match="to read"):
        feed_within(HTMLParser(), "<a>" * 10, seconds=-1)


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("br", brotli.compress)])
def test_what_is_packed_is_unpacked_within_a_limit(coding, pack):
    data = bytes(range(256)) * 100
    assert decoded(pack(data), coding, limit=len(data)) == data
    for wrong, words in (
        (pack(data + b"x"), "unpacks to more than 25,600 bytes"),
        (pack(data)[:-9], f"are not {coding}"),
        (b"no such thing", f"are not {coding}"),
    ):
        with pytest.raises(ValueError, match=words):
            decoded(wrong, coding, limit=len(data))


def test_a_coding_that_nobody_knows():
    assert decoded(b"x", "identity", limit=1) == b"x"
    with pytest.raises(ValueError, match="'deflate' is not known"):
        decoded(zlib.compress(b"x"), "deflate", limit=1)


@pytest.mark.parametrize(
    ("name", "modest"),
    [
        ("demo-1.0-py3-none-any.whl", True),
        ("demo-1.0-py2.py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", True),
        ("demo-1.0.tar.gz", True),
        (f"demo-1.0-{'.'.join('a' * 30)}-{'.'.join('b' * 30)}-any.whl", False),
        (f"{'x' * 300}-1.0-py3-none-any.whl", False),
        ("x" * 300, False),
    ],
)
def test_file_names(name, modest):
    assert is_modest(name) is modest
