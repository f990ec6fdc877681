"""lxml on libxml2 and libxslt: parsing, XPath, XSLT, schemas, encodings by iconv, and Python called back from C."""

import io

import pytest
from lxml import etree, html, objectify, sax
from lxml.builder import E

DOCUMENT = b"""<?xml version="1.0" encoding="UTF-8"?>
<shop xmlns:m="urn:money"><item id="a" m:price="3.50">Tea</item>
<item id="b" m:price="12">Caf\xc3\xa9</item><!-- end -->
</shop>"""


def test_c_extensions_are_in_use():
    for module in (etree, objectify, sax):
        assert module.__file__.endswith((".so", ".pyd"))
    assert etree.LIBXML_VERSION == etree.LIBXML_COMPILED_VERSION == (2, 15, 4)
    assert etree.LIBXSLT_VERSION == (1, 1, 45)
    assert {"catalog", "html", "iconv", "regexp", "schematron", "xmlschema", "xpath", "zlib"} <= etree.LIBXML_FEATURES


def test_tree_and_serialisation():
    root = etree.fromstring(DOCUMENT)
    assert [(item.get("id"), item.get("{urn:money}price"), item.text) for item in root.iter("item")] == [
        ("a", "3.50", "Tea"),
        ("b", "12", "Café"),
    ]
    root[0].addnext(E.item("Milk", id="c"))
    assert etree.tostring(root, encoding="unicode").count("<item") == 3
    assert etree.tostring(etree.fromstring("<a><b/></a>"), pretty_print=True) == b"<a>\n  <b/>\n</a>\n"


def test_canonical_form():
    text = b'<a  xmlns:z="urn:z" z:b="1" a=\'2\'><c/>\r\n</a>'
    assert etree.tostring(etree.fromstring(text), method="c14n") == b'<a xmlns:z="urn:z" a="2" z:b="1"><c></c>\n</a>'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "iso-8859-15", "windows-1252", "us-ascii"])
def test_encodings(encoding):
    root = etree.Element("a")
    root.text = "Straße äöü"
    data = etree.tostring(root, encoding=encoding, xml_declaration=True)
    assert etree.fromstring(data).text == root.text


@pytest.mark.parametrize("encoding", ["shift_jis", "euc-jp", "gb18030", "koi8-r", "big5", "euc-kr"])
def test_encodings_that_iconv_reads(encoding):
    text = {"koi8-r": "Привет", "euc-kr": "안녕", "gb18030": "你好", "big5": "你好"}.get(encoding, "日本語")
    data = f'<?xml version="1.0" encoding="{encoding}"?><a>{text}</a>'.encode(encoding)
    assert etree.fromstring(data).text == text


def test_xpath():
    root = etree.fromstring(DOCUMENT)
    assert root.xpath("count(//item)") == 2.0
    assert root.xpath("sum(//item/@m:price)", namespaces={"m": "urn:money"}) == 15.5
    assert root.xpath("string(//item[@id=$wanted])", wanted="b") == "Café"
    assert root.xpath(
        "//item[re:test(., '^c', 'i')]/@id", namespaces={"re": "http://exslt.org/regular-expressions"}
    ) == ["b"]
    with pytest.raises(etree.XPathEvalError, match="Invalid expression"):
        root.xpath("//item[")


def test_python_functions_in_xpath():
    def shout(context, nodes):
        assert context.context_node.tag == "shop"
        return "!".join(node.text.upper() for node in nodes)

    functions = etree.FunctionNamespace("urn:own")
    functions["shout"] = shout
    root = etree.fromstring(DOCUMENT)
    assert root.xpath("own:shout(//item)", namespaces={"own": "urn:own"}) == "TEA!CAFÉ"

    def fails(_context):
        raise LookupError("from Python")

    with pytest.raises(LookupError, match="from Python"):
        root.xpath("f()", extensions={(None, "f"): fails})


STYLESHEET = """<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:math="http://exslt.org/math" xmlns:date="http://exslt.org/dates-and-times" xmlns:own="urn:own">
  <xsl:output method="xml" omit-xml-declaration="yes"/><xsl:param name="greeting"/>
  <xsl:template match="/shop"><list most="{math:max(item/@*[local-name()='price'])}"
      day="{date:day-name('2026-11-21')}">
    <xsl:for-each select="item"><xsl:sort select="." order="descending"/>
      <i n="{position()}" s="{format-number(@*[local-name()='price'], '#,##0.00')}">
        <xsl:value-of select="concat($greeting, ' ', .)"/></i></xsl:for-each></list></xsl:template>
</xsl:stylesheet>"""


def test_xslt():
    transform = etree.XSLT(etree.fromstring(STYLESHEET))
    result = transform(etree.fromstring(DOCUMENT), greeting=etree.XSLT.strparam("Hello")).getroot()
    assert result.attrib == {"most": "12", "day": "Saturday"}
    assert [(i.get("n"), i.get("s"), i.text) for i in result] == [
        ("1", "3.50", "Hello Tea"),
        ("2", "12.00", "Hello Café"),
    ]


