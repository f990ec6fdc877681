"""pandas' compiled modules hand each other times, intervals, indexes and blocks; copies, pickles and errors cross."""

import copy
import datetime
import io
import json
import pickle
import zoneinfo

import numpy as np
import pandas as pd
import pytest
from pandas._libs import hashtable, internals, lib, sparse, tslib
from pandas._libs.tslibs import offsets, parsing, vectorized
from pandas._libs.tslibs.period import IncompatibleFrequency
from pandas.tseries.frequencies import to_offset

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
NOON = pd.Timestamp("2026-07-03 12:00", tz=BERLIN)
MONTH = pd.Period("2026-07", "M")
HALF = pd.Interval(pd.Timestamp("2026-01-01"), pd.Timestamp("2026-07-01"), closed="left")
SCALARS = [NOON, pd.Timestamp("1677-09-22"), pd.Timestamp(1, unit="ns"), pd.Timedelta("-1 days 00:00:00.000000001")]
SCALARS += [MONTH, pd.Interval(0, 1), HALF, pd.NaT, pd.NA]


@pytest.mark.parametrize(
    ("left", "right", "total"),
    [
        (pd.Timestamp("2026-02-28"), pd.Timedelta(days=1), pd.Timestamp("2026-03-01")),
        (pd.Timestamp("2026-01-31"), offsets.MonthEnd(), pd.Timestamp("2026-02-28")),
        (pd.Timestamp("2024-02-29"), offsets.DateOffset(years=1), pd.Timestamp("2025-02-28")),
        (NOON + pd.Timedelta(days=114), pd.Timedelta(days=1), pd.Timestamp("2026-10-26 11:00", tz=BERLIN)),
        (pd.Timestamp("2026-07-03"), offsets.CustomBusinessDay(holidays=["2026-07-06"]), pd.Timestamp("2026-07-07")),
        (pd.Timestamp("2026-01-01"), offsets.Easter(), pd.Timestamp("2026-04-05")),
        (pd.Timedelta(hours=1), offsets.Minute(30), pd.Timedelta(minutes=90)),
        (MONTH, offsets.MonthEnd(6), pd.Period("2027-01", "M")),
        (pd.Period("2026-07-03", "D"), pd.Timedelta(days=29), pd.Period("2026-08-01", "D")),
        (HALF, -HALF.length, pd.Interval(HALF.left - HALF.length, HALF.left, "left")),
        (pd.NaT, pd.Timedelta(1), pd.NaT),
        (pd.NA, 1, pd.NA),
    ],
)
def test_scalars_of_one_module_added_to_those_of_another(left, right, total):
    for found in (left + right, right + left):
        assert found is total if pd.isna(total) else found == total
        assert type(found) is type(total)


def test_scalars_turn_into_each_other():
    assert MONTH.start_time == pd.Timestamp("2026-07-01")
    assert pd.Timedelta(0) < pd.Timestamp("2026-08-01") - MONTH.end_time <= pd.Timedelta("1us")
    assert NOON.tz_localize(None).to_period("M") == MONTH
    assert HALF.length == pd.Timedelta(days=31 + 28 + 31 + 30 + 31 + 30)
    assert HALF.mid == pd.Timestamp("2026-04-01 12:00")
    assert NOON.floor("D") == pd.Timestamp("2026-07-03", tz=BERLIN)
    assert pd.Timestamp("2026-07-03 10:00", tz="UTC") == NOON
    assert hash(pd.Timestamp("2026-07-03 10:00", tz="UTC")) == hash(NOON) == hash(NOON.to_pydatetime())
    assert NOON - pd.Timestamp("2026-07-03", tz="UTC") == pd.Timedelta(hours=10)
    assert to_offset(pd.Timedelta(minutes=90)) == offsets.Minute(90)


