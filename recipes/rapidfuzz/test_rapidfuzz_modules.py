"""RapidFuzz's compiled modules hand each other C functions and edit operations, compared with its plain Python."""

import copy
import difflib
import inspect
import pickle
import struct

import pytest
from rapidfuzz import fuzz, fuzz_py, process, process_cpp_impl, utils, utils_cpp, utils_py
from rapidfuzz.distance import (
    DamerauLevenshtein,
    Editop,
    Editops,
    Hamming,
    Levenshtein,
    MatchingBlock,
    Opcode,
    Opcodes,
    ScoreAlignment,
    _initialize_cpp,
    metrics_cpp,
    metrics_py,
)

AGAIN = [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))]
QUERIES = ["", "new york mets", "Käse \u4e2d\U0001f600", "aaaa bbbb " * 13]
CHOICES = ["new YORK jets", "mets york new", "", "K\xe4se\u4e2d", "bbbb aaaa " * 14]
METRICS = sorted(
    name for name, value in vars(metrics_py).items() if inspect.isfunction(value) and name in dir(metrics_cpp)
)
SCORERS = [name for name in METRICS if not name.endswith(("editops", "opcodes"))]
RATIOS = sorted(name for name in fuzz.__all__ if name != "partial_ratio_alignment")


class OwnError(Exception):
    pass


def fails(*_arguments, **_options):
    raise OwnError("from Python")


def test_every_module_is_compiled():
    for module in (_initialize_cpp, metrics_cpp, process_cpp_impl, utils_cpp):
        assert module.__file__.endswith((".so", ".pyd"))
    assert (utils.default_process, Editops) == (utils_cpp.default_process, _initialize_cpp.Editops)
    assert len(SCORERS) == 40
    assert len(RATIOS) == 10


@pytest.mark.parametrize("name", METRICS)
def test_metrics_are_those_of_plain_python(name):
    ours, plain = getattr(metrics_cpp, name), getattr(metrics_py, name)
    for query in QUERIES:
        for choice in CHOICES:
            if name.endswith(("editops", "opcodes")):
                assert ours(query, choice).apply(query, choice) == choice
                assert len(list(ours(query, choice))) == len(list(plain(query, choice)))
            else:
                assert ours(query, choice) == pytest.approx(plain(query, choice), rel=1e-12)
                assert ours(list(query), choice) == ours(query, choice)


@pytest.mark.parametrize(
    ("ours", "plain"),
    [
        *(pytest.param(getattr(metrics_cpp, name), getattr(metrics_py, name), id=name) for name in SCORERS),
        *(pytest.param(getattr(fuzz, name), getattr(fuzz_py, name), id=name) for name in RATIOS),
    ],
)
def test_every_scorer_is_called_by_its_c_functions(ours, plain):
    expected = [[plain(query, choice, processor=utils_py.default_process) for choice in CHOICES] for query in QUERIES]
    found = memoryview(process_cpp_impl.cdist(QUERIES, CHOICES, scorer=ours, processor=utils.default_process)).tolist()
    assert found == [pytest.approx(row, rel=1e-6) for row in expected]
    for query, row in zip(QUERIES, expected, strict=True):
        all_of_them = process.extract(query, CHOICES, scorer=ours, processor=utils.default_process, limit=None)
        assert {index: score for _, score, index in all_of_them} == pytest.approx(dict(enumerate(row)), rel=1e-12)
        one_by_one = process.extract_iter(query, CHOICES, scorer=ours, processor=utils.default_process)
        assert [score for _, score, _ in one_by_one] == pytest.approx(row, rel=1e-12)
    pairs = process_cpp_impl.cpdist(QUERIES, CHOICES[:4], scorer=ours, processor=utils.default_process)
    assert memoryview(pairs).tolist() == pytest.approx([expected[i][i] for i in range(4)], rel=1e-6)


