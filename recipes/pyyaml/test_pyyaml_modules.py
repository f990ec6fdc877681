"""What libyaml's parser gives, its emitter and PyYAML's Python code take, and the reverse; copies and errors."""

import copy
import io
import pickle

import pytest
import yaml
from yaml import _yaml

AGAIN = [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))]
DOCUMENT = """\
%YAML 1.1
%TAG !t! tag:example.org,2000:
---
plain: &a [1, 'single', "double \\u00e9", !t!own "x"]
? {flow: mapping}
: |
  literal
  text
folded: !!str >-
  one
  two
"😀 key": *a
...
"""


def tree(node):
    """Return everything of a node but its place."""
    if isinstance(node, yaml.ScalarNode):
        return node.tag, node.value, node.style or ""
    items = [tuple(map(tree, item)) if isinstance(item, tuple) else tree(item) for item in node.value]
    return node.tag, items, node.flow_style


def places(thing):
    return [(mark.index, mark.line, mark.column) for mark in (thing.start_mark, thing.end_mark)]


def test_nodes_of_both_composers_through_both_serializers():
    ours, theirs = yaml.compose(DOCUMENT, Loader=yaml.CLoader), yaml.compose(DOCUMENT, Loader=yaml.Loader)
    assert tree(ours) == tree(theirs)
    assert ours.value[-1][1] is ours.value[0][1]
    texts = {yaml.serialize(node, Dumper=dumper) for node in (ours, theirs) for dumper in (yaml.CDumper, yaml.Dumper)}
    assert len(texts) == 1
    assert tree(yaml.compose(texts.pop(), Loader=yaml.CLoader)) == tree(ours)


def test_events_of_both_parsers_through_both_emitters():
    parsed = [list(yaml.parse(DOCUMENT, Loader=loader)) for loader in (yaml.CLoader, yaml.Loader)]
    texts = [yaml.emit(events, Dumper=dumper) for events in parsed for dumper in (yaml.CDumper, yaml.Dumper)]
    assert tree(yaml.compose(texts[0], Loader=yaml.CLoader)) == tree(yaml.compose(DOCUMENT, Loader=yaml.Loader))
    for text in texts:
        assert [type(event) for event in yaml.parse(text, Loader=yaml.CLoader)] == [type(event) for event in parsed[0]]
    assert {text.split("---")[0] for text in texts} == {"%YAML 1.1\n%TAG !t! tag:example.org,2000:\n"}


def test_places_are_those_of_the_python_code():
    text = "😀: [é, 'x']\nkey: {a: b}\n"
    for function in (yaml.scan, yaml.parse):
        ours, theirs = list(function(text, Loader=yaml.CLoader)), list(function(text, Loader=yaml.Loader))
        places_of_scalars = [[places(each) for each in them if hasattr(each, "value")] for them in (ours, theirs)]
        assert places_of_scalars[0] == places_of_scalars[1]
    scalar = yaml.compose(text, Loader=yaml.CLoader).value[0][1].value[1]
    assert places(scalar) == [(7, 0, 7), (10, 0, 10)]
    assert type(scalar.start_mark) is _yaml.Mark
    assert str(scalar.start_mark) == '  in "<unicode string>", line 1, column 8'


