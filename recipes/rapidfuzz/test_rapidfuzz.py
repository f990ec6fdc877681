"""RapidFuzz's C++ code: distances with known values, against plain Python, in every width of text, over C callbacks."""

import random

import pytest
from rapidfuzz import fuzz, fuzz_cpp, process, process_cpp_impl, utils
from rapidfuzz.distance import OSA, DamerauLevenshtein, Hamming, Indel, Jaro, JaroWinkler, LCSseq, Levenshtein

PAIRS = [
    ("kitten", "sitting", 3),
    ("", "abc", 3),
    ("flaw", "lawn", 2),
    ("saturday", "sunday", 3),
    ("Straße", "Strasse", 2),
    ("\U0001f600x\U0001f601", "x\U0001f601", 1),
    ("ĳsselmeer", "ijsselmeer", 2),
]


def by_hand(first, second):
    """Return the Levenshtein distance by the recurrence that defines it."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        previous, row = row, [i]
        for j, b in enumerate(second, 1):
            row.append(min(previous[j] + 1, row[-1] + 1, previous[j - 1] + (a != b)))
    return row[-1]


def test_cpp_is_in_use():
    assert fuzz_cpp.__file__.endswith((".so", ".pyd"))
    assert process_cpp_impl.__file__.endswith((".so", ".pyd"))
    assert type(fuzz.ratio) is type(fuzz_cpp.ratio)
    assert type(Levenshtein.distance) is type(fuzz_cpp.ratio)


@pytest.mark.parametrize(("first", "second", "expected"), PAIRS)
def test_levenshtein(first, second, expected):
    assert by_hand(first, second) == expected
    assert Levenshtein.distance(first, second) == expected
    assert Levenshtein.distance(second, first) == expected


def test_long_texts_use_blocks_of_64_bits():
    generator = random.Random(7)
    for length in (63, 64, 65, 127, 128, 129, 300):
        first = "".join(generator.choices("abcd", k=length))
        second = "".join(generator.choices("abcdé\u4e00", k=length + 3))
        assert Levenshtein.distance(first, second) == by_hand(first, second)
        assert Levenshtein.distance(first, second, score_cutoff=3) == 4


def test_edit_operations_turn_one_text_into_the_other():
    generator = random.Random(8)
    for _ in range(50):
        first, second = ("".join(generator.choices("abc", k=generator.randrange(100))) for _ in "12")
        operations = Levenshtein.editops(first, second)
        assert len(operations) == Levenshtein.distance(first, second)
        assert operations.apply(first, second) == second
        assert Levenshtein.opcodes(first, second).apply(first, second) == second


def test_other_distances():
    assert DamerauLevenshtein.distance("CA", "ABC") == 2
    assert OSA.distance("CA", "ABC") == 3
    assert Hamming.distance("karolin", "kathrin") == 3
    assert Indel.distance("kitten", "sitting") == 5
    assert LCSseq.similarity("AGGTAB", "GXTXAYB") == 4
    assert Jaro.similarity("MARTHA", "MARHTA") == pytest.approx(0.944444444)
    assert JaroWinkler.similarity("DWAYNE", "DUANE") == pytest.approx(0.84)


def test_ratios():
    assert fuzz.ratio("this is a test", "this is a test!") == pytest.approx(96.55172413793103)
    assert fuzz.partial_ratio("this is a test", "this is a test!") == 100
    assert fuzz.token_sort_ratio("fuzzy wuzzy was a bear", "wuzzy fuzzy was a bear") == 100
    assert fuzz.token_set_ratio("fuzzy was a bear", "fuzzy fuzzy was a bear") == 100
    assert fuzz.WRatio("this is a test", "this is a new test!!!") == pytest.approx(85.5)
    assert fuzz.partial_ratio_alignment("a certain string", "cetain") == fuzz_cpp.partial_ratio_alignment(
        "a certain string", "cetain"
    )


def test_processor_is_called_back():
    calls = []

    def processor(text):
        calls.append(text)
        return text.casefold()

    assert fuzz.ratio("ABC", "abc", processor=processor) == 100
    assert calls == ["ABC", "abc"]
    assert utils.default_process("  Ünïcode! Text\t") == "ünïcode  text"


def test_error_in_a_processor_comes_through_cpp():
    def processor(text):
        raise LookupError(text)

    with pytest.raises(LookupError, match="told"):
        fuzz.ratio("told", "x", processor=processor)
    with pytest.raises(LookupError, match="told"):
        process.extract("told", ["x"], processor=processor)


def test_wrong_types():
    with pytest.raises(TypeError):
        fuzz.ratio(3, "x")
    with pytest.raises(ValueError, match="not the same length"):
        Hamming.distance("a", "ab", pad=False)


def test_extraction():
    choices = ["Atlanta Falcons", "New York Jets", "New York Giants", "Dallas Cowboys", None]
    found = process.extract("new york jets", choices, scorer=fuzz.WRatio, processor=utils.default_process, limit=2)
    assert [(text, index) for text, _, index in found] == [("New York Jets", 1), ("New York Giants", 2)]
    assert found[0][1] == 100
    assert process.extractOne("cowboys", dict(enumerate(choices)), processor=utils.default_process)[2] == 3
    assert len(list(process.extract_iter("new", choices, score_cutoff=50))) >= 1


def test_python_scorer_is_called_back():
    def scorer(first, second, **_):
        return 100.0 if first[0] == second[0] else 0.0

    assert process.extractOne("bx", ["ab", "bb", "cb"], scorer=scorer) == ("bb", 100.0, 1)


def test_sequences_and_bytes():
    assert Levenshtein.distance([1, "a", None], [1, "b", None]) == 1
    assert Levenshtein.distance(b"abc", b"abd") == 1
    assert fuzz.ratio(["a", 2**70], ["a", 2**70]) == 100


def test_weights():
    assert Levenshtein.distance("lewenstein", "levenshtein", weights=(1, 1, 2)) == 3
    assert Levenshtein.normalized_similarity("lewenstein", "levenshtein") == pytest.approx(1 - 2 / 11)
