"""Every method and function of regex's C module; copies, pickles, and errors that cross it."""

import copy
import pickle
import sys
import unicodedata
import weakref

import pytest
import regex
from regex import _regex

AGAIN = [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))]


def test_functions_that_the_python_part_calls():
    ignore = regex.UNICODE | regex.IGNORECASE
    assert _regex.get_code_size() == 4
    assert _regex.fold_case(ignore | regex.FULLCASE, "STRASSE \ufb01 \u1e9e") == "strasse fi ss"
    assert _regex.fold_case(ignore, "\u00df\u0130") == "\u00df\u0130"
    # K and the sign of Kelvin; the two small sigmas.
    assert sorted(_regex.get_all_cases(ignore, ord("k"))) == [ord("K"), ord("k"), 0x212A]
    assert sorted(map(chr, _regex.get_all_cases(ignore, ord("Σ")))) == ["Σ", "ς", "\u03c3"]
    expanding = {chr(code) for code in range(sys.maxunicode + 1) if len(chr(code).casefold()) > 1}
    ours = set(_regex.get_expand_on_folding())
    assert expanding <= ours
    assert {unicodedata.category(each) for each in ours - expanding} <= {"Cn"}
    values = {name: number for name, number in _regex.get_properties()["GC"][1].items() if name in ("LU", "ND")}
    number = _regex.get_properties()["GC"][0] << 16
    assert _regex.has_property_value(number | values["LU"], ord("A")) == 1
    assert _regex.has_property_value(number | values["ND"], ord("A")) == 0


def test_categories_are_those_of_python():
    codes = [*range(0x3400), *range(0xA000, 0xA800), *range(0x10000, 0x10400), *range(0x1D400, 0x1D800)]
    codes.remove(0x295)  # another one since Unicode 17
    text = "".join(chr(code) for code in codes if unicodedata.category(chr(code)) not in ("Cn", "Cs"))
    for category in (
        "Lu",
        "Ll",
        "Lt",
        "Lm",
        "Lo",
        "Mn",
        "Mc",
        "Nd",
        "Nl",
        "No",
        "Pd",
        "Ps",
        "Sc",
        "Sm",
        "So",
        "Zs",
        "Cf",
    ):
        expected = [each for each in text if unicodedata.category(each) == category]
        assert regex.findall(rf"\p{{{category}}}", text) == expected, category


def test_every_method_of_a_match():
    pattern = regex.compile(r"(?P<w>\w)+(\d)?")
    match = pattern.search("-ab1-", 0, sys.maxsize)
    assert match.re is pattern
    assert (match.pos, match.endpos, match.string, match.lastindex, match.lastgroup) == (0, 5, "-ab1-", 1, "w")
    assert (match.group(), match["w"], match[2], match.groups("none")) == ("ab1", "1", None, ("1", "none"))
    assert (match.start(), match.end("w"), match.span(2), match.regs) == (1, 4, (-1, -1), ((1, 4), (3, 4), (-1, -1)))
    assert (match.starts("w"), match.ends("w"), match.spans(2)) == ([1, 2, 3], [2, 3, 4], [])
    assert match.allcaptures() == (["ab1"], ["a", "b", "1"], [])
    assert match.allspans() == ([(1, 4)], [(1, 2), (2, 3), (3, 4)], [])
    assert (match.groupdict(), match.capturesdict()) == ({"w": "1"}, {"w": ["a", "b", "1"]})
    assert (match.expand(r"\1\g<w>"), match.expandf("{w[0]}{1[-1]}{0}")) == ("11", "a1ab1")
    fuzzy = regex.search(r"(?:abcd){e<=1}", "--abxd--")
    assert (fuzzy.fuzzy_counts, fuzzy.fuzzy_changes, fuzzy.partial) == ((1, 0, 0), ([4], [], []), False)
    kept = [copy.copy(match), copy.deepcopy(match)]
    match.detach_string()
    assert (match.string, match.group(), match.expandf("{w}")) == (None, "ab1", "1")
    assert [(each.string, each.spans("w")) for each in kept] == [("-ab1-", [(1, 2), (2, 3), (3, 4)])] * 2


