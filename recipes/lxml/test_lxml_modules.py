"""lxml's compiled modules hand each other trees of libxml2; Python is called from each; copies, pickles and errors."""

import copy
import difflib
import io
import pickle
import xml.sax.handler
import xml.sax.saxutils

import pytest
from lxml import _elementpath, builder, etree, html, objectify, sax
from lxml.html import _difflib, diff

TEXT = '<shop xmlns:m="urn:m"><item id="a" m:price="3"><n>7</n></item><item id="b"><n>2.5</n></item></shop>'
COPY_ALL = (
    '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">'
    '<xsl:template match="/"><all><xsl:copy-of select="//n"/></all></xsl:template></xsl:stylesheet>'
)


def test_every_module_is_compiled():
    for module in (_elementpath, builder, etree, objectify, sax, _difflib, diff):
        assert module.__file__.endswith(".so")


@pytest.mark.parametrize("make", [etree.fromstring, objectify.fromstring, html.fragment_fromstring])
def test_paths_of_elements(make):
    root = make(TEXT)
    assert [item.get("id") for item in root.findall("item")] == ["a", "b"]
    assert root.findtext("item[@id='b']/n") == "2.5"
    assert root.find(".//n").getparent().get("id") == "a"
    assert [n.text for n in root.iterfind("*/n[.='7']")] == ["7"]
    assert root.find("item[2]/..") is root
    assert root.find("nothing") is None
    with pytest.raises(SyntaxError, match="invalid"):
        root.find("item[")


def test_paths_with_namespaces():
    root = etree.fromstring('<a xmlns="urn:x" xmlns:y="urn:y"><b/><y:b/></a>')
    assert [each.tag for each in root.findall("{*}b")] == ["{urn:x}b", "{urn:y}b"]
    assert root.find("p:b", {"p": "urn:y"}) is root[1]
    assert [each.tag for each in _elementpath.findall(root, "{urn:x}*")] == ["{urn:x}b"]


def test_elements_of_every_module_in_one_tree():
    make = builder.ElementMaker(namespace="urn:x", nsmap={None: "urn:x"}, typemap={complex: lambda _e, c: str(c.imag)})
    numbers = objectify.fromstring("<numbers><n>3</n><n>4</n></numbers>")
    root = make.root(make.a("text", {"k": "v"}), 2j, numbers, etree.Comment("end"))
    assert [each.tag for each in root] == ["{urn:x}a", "numbers", etree.Comment]
    assert (root[0].text, root[0].tail, root[0].get("k")) == ("text", "2.0", "v")
    assert root[1] is numbers
    assert [int(n.text) for n in numbers.iterchildren()] == [3, 4]
    mixed = objectify.E.a(objectify.E.b(5), builder.E.c("6"))
    assert mixed.b + 1 == 6
    assert etree.XPath("sum(*)")(mixed) == 11
    assert etree.XSLT(etree.XML(COPY_ALL))(root).getroot() is not None
    with pytest.raises(TypeError, match="bad argument type"):
        builder.E.a(object())


def test_objects_through_etree():
    root = objectify.fromstring(TEXT)
    assert [item.n + 1 for item in root.item] == [8, 3.5]
    assert [n.text for n in etree.XSLT(etree.XML(COPY_ALL))(root).getroot().iterchildren()] == ["7", "2.5"]
    assert root.xpath("//n[. > $least]", least=3)[0] is root.item[0].n
    schema = etree.RelaxNG(
        etree.XML('<element name="n" xmlns="http://relaxng.org/ns/structure/1.0"><value>7</value></element>')
    )
    assert [schema.validate(item.n) for item in root.item] == [True, False]
    assert objectify.ObjectPath("shop.item[1].n")(root) == 2.5
    root.item[0].n = "eight"
    assert etree.ElementTree(root).findtext("item/n") == "eight"
    objectify.deannotate(root, cleanup_namespaces=True)
    assert b"pytype" not in etree.tostring(root)


def test_types_of_objects():
    root = objectify.fromstring("<a><i>-5</i><f>2.5</f><b>false</b><s>x</s><e/><big>9223372036854775808</big></a>")
    assert [type(each).__name__ for each in root.iterchildren()] == [
        *("IntElement", "FloatElement", "BoolElement", "StringElement", "StringElement", "IntElement"),
    ]
    assert (root.i * 2, root.f * 4, not root.b, root.s + "y", root.big - 1) == (-10, 10, True, "xy", 2**63 - 1)
    objectify.annotate(root)
    assert root.f.get("{http://codespeak.net/lxml/objectify/pytype}pytype") == "float"
    assert (
        objectify.dump(objectify.fromstring("<a><i>-5</i></a>"))
        == "a = None [ObjectifiedElement]\n    i = -5 [IntElement]"
    )