def test_tokens_events_and_nodes_one_by_one():
    loader = yaml.CLoader("[a]")
    assert loader.check_token(yaml.StreamStartToken)
    assert type(loader.peek_token()) is type(loader.get_token()) is yaml.StreamStartToken
    assert loader.check_token()
    assert not loader.check_token(yaml.ScalarToken)
    assert [type(loader.get_token()) for _ in range(4)] == [
        yaml.FlowSequenceStartToken,
        yaml.ScalarToken,
        yaml.FlowSequenceEndToken,
        yaml.StreamEndToken,
    ]
    assert loader.get_token() is None
    loader = yaml.CLoader("[a]")
    assert loader.check_event(yaml.StreamStartEvent)
    assert loader.peek_event() is loader.get_event()
    assert [type(loader.get_event()) for _ in range(3)] == [
        yaml.DocumentStartEvent,
        yaml.SequenceStartEvent,
        yaml.ScalarEvent,
    ]
    loader = yaml.CLoader("--- a\n--- b\n")
    assert loader.check_node()
    assert [loader.get_node().value for _ in range(2)] == ["a", "b"]
    assert not loader.check_node()
    assert loader.get_node() is None
    assert yaml.CLoader("").get_single_node() is None
    assert (yaml.CLoader("[a]").raw_scan(), yaml.CLoader("[a]").raw_parse()) == (5, 7)
    with pytest.raises(yaml.composer.ComposerError, match="expected a single document"):
        yaml.CLoader("--- a\n--- b\n").get_single_node()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"canonical": True}, '---\n!!map {\n  ? !!str "a"\n  : !!seq [\n    !!int "1",\n    !!str "é",\n  ],\n}\n'),
        ({"indent": 4, "explicit_start": True}, "---\na:\n- 1\n- é\n"),
        ({"line_break": "\r\n"}, "a:\r\n- 1\r\n- é\r\n"),
        ({"line_break": "\r", "default_flow_style": True}, "{a: [1, é]}\r"),
        ({"version": (1, 1), "tags": {"!e!": "tag:e,2000:"}}, "%YAML 1.1\n%TAG !e! tag:e,2000:\n---\na:\n- 1\n- é\n"),
    ],
)
def test_options_of_the_emitter(options, text):
    for dumper in (yaml.CSafeDumper, yaml.SafeDumper):
        assert yaml.dump({"a": [1, "é"]}, Dumper=dumper, allow_unicode=True, **options) == text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_encodings_both_ways(encoding):
    packed = yaml.dump(["é日"], Dumper=yaml.CSafeDumper, encoding=encoding, allow_unicode=True)
    assert packed.decode(encoding).removeprefix("\ufeff") == "- é日\n"
    assert yaml.load(packed, Loader=yaml.CSafeLoader) == ["é日"]
    assert next(yaml.parse(packed, Loader=yaml.CLoader)).encoding == encoding


@pytest.mark.parametrize("again", AGAIN)
def test_copies(again):
    mark = again(_yaml.Mark("name", 2**31, 4, 5, None, None))
    assert (mark.name, mark.index, mark.line, mark.column) == ("name", 2**31, 4, 5)
    for function in (yaml.scan, yaml.parse):
        things = list(function(DOCUMENT, Loader=yaml.CLoader))
        for one, other in zip(things, again(things), strict=True):
            assert type(one) is type(other)
            assert places(one) == places(other)
            assert getattr(one, "value", None) == getattr(other, "value", None)
        assert yaml.emit(again(list(yaml.parse("[a]", Loader=yaml.CLoader))), Dumper=yaml.CDumper) == "[a]\n"
    node = again(yaml.compose(DOCUMENT, Loader=yaml.CLoader))
    assert yaml.serialize(node, Dumper=yaml.CDumper).endswith('"\\U0001F600 key": *id001\n')
    for state in (yaml.CLoader(""), yaml.CDumper(io.StringIO())):
        with pytest.raises(TypeError):
            again(state)


@pytest.mark.parametrize("again", AGAIN)
@pytest.mark.parametrize("text", ["a: 'b", "[a, b", "*nowhere", "&a [&a b]", "!nothing x", b"\xff", "\x00"])
def test_copies_of_errors(again, text):
    with pytest.raises(yaml.YAMLError) as caught:
        yaml.load(text, Loader=yaml.CSafeLoader)
    assert type(again(caught.value)) is type(caught.value)
    assert str(again(caught.value)) == str(caught.value)


def test_names_of_streams_are_in_errors():
    stream = io.BytesIO(b"a: 1\nb: '")
    stream.name = "file.yaml"
    with pytest.raises(yaml.scanner.ScannerError, match=r'in "file\.yaml", line 2, column 4'):
        yaml.load(stream, Loader=yaml.CSafeLoader)
    with pytest.raises(yaml.scanner.ScannerError, match='in "<byte string>"'):
        yaml.load(b"'", Loader=yaml.CSafeLoader)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("a:\n\t- b", yaml.scanner.ScannerError, "found character that cannot start any token"),
        ('"\\q"', yaml.scanner.ScannerError, "unknown escape character"),
        ("%YAML 2.0\n--- a", yaml.parser.ParserError, "incompatible YAML document"),
        ("!x!y z", yaml.parser.ParserError, "undefined tag handle"),
        ("- a\nb: c", yaml.parser.ParserError, "did not find expected '-' indicator"),
        ("&a [&a b]", yaml.composer.ComposerError, "duplicate anchor"),
        ("{[]: a}", yaml.constructor.ConstructorError, "unhashable key"),
        (5, TypeError, "a string or stream input is required"),
    ],
)
def test_errors_of_the_parser(text, error, message):
    with pytest.raises(error, match=message):
        yaml.load(text, Loader=yaml.CSafeLoader)


