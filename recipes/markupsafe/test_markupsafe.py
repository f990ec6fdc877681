"""MarkupSafe's C escaping, for the three widths in which CPython keeps text, held against its Python code."""

import copy
import pickle

import pytest
from markupsafe import Markup, _escape_inner, _native, _speedups, escape, escape_silent

WIDTHS = ["", "plain", "é", "\u20ac", "\U0001f600"]


def test_c_extension_is_in_use():
    assert _speedups.__file__.endswith((".so", ".pyd"))
    assert _escape_inner is _speedups._escape_inner


@pytest.mark.parametrize("filler", WIDTHS)
@pytest.mark.parametrize(
    ("given", "escaped"),
    [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&#34;"), ("'", "&#39;"), ("\x00\n", "\x00\n")],
)
def test_each_character_in_each_width(filler, given, escaped):
    for text, wanted in [
        (given, escaped),
        (filler + given, filler + escaped),
        (given + filler, escaped + filler),
        (filler + given * 3 + filler, filler + escaped * 3 + filler),
    ]:
        assert _speedups._escape_inner(text) == wanted


@pytest.mark.parametrize("filler", WIDTHS)
def test_same_as_the_python_code(filler):
    text = (filler + "<a href=\"x\">'&'</a>") * 1000
    assert _speedups._escape_inner(text) == _native._escape_inner(text)


def test_text_without_anything_to_escape_is_not_copied():
    text = "nothing here " * 3
    assert _speedups._escape_inner(text) is text


def test_html_protocol():
    class Link:
        def __html__(self):
            return "<a>"

    assert escape(Link()) == Markup("<a>")
    assert escape(3) == Markup("3")
    assert escape_silent(None) == Markup("")


def test_error_of_html_method_comes_through():
    class Broken:
        def __html__(self):
            raise KeyError("told")

    with pytest.raises(KeyError, match="told"):
        escape(Broken())


def test_what_is_not_text_becomes_text_first():
    assert escape(b"<'") == Markup("b&#34;&lt;&#39;&#34;")
    assert escape(None) == Markup("None")


@pytest.mark.parametrize("code", [0x7F, 0x80, 0xFF, 0x100, 0xD800, 0xFFFF, 0x10000, 0x10FFFF])
def test_edges_of_the_widths(code):
    escaped = _speedups._escape_inner("<" + chr(code) * 5 + "&")
    assert escaped == "&lt;" + chr(code) * 5 + "&amp;"
    # Text that is kept in more room than it needs would be another key.
    assert {escaped: 1}["&lt;" + chr(code) * 5 + "&amp;"] == 1
    assert escaped.isascii() is (code < 0x80)


def test_kinds_of_text_that_the_c_code_takes_and_gives():
    class Text(str):
        __slots__ = ()

    for kind in (Text, Markup):
        assert type(_speedups._escape_inner(kind("<"))) is str
        plain = kind("plain")
        assert _speedups._escape_inner(plain) is plain
    assert type(escape(Text("<"))) is Markup
    assert escape(Markup("<")) == "<"
    assert escape(escape("<")) == "&lt;"


@pytest.mark.parametrize("filler", WIDTHS)
def test_markup_escapes_what_it_takes_in(filler):
    markup = Markup("<i>%s</i>")
    assert markup % (filler + "<") == f"<i>{filler}&lt;</i>"
    assert markup % Markup(filler + "<b>") == f"<i>{filler}<b></i>"
    assert Markup("{0}{x}").format("&", x=filler + '"') == f"&amp;{filler}&#34;"
    assert Markup("<br>").join([filler + "'", Markup(">")]) == f"{filler}&#39;<br>>"
    assert filler + "<" + Markup("<") + ">" == f"{filler}&lt;<&gt;"
    assert escape(filler + "<").unescape() == filler + "<"


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
@pytest.mark.parametrize("filler", WIDTHS)
def test_copies(again, filler):
    other = again(escape(filler + "<"))
    assert type(other) is Markup
    assert other == filler + "&lt;"
    assert escape(other) == other


def test_errors_of_what_is_put_in_come_through():
    class Broken:
        def __str__(self):
            raise LookupError("refused")

    for call in (escape, escape_silent, lambda wrong: Markup("%s") % wrong, Markup("{}").format):
        with pytest.raises(LookupError, match="refused"):
            call(Broken())
    with pytest.raises(TypeError):
        _speedups._escape_inner()