@pytest.mark.parametrize("value", SCALARS, ids=lambda value: type(value).__name__)
def test_hash_tables_hold_objects_of_other_modules(value):
    table = hashtable.PyObjectHashTable()
    table.set_item(value, 7)
    assert table.get_item(pickle.loads(pickle.dumps(value))) == 7
    codes, uniques = pd.factorize(np.array([value, 1, value], dtype=object), use_na_sentinel=False)
    assert codes.tolist() == [0, 1, 0]
    assert len(uniques) == 2
    assert pd.Index([1, value], dtype=object).get_indexer([value, 1]).tolist() == [1, 0]


@pytest.mark.parametrize(
    "values",
    [
        pd.date_range("2026-03-28", periods=3, freq="D", tz=BERLIN),
        pd.period_range("2026-07", periods=3, freq="M"),
        pd.timedelta_range("1h", periods=3, freq="90min"),
        pd.interval_range(0, 3),
        pd.interval_range(pd.Timestamp("2026-01-01"), periods=3, freq="D"),
        pd.CategoricalIndex(["b", "a", "c"]),
        pd.Index([1, None, 3], dtype="Int64"),
        pd.Index(["b", "a", None], dtype="str"),
        pd.MultiIndex.from_product([[1], pd.period_range("2026", periods=3, freq="Y")]),
    ],
    ids=lambda index: f"{type(index).__name__} {getattr(index, 'dtype', '')}",
)
def test_indexes_find_group_join_and_come_back(values):
    assert values.get_indexer(values[::-1]).tolist() == [2, 1, 0]
    frame = pd.DataFrame({"n": [1, 2, 4]}, index=values)
    assert frame.loc[values[1], "n"] == 2
    twice = pd.concat([frame, frame[::-1]])
    assert sorted(twice.groupby(twice.index, dropna=False)["n"].sum()) == [2, 4, 8]
    assert frame.join(frame.rename(columns={"n": "n2"}))["n2"].tolist() == [1, 2, 4]
    for again in (copy.copy, copy.deepcopy, lambda index: pickle.loads(pickle.dumps(index))):
        assert again(values).equals(values)
        assert again(values).dtype == values.dtype
        pd.testing.assert_frame_equal(again(frame), frame)


def test_offsets_make_bins_that_groups_use():
    index = pd.date_range("2026-10-24", periods=72, freq="h", tz=BERLIN)
    counts = pd.Series(1, index=index).resample("D").count()
    assert counts.tolist() == [24, 25, 23]  # the 25th has 25 hours, so that the last hour of the range is missing
    closes = pd.Series([1.0, 2, 4], index=pd.to_datetime(["2026-01-30", "2026-02-01", "2026-02-27"]))
    assert closes.resample("BME").sum().index.strftime("%m-%d").tolist() == ["01-30", "02-27"]
    assert closes.groupby(pd.Grouper(freq="MS")).sum().tolist() == [1, 6]


def test_windows_over_times():
    values = pd.Series([1.0, 2, 4, 8], index=pd.to_datetime([0, 1, 3, 9], unit="s"))
    assert values.rolling("3s").sum().tolist() == [1, 3, 6, 8]
    assert values.rolling("3s", closed="both").sum().tolist() == [1, 3, 7, 8]
    assert values.ewm(halflife="1s", times=values.index).mean().iloc[1] == pytest.approx((0.5 * 1 + 2) / 1.5)
    assert values.groupby([0, 0, 1, 1]).rolling("10s").max().tolist() == [1, 2, 4, 8]


def test_times_through_text():
    text = "when,zone,span\n2026-07-03 12:00,2026-07-03T12:00+02:00,1 days 00:00:01\n,,\n"
    frame = pd.read_csv(io.StringIO(text), parse_dates=["when"])
    frame["zone"] = pd.to_datetime(frame["zone"], utc=True).dt.tz_convert(BERLIN)
    frame["span"] = pd.to_timedelta(frame["span"])
    assert frame["when"].tolist() == [pd.Timestamp("2026-07-03 12:00"), pd.NaT]
    assert frame["zone"][0] == NOON
    assert frame.to_csv(index=False) == text.replace("12:00,2026", "12:00:00,2026").replace("T12:00+", " 12:00:00+")
    found = json.loads(frame.to_json(orient="records", date_format="iso", date_unit="s"))
    assert found[0] == {"when": "2026-07-03T12:00:00", "zone": "2026-07-03T10:00:00Z", "span": "P1DT0H0M1S"}
    assert set(found[1].values()) == {None}
    stamps = vectorized.ints_to_pydatetime(frame["zone"].dt.as_unit("ns").astype("i8").to_numpy()[:1], BERLIN)
    assert tslib.array_to_datetime_with_tz(stamps, BERLIN, False, False, 10).view("i8").tolist() == [NOON.value]