def test_errors_of_the_emitter():
    start = [yaml.StreamStartEvent(), yaml.DocumentStartEvent()]
    for events, error, message in (
        ([yaml.DocumentStartEvent(), yaml.StreamEndEvent()], yaml.emitter.EmitterError, "expected STREAM-START"),
        ([yaml.StreamStartEvent(), yaml.AliasEvent("a")], yaml.emitter.EmitterError, "expected DOCUMENT-START"),
        ([*start, yaml.AliasEvent("a b"), yaml.DocumentEndEvent()], yaml.emitter.EmitterError, "alphanumerical"),
        ([*start, yaml.AliasEvent(5)], TypeError, "anchor must be a string"),
        ([*start, yaml.ScalarEvent(None, 5, (True, True), "")], TypeError, "tag must be a string"),
        ([*start, yaml.ScalarEvent(None, None, (True, True), 5)], TypeError, "value must be a string"),
        ([5], TypeError, "invalid event 5"),
        (
            [start[0], yaml.DocumentStartEvent(version=(2, 0)), start[0]],
            yaml.emitter.EmitterError,
            "incompatible %YAML",
        ),
        ([start[0], yaml.DocumentStartEvent(tags={"!": 5})], TypeError, "prefix must be a string"),
    ):
        with pytest.raises(error, match=message):
            yaml.emit(events, Dumper=yaml.CDumper)


def test_order_of_calls_to_the_serializer():
    dumper = yaml.CDumper(io.StringIO())
    node = yaml.ScalarNode("tag:yaml.org,2002:str", "x")
    for call in (dumper.close, lambda: dumper.serialize(node)):
        with pytest.raises(yaml.serializer.SerializerError, match="not opened"):
            call()
    dumper.open()
    with pytest.raises(yaml.serializer.SerializerError, match="already opened"):
        dumper.open()
    dumper.serialize(node)
    dumper.close()
    dumper.close()
    for call in (dumper.open, lambda: dumper.serialize(node)):
        with pytest.raises(yaml.serializer.SerializerError, match="is closed"):
            call()


def refuse(*_arguments):
    raise LookupError("refused")


class BrokenLoader(yaml.CLoader):
    resolve = refuse


class BrokenDumper(yaml.CDumper):
    descend_resolver = refuse


class LateStream(io.BytesIO):
    """Gives 100 items, then an error: when the parser has long begun."""

    def read(self, _size):
        return b"- item\n" * 10 if self.tell() == 0 and self.seek(1) else refuse()


class Text(io.StringIO):
    write = refuse


def test_errors_of_callbacks_come_through_the_c_library():
    yaml.add_constructor("!refuse", refuse, Loader=BrokenLoader)
    for call in (
        lambda: yaml.compose("[a]", Loader=BrokenLoader),
        lambda: yaml.dump([1], Dumper=BrokenDumper),
        lambda: list(yaml.parse(LateStream(), Loader=yaml.CLoader)),
        lambda: list(yaml.scan(LateStream(), Loader=yaml.CLoader)),
        lambda: yaml.compose(LateStream(), Loader=yaml.CLoader),
        lambda: yaml.dump(list(range(10_000)), Text(), Dumper=yaml.CDumper),
        lambda: yaml.load("!refuse a", Loader=BrokenLoader),
    ):
        for _ in range(3):
            with pytest.raises(LookupError, match="refused"):
                call()


def test_streams_that_give_what_is_no_text():
    class Stream:
        def read(self, _size):
            return 5

    with pytest.raises(TypeError, match="a string value is expected"):
        yaml.load(Stream(), Loader=yaml.CSafeLoader)


class OwnLoader(yaml.CSafeLoader):
    pass


class Own(yaml.YAMLObject):
    yaml_tag = "!own"
    yaml_loader = OwnLoader
    yaml_dumper = yaml.CSafeDumper

    def __init__(self, value):
        self.value = value


def test_classes_of_ones_own():
    text = yaml.dump([Own({"x": "é"})], Dumper=yaml.CSafeDumper)
    assert text == '- !own\n  value:\n    x: "\\xE9"\n'
    (own,) = yaml.load(text, Loader=OwnLoader)
    assert type(own) is Own
    assert own.value == {"x": "é"}
