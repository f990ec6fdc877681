"""pandas' compiled parts: hash tables, joins, groups, windows, dates, edges of 64 bits, parsers, JSON."""

import io

import numpy as np
import pandas as pd
import pytest
from pandas._libs import _ujson, algos, groupby, hashtable, join, lib, parsers, reshape, tslib, writers
from pandas._libs.tslibs import nattype, parsing, timedeltas, timestamps
from pandas._libs.window import aggregations

EXTENSIONS = [
    *(_ujson, algos, groupby, hashtable, join, lib, parsers, reshape, tslib, writers),
    *(aggregations, nattype, parsing, timedeltas, timestamps),
]


@pytest.mark.parametrize("module", EXTENSIONS, ids=lambda module: module.__name__)
def test_c_extensions_are_in_use(module):
    assert module.__file__.endswith((".so", ".pyd"))


def test_sums_and_means_are_64_bit():
    values = pd.Series([2**31 - 1] * 10, dtype="int32")
    assert values.sum() == 10 * (2**31 - 1)
    assert values.sum().dtype == np.int64
    assert pd.Series([2**62, 2**62 - 1]).sum() == 2**63 - 1
    assert pd.Series([1, 2, None], dtype="Int64").sum() == 3


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint64", "float32", "float64", "str", "category"])
def test_groups(dtype):
    frame = pd.DataFrame({"key": np.array([3, 1, 3, 2, 1]).astype(object if dtype in ("str", "category") else dtype)})
    if dtype in ("str", "category"):
        frame["key"] = frame["key"].astype(str).astype(dtype)
    frame["value"] = [1.0, 2.0, 4.0, 8.0, np.nan]
    found = frame.groupby("key", observed=True)["value"].agg(["sum", "mean", "count", "max", "std"])
    assert found["sum"].tolist() == [2, 8, 5]
    assert found["mean"].tolist() == [2, 8, 2.5]
    assert found["count"].tolist() == [1, 1, 2]
    assert found["std"].iloc[2] == pytest.approx(np.sqrt(4.5))


def test_python_function_on_groups():
    frame = pd.DataFrame({"k": [1, 1, 2], "v": [1, 5, 9]})
    assert frame.groupby("k")["v"].apply(lambda group: group.max() - group.min()).tolist() == [4, 0]

    def fails(_group):
        raise LookupError("from Python")

    with pytest.raises(LookupError, match="from Python"):
        frame.groupby("k")["v"].agg(fails)


@pytest.mark.parametrize(("how", "keys"), [("inner", [2, 3]), ("left", [1, 2, 3]), ("outer", [1, 2, 3, 4])])
def test_joins(how, keys):
    left, right = (
        pd.DataFrame({"k": [1, 2, 3], "a": [10, 20, 30]}),
        pd.DataFrame({"k": [3, 2, 4], "b": [300, 200, 400]}),
    )
    found = left.merge(right, on="k", how=how).sort_values("k")
    assert found["k"].tolist() == keys
    assert found.set_index("k")["b"].get(2) == 200


def test_join_by_the_nearest_time():
    trades = pd.DataFrame({"t": pd.to_datetime(["2026-01-01 10:00:00.023", "2026-01-01 10:00:01.000"]), "x": [1, 2]})
    quotes = pd.DataFrame({"t": pd.to_datetime(["2026-01-01 10:00:00.0", "2026-01-01 10:00:00.5"]), "bid": [5, 6]})
    assert pd.merge_asof(trades, quotes, on="t")["bid"].tolist() == [5, 6]


def test_windows():
    values = pd.Series([1.0, 2, np.nan, 4, 8])
    assert values.rolling(2, min_periods=1).sum().tolist() == [1, 3, 2, 4, 12]
    assert values.rolling(3, min_periods=2).median().tolist()[1:] == [1.5, 1.5, 3, 6]
    assert values.expanding().max().tolist() == [1, 2, 2, 4, 8]
    assert values.ewm(alpha=0.5, adjust=False, ignore_na=True).mean().tolist() == [1, 1.5, 1.5, 2.75, 5.375]
    assert values.rolling(2).apply(lambda window: window[0] * 10 + window[1], raw=True).tolist()[1] == 12
    assert values.rank().tolist()[:2] == [1, 2]
    assert values.quantile(0.5) == 3


