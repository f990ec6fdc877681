"""What regex has and re lacks, agreement with re where both apply, and limits that must not crash."""

import random
import re

import pytest
import regex
from regex import _regex


def test_c_extension_is_in_use():
    assert _regex.__file__.endswith((".so", ".pyd"))
    assert type(regex.compile("a")).__module__ == "_regex"


def test_unicode_properties_and_scripts():
    assert regex.findall(r"\p{Lu}", "aÀБΩz1") == ["À", "Б", "Ω"]
    assert regex.findall(r"\p{Script=Greek}+", "abc αβγ где") == ["αβγ"]
    assert regex.findall(r"\p{IsCyrillic}+", "abc αβγ где") == ["где"]
    assert regex.findall(r"\P{L}+", "ab12cd") == ["12"]


def test_graphemes():
    text = "e\u0301a\U0001f468\u200d\U0001f469\u200d\U0001f467"
    assert regex.findall(r"\X", text) == ["e\u0301", "a", "\U0001f468\u200d\U0001f469\u200d\U0001f467"]


def test_full_case_folding():
    assert regex.fullmatch(r"(?fi)strasse", "stra\u00dfe")
    assert regex.fullmatch(r"(?i)strasse", "stra\u00dfe", flags=regex.V0) is None


def test_captures_of_a_repeated_group():
    match = regex.fullmatch(r"(?:(?P<word>\w+) ?)+", "one two three")
    assert match.captures("word") == ["one", "two", "three"]
    assert match.spans("word") == [(0, 3), (4, 7), (8, 13)]
    assert match.capturesdict() == {"word": ["one", "two", "three"]}


def test_recursive_patterns():
    balanced = regex.compile(r"\((?:[^()]++|(?R))*\)")
    assert balanced.fullmatch("(a(b)((c)d))")
    assert balanced.fullmatch("(a(b") is None
    palindrome = regex.compile(r"(?P<p>(\w)(?&p)\2|\w?)")
    assert palindrome.fullmatch("racecar")
    assert palindrome.fullmatch("racecat") is None


def test_possessive_and_atomic():
    assert regex.match(r"a++a", "aaa") is None
    assert regex.match(r"(?>a+)b", "aaab")
    assert regex.match(r"(?>a|ab)c", "abc") is None


def test_variable_length_lookbehind():
    assert regex.findall(r"(?<=a+|bc)\d", "aaa1 bc2 c3") == ["1", "2"]
    assert regex.findall(r"(?<!x+)\d", "xx1y2") == ["2"]


def test_set_operations():
    assert regex.findall(r"(?V1)[[a-z]--[aeiou]]+", "regular") == ["r", "g", "l", "r"]
    assert regex.findall(r"(?V1)[\w&&\d]+", "a1b22") == ["1", "22"]
    assert regex.findall(r"(?V1)[[a-f]~~[d-z]]+", "abcdefghi") == ["abc", "ghi"]


def test_fuzzy_matching_counts_each_kind_of_error():
    assert regex.fullmatch(r"(?:cats){e<=1}", "cat").fuzzy_counts == (0, 0, 1)
    assert regex.fullmatch(r"(?:cats){e<=1}", "caats").fuzzy_counts == (0, 1, 0)
    assert regex.fullmatch(r"(?:cats){e<=1}", "cuts").fuzzy_counts == (1, 0, 0)
    assert regex.fullmatch(r"(?:cats){e<=1}", "dogs") is None
    assert regex.search(r"(?b)(?:needle){e<=2}", "hay needel needle hay").group() == "needle"


def test_partial_matches():
    pattern = regex.compile(r"\d{4}-\d{2}")
    assert pattern.fullmatch("2024-0", partial=True).partial
    assert not pattern.fullmatch("2024-01", partial=True).partial
    assert pattern.fullmatch("20x", partial=True) is None


def test_named_lists_branch_reset_and_keep():
    assert regex.findall(r"\b\L<words>\b", "a cat and a dog", words=["cat", "dog", "cow"]) == ["cat", "dog"]
    assert regex.fullmatch(r"(?|(a)|(b))(c)", "bc").groups() == ("b", "c")
    assert regex.sub(r"price: \K\d+", "0", "price: 42") == "price: 0"


def test_overlapped_and_reverse():
    assert regex.findall(r"\w{3}", "abcde", overlapped=True) == ["abc", "bcd", "cde"]
    assert regex.findall(r"(?r)\w{2}", "abcde") == ["de", "bc"]


def test_bytes_and_positions():
    pattern = regex.compile(rb"(?P<k>[\x80-\xff]+)")
    match = pattern.search(b"ab\x80\xffcd", 1)
    assert match.span("k") == (2, 4)
    with pytest.raises(TypeError):
        pattern.search("text")


def test_substitution_and_splitting():
    assert regex.sub(r"(?P<a>\w)(?P<b>\w)", r"\g<b>\g<a>", "abcd") == "badc"
    assert regex.subf(r"(\w+) (\w+)", "{2} {1}", "hello world") == "world hello"
    assert regex.subn("x", lambda m: m.group().upper(), "axbx", count=1) == ("aXbx", 1)
    assert regex.split(r"(?V1)(?=[A-Z])", "oneTwoThree") == ["one", "Two", "Three"]


def test_errors_are_exceptions():
    for pattern in ("(", "[a", "a**", r"\p{NoSuchProperty}", "(?P<a>x)(?P=b)"):
        with pytest.raises(regex.error):
            regex.compile(pattern)
    with pytest.raises(IndexError):
        regex.match("a", "a").group(3)

    def refuse(_match):
        raise LookupError("refused")

    with pytest.raises(LookupError, match="refused"):
        regex.sub("a", refuse, "banana")


def test_timeout_ends_a_catastrophic_pattern():
    with pytest.raises(TimeoutError):
        regex.fullmatch(r"(?:(?:a|aa)+)+\d?c(?<=x)", "a" * 40 + "b", timeout=0.2)


def test_deep_backtracking_does_not_overflow_the_stack():
    length = 100_000
    assert regex.fullmatch(r"(?:a|b)*c", "ab" * length + "c").end() == 2 * length + 1
    assert regex.fullmatch(r"(a|b)*?c", "ab" * length + "c")
    nested = "(" * 50 + "a" + ")" * 50
    assert regex.fullmatch(nested, "a").groups() == ("a",) * 50
    depth = 2000
    assert regex.fullmatch(r"\((?:(?R))?\)", "(" * depth + ")" * depth)


def test_agrees_with_re_on_random_patterns():
    rng = random.Random(5)
    atoms = ["a", "b", ".", "[ab]", "[^a]", r"\w", "(a|b)", "(?:ab)", "b?", "a*", "(?=a)", r"\b"]
    for _ in range(400):
        pattern = "".join(rng.choice(atoms) for _ in range(rng.randint(1, 5)))
        text = "".join(rng.choice("abc ") for _ in range(12))
        expected = [(m.span(), m.groups()) for m in re.finditer(pattern, text)]
        assert [(m.span(), m.groups()) for m in regex.finditer(pattern, text)] == expected, (pattern, text)
