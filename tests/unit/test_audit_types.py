"""emwheels.audit.types, on memory laid out here as clang lays out typeinfo (Itanium C++ ABI, 2.9.5) on wasm32."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emwheels.audit.contents import Contents
from emwheels.audit.types import Types, check_types, read_types, readable_name, split_types
from emwheels.audit.wasm import Memory

CLASS, SINGLE = ("GOT.mem._ZTVN10__cxxabiv1" + kind for kind in ("17__class_type_infoE", "20__si_class_type_infoE"))
NAMES = b"5Shape\0N4geos4geom5PointE\0\x01\0"
"""At 1000: the first name there, the second at 1007, and at 1029 what is no text."""


def memory(**words):
    """Return a memory with ``aADDRESS=`` an address in it, or the name of something that the loader looks up."""
    places = {int(name[1:]): value for name, value in words.items()}
    return Memory(
        segments=[(1000, NAMES)],
        pointers={place: value for place, value in places.items() if isinstance(value, int)},
        imported={place: value for place, value in places.items() if isinstance(value, str)},
    )


def types(own=(), shared=()):
    return Types(own=frozenset(own), shared=frozenset(shared))


def test_types_with_a_name_of_their_own_and_with_a_shared_one():
    found = read_types(memory(a100=CLASS, a104=1000, a200=SINGLE, a204="GOT.mem._ZTS6Circle", a300=SINGLE, a304=1007))
    assert found == types(["5Shape", "N4geos4geom5PointE"], ["6Circle"])


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"a100": CLASS},
        {"a100": "GOT.mem._ZTV5Shape", "a104": 1000},  # an object of a class
        {"a100": "GOT.func._ZTVN10__cxxabiv117__class_type_infoE", "a104": 1000},
        {"a100": CLASS, "a104": 9},  # outside the data
        {"a100": CLASS, "a104": len(NAMES) + 998},
        {"a100": CLASS, "a104": "GOT.mem.environ"},
        {"a100": 1000, "a104": 1000},
    ],
)
def test_what_is_no_typeinfo(words):
    assert read_types(memory(**words)) == types()


def split(**modules):
    return [(" ".join(members), names) for members, names in split_types(modules)]


def test_types_that_modules_keep_apart():
    assert split(a=types(["1A"]), b=types(["1A", "1B"])) == [("a b", ["1A"])]
    assert split(a=types(["1A"]), b=types([], ["1A"])) == [("a b", ["1A"])], "one of its own is enough"
    assert split(b=types(["1C", "1A"]), a=types(["1A", "1C"]), c=types(["1A"])) == [("a b c", ["1A"]), ("a b", ["1C"])]


@pytest.mark.parametrize(
    "modules",
    [
        {},
        {"a": types(["1A"])},
        {"a": types(["1A"]), "b": types(["1B"])},
        {"a": types([], ["1A"]), "b": types([], ["1A"])},
    ],
)
def test_types_that_are_one(modules):
    assert split(**modules) == []


@pytest.mark.parametrize(
    "name",
    [
        "N12_GLOBAL__N_11AE",
        "N3foo12_GLOBAL__N_11AE",
        "Z4mainEUlvE_",
        "ZN3foo3barEvEUliE0_",
        "N3fooUt_E",
        "Z4mainEUt0_",
        "ZL6helpervE1A",
    ],
)
def test_types_of_one_file_are_left_alone(name):
    assert split(a=types([name]), b=types([name])) == []


@pytest.mark.parametrize(
    "name", ["N4nano9ZLibErrorE", "9NLoptBase", "ZN3foo3barEvE1A", "N5Utils4RingIiE5_ImplE", "N5UlongIiE1AE"]
)
def test_types_whose_names_only_look_like_those_of_one_file(name):
    assert split(a=types([name]), b=types([name])) == [("a b", [name])]


def reported(modules, accepted=()):
    contents = Contents()
    check_types(modules, accepted, contents)
    return [(finding.severity, finding.rule, finding.member, finding.message) for finding in contents.findings]


def test_a_finding_names_modules_and_types():
    names = [f"N3lib{len(name)}{name}E" for name in ("Aa", "Bb", "Cc", "Dd", "Ee")]
    ((severity, rule, member, message),) = reported({"x/b.so": types(names), "x/a.so": types([], names)})
    assert (severity, rule, member) == ("error", "split-type", "x/a.so")
    assert message.startswith(
        "x/a.so, x/b.so keep C++ types apart that are the same (lib::Aa, lib::Bb, lib::Cc and 2 more): dynamic_cast"
    )
    assert "extra.emwheels.accepted" in message
    assert "more" not in reported({"a": types(names[:3]), "b": types(names[:3])})[0][3]


def test_each_set_of_modules_is_a_finding():
    found = reported({"a": types(["1A", "1B"]), "b": types(["1A", "1B"]), "c": types(["1B"])})
    assert [message.partition(" keep")[0] for *_, message in found] == ["a, b", "a, b, c"]


@pytest.mark.parametrize(
    ("accepted", "left"),
    [
        ([], "Shape, geos::geom::Point"),
        (["geos::geom::*"], "(Shape)"),
        (["geos::*", "Sh?pe"], ""),
        (["shape", "geos", "::geos::*"], "Shape, geos::geom::Point"),
        (["*"], ""),
    ],
)
def test_what_is_accepted_is_no_finding(accepted, left):
    both = types(["N4geos4geom5PointE", "5Shape"])
    found = reported({"a": both, "b": both}, accepted)
    assert bool(found) == bool(left)
    assert all(left in message for *_, message in found)


@pytest.mark.parametrize(
    ("mangled", "readable"),
    [
        ("5Shape", "Shape"),
        ("N4geos4geom5PointE", "geos::geom::Point"),
        ("N3foo12_GLOBAL__N_11AE", "foo::_GLOBAL__N_1::A"),
        ("12ABCDEFGHIJKL", "ABCDEFGHIJKL"),
        # What is a template, of the standard library, in a function or no name at all is left as it is.
        ("N4geos5indexIiEE", "N4geos5indexIiEE"),
        ("St9exception", "St9exception"),
        ("NSt3__212basic_stringE", "NSt3__212basic_stringE"),
        ("Z4mainE1A", "Z4mainE1A"),
        ("N3foo", "N3foo"),
        ("3fooE", "3fooE"),
        ("9short", "9short"),
        ("NE", "NE"),
        ("N0E", "N0E"),
        ("", ""),
        ("i", "i"),
        ("5\u0663Shape", "5\u0663Shape"),
        ("\u0663abc", "\u0663abc"),
    ],
)
def test_readable_names(mangled, readable):
    assert readable_name(mangled) == readable


@given(st.text() | st.text("N0123456789EIabS_."))
def test_any_text_has_a_readable_name(text):
    assert isinstance(readable_name(text), str)


@given(st.lists(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,30}", fullmatch=True), min_size=1, max_size=5))
def test_plain_and_nested_names_are_readable(parts):
    encoded = "".join(f"{len(part)}{part}" for part in parts)
    assert readable_name(f"N{encoded}E") == "::".join(parts)
    assert readable_name(encoded) == "::".join(parts)


@pytest.mark.timeout(60)
def test_a_long_name_that_is_none_ends():
    """Names are what a wheel says, up to 4000 bytes: a pattern that tries every way to read them would not end."""
    for text in ("N" + "1a" * 2000 + ".", "1" * 4000 + ".", "N" + "9" * 5000):
        assert readable_name(text) == text


def test_hidden_types_of_modules_that_share_others_are_a_warning():
    both = Types(own=frozenset({"5Shape"}), shared=frozenset({"6Square"}))
    contents = Contents()
    check_types({"a.so": both, "b.so": both}, (), contents)
    (finding,) = contents.findings
    assert (finding.severity, "they are hidden" in finding.message) == ("warning", True)
    contents = Contents()
    check_types({"a.so": both, "b.so": Types(own=frozenset({"5Shape"}), shared=frozenset())}, (), contents)
    assert [each.severity for each in contents.findings] == ["error"], "of one of them it cannot be told"
