"""Each of pandas' compiled modules by a small call whose result follows by hand."""

import csv
import datetime
import importlib
import io
import operator
import struct
import zoneinfo

import numpy as np
import pandas as pd
import pytest
from pandas._libs import (
    _cyutility,
    _ujson,
    algos,
    arrays,
    byteswap,
    groupby,
    hashing,
    hashtable,
    index,
    indexing,
    internals,
    interval,
    join,
    lib,
    missing,
    ops,
    ops_dispatch,
    parsers,
    properties,
    reshape,
    sparse,
    testing,
    tslib,
    writers,
)
from pandas._libs.tslibs import (
    base,
    ccalendar,
    conversion,
    dtypes,
    fields,
    nattype,
    np_datetime,
    offsets,
    parsing,
    period,
    strptime,
    timedeltas,
    timestamps,
    timezones,
    tzconversion,
    vectorized,
)
from pandas._libs.window import aggregations, indexers

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
HOUR, DAY = 3600 * 10**9, 86400 * 10**9
SUMMER = (20637 * 24 + 12) * HOUR  # 2026-07-03 12:00, in nanoseconds since 1970
FULL_BUFFER = 0x11C  # PyBUF_FULL_RO of Python's object.h
MONTHLY, DAILY = 3000, 6000  # codes of periods
SERIES = pd.Series([1, 2])


def ints(*values, dtype=np.int64):
    return np.array(values, dtype=dtype)