def events_of(tree):
    """Return what a handler of Python's own xml.sax is told."""
    target = io.StringIO()
    sax.saxify(tree, xml.sax.saxutils.XMLGenerator(target, short_empty_elements=True))
    return target.getvalue()


def test_trees_to_events_and_back():
    root = etree.fromstring(TEXT.replace("7", "&lt;7&#233;"))
    text = events_of(etree.ElementTree(root)).removeprefix('<?xml version="1.0" encoding="iso-8859-1"?>\n')
    assert etree.tostring(etree.fromstring(text), method="c14n") == etree.tostring(root, method="c14n")
    handler = sax.ElementTreeContentHandler()
    sax.saxify(root, handler)
    assert etree.tostring(handler.etree.getroot(), method="c14n") == etree.tostring(root, method="c14n")
    producer = sax.ElementTreeProducer(builder.E.a(builder.E.b("1")), handler := sax.ElementTreeContentHandler())
    producer.saxify()
    assert handler.etree.findtext("b") == "1"


def test_events_that_do_not_fit():
    handler = sax.ElementTreeContentHandler()
    handler.startElementNS(("urn:x", "a"), "a", {(None, "k"): "v"})
    handler.processingInstruction("target", "data")
    assert handler.etree.getroot().attrib == {"k": "v"}
    with pytest.raises(sax.SaxError, match="Unexpected element closed"):
        handler.endElementNS(("urn:x", "b"), "b")


def test_differences_of_html():
    # The example of lxml's documentation.
    assert diff.htmldiff("<p>Here is some text.</p>", "<p>Here is <b>a lot</b> of <i>text</i>.</p>") == (
        "<p>Here is <ins><b>a lot</b> of <i>text</i>.</ins> <del>some text.</del> </p>"
    )
    same = html.fragment_fromstring("<p>Nothing <b>new</b></p>")
    assert "Nothing <b>new</b>" in diff.htmldiff(same, same)
    notes = diff.html_annotate([("<p>Hello</p>", "v1"), ("<p>Hello world</p>", "v2")])
    assert notes == '<p><span title="v1">Hello</span> <span title="v2">world</span></p>'
    assert "<img" in diff.htmldiff("<p>x</p>", '<p>x <img src="a.png"></p>')
    with pytest.raises(LookupError, match="from Python"):
        diff.html_annotate([("<p>a</p>", 1), ("<p>b</p>", 2)], markup=fails)


@pytest.mark.parametrize(
    ("first", "second"),
    [("qabxcd", "abycdf"), ("", "abc"), ("private Thread currentThread;", "private volatile Thread currentThread;")],
)
def test_sequences_as_python_s_difflib(first, second):
    ours, theirs = _difflib.SequenceMatcher(None, first, second), difflib.SequenceMatcher(None, first, second)
    assert list(ours.get_grouped_opcodes(0)) == list(theirs.get_grouped_opcodes(0))
    assert ours.ratio() == theirs.ratio()
    without_blanks = [matcher.SequenceMatcher(str.isspace, first, second).ratio() for matcher in (_difflib, difflib)]
    assert without_blanks[0] == without_blanks[1]
    with pytest.raises(LookupError, match="from Python"):
        _difflib.SequenceMatcher(fails, "a b", "ab")


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy])
def test_copies(again):
    root = etree.fromstring(f"<?go on?><!--c-->{TEXT}")
    for value in (root, root[0], root.getroottree(), *root.itersiblings(preceding=True), etree.Entity("eacute")):
        other = again(value)
        assert type(other) is type(value)
        assert etree.tostring(other, with_tail=False) == etree.tostring(value, with_tail=False)
        assert other is not value
    inner = again(root[0])
    inner.tag = "other"
    assert (root[0].tag, root[0][0].getparent(), again(root[1]).getparent()) == ("item", root[0], None)
    transform = again(etree.XSLT(etree.XML(COPY_ALL)))
    assert transform(root).getroot()[1].text == "2.5"
    plain = objectify.fromstring(TEXT)
    assert again(plain).item[1].n == 2.5
    assert type(again(plain.item[0].n)) is objectify.IntElement


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_objects_pickle(protocol):
    root = objectify.fromstring(TEXT)
    other = pickle.loads(pickle.dumps(root, protocol))
    assert type(other) is type(root)
    assert etree.tostring(other) == etree.tostring(root)
    tree = pickle.loads(pickle.dumps(root.getroottree(), protocol))
    assert tree.getroot().item[1].n == 2.5
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(etree.fromstring(TEXT), protocol)


def fails(*_arguments, **_options):
    raise LookupError("from Python")


class Broken:
    read = write = fails