def test_every_method_of_a_pattern():
    pattern = regex.compile(r"(?P<d>\d)(,)?")
    text = "1,2-3"
    assert (pattern.pattern, pattern.groups, pattern.groupindex) == (r"(?P<d>\d)(,)?", 2, {"d": 1})
    assert pattern.flags & regex.UNICODE
    assert pattern.prefixmatch(text).span() == pattern.match(text).span() == (0, 2)
    assert pattern.fullmatch(text) is None
    assert pattern.search(text, 1).group() == "2"
    assert pattern.findall(text) == [("1", ","), ("2", ""), ("3", "")]
    assert [match.span() for match in pattern.finditer(text, concurrent=True)] == [(0, 2), (2, 3), (4, 5)]
    assert (pattern.sub(r"\g<d>", text), pattern.subn("", text, count=2)) == ("12-3", ("-3", 2))
    assert (pattern.subf("<{d}>", text), pattern.subfn("{d}", text)) == ("<1><2>-<3>", ("12-3", 3))
    assert pattern.split(text) == list(pattern.splititer(text)) == ["", "1", ",", "", "2", None, "-", "3", None, ""]
    assert weakref.ref(pattern)() is pattern
    assert pattern.__sizeof__() > 0
    assert (type(pattern)[str].__origin__, type(pattern.match("1"))[str].__origin__) == (regex.Pattern, regex.Match)


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy])
def test_scanners_and_splitters(again):
    pattern = regex.compile(r"\d")
    scanner = again(pattern.scanner("12-3"))
    assert scanner.pattern is pattern
    assert (scanner.match().group(), scanner.search().group(), scanner.match()) == ("1", "2", None)
    assert [match.span() for match in again(pattern.scanner("12-3"))] == [(0, 1), (1, 2), (3, 4)]
    splitter = again(pattern.splititer("a1b2c"))
    assert splitter.pattern is pattern
    assert (splitter.split(), next(splitter), list(splitter)) == ("a", "b", ["c"])


@pytest.mark.parametrize("again", AGAIN)
@pytest.mark.parametrize(
    ("pattern", "lists", "text"),
    [
        (r"(?P<a>\d+)-(?&a)", {}, "12-345"),
        (r"(?fi)\L<words>+", {"words": ["stra\u00dfe", "b"]}, "STRASSEB"),
        (r"(?V1)(?:[[a-z]--[q]]{3}\p{Greek}){e<=1}", {}, "abq\u03b1"),
        (r"(?r)(?|(a)|(b))(?<=\X+)", {}, "b"),
        (rb"(?i)[\x80-\xff]?A", {}, b"\xffa"),
    ],
)
def test_copies_of_patterns(again, pattern, lists, text):
    compiled = regex.compile(pattern, **lists)
    other = again(compiled)
    assert (other.pattern, other.flags, other.groupindex) == (compiled.pattern, compiled.flags, compiled.groupindex)
    assert other.named_lists == {name: frozenset(words) for name, words in lists.items()}
    assert other.fullmatch(text).span() == (0, len(text))
    assert again([compiled, compiled])[0].sub(text, text) == text


def test_states_cannot_be_pickled_but_errors_can():
    for state in (regex.match("a", "a"), regex.compile("a").scanner("a"), regex.compile("a").splititer("a")):
        with pytest.raises(TypeError, match="cannot pickle"):
            pickle.dumps(state)
    for again in AGAIN:
        with pytest.raises(regex.error) as caught:
            regex.compile("ab\n(")
        assert type(again(caught.value)) is regex.error
        assert str(again(caught.value)) == str(caught.value) == "missing ) at position 4 (line 2, column 2)"


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: regex.compile("a").match(5), TypeError),
        (lambda: regex.compile(b"a").match("a"), TypeError),
        (lambda: regex.sub("a", lambda _match: 5, "aa"), TypeError),
        (lambda: regex.sub("a", r"\9", "a"), regex.error),
        (lambda: regex.subf("a", "{9}", "a"), IndexError),
        (lambda: regex.match("a", "a").expandf("{nothing}"), KeyError),
        (lambda: regex.match("a", "a")["nothing"], IndexError),
        (lambda: regex.compile(r"\L<words>"), regex.error),
        (lambda: regex.compile("a").match("a", "0"), TypeError),
        (lambda: regex.match("a", "a", timeout="1"), ValueError),
        (lambda: _regex.compile("a"), TypeError),
    ],
)
def test_errors_have_the_right_type(call, error):
    with pytest.raises(error):
        call()


def test_errors_of_callbacks_and_buffers_come_through():
    class Broken:
        def __buffer__(self, _flags):
            raise LookupError("refused")

        def __call__(self, _match):
            raise LookupError("refused")

        def __index__(self):
            raise LookupError("refused")

    pattern = regex.compile(rb"a")
    for call in (
        pattern.search,
        pattern.findall,
        pattern.split,
        pattern.scanner,
        lambda wrong: pattern.sub(wrong, b"banana"),
        lambda wrong: pattern.subfn(wrong, b"banana"),
        lambda wrong: pattern.sub(b"", wrong),
    ):
        for _ in range(3):
            with pytest.raises(LookupError, match="refused"):
                call(Broken())
    assert pattern.sub(lambda match: match.group().upper(), b"banana") == b"bAnAnA"
