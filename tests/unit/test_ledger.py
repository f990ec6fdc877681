from __future__ import annotations

import dataclasses
import json
import zipfile

import pytest

from emwheels.errors import EmwheelsError
from emwheels.status.ledger import (
    UNKNOWN,
    Due,
    Ledger,
    LedgerWheel,
    RecordedResult,
    problems,
    read_due,
    read_ledger,
    write_ledger,
)
from emwheels.wheel import content_of

ONE, TWO = "1" * 64, "2" * 64


def wheel(name, content=ONE, inputs="i", **more):
    return LedgerWheel(
        name=name,
        version="1.0",
        kind="wheels",
        filename=f"{name}-1.0.whl",
        sha256="a" * 64,
        content=content,
        bytes=1234,
        seconds=5.6,
        inputs=inputs,
        **more,
    )


def ledger(*wheels):
    return Ledger(target="314.0.7", profile="speed", date="2026-11-22", wheels={wheel.name: wheel for wheel in wheels})


def result(name="upstream-tests/numpy", date="2026-11-20", **wheels):
    return RecordedResult(name=name, date=date, wheels=wheels)


# -- which results are of other wheels --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wheels", "others"),
    [
        ({"numpy": ONE}, []),
        ({"numpy": ONE[:12]}, []),
        ({"numpy": TWO}, ["numpy"]),
        ({"numpy": TWO[:12]}, ["numpy"]),
        ({"numpy": ONE + "1"}, ["numpy"]),
        ({"numpy": UNKNOWN}, ["numpy"]),
        ({"numpy": ""}, ["numpy"]),
        ({"zlib": ONE}, ["zlib"]),
        ({"scipy": TWO, "numpy": TWO, "pandas": ONE}, ["numpy", "pandas"]),
    ],
)
def test_wheels_that_were_others(wheels, others):
    present = ledger(wheel("numpy"), wheel("scipy", TWO))
    assert present.others(wheels) == others
    assert result(**wheels).is_stale(present) is bool(others)


def test_a_result_of_nobody_knows_what_is_stale():
    assert result().is_stale(ledger(wheel("numpy")))
    assert ledger().others({}) == []


def said(*results, wheels=None, due=(), inputs=None):
    """Say what is wrong; if nothing else is said, numpy is the only recipe, and was built of what it is made of."""
    return problems(ledger(*(wheels or [wheel("numpy")])), results, due, inputs or {"numpy": "i"})


def test_nothing_is_wrong():
    assert said() == []
    assert said(result(numpy=ONE), result("performance.md#x", numpy=ONE[:12])) == []


def test_a_result_of_another_wheel():
    both = {"numpy": "i", "scipy": "i"}
    assert said(result(numpy=TWO)) == ["upstream-tests/numpy: of another numpy (2026-11-20)"]
    assert said(result(numpy=ONE, scipy=ONE), wheels=[wheel("numpy"), wheel("scipy", TWO)], inputs=both) == [
        "upstream-tests/numpy: of another scipy (2026-11-20)"
    ]


def test_a_result_of_a_wheel_that_there_is_not():
    assert said(result(zlib=ONE)) == ["upstream-tests/numpy: of another zlib (2026-11-20)"]


def test_a_result_without_wheels():
    assert said(result()) == ["upstream-tests/numpy: nobody noted which wheel it is of (2026-11-20)"]


def test_a_recipe_that_changed_and_what_is_recorded_of_its_wheel():
    wheels, inputs = [wheel("numpy"), wheel("scipy")], {"numpy": "i", "scipy": "changed"}
    results = [result("b", numpy=ONE, scipy=ONE), result("a", numpy=ONE), result("c", scipy=TWO)]
    assert said(*results, wheels=wheels, inputs=inputs) == [
        "wheels/scipy: the recipe, its patches, flags or how it is linked have changed since it was built",
        "b: scipy is to be built again",
        "c: of another scipy (2026-11-20)",
    ]


def test_a_recipe_that_was_never_built():
    assert said(inputs={"numpy": "i", "new": "i"}) == ["wheels/new: no build of it is recorded"]


def test_a_wheel_without_a_recipe():
    assert said(result(zlib=ONE), wheels=[wheel("numpy"), wheel("zlib")]) == [
        "wheels.json: there is no recipe 'zlib': write the tables anew"
    ]


@pytest.mark.parametrize("pattern", ["upstream-tests/numpy", "upstream-tests/*", "*"])
def test_what_is_listed_is_no_problem(pattern):
    assert said(result(numpy=TWO), due=[Due(results=pattern, reason="it takes an hour")]) == []


def test_a_wheel_may_be_listed():
    due = [Due(results="wheels/new", reason="it takes an hour")]
    assert said(due=due, inputs={"numpy": "i", "new": "i"}) == []