def raises(base, *names):
    return type("Raises", (base,), dict.fromkeys(names, fails))()


def parser_with(**methods):
    return etree.XMLParser(target=type("Sink", (), {"close": lambda _self: None, **methods})())


def transform_with(extensions, body):
    return etree.XSLT(
        etree.XML(
            '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:e="urn:e" '
            f'extension-element-prefixes="e"><xsl:template match="/"><o>{body}</o></xsl:template></xsl:stylesheet>'
        ),
        extensions=extensions,
    )(etree.XML("<a/>"))


def resolved():
    parser = etree.XMLParser(load_dtd=True, resolve_entities=True)
    parser.resolvers.add(raises(etree.Resolver, "resolve"))
    return etree.fromstring('<!DOCTYPE a SYSTEM "memory:x"><a/>', parser)


def looked_up():
    parser = etree.XMLParser()
    parser.set_element_class_lookup(raises(etree.CustomElementClassLookup, "lookup"))
    return etree.fromstring("<a/>", parser).tag


def written_in_parts():
    with etree.xmlfile(Broken()) as file, file.element("a"):
        file.write("x" * 100_000)


def of_a_type():
    kind = objectify.PyType("own", fails, objectify.StringElement)
    kind.register(before=("int",))
    try:
        return objectify.fromstring("<a><b>5</b></a>").b
    finally:
        kind.unregister()


@pytest.mark.parametrize(
    "call",
    [
        lambda: etree.parse(Broken()),
        lambda: list(etree.iterparse(Broken())),
        lambda: html.parse(Broken()),
        lambda: objectify.parse(Broken()),
        lambda: etree.ElementTree(etree.fromstring(TEXT)).write(Broken()),
        lambda: etree.ElementTree(etree.fromstring(TEXT)).write(Broken(), method="c14n"),
        written_in_parts,
        *(lambda name=name: etree.fromstring("<a>t<!--c--><?p i?></a>", parser_with(**{name: fails}))
          for name in ("start", "end", "data", "comment", "pi", "close")),
        lambda: transform_with({("urn:e", "f"): fails}, '<xsl:value-of select="e:f()"/>'),
        lambda: transform_with({("urn:e", "x"): raises(etree.XSLTExtension, "execute")}, "<e:x/>"),
        lambda: etree.XPath("e:f(.)", namespaces={"e": "urn:e"}, extensions={("urn:e", "f"): fails})(etree.XML("<a/>")),
        lambda: sax.saxify(etree.fromstring(TEXT), raises(xml.sax.handler.ContentHandler, "startElementNS")),
        lambda: builder.ElementMaker(makeelement=fails).a(),
        lambda: builder.ElementMaker(typemap={complex: fails}).a(1j),
        *(resolved, looked_up, of_a_type),
    ],
)  # fmt: skip
def test_errors_in_callbacks_arrive_unchanged(call):
    for _ in range(20):
        with pytest.raises(LookupError, match="from Python"):
            call()
    assert etree.fromstring(TEXT).findtext("item/n") == "7"


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: etree.fromstring("<a"), etree.XMLSyntaxError),
        (lambda: etree.XPath("a["), etree.XPathSyntaxError),
        (lambda: etree.XML("<a/>").xpath("$nothing"), etree.XPathEvalError),
        (lambda: etree.XML("<a/>").xpath("p:a"), etree.XPathEvalError),
        (lambda: etree.XSLT(etree.XML("<a/>")), etree.XSLTParseError),
        (lambda: transform_with({}, '<xsl:message terminate="yes">end</xsl:message>'), etree.XSLTApplyError),
        (lambda: etree.XMLSchema(etree.XML("<a/>")), etree.XMLSchemaParseError),
        (lambda: etree.RelaxNG(etree.XML("<a/>")), etree.RelaxNGParseError),
        (lambda: etree.DTD(io.StringIO("<!ELEMENT a")), etree.DTDParseError),
        (lambda: etree.DTD(io.StringIO("<!ELEMENT a EMPTY>")).assertValid(etree.XML("<b/>")), etree.DocumentInvalid),
        (lambda: etree.tostring(etree.XML("<a/>"), encoding="no-encoding"), LookupError),
        (lambda: etree.parse("/no/such/file.xml"), OSError),
        (lambda: etree.SubElement(etree.XML("<a/>"), "no name"), ValueError),
        (lambda: setattr(etree.XML("<a/>"), "text", "\0"), ValueError),
        (lambda: objectify.fromstring("<a/>").nothing, AttributeError),
        (lambda: objectify.ObjectPath("a.b")(objectify.fromstring("<a/>")), AttributeError),
    ],
)
def test_errors_of_the_libraries(call, error):
    for _ in range(20):
        with pytest.raises(error, match=r".+"):
            call()