def test_times():
    # Nanoseconds since 1970 need 64 bits; the edges are those of Timestamp.
    assert pd.Timestamp("2262-04-11 23:47:16.854775807").value == 2**63 - 1
    assert pd.Timestamp("2026-11-21T19:30:00+01:00").value == 1795285800 * 10**9
    assert (pd.Timestamp("2026-03-01") - pd.Timestamp("2024-02-29")).days == 731
    zoned = pd.date_range("2026-10-25", periods=4, freq="h", tz="Europe/Berlin")
    assert zoned.tz_convert("UTC")[-1] == pd.Timestamp("2026-10-25 01:00", tz="UTC")
    assert pd.to_datetime(["21.11.2026", "1.2.2026"], format="%d.%m.%Y").strftime("%j").tolist() == ["325", "032"]
    assert pd.Period("2026-11", "M").asfreq("D", "end") == pd.Period("2026-11-30", "D")
    assert pd.Timedelta("1 days 02:03:04.000000005").value == 93784000000005
    with pytest.raises(pd.errors.OutOfBoundsDatetime):
        pd.Timestamp("2300-01-01").as_unit("ns")
    hours = pd.Series(range(48), index=pd.date_range("2026-01-01", periods=48, freq="h"))
    assert hours.resample("D").sum().tolist() == [276, 852]


def test_csv():
    text = 'a,b,c,d\n1,2.5,"x, ""y""",2026-11-21\n-9223372036854775808,1e-308,,\n3,0.1,é,2024-02-29\n'
    frame = pd.read_csv(io.StringIO(text), parse_dates=["d"])
    assert frame["a"].tolist() == [1, -(2**63), 3]
    assert frame["b"].tolist() == [2.5, 1e-308, 0.1]
    assert frame["c"].iloc[0] == 'x, "y"'
    assert frame["d"].dt.year.tolist()[::2] == [2026, 2024]
    assert pd.read_csv(io.StringIO(frame.to_csv(index=False)), parse_dates=["d"]).equals(frame)
    chunks = list(pd.read_csv(io.StringIO("x\n" + "7\n" * 10_000), chunksize=3000, low_memory=True))
    assert [len(chunk) for chunk in chunks] == [3000, 3000, 3000, 1000]
    with pytest.raises(pd.errors.ParserError, match="Expected 2 fields in line 3, saw 3"):
        pd.read_csv(io.StringIO("a,b\n1,2\n1,2,3\n"))


def test_json():
    frame = pd.DataFrame({"n": [1, 2**53], "x": [0.1, -1e300], "s": ['"\\/\u2028', "ü\U0001f600"]})
    back = pd.read_json(io.StringIO(frame.to_json(orient="records", double_precision=15)), orient="records")
    assert back["n"].tolist() == [1, 2**53]
    assert back["s"].tolist() == frame["s"].tolist()
    assert back["x"].tolist() == pytest.approx([0.1, -1e300])
    with pytest.raises(ValueError, match=r".+"):
        pd.read_json(io.StringIO('[{"a": 1'))


def test_shapes_and_keys():
    frame = pd.DataFrame({"d": ["a", "a", "b"], "k": ["x", "y", "x"], "v": [1, 2, 3]})
    wide = frame.pivot(index="d", columns="k", values="v")
    assert wide.loc["b", "x"] == 3
    assert wide.stack().sum() == 6
    assert pd.cut([1, 5, 9], [0, 4, 8, 12]).codes.tolist() == [0, 1, 2]
    assert pd.factorize(np.array([2**62, -1, 2**62]))[0].tolist() == [0, 1, 0]
    assert pd.util.hash_array(np.array([1, 2])).dtype == np.uint64
    assert pd.Index([3, 1, 2]).get_indexer([1, 9, 3]).tolist() == [1, -1, 0]
    assert pd.Series(["b", None, "a"]).value_counts(dropna=False).sum() == 3
    assert pd.Series(["Straße", "x"]).str.upper().tolist() == ["STRASSE", "X"]
    many = pd.Series(np.arange(200_000) % 7919)
    assert many.nunique() == 7919
    assert many.duplicated().sum() == 200_000 - 7919


def test_expressions():
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [10.0, 20.0, 30.0]})
    assert frame.query("a > 1 and b < 25")["a"].tolist() == [2]
    assert frame.eval("a * b + 1").tolist() == [11, 41, 91]
