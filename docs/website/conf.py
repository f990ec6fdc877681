"""Sphinx reads this: how the documentation site looks, and what makes its build fail."""

from __future__ import annotations

project = "emwheels"
html_title = "emwheels"
language = "en"
smartquotes = False  # it makes a dash of the two hyphens of an option

extensions = ["myst_parser"]
root_doc = "index"
nitpicky = True
show_warning_types = True
suppress_warnings = [
    "misc.highlighting_failure",  # an example may be cut short, and is still shown
    "myst.header",  # a page may start its sections one level deeper
]
myst_heading_anchors = 4  # the anchors that code hosts make, so that one link works there and here

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
pygments_style = "friendly"
pygments_dark_style = "monokai"