def test_blocks_and_sparse_indexes_take_each_other_s_arrays():
    frame = pd.DataFrame({"a": [1, 2], "b": [0.5, np.nan], "c": ["x", None], "d": [3, 4]})
    placed = {tuple(block.mgr_locs): block.values.dtype.kind for block in frame._mgr.blocks}
    assert placed[1,] == "f"
    assert all(isinstance(block.mgr_locs, internals.BlockPlacement) for block in frame._mgr.blocks)
    assert frame.drop(columns="b").T.loc["d"].tolist() == [3, 4]
    thin = pd.Series(pd.arrays.SparseArray([0, 0, 5, 0, 7], fill_value=0))
    assert isinstance(thin.array.sp_index, sparse.IntIndex)
    assert (thin + thin).sparse.to_dense().tolist() == [0, 0, 10, 0, 14]
    assert thin.array.sp_index.to_block_index().blocs.tolist() == [2, 4]
    assert thin.groupby([0, 0, 0, 1, 1]).sum().tolist() == [5, 7]
    assert pickle.loads(pickle.dumps(thin)).equals(thin)


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
@pytest.mark.parametrize("value", SCALARS, ids=lambda value: type(value).__name__)
def test_copies_of_scalars(value, again):
    other = again(value)
    assert type(other) is type(value)
    assert repr(other) == repr(value)
    assert other is value if pd.isna(value) else other == value
    assert getattr(other, "unit", None) == getattr(value, "unit", None)


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
@pytest.mark.parametrize(
    "value",
    [
        *(offsets.Day(2), offsets.Nano(3), offsets.BusinessDay(2), offsets.BusinessHour(start="10:00", end="17:30")),
        *(offsets.Week(weekday=2), offsets.WeekOfMonth(week=1, weekday=3), offsets.LastWeekOfMonth(weekday=4)),
        *(offsets.MonthEnd(2, normalize=True), offsets.SemiMonthBegin(day_of_month=10), offsets.BusinessMonthEnd()),
        *(offsets.QuarterBegin(startingMonth=2), offsets.YearEnd(month=6), offsets.Easter(), offsets.BYearBegin()),
        *(offsets.FY5253(weekday=4, startingMonth=8, variation="last"), offsets.CustomBusinessMonthBegin()),
        *(offsets.CustomBusinessDay(holidays=["2026-07-06"], weekmask="Mon Tue"), offsets.DateOffset(months=1, hour=3)),
        *(pd.PeriodDtype("2M"), pd.IntervalDtype("f8", "both"), pd.DatetimeTZDtype("us", BERLIN)),
        *(pd.CategoricalDtype(["a", 1], ordered=True), pd.SparseDtype("f8", 0.0), pd.Int8Dtype()),
        pd.StringDtype("python"),
    ],
    ids=repr,
)
def test_copies_of_offsets_and_types(value, again):
    other = again(value)
    assert type(other) is type(value)
    assert other == value
    assert hash(other) == hash(value)
    if isinstance(value, offsets.BaseOffset):
        assert pd.Timestamp("2026-07-03 11:00") + other == pd.Timestamp("2026-07-03 11:00") + value


class OwnError(Exception):
    pass


def fails(*_arguments, **_options):
    raise OwnError("from Python")


class Zone(datetime.tzinfo):
    utcoffset = dst = tzname = fails