@pytest.mark.parametrize(
    ("name", "letter"),
    [
        *(("INT8", "b"), ("INT16", "h"), ("INT32", "i"), ("INT64", "q"), ("FLOAT32", "f")),
        *(("UINT8", "B"), ("UINT16", "H"), ("UINT32", "I"), ("UINT64", "Q"), ("FLOAT64", "d")),
    ],
)
def test_matrices_of_every_type(name, letter):
    dtype = getattr(process_cpp_impl, name)
    matrix = process_cpp_impl.cdist(["kitten", "x"], ["sitting", "", "kit"], scorer=Levenshtein.distance, dtype=dtype)
    view = memoryview(matrix)
    assert view.tolist() == [[3, 6, 3], [7, 1, 3]]
    assert struct.calcsize(view.format) == view.itemsize == struct.calcsize(letter)
    assert (view.shape, view.strides) == ((2, 3), (3 * view.itemsize, view.itemsize))
    view[1, 2] = 9
    assert memoryview(matrix).tolist()[1] == [7, 1, 9]
    vector = process_cpp_impl.cpdist(["ab", "b"], ["ab", "c"], scorer=fuzz.ratio, dtype=dtype, score_multiplier=1)
    assert memoryview(vector).tolist() == [100, 0]


def test_distances_of_a_list_with_itself():
    words = ["a", "ab", "abc"]
    found = memoryview(process_cpp_impl.cdist(words, words, scorer=DamerauLevenshtein.distance)).tolist()
    assert found == [[abs(i - j) for j in range(3)] for i in range(3)]


def test_letters_are_made_small_and_the_rest_blank():
    # Unicode has left these as they are since long ago; the dotted capital I becomes two characters in Python.
    letters = [chr(code) for code in range(0x370) if code != 0x130]
    for letter in letters:
        expected = letter.lower() if letter.isalnum() else " "
        assert utils.default_process(f"x{letter}y") == f"x{expected}y"
    text = "".join(letters)
    processed = "".join(letter.lower() if letter.isalnum() else " " for letter in letters).strip()
    assert fuzz.ratio(text, processed, processor=utils.default_process) == 100
    assert process.extractOne(text, [processed], scorer=Levenshtein.distance, processor=utils.default_process)[1] == 0


def test_operations_of_difflib():
    first, second = "xthe quick brown fox", "the quack brown foxes"
    matcher = difflib.SequenceMatcher(None, first, second, autojunk=False)
    operations = Opcodes(matcher.get_opcodes(), len(first), len(second))
    assert operations.as_list() == matcher.get_opcodes()
    assert [tuple(block) for block in operations.as_matching_blocks()] == matcher.get_matching_blocks()
    assert operations.apply(first, second) == second
    edits = Editops.from_opcodes(operations)
    assert edits.apply(first, second) == second
    assert edits.as_opcodes().apply(first, second) == second
    assert edits.inverse().apply(second, first) == first
    assert operations.inverse().as_list() == [
        ({"insert": "delete", "delete": "insert"}.get(tag, tag), c, d, a, b)
        for tag, a, b, c, d in matcher.get_opcodes()
    ]
    assert Opcodes.from_editops(edits).apply(first, second) == second


def test_operations_made_by_one_module_are_taken_apart_by_another():
    edits = Levenshtein.editops("kitten", "sitting")
    assert isinstance(edits, _initialize_cpp.Editops)
    assert edits.as_list() == [("replace", 0, 0), ("replace", 4, 4), ("insert", 6, 6)]
    assert [tuple(each) for each in edits[1:]] == edits.as_list()[1:]
    rest = edits.remove_subsequence(edits[:2])
    assert rest.apply("sittin", "sitting") == "sitting"
    del edits[1]
    assert edits.apply("kitten", "sitting") == "sitteng"
    assert edits.copy() == edits
    assert Levenshtein.opcodes("ab", "xb").as_list() == [("replace", 0, 1, 0, 1), ("equal", 1, 2, 1, 2)]


