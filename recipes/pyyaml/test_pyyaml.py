"""PyYAML on libyaml: the C loader and dumper, held against YAML 1.1 and against PyYAML's Python code."""

import datetime
import io
import math

import pytest
import yaml
from yaml import _yaml


def load(text):
    return yaml.load(text, Loader=yaml.CSafeLoader)


def dump(value, **options):
    return yaml.dump(value, Dumper=yaml.CSafeDumper, **options)


def test_libyaml_is_in_use():
    assert yaml.__with_libyaml__ is True
    assert issubclass(yaml.CLoader, _yaml.CParser)
    assert issubclass(yaml.CDumper, _yaml.CEmitter)
    assert _yaml.__file__.endswith((".so", ".pyd"))
    assert _yaml.get_version() == (0, 2, 5)
    assert _yaml.get_version_string() == "0.2.5"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("yes", True),
        ("OFF", False),
        ("0o17", "0o17"),
        ("017", 15),
        ("0x1F", 31),
        ("0b101", 5),
        ("1_000", 1000),
        ("190:20:30", 685230),
        ("685.230_15e+03", 685230.15),
        ("-.inf", -math.inf),
        ("2001-12-14", datetime.date(2001, 12, 14)),
        ("2001-12-14t21:59:43.10Z", datetime.datetime(2001, 12, 14, 21, 59, 43, 100000, tzinfo=datetime.UTC)),
        ("!!binary aGVsbG8=", b"hello"),
        ("!!set {a, b}", {"a", "b"}),
        ("[a, [b, {c: d}]]", ["a", ["b", {"c": "d"}]]),
        (r'"\x41\u00e9\U0001F600\n"', "Aé😀\n"),
        ("'it''s'", "it's"),
    ],
)
def test_yaml_1_1_scalars_and_collections(text, value):
    assert load(text) == value


def test_nan_and_big_integers():
    assert math.isnan(load(".nan"))
    assert load(str(2**200)) == 2**200
    assert load(str(-(2**63))) == -(2**63)


def test_block_scalars():
    text = "literal: |\n  one\n    two\n\nfolded: >-\n  one\n  two\n\n  three\nkept: |+\n  x\n\n"
    assert load(text) == {"literal": "one\n  two\n", "folded": "one two\nthree", "kept": "x\n\n"}


def test_anchors_merges_and_cycles():
    value = load("base: &b {x: 1, y: 2}\nderived: {<<: *b, y: 3}\nsame: *b\n")
    assert value["derived"] == {"x": 1, "y": 3}
    assert value["same"] is value["base"]
    cycle = load("&a [*a]")
    assert cycle[0] is cycle
    assert dump(cycle) == "&id001\n- *id001\n"


def test_multiple_documents():
    text = "%YAML 1.1\n---\na: 1\n...\n---\n- b\n--- c\n"
    assert list(yaml.load_all(text, Loader=yaml.CSafeLoader)) == [{"a": 1}, ["b"], "c"]
    assert yaml.dump_all([1, [2]], Dumper=yaml.CSafeDumper, explicit_start=True) == "--- 1\n---\n- 2\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_byte_order_marks(encoding):
    text = "\ufeffkey: [é, 日本, 😀]\n"
    assert load(text.encode(encoding)) == {"key": ["é", "日本", "😀"]}


def test_streams_are_read_and_written():
    value = {f"key{i}": ["x" * (i % 97), i, None] for i in range(3000)}
    stream = io.StringIO()
    yaml.dump(value, stream, Dumper=yaml.CSafeDumper)
    stream.seek(0)
    assert load(stream) == value


def test_same_events_as_the_python_parser():
    text = "a: &x !!str 1\nb: [*x, {c: 'd'}]\n? e\n: |\n  f\n--- !<tag:x,2000:y>\n- g # comment\n- \"h\"\n"
    ours = list(yaml.parse(text, Loader=yaml.CLoader))
    theirs = list(yaml.parse(text, Loader=yaml.Loader))
    assert len(ours) == len(theirs) == 24
    for one, other in zip(ours, theirs, strict=True):
        assert type(one) is type(other)
        for attribute in ("anchor", "tag", "value", "implicit", "style"):
            left, right = getattr(one, attribute, None), getattr(other, attribute, None)
            assert left == right or not (left or right), (one, other)


def test_same_tokens_as_the_python_scanner():
    text = "%TAG ! tag:x,2000:\n---\n- !y [1, 2]\n- {a: b}\n- 'c'\n"
    ours = [type(token) for token in yaml.scan(text, Loader=yaml.CLoader)]
    assert ours == [type(token) for token in yaml.scan(text, Loader=yaml.Loader)]


def test_emitter_styles():
    value = {"b": [1, 2.5, True, None], "a": "text: with colon", "c": "line\nbreak"}
    assert dump(value) == ("a: 'text: with colon'\nb:\n- 1\n- 2.5\n- true\n- null\nc: 'line\n\n  break'\n")
    assert dump(value, sort_keys=False, default_flow_style=True).startswith("{b: [1, 2.5, true, null], a: ")
    assert dump({"k": ["v"]}, indent=4, explicit_start=True, explicit_end=True) == "---\nk:\n- v\n...\n"
    assert dump("é", allow_unicode=True) == "é\n"
    assert dump("é") == '"\\xE9"\n'
    assert dump("é", encoding="utf-16-le", allow_unicode=True).decode("utf-16").startswith("é")


def test_what_looks_like_something_else_is_quoted():
    for text in ("yes", "1", "1e3", "~", "", "2001-01-01", "- a", "a: b", "#", " x", "x ", "\t", "\x07", "0x1", "<<"):
        assert load(dump(text)) == text
        assert load(dump({text: [text]})) == {text: [text]}


def test_errors_carry_line_and_column():
    with pytest.raises(yaml.scanner.ScannerError) as caught:
        load("ok: 1\nbad: 'unclosed\n")
    assert caught.value.problem_mark.line == 2
    assert caught.value.context_mark.line == 1
    assert caught.value.context_mark.column == 5
    with pytest.raises(yaml.parser.ParserError):
        load("[a, b")
    with pytest.raises(yaml.composer.ComposerError):
        load("*nowhere")
    with pytest.raises(yaml.constructor.ConstructorError):
        load("!!python/object/apply:os.getcwd []")
    with pytest.raises(yaml.reader.ReaderError):
        load(b"\xff\xff\xff")
    with pytest.raises(yaml.reader.ReaderError):
        load("a\x00b")


def test_exceptions_of_streams_come_through():
    class Broken:
        def read(self, _size):
            raise LookupError("refused")

        def write(self, _data):
            raise LookupError("refused")

    with pytest.raises(LookupError, match="refused"):
        load(Broken())
    with pytest.raises(LookupError, match="refused"):
        yaml.dump("x", Broken(), Dumper=yaml.CSafeDumper)


def test_unrepresentable_objects_are_refused():
    with pytest.raises(yaml.representer.RepresenterError):
        dump(object())


def test_moderate_nesting_round_trips():
    value = None
    for _ in range(100):
        value = [value]
    assert load(dump(value)) == value
    assert load("[" * 100 + "]" * 100)[0] is not None
