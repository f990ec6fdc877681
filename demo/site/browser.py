"""What the page adds to the program: JavaScript's values become Python's, and Python's become JavaScript's."""

from pyodide.ffi import to_js

from inkreader.server import answer


def answer_page(picture, model, **options):
    """Return what `inkreader.server.answer` returns, as an Array of a string and a Uint8Array."""
    said, drawn = answer(picture.to_bytes(), model=model.to_bytes() if model else None, **options)
    return to_js([said, drawn])
