"""A SAS file made here byte by byte: pandas' modules sas, byteswap and tslibs.conversion read it together."""

import io
import struct

import pandas as pd
import pytest

PAGE, PAGE_HEADER, POINTER = 4096, 24, 12
# Pages of the sas7bdat format's description (https://cran.r-project.org/package=sas7bdat).
MAGIC = bytes.fromhex("000000000000000000000000c2ea8160b31411cfbd92080009c7318c181f1011")
TEXT = b"valueday name DATE"  # the columns' names and the format of the second
COLUMNS = [(0, 5, 8, 1), (5, 3, 8, 1), (9, 4, 24, 2)]  # in TEXT: from, length; bytes in a row; number or text
ROW = struct.calcsize("<dd24s")


def sas_file(order, rows, compression=b"", raw_rows=()):
    """Return a file of one page: metadata and ``rows``, or ``raw_rows`` that are compressed."""

    def pack(layout, *values):
        return struct.pack(order + layout, *values)

    text = pack("H", 0) + bytes(10) + compression.ljust(40, b"\0") + TEXT
    at = len(text) - len(TEXT)
    width = bytearray(480)
    width[:4] = b"\xf7" * 4
    for place, value in ((5, ROW), (6, len(rows or raw_rows)), (9, len(COLUMNS)), (10, 0), (15, len(rows))):
        width[4 * place : 4 * place + 4] = pack("I", value)
    width[378:380] = pack("H", 8 if compression else 0)
    names = b"".join(pack("HHHH", 0, at + start, length, 0) for start, length, _, _ in COLUMNS)
    ends = [sum(column[2] for column in COLUMNS[:i]) for i in range(len(COLUMNS))]
    kinds = b"".join(
        pack("IIHBB", end, size, 4, kind, 0) for end, (_, _, size, kind) in zip(ends, COLUMNS, strict=True)
    )
    parts = [
        bytes(width),
        b"\xf6" * 4 + pack("II", len(COLUMNS), 0),
        pack("I", 0xFFFFFFFD) + pack("H", len(text)) + text[2:],
        pack("IHHHH", 0xFFFFFFFF, 0, 0, 0, 0) + names + bytes(12 - 4),
        pack("IHHHH", 0xFFFFFFFC, 0, 0, 0, 0) + kinds + bytes(12 - 4),
    ]
    for start, length in ((0, 0), (14, 4), (0, 0)):
        parts.append(pack("I", 0xFFFFFBFE) + bytes(30) + pack("HHHHHHH", 0, at + start, length, 0, 0, 0, 0) + bytes(4))
    parts += raw_rows
    page = bytearray(PAGE)
    page[16:22] = pack("HHH", 0 if compression else 0x200, len(parts) + len(rows), len(parts))
    end = PAGE
    for i, part in enumerate(parts):
        end -= len(part)
        page[end : end + len(part)] = part
        kind = (4, 1) if part in raw_rows else (0, 0)
        page[PAGE_HEADER + POINTER * i : PAGE_HEADER + POINTER * (i + 1)] = pack("IIBBH", end, len(part), *kind, 0)
    start = PAGE_HEADER + POINTER * len(parts)
    start += start % 8
    page[start : start + ROW * len(rows)] = b"".join(pack("dd24s", *row) for row in rows)
    header = bytearray(1024)
    header[:32] = MAGIC
    header[37], header[70] = order == "<", 20  # little-endian or not; UTF-8
    header[196:208] = pack("III", len(header), PAGE, 1)
    return io.BytesIO(header + page)


def read(file):
    return pd.read_sas(file, format="sas7bdat", encoding="utf-8")


@pytest.mark.parametrize("order", "<>")
def test_rows_of_either_byte_order(order):
    # Days are counted from 1960-01-01, and 1960 is a leap year.
    frame = read(sas_file(order, [(1.5, 366.0, b"ab"), (-1e300, -1.0, "Straße".encode()), (float("nan"), 0.0, b"")]))
    assert frame.columns.tolist() == ["value", "day", "name"]
    assert frame["value"].tolist()[:2] == [1.5, -1e300]
    assert frame["day"].dt.strftime("%Y-%m-%d").tolist() == ["1961-01-01", "1959-12-31", "1960-01-01"]
    assert frame["name"].tolist()[:2] == ["ab", "Straße"]
    assert frame.isna().iloc[2].tolist() == [True, False, True]


# Big-endian, 1.5 is 3f f8 and six zeros, 366.0 is 40 76 e0 and five zeros; the text is ab and 22 blanks.
RUN_LENGTHS = bytes.fromhex("81 3ff8 f4 82 4076e0 f3 81 6162 60 05")
# Ross's: 16 bits say which of what follows is a command: six zeros, 5 bytes of 9 before, 22 blanks.
ROSS = bytes.fromhex("2240 3ff8 0300 4076e0 5600 6162 130020")


@pytest.mark.parametrize(("name", "data"), [(b"SASYZCRL", RUN_LENGTHS), (b"SASYZCR2", ROSS)])
def test_compressed_rows(name, data):
    frame = read(sas_file(">", [], name, [data]))
    assert frame["value"].tolist() == [1.5]
    assert frame["day"].tolist() == [pd.Timestamp("1961-01-01")]
    assert frame["name"].tolist() == ["ab"]


@pytest.mark.parametrize(
    ("name", "data", "error", "message"),
    [
        (b"SASYZCRL", RUN_LENGTHS[:-1] + b"\x04", ValueError, "length 40 bytes but decompressed 39"),
        (b"SASYZCRL", b"\x50" + bytes(4), ValueError, "unknown control byte: 80"),
        (b"SASYZCRL", b"\x60\xff", AssertionError, "Out of bounds write"),
        (b"SASYZCR2", b"\0\0", AssertionError, "Out of bounds read"),
    ],
)
def test_damage_is_an_error_of_python(name, data, error, message):
    with pytest.raises(error, match=message):
        read(sas_file(">", [], name, [data]))


def test_another_file_is_refused():
    with pytest.raises(ValueError, match="magic number mismatch"):
        read(io.BytesIO(bytes(2000)))
