"""The status page as one HTML file: its style, picture and script are in it, and a policy allows nothing else."""

from __future__ import annotations

import base64
import hashlib
import html
from importlib.resources import files
from typing import TYPE_CHECKING

from emwheels.harness.engines import ENGINES
from emwheels.status.picture import picture, size_text, time_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emwheels.status.model import StatusRow

SHOWN = 500
"""Wheels; a page of thousands would be megabytes, of no use on a phone. The index has all of them."""
_EMPTY = "<p>No wheel has been published yet.</p>"
_COLUMNS = ("Package", "Version", "Pyodide", "Size", "Build time", "Tests", "Published", "More", "Install")


def status_page(built: Sequence[StatusRow], *, profile: str) -> str:
    """Return the page. Whatever comes from a wheel or a recipe is escaped."""
    style = _resource("page.css")
    script = _resource("page.js")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    count = len(built)
    if count > SHOWN:
        latest = sorted(built, key=lambda row: row.changed, reverse=True)[:SHOWN]
        chosen = {row.filename for row in latest}
        built = [row for row in built if row.filename in chosen]
    rows = "\n".join(_row(row, number) for number, row in enumerate(built))
    heads = "".join(f'<th role="columnheader" scope="col">{column}</th>' for column in _COLUMNS)
    targets = ", ".join(sorted({row.target for row in built}))
    body = _EMPTY
    if built:
        body = f"""\
<p>{count:,} wheels for Pyodide {_text(targets)}, profile <code>{_text(profile)}</code>.
The package index is <a href="simple/">simple/</a>.{_more(count)}</p>
<p><label for="filter">Show packages whose name has</label> <input id="filter" type="search" autocomplete="off">
<span id="said" role="status" aria-live="polite"></span></p>
<table role="table" aria-label="Published wheels">
<thead role="rowgroup"><tr role="row">{heads}</tr></thead>
<tbody role="rowgroup">
{rows}
</tbody>
</table>
<h2>Size and build time</h2>
<p class="legend"><span class="key size"></span> size of the wheel <span class="key time"></span> time to compile it</p>
{picture(built)}"""
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>WebAssembly wheels</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<main>
<h1>WebAssembly wheels</h1>
{body}
</main>
<script>{script}</script>
</body>
</html>
"""


def _more(count: int) -> str:
    return f" Here are the {SHOWN:,} that were published last." if count > SHOWN else ""


def _row(row: StatusRow, number: int) -> str:
    more = [(text, link) for text, link in (("log", row.log), ("audit", row.audit), ("SBOM", row.sbom)) if link]
    of = f'<span class="hidden"> of {_text(row.name)} for {_text(row.target)}</span>'
    links = " ".join(f'<a href="{_text(link)}">{text}{of}</a>' for text, link in more)
    install = f'await micropip.install("{row.name}=={row.version}", index_urls=["https://…/simple"])'
    command = (
        f'<code id="install-{number}" class="install">{_text(install)}</code> '
        f'<button type="button" class="copy" data-for="install-{number}">Copy'
        f'<span class="hidden"> the line that installs {_text(row.name)} for {_text(row.target)}</span></button>'
    )
    date = row.changed
    cells = (
        f'<a href="wheels/{_text(row.filename)}">{_text(row.name)}</a>',
        _text(str(row.version)) + (f'<br><strong class="mark">{_text(row.mark)}</strong>' if row.mark else ""),
        _text(row.target),
        f'<span title="{row.size:,} bytes">{size_text(row.size)}</span>',
        time_text(row.seconds) if row.seconds is not None else "not known",
        _tests(row),
        f'<time datetime="{date:%Y-%m-%dT%H:%M:%SZ}">{date:%Y-%m-%d %H:%M} UTC</time>',
        links or "none",
        command,
    )
    written = "".join(
        f'<td role="cell" data-label="{label}">{cell}</td>' for label, cell in zip(_COLUMNS[1:], cells[1:], strict=True)
    )
    head = f'<th role="rowheader" scope="row">{cells[0]}</th>'
    return f'<tr role="row" data-name="{_text(row.name)}">{head}{written}</tr>'


def _tests(row: StatusRow) -> str:
    if not row.tests:
        return "not run"
    shown = []
    for engine, about in ENGINES.items():
        if (tests := row.tests.get(engine)) is None:
            continue
        kind = "imports only, " if tests.imports_only else ""
        words = f"{about.title}: {kind}{tests.passed} passed" + (f", {tests.failed} failed" if tests.failed else "")
        words += f" (stale: of another wheel, {tests.stale})" if tests.stale else ""
        link = row.reports.get(engine)
        state = "bad" if tests.failed or tests.stale else "good"
        content = f'<a href="{_text(link)}">{words}</a>' if link else words
        shown.append(f'<li class="{state}">{content}</li>')
    return f"<ul>{''.join(shown)}</ul>"


def _text(text: str) -> str:
    return html.escape(text, quote=True)


def _resource(name: str) -> str:
    return (files("emwheels.status") / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return the source of `text` in a Content-Security-Policy (CSP 3)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