def objects(*values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def plain(value):
    """Return ``value`` with lists in the place of arrays and of what is like one."""
    if isinstance(value, tuple):
        return tuple(plain(each) for each in value)
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return value.tolist() if hasattr(value, "tolist") else value


def nanoseconds(array):
    return array.astype(f"{array.dtype.kind}8[ns]").view("i8")


def group_sums():
    out, counts = np.zeros((2, 1)), np.zeros(2, np.int64)
    groupby.group_sum(out, counts, np.array([[1.0], [2], [4]]), ints(0, 1, 0, dtype=np.intp), None)
    return out, counts


def unstacked():
    new, values = np.zeros((2, 2)), np.array([[1.0], [2], [3]])
    # Row by row: the second place of the second row has no value.
    reshape.unstack(values, np.array([1, 1, 1, 0], np.uint8), 1, 2, 2, new)
    return new


def csv_lines():
    target = io.StringIO()
    columns, row_names, column_names = [objects(1, 2), objects("a,b", "c")], objects("x", "y"), objects("n", "s")
    writers.write_csv_rows(columns, row_names, 1, column_names, csv.writer(target))
    return target.getvalue()


class Frame:
    axis = properties.AxisProperty(axis=0)

    def __init__(self):
        self._mgr = type("Manager", (), {"axes": ["rows", "columns"]})
        self.calls = 0

    @properties.cache_readonly
    def once(self):
        self.calls += 1
        return self.calls


CALLS = {
    "_cyutility": (
        lambda: np.asarray(_cyutility.memoryview(np.arange(6).reshape(2, 3), FULL_BUFFER).T),
        [[0, 3], [1, 4], [2, 5]],
    ),
    "_ujson": (lambda: _ujson.ujson_loads(_ujson.ujson_dumps([2**53, None, "\u2028"])), [2**53, None, "\u2028"]),
    "algos": (lambda: algos.rank_1d(np.array([5.0, 1, 5, 2])), [3.5, 1, 3.5, 2]),
    "arrays": (
        lambda: arrays.NDArrayBacked(np.arange(6).reshape(2, 3), np.dtype("i8")).T.reshape(1, 6)._ndarray,
        [[0, 3, 1, 4, 2, 5]],
    ),
    "byteswap": (lambda: byteswap.read_double_with_byteswap(b"?" + struct.pack(">dx", -2.5), 1, True), -2.5),
    "groupby": (group_sums, ([[5], [2]], [2, 1])),
    # Appendix A of the paper on SipHash: 15 bytes 00 … 0e with the key 00 … 0f.
    "hashing": (
        lambda: hashing.hash_object_array(objects(bytes(range(15))), bytes(range(16)).decode(), "utf8"),
        [0xA129CA6149BE45E5],
    ),
    "hashtable": (lambda: hashtable.duplicated(ints(2**62, 1, 2**62)), [False, False, True]),
    "index": (lambda: index.Int64Engine(ints(7, -(2**63), 9)).get_indexer(ints(9, 8, -(2**63))), [2, -1, 1]),
    "indexing": (lambda: indexing.NDFrameIndexerBase("loc", np.zeros((2, 2))).ndim, 2),
    "internals": (
        lambda: (
            internals.BlockPlacement(slice(1, 7, 2)).append([internals.BlockPlacement(3)]).as_array,
            internals.get_blkno_indexers(ints(0, 0, 1)),
        ),
        ([1, 3, 5, 3], [(0, slice(0, 2)), (1, slice(2, 3))]),
    ),
    "interval": (
        lambda: interval.IntervalTree(ints(0, 2, 4), ints(2, 4, 6), closed="right").get_indexer(np.array([0, 2, 5.0])),
        [-1, 0, 2],
    ),
    "join": (lambda: join.inner_join(ints(0, 1, dtype=np.intp), ints(1, 1, dtype=np.intp), 2), ([1, 1], [0, 1])),
    "lib": (lambda: lib.infer_dtype(objects(datetime.date(2026, 11, 21), None), skipna=True), "date"),
    "missing": (lambda: missing.isnaobj(objects(1, None, np.nan, pd.NaT, pd.NA, "")), [False, *4 * [True], False]),
    "ops": (lambda: ops.vec_compare(objects(1, "b"), objects(1.0, "a"), operator.gt), [False, True]),
    "ops_dispatch": (
        lambda: ops_dispatch.maybe_dispatch_ufunc_to_dunder_op(SERIES, np.subtract, "__call__", 9, SERIES),
        [8, 7],
    ),
    # Both hand others their functions in a capsule: these are of tslibs and of lib.
    "pandas_datetime": (
        lambda: tslib._test_parse_iso8601("2026-07-03T12:00:00.25"),
        pd.Timestamp(SUMMER + HOUR // 14400),
    ),
    "pandas_parser": (lambda: lib.maybe_convert_numeric(objects("1.5e-3", "-inf"), set())[0], [0.0015, -np.inf]),
    "parsers": (
        lambda: parsers.TextReader(io.StringIO("a,b\n1,2.5\n-3,4\n"), header=0, na_values=set(), na_fvalues=set()).read(
            None
        ),
        {0: [1, -3], 1: [2.5, 4]},
    ),
    "properties": (lambda: operator.attrgetter("once", "once", "axis")(Frame()), (1, 1, "rows")),
    "reshape": (unstacked, [[1, 2], [3, 0]]),
    "sparse": (
        lambda: (
            sparse.IntIndex(6, ints(0, 1, 4, dtype=np.int32))
            .to_block_index()
            .make_union(sparse.BlockIndex(6, ints(1, dtype=np.int32), ints(2, dtype=np.int32)))
            .to_int_index()
            .indices
        ),
        [0, 1, 2, 4],
    ),
    "testing": (lambda: testing.assert_almost_equal({"a": [1.0, 2]}, {"a": [1, 2 + 1e-9]}), True),
    "tslib": (lambda: tslib.format_array_from_datetime(ints(SUMMER, -(2**63)), format="%d.%m."), ["03.07.", "NaT"]),
    "writers": (lambda: (csv_lines(), writers.word_len("Straße")), ('x,1,"a,b"\r\ny,2,c\r\n', 6)),
    "tslibs.base": (lambda: isinstance(pd.Timestamp(0), base.ABCTimestamp), True),
    "tslibs.ccalendar": (
        lambda: (ccalendar.get_days_in_month(2100, 2), ccalendar.get_iso_calendar(2027, 1, 1)),
        (28, (2026, 53, 5)),
    ),
    "tslibs.conversion": (
        lambda: conversion.cast_from_unit_vectorized(np.array([1.5, -0.25]), "h"),
        [3 * HOUR // 2, -HOUR // 4],
    ),
    "tslibs.dtypes": (lambda: (dtypes.periods_per_day(), dtypes.Resolution.RESO_HR.attrname), (DAY, "hour")),
    "tslibs.fields": (
        lambda: (fields.get_date_field(ints(SUMMER, -1), "doy"), fields.get_date_name_field(ints(SUMMER), "day_name")),
        ([31 + 28 + 31 + 30 + 31 + 30 + 3, 365], ["Friday"]),
    ),
    "tslibs.nattype": (lambda: (pd.NaT + pd.Timedelta(1) is nattype.NaT, nattype.NaT == nattype.NaT), (True, False)),
    "tslibs.np_datetime": (
        lambda: np_datetime.astype_overflowsafe(np.array(["2026-07-03"], "M8[D]"), np.dtype("M8[ns]")).view("i8"),
        [SUMMER - 12 * HOUR],
    ),
    "tslibs.offsets": (
        lambda: (offsets.shift_months(ints(SUMMER + 28 * DAY), -1), datetime.date(2026, 7, 3) + offsets.BDay(1)),
        ([SUMMER - 3 * DAY], pd.Timestamp("2026-07-06")),
    ),
    "tslibs.parsing": (
        lambda: (
            parsing.guess_datetime_format("21.11.2026", dayfirst=True),
            parsing.parse_datetime_string_with_reso("July 2026"),
        ),
        ("%d.%m.%Y", (pd.Timestamp("2026-07-01"), "month")),
    ),
    "tslibs.period": (
        lambda: (
            period.period_ordinal(2026, 7, 3, 0, 0, 0, 0, 0, MONTHLY),
            period.period_asfreq_arr(ints(1, -1), MONTHLY, DAILY, True),
        ),
        (56 * 12 + 6, [31 + 28 - 1, -1]),
    ),
    "tslibs.strptime": (
        lambda: nanoseconds(
            strptime.array_strptime(objects("3. July 26, 12h", "-"), "%d. %B %y, %Hh", errors="coerce")[0]
        ),
        [SUMMER, -(2**63)],
    ),
    "tslibs.timedeltas": (
        lambda: nanoseconds(timedeltas.array_to_timedelta64(objects("1 days 02:00:00", None))),
        [26 * HOUR, -(2**63)],
    ),
    "tslibs.timestamps": (lambda: timestamps.Timestamp(SUMMER, tz=BERLIN).isoformat(), "2026-07-03T14:00:00+02:00"),
    "tslibs.timezones": (
        lambda: (timezones.is_utc(datetime.UTC), timezones.is_fixed_offset(BERLIN), timezones.get_timezone(BERLIN)),
        (True, False, "Europe/Berlin"),
    ),
    "tslibs.tzconversion": (
        lambda: (
            tzconversion.tz_localize_to_utc(ints(SUMMER), BERLIN),
            tzconversion.tz_convert_from_utc_single(np.int64(SUMMER - 180 * DAY), BERLIN),
        ),
        ([SUMMER - 2 * HOUR], SUMMER - 180 * DAY + HOUR),
    ),
    "tslibs.vectorized": (
        lambda: (
            vectorized.normalize_i8_timestamps(ints(SUMMER + 11 * HOUR), BERLIN, 10),
            vectorized.ints_to_pydatetime(ints(SUMMER), BERLIN),
        ),
        ([SUMMER + 12 * HOUR], [datetime.datetime(2026, 7, 3, 14, tzinfo=BERLIN)]),
    ),
    "window.aggregations": (
        lambda: aggregations.roll_sum(np.array([1.0, 2, 4]), ints(0, 0, 1), ints(1, 2, 3), 1),
        [1, 3, 6],
    ),
    "window.indexers": (
        lambda: indexers.calculate_variable_window_bounds(4, 3, 1, False, "right", ints(0, 1, 3, 9)),
        ([0, 0, 1, 3], [1, 2, 3, 4]),
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_module(name):
    assert importlib.import_module(f"pandas._libs.{name}").__file__.endswith(".so")
    call, expected = CALLS[name]
    assert plain(call()) == expected
