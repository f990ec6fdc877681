"""What a foreign server sends, read within bounds: encoded bytes, JSON, HTML."""

from __future__ import annotations

import json
import re
import time
import zlib
from itertools import accumulate
from math import prod
from typing import TYPE_CHECKING, Any

import brotli
import httpx

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from html.parser import HTMLParser

JSON_DEPTH = 100
"""Lists and objects inside one another."""
JSON_VALUES = 2_000_000
MOST_TAGS = 500
"""Tags of one file name: a few characters can stand for a great many (PEP 425)."""
_LONGEST_NAME = 250
HTML_SECONDS = 10.0
HTML_TAGS = 500_000
_HTML_TAG = 1 << 18
"""Characters of a tag, comment or text that is still open: the parser reads these again with every piece."""
_PIECE = 1 << 16
_DECODED = 1 << 20
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
"""One that has no end goes to the end: so each byte is looked at once."""
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_NOT_STRUCTURE = bytes(set(range(256)) - set(b"[]{},"))
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def parse_json(data: bytes, *, depth: int = JSON_DEPTH, values: int = JSON_VALUES) -> Any:
    """Return what JSON says. Raises `ValueError` if it is none, or nests deeper or has more values than that.

    Half a surrogate pair is none: such text could not be written anywhere.
    """
    structure = _STRING.sub(b"", data).translate(None, _NOT_STRUCTURE)
    if len(structure) > 2 * values:
        raise ValueError(f"JSON with more than {values:,} values")
    if max(accumulate(_STEP.get(byte, 0) for byte in structure), default=0) > depth:
        raise ValueError(f"JSON that nests more than {depth} levels deep")
    try:
        document = json.loads(data.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("JSON that nests too deep") from error
    if _SURROGATE.search(data):
        try:
            json.dumps(document, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("JSON with half a surrogate pair") from None
    return document


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def is_modest(filename: str) -> bool:
    """Tell whether a file name is short, and a wheel's name stands for no more tags than a wheel has."""
    if not filename.endswith(".whl"):
        return len(filename) <= _LONGEST_NAME
    tags = prod(part.count(".") + 1 for part in filename.removesuffix(".whl").split("-")[-3:])
    return len(filename) <= _LONGEST_NAME and tags <= MOST_TAGS


def feed_within(parser: HTMLParser, text: str, *, seconds: float = HTML_SECONDS) -> None:
    """Have ``parser`` read a page. Raises `ValueError` for one that is made to take for ever."""
    if text.count("<") > HTML_TAGS:
        raise ValueError(f"HTML with more than {HTML_TAGS:,} tags")
    until = time.monotonic() + seconds
    for start in range(0, len(text), _PIECE):
        parser.feed(text[start : start + _PIECE])
        if len(parser.rawdata) > _HTML_TAG:
            raise ValueError(f"HTML with a tag of more than {_HTML_TAG:,} characters")
        if time.monotonic() > until:
            raise ValueError(f"HTML that takes more than {seconds:.0f} s to read")


class _Shortened(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream, limit: int) -> None:
        self._stream = stream
        self._limit = limit

    def __iter__(self) -> Iterator[bytes]:
        left = self._limit
        for piece in self._stream:
            yield piece[:left]
            left -= len(piece)
            if left <= 0:
                return

    def close(self) -> None:
        self._stream.close()


def shorten(response: httpx.Response, *, limit: int) -> None:
    """Have httpx, which reads what it acts on to its end, read no more than ``limit`` bytes, and unpack nothing."""
    if isinstance(response.stream, httpx.SyncByteStream) and not response.is_stream_consumed:
        response.stream = _Shortened(response.stream, limit)
        response.headers.pop("content-encoding", None)


def body_of(response: httpx.Response, *, limit: int) -> bytes:
    """Return the body of an answer, which httpx would unpack to any size. Raises `ValueError`."""
    if response.is_stream_consumed:  # by httpx, for an answer that it acted on
        return response.content
    content = bytearray()
    for piece in response.iter_raw():
        content += piece
        if len(content) > limit:
            raise ValueError(f"it is larger than {limit} bytes")
    return decoded(bytes(content), response.headers.get("content-encoding", ""), limit=limit)


def decoded(raw: bytes, coding: str, *, limit: int) -> bytes:
    """Undo a Content-Encoding. Raises `ValueError` if ``raw`` is not encoded like that, or for over ``limit`` bytes."""
    return b"".join(decoding([raw], coding, limit=limit))


def decoding(pieces: Iterable[bytes], coding: str, *, limit: int) -> Iterator[bytes]:
    """Undo a Content-Encoding piece by piece, in little memory. Raises like `decoded`."""
    match coding.strip().lower():
        case "" | "identity":
            unpacked: Iterator[bytes] = iter(pieces)
        case "gzip" | "x-gzip":
            unpacked = _gunzipped(pieces)
        case "br":
            unpacked = _unbrotlied(pieces)
        case other:
            raise ValueError(f"Content-Encoding {other!r} is not known")
    done = 0
    try:
        for piece in unpacked:
            done += len(piece)
            if done > limit:
                raise ValueError(f"it unpacks to more than {limit:,} bytes")
            yield piece
    except (zlib.error, brotli.error) as error:
        raise ValueError(f"the bytes are not {coding}: {error}") from error


def _gunzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    stream = zlib.decompressobj(wbits=31)
    for piece in pieces:
        rest = piece
        while rest and not stream.eof:
            yield stream.decompress(rest, _DECODED)
            rest = stream.unconsumed_tail
    while not stream.eof and (last := stream.decompress(b"", _DECODED)):
        yield last
    if not stream.eof:
        raise zlib.error("they end too early")


def _unbrotlied(pieces: Iterable[bytes]) -> Iterator[bytes]:
    stream = brotli.Decompressor()
    for piece in pieces:
        yield stream.process(piece, output_buffer_limit=_DECODED)
        while not stream.can_accept_more_data() and not stream.is_finished():
            yield stream.process(b"", output_buffer_limit=_DECODED)
    if not stream.is_finished():
        raise brotli.error("they end too early")