class Source(io.StringIO):
    def read(self, *_arguments):
        raise OwnError("from Python")


def odd(**methods):
    return type("Odd", (), {"__hash__": lambda _self: 7, **methods})()


@pytest.mark.parametrize(
    "call",
    [
        lambda: pd.Series([1, 2]).map(fails),
        lambda: lib.map_infer(np.array([1], dtype=object), fails),
        lambda: pd.Series([1.0, 2]).rolling(1).apply(fails, raw=True),
        lambda: pd.Series([1.0, 2]).expanding().apply(fails),
        lambda: pd.read_csv(io.StringIO("a\n1\n"), converters={"a": fails}),
        lambda: pd.read_csv(io.StringIO("a\n1\n"), skiprows=fails),
        lambda: pd.read_csv(io.StringIO("a\n1\n"), usecols=fails),
        lambda: pd.read_csv(Source("a\n1\n")),
        lambda: pd.Series([odd()]).to_json(default_handler=fails),
        lambda: parsing.try_parse_dates(np.array(["1"], dtype=object), fails),
        lambda: pd.Timestamp("2026-07-03", tz=Zone()),
        lambda: pd.Timestamp(datetime.datetime(2026, 7, 3, tzinfo=Zone())),
        lambda: hashtable.PyObjectHashTable().set_item(odd(__hash__=fails), 1),
        lambda: pd.factorize(np.array([odd(__hash__=fails)], dtype=object)),
        lambda: pd.Series([odd(__eq__=fails, __hash__=lambda _self: 7)]) == 1,
        lambda: pd.Series([odd(__lt__=fails), odd(__lt__=fails)]).sort_values(),
        lambda: pd.Series([odd(__add__=fails)]) + 1,
        lambda: pd.DataFrame({"a": [1, 2]}).groupby(fails).sum(),
        lambda: pd.DataFrame({"a": [1, 2]}).groupby("a").apply(fails),
        lambda: pd.Series(pd.date_range("2026", periods=2)).map(fails),
    ],
)
def test_errors_in_callbacks_arrive_unchanged(call):
    for _ in range(5):
        with pytest.raises(OwnError, match="from Python"):
            call()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: hashtable.Int64HashTable().lookup(np.array([1.5])), ValueError, "Buffer dtype mismatch"),
        (lambda: hashtable.Int64HashTable().get_item(1), KeyError, "1"),
        (lambda: pd.Index([1, 2]).get_loc(3), KeyError, "3"),
        (lambda: pd.Series([[1]]).unique(), TypeError, "unhashable"),
        (lambda: pd.Timestamp("no time"), ValueError, "no time"),
        (lambda: pd.to_datetime(["31.2.2026"], format="%d.%m.%Y"), ValueError, "day"),
        (lambda: pd.Timestamp.max + pd.Timedelta(1), pd.errors.OutOfBoundsDatetime, ".+"),
        (lambda: pd.Timedelta(2**62, "D"), pd.errors.OutOfBoundsTimedelta, ".+"),
        (lambda: pd.Period("2026", "M") - pd.Period("2026", "D"), IncompatibleFrequency, "different freq"),
        (lambda: to_offset("5 fortnights"), ValueError, "Invalid frequency"),
        (lambda: pd.Interval(2, 1), ValueError, "left side of interval must be <= right side"),
        (lambda: sparse.IntIndex(2, np.array([5], np.int32)), ValueError, "less than the length"),
        (lambda: bool(pd.NA), TypeError, "boolean value of NA is ambiguous"),
        (lambda: pd.Timestamp(0) > NOON, TypeError, "Cannot compare tz-naive and tz-aware"),
        (lambda: pd.to_datetime(["2026-03-29 02:30"]).tz_localize(BERLIN), ValueError, "2026-03-29 02:30:00"),
        (lambda: pd.read_csv(io.StringIO('a,b\n"1')), pd.errors.ParserError, "EOF inside string"),
    ],
)
def test_errors_of_the_modules(call, error, message):
    with pytest.raises(error, match=message):
        call()
