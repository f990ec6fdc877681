from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emwheels.status.ledger import Ledger, LedgerWheel, RecordedResult
from emwheels.status.stamps import read_stamps, stamp, with_stamps

ONE, TWO = "0123456789abcdef" * 4, "fedcba9876543210" * 4
SHORT_ONE, SHORT_TWO = ONE[:12], TWO[:12]


def ledger(**contents):
    wheels = {
        name: LedgerWheel(
            name=name,
            version="1",
            kind="wheels",
            filename="x",
            sha256="",
            content=content,
            bytes=1,
            seconds=1,
            inputs="",
        )
        for name, content in contents.items()
    }
    return Ledger(target="314.0.7", profile="speed", date="2026-11-22", wheels=wheels)


DOCUMENT = f"""\
# Performance

## The demo, in 3 browsers: *quick*

| a | b |

<!-- wheels: numpy={SHORT_ONE} opencv-python=? 2026-11-22 -->

Text.

<!-- wheels: numpy={SHORT_TWO} 2026-11-20 -->
### Size
  <!-- wheels: scipy={SHORT_TWO} 2026-10-01 -->
"""


def test_a_stamp_names_wheels_and_day():
    text = stamp({"scipy": TWO, "numpy": ONE}, "2026-11-22")
    assert text == f"<!-- wheels: numpy={SHORT_ONE} scipy={SHORT_TWO} 2026-11-22 -->"
    (result,) = read_stamps("a.md", text)
    assert result == RecordedResult(name="a.md#", date="2026-11-22", wheels={"numpy": SHORT_ONE, "scipy": SHORT_TWO})


def test_each_stamp_is_a_result_named_after_its_heading():
    assert list(read_stamps("performance.md", DOCUMENT)) == [
        RecordedResult(
            name="performance.md#the-demo-in-3-browsers-quick",
            date="2026-11-22",
            wheels={"numpy": SHORT_ONE, "opencv-python": "?"},
        ),
        RecordedResult(
            name="performance.md#the-demo-in-3-browsers-quick-2", date="2026-11-20", wheels={"numpy": SHORT_TWO}
        ),
        RecordedResult(name="performance.md#size", date="2026-10-01", wheels={"scipy": SHORT_TWO}),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "<!-- wheels: numpy=abc -->",
        "<!-- wheels: numpy=abc 22.11.2026 -->",
        "<!-- numpy=abc 2026-11-22 -->",
        "see <!-- wheels: numpy=abc 2026-11-22 -->",
        "<!-- wheels: numpy=abc 2026-11-22 --> more",
        "    `<!-- wheels: numpy=abc 2026-11-22 -->`",
    ],
)
def test_other_lines_are_no_stamps(line):
    assert list(read_stamps("a.md", line)) == []
    assert with_stamps(f"{line}\n", ledger()) == f"{line}\n"


@pytest.mark.parametrize(
    ("wheels", "words"),
    [
        (f"numpy={SHORT_ONE}", f"*Of the present numpy; 2026-11-22; content `{SHORT_ONE}`.*"),
        (f"numpy={SHORT_TWO}", f"*Of **an earlier** numpy; 2026-11-22; content `{SHORT_TWO}`.*"),
        ("numpy=?", "*Of **an earlier** numpy; 2026-11-22.*"),
        (
            f"scipy={SHORT_TWO} numpy={SHORT_ONE}",
            f"*Of the present numpy, scipy; 2026-11-22; content `{SHORT_ONE}`, `{SHORT_TWO}`.*",
        ),
        (
            f"numpy={SHORT_ONE} scipy=? zlib={SHORT_ONE}",
            f"*Of the present numpy and **an earlier** scipy, zlib; 2026-11-22; content `{SHORT_ONE}`, `{SHORT_ONE}`.*",
        ),
    ],
)
def test_a_stamp_in_words(wheels, words):
    line = f"<!-- wheels: {wheels} 2026-11-22 -->"
    expected = f"# A\n{line}\n{words}\n\nText.\n"
    present = ledger(numpy=ONE, scipy=TWO)
    assert with_stamps(f"# A\n{line}\n\nText.\n", present) == expected
    assert with_stamps(expected, present) == expected
    assert with_stamps(f"# A\n{line}\n*Of the present wheel, which it was.*\n\nText.", present) == expected


def test_only_the_line_below_a_stamp_is_replaced():
    line = f"<!-- wheels: numpy={SHORT_ONE} 2026-11-22 -->"
    text = f"*Of old.*\n{line}\n*Of old.*\n*Of old.*\n{line}\n{line}\nOf old.\n"
    words = f"*Of the present numpy; 2026-11-22; content `{SHORT_ONE}`.*"
    expected = f"*Of old.*\n{line}\n{words}\n*Of old.*\n{line}\n{words}\n{line}\n{words}\nOf old.\n"
    assert with_stamps(text, ledger(numpy=ONE)) == expected


names = st.from_regex(r"[a-z][a-z0-9-]{0,9}", fullmatch=True)
contents = st.dictionaries(names, st.text("0123456789abcdef", min_size=64, max_size=64), min_size=1, max_size=4)


@given(contents, st.dates())
def test_any_stamp_is_read_as_it_was_written(wheels, date):
    (result,) = read_stamps("a.md", stamp(wheels, date.isoformat()))
    assert result == RecordedResult(
        name="a.md#", date=date.isoformat(), wheels={name: content[:12] for name, content in wheels.items()}
    )
    assert not result.is_stale(ledger(**wheels))


LINES = st.sampled_from(
    [
        "",
        "# A",
        "text",
        "*Of old.*",
        "*of old.*",
        "<!-- wheels: numpy=? 2026-11-22 -->",
        f" {stamp({'numpy': ONE}, '2026-01-01')}",
    ]
)


@given(st.lists(LINES | st.text(max_size=20)))
def test_stamps_are_written_once(lines):
    written = with_stamps("\n".join(lines), ledger(numpy=ONE))
    assert with_stamps(written, ledger(numpy=ONE)) == written
    assert list(read_stamps("", written)) == list(read_stamps("", "\n".join(lines)))
