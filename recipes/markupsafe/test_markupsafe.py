"""MarkupSafe's C escaping, for the three widths in which CPython keeps text, held against its Python code."""

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