def test_an_alignment():
    # "abc" stands at 2 to 5 of the longer one.
    alignment = fuzz.partial_ratio_alignment("xxabcxx", "abc")
    assert isinstance(alignment, ScoreAlignment)
    assert tuple(alignment) == (100, 2, 5, 0, 3)


@pytest.mark.parametrize("again", AGAIN)
@pytest.mark.parametrize("value", [Editop("insert", 2**31 - 1, 0), Opcode("equal", 0, 1, 2, 3)], ids=repr)
def test_copies_of_operations(value, again):
    other = again(value)
    assert type(other) is type(value)
    assert tuple(other) == tuple(value)
    assert repr(other) == repr(value)


@pytest.mark.parametrize("again", AGAIN)
@pytest.mark.parametrize(
    "value", [Editops([], 0, 0), Opcodes([], 0, 0), MatchingBlock(1, 2, 3)], ids=lambda value: type(value).__name__
)
def test_what_is_only_in_cpp_cannot_be_copied(value, again):
    with pytest.raises(TypeError, match=r"cannot be converted to a Python object|non-trivial __cinit__"):
        again(value)


@pytest.mark.parametrize("again", AGAIN)
def test_copies_of_scorers_are_the_same(again):
    assert again(fuzz.WRatio) is fuzz.WRatio


@pytest.mark.parametrize(
    "call",
    [
        lambda: process.extract("a", ["b", "c"], processor=fails),
        lambda: process.extract("a", {1: "b"}, scorer=fails),
        lambda: process.extractOne("a", ["b"], scorer=fails),
        lambda: next(process.extract_iter("a", ["b"], processor=fails)),
        lambda: list(process.extract_iter("a", ["b"], scorer=fails)),
        lambda: list(process.extract_iter("a", (fails() for _ in "1"), scorer=Levenshtein.distance)),
        lambda: process_cpp_impl.cdist(["a"], ["b"], processor=fails),
        lambda: process_cpp_impl.cpdist(["a"], ["b"], processor=fails),
        lambda: Levenshtein.editops("a", "b", processor=fails),
        lambda: Levenshtein.distance([type("H", (), {"__hash__": fails})()], ["a"]),
        lambda: Editops(type("L", (list,), {"__len__": fails})(), 1, 1),
    ],
)
def test_errors_in_callbacks_arrive_unchanged(call):
    for _ in range(20):
        with pytest.raises(OwnError, match="from Python"):
            call()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: process.extract("a", ["bc"], scorer=Hamming.distance, scorer_kwargs={"pad": False}),
            ValueError,
            "len",
        ),
        (
            lambda: process_cpp_impl.cdist(["a"], ["bc"], scorer=Hamming.distance, scorer_kwargs={"pad": False}),
            ValueError,
            "Sequences are not the same length",
        ),
        (
            lambda: Editops([("insert", 0, 0)], 1, 2).remove_subsequence(Editops([("delete", 0, 0)], 1, 2)),
            ValueError,
            "subsequence",
        ),
        (lambda: Editops([("spoil", 0, 0)], 1, 1), ValueError, "Invalid Edit Type"),
        (lambda: Editops([("delete", 5, 0)], 1, 1), ValueError, "edit operations invalid"),
        (lambda: Opcodes([("equal", 1, 2, 1, 2)], 2, 2), ValueError, "does not start at position 0"),
        (lambda: Editops([], 0, 0)[0], IndexError, "out of range"),
        (lambda: Levenshtein.distance(1, "a"), TypeError, "int"),
        (lambda: utils.default_process(5), TypeError, "must be a String"),
        (lambda: Levenshtein.distance("a", "b", weights=(2**70, 1, 1)), OverflowError, "too"),
        (lambda: MatchingBlock(-1, 0, 0), OverflowError, "negative"),
        (lambda: process_cpp_impl.cpdist(["a"], []), ValueError, "must be the same"),
    ],
)
def test_errors_of_cpp(call, error, message):
    for _ in range(20):
        with pytest.raises(error, match=message):
            call()