def test_xslt_calls_python():
    class Twice(etree.XSLTExtension):
        def execute(self, _context, _node, input_node, output_parent):
            output_parent.append(E.twice(input_node.text * 2))

    sheet = etree.fromstring(
        '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:e="urn:e" '
        'extension-element-prefixes="e"><xsl:template match="a"><out><e:twice/></out></xsl:template></xsl:stylesheet>'
    )
    transform = etree.XSLT(sheet, extensions={("urn:e", "twice"): Twice()})
    assert str(transform(etree.fromstring("<a>ab</a>"))).strip().endswith("<out><twice>abab</twice></out>")


def test_schemas():
    xsd = etree.XMLSchema(
        etree.fromstring(
            '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="n">'
            '<xs:simpleType><xs:restriction base="xs:decimal"><xs:maxInclusive value="9"/>'
            "</xs:restriction></xs:simpleType></xs:element></xs:schema>"
        )
    )
    assert xsd.validate(etree.fromstring("<n>8.99</n>"))
    assert not xsd.validate(etree.fromstring("<n>9.01</n>"))
    assert "maxInclusive" in str(xsd.error_log.last_error)
    relaxng = etree.RelaxNG(
        etree.fromstring(
            '<element name="a" xmlns="http://relaxng.org/ns/structure/1.0"><oneOrMore><element name="b"><text/>'
            "</element></oneOrMore></element>"
        )
    )
    assert relaxng.validate(etree.fromstring("<a><b/><b>x</b></a>"))
    assert not relaxng.validate(etree.fromstring("<a/>"))
    dtd = etree.DTD(io.StringIO("<!ELEMENT a (b*)><!ELEMENT b EMPTY>"))
    assert dtd.validate(etree.fromstring("<a><b/></a>"))
    assert not dtd.validate(etree.fromstring("<a><c/></a>"))


def test_html():
    root = html.fromstring("<p>one<br>two<table><tr><td>3</table><a href='/x?a=1&b=2'>l</a>")
    assert root.xpath("//td/text()") == ["3"]
    root.make_links_absolute("https://example.org/")
    assert [link[2] for link in root.iterlinks()] == ["https://example.org/x?a=1&b=2"]


def test_incremental_parsing_and_writing():
    seen = [
        (event, element.tag)
        for event, element in etree.iterparse(io.BytesIO(DOCUMENT), events=("start", "end"), tag="item")
    ]
    assert seen == [("start", "item"), ("end", "item")] * 2
    target = io.BytesIO()
    with etree.xmlfile(target, encoding="utf-8") as file, file.element("root"):
        for number in range(3):
            file.write(E.n(str(number)))
    assert target.getvalue() == b"<root><n>0</n><n>1</n><n>2</n></root>"


def test_target_parser_calls_python():
    events = []

    class Target:
        def start(self, tag, attributes):
            events.append(("start", tag, dict(attributes)))

        def data(self, text):
            events.append(("data", text))

        def close(self):
            return events

    assert etree.fromstring(b"<a x='1'>t</a>", etree.XMLParser(target=Target())) == [
        ("start", "a", {"x": "1"}),
        ("data", "t"),
    ]


def test_resolver_is_asked():
    class Resolver(etree.Resolver):
        def resolve(self, url, _public, context):
            return self.resolve_string(f'<!ENTITY who "{url}">', context)

    parser = etree.XMLParser(load_dtd=True, resolve_entities=True)
    parser.resolvers.add(Resolver())
    assert etree.fromstring(b'<!DOCTYPE a SYSTEM "memory:x"><a>&who;</a>', parser).text == "memory:x"


def test_objectify():
    root = objectify.fromstring("<a><n>3</n><n>4.5</n><t>true</t></a>")
    assert root.n[0] + root.n[1] == 7.5
    assert bool(root.t) is True


def test_errors():
    with pytest.raises(etree.XMLSyntaxError, match="mismatch") as caught:
        etree.fromstring("<a><b></a>")
    assert caught.value.position == (1, 11)
    bomb = (
        '<!DOCTYPE a [<!ENTITY a "'
        + "x" * 1000
        + '">'
        + "".join(
            f'<!ENTITY {b} "{"&" + a + ";" * 1}{("&" + a + ";") * 30}">'
            for a, b in zip("abcdef", "bcdefg", strict=True)
        )
    )
    with pytest.raises(etree.XMLSyntaxError, match=r"amplification|loop|entit"):
        etree.fromstring(bomb + "]><a>&g;</a>", etree.XMLParser(resolve_entities=True))
    deep = "<a>" * 300 + "</a>" * 300
    with pytest.raises(etree.XMLSyntaxError, match=r"[Dd]epth"):
        etree.fromstring(deep, etree.XMLParser(huge_tree=False))
    assert etree.fromstring(deep, etree.XMLParser(huge_tree=True)).tag == "a"


def test_compressed_file(tmp_path):
    path = tmp_path / "a.xml.gz"
    etree.ElementTree(etree.fromstring(DOCUMENT)).write(str(path), compression=9)
    assert path.read_bytes()[:2] == b"\x1f\x8b"
    assert len(etree.parse(str(path), etree.XMLParser(decompress=True)).getroot()) == 3