def test_what_is_listed_in_vain():
    due = [Due(results="upstream-tests/*", reason="x"), Due(results="reproduce/numpy", reason="x")]
    assert said(result(numpy=TWO), result("reproduce/numpy", numpy=ONE), due=due) == [
        "due.yaml: nothing stale is called 'reproduce/numpy': remove the entry"
    ]
    assert said(result(numpy=TWO), due=iter(due[:1])) == []


def test_a_wheel_that_changes_by_one_byte_makes_its_rows_stale(tmp_path):
    def build(data):
        path = tmp_path / "numpy-1.0.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in {
                "numpy/core.so": data,
                "numpy/__init__.py": b"x = 1\n",
                "numpy-1.0.dist-info/METADATA": b"Name: numpy\n",
                "numpy-1.0.dist-info/RECORD": b"numpy/core.so,,\n",
            }.items():
                archive.writestr(name, content)
        return content_of(path)

    data = bytearray(b"\0asm\x01\0\0\0" + bytes(100))
    before = build(bytes(data))
    rows = [
        result(numpy=before),
        result("reproduce/numpy", numpy=before),
        result("performance.md#x", numpy=before[:12]),
    ]
    assert said(*rows, wheels=[wheel("numpy", before)]) == []
    assert build(bytes(data)) == before
    data[50] ^= 1
    after = build(bytes(data))
    assert said(*rows, wheels=[wheel("numpy", after)]) == [
        f"{name}: of another numpy (2026-11-20)"
        for name in ("performance.md#x", "reproduce/numpy", "upstream-tests/numpy")
    ]


# -- files ------------------------------------------------------------------------------------------------------------


def test_a_ledger_is_read_as_it_was_written(tmp_path):
    wheels = [wheel("scipy", engines={"node": "3 passed"}), wheel("numpy"), wheel("fünf", TWO)]
    path = tmp_path / "wheels.json"
    write_ledger(ledger(*wheels), path)
    assert read_ledger(path) == ledger(*wheels)
    assert [row["name"] for row in json.loads(path.read_text())["wheels"]] == ["fünf", "numpy", "scipy"]
    assert "fünf" in path.read_text(encoding="utf-8")
    before = path.read_bytes()
    write_ledger(read_ledger(path), path)
    assert path.read_bytes() == before


def test_no_ledger_is_an_empty_one(tmp_path):
    assert read_ledger(tmp_path / "wheels.json").wheels == {}


ROW = json.dumps(dataclasses.asdict(wheel("numpy")))
WRONG = (("1234", '"1234"'), ("5.6", "null"), ('"engines": {}', '"engines": []'), (f'"{ONE}"', "1"))
HEAD = '"target": "1", "profile": "speed", "date": "2026-11-22"'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "3",
        '"text"',
        "[]",
        "{}",
        '{"wheels": []}',
        f'{{{HEAD}, "wheels": null}}',
        f'{{{HEAD}, "wheels": ["numpy"]}}',
        f'{{{HEAD}, "wheels": [{{"name": "numpy"}}]}}',
        f'{{{HEAD}, "wheels": [{{}}]}}',
        f'{{{HEAD}, "colour": 1, "wheels": [{ROW}]}}',
        f'{{{HEAD}, "rules_in": 3, "wheels": []}}',
        *(f'{{{HEAD}, "wheels": [{ROW.replace(*change)}]}}' for change in WRONG),
        b"\xff",
    ],
)
def test_a_file_that_is_no_ledger(tmp_path, text):
    path = tmp_path / "wheels.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(EmwheelsError) as caught:
        read_ledger(path)
    assert caught.value.message.startswith(f"{path}: not a list of wheels: ")
    assert "emwheels tables" in caught.value.hint


def test_what_is_due(tmp_path):
    path = tmp_path / "due.yaml"
    assert read_due(path) == ()
    path.write_text("# nothing\n")
    assert read_due(path) == ()
    path.write_text(
        "- {results: upstream-tests/scipy, reason: it takes an hour}\n- results: '*'\n  reason: >\n    a\n    b\n"
    )
    assert read_due(path) == (
        Due(results="upstream-tests/scipy", reason="it takes an hour"),
        Due(results="*", reason="a b"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "text",
        "3",
        "- upstream-tests/scipy",
        "- {results: x}",
        "- {results: x, reason: ' '}",
        "- {results: {x: y}, reason: z}",
        "- {results: x, reason: y, until: z}",
        "x: {results: x, reason: y}",
        b"\xff\xff",
    ],
)
def test_a_file_that_is_no_list_of_what_is_due(tmp_path, text):
    path = tmp_path / "due.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(EmwheelsError) as caught:
        read_due(path)
    assert caught.value.message.startswith(f"{path}: ")


def test_an_entry_of_what_is_due_may_name_several_results(tmp_path):
    (tmp_path / "due.yaml").write_text("- {results: [a/b, 'c/*'], reason: a long one}\n- {results: d, reason: x}\n")
    found = [(entry.results, entry.reason) for entry in read_due(tmp_path / "due.yaml")]
    assert found == [("a/b", "a long one"), ("c/*", "a long one"), ("d", "x")]
