"""The one table of how a published folder is served: the built-in server and every configuration are made from it."""

from __future__ import annotations

import re
from dataclasses import dataclass

FOREVER = "public, max-age=31536000, immutable"
"""For a file that never changes under its name (RFC 8246)."""
REVALIDATE = "no-cache"
"""Kept by caches, but asked about before each use (RFC 9111, 5.2.2.4): an index shows a new wheel at once."""
SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
"""PEP 691. micropip 0.11.1 takes ``application/json`` for another format and fails."""
SIMPLE_JSON_FILE = "index.json"
"""The JSON form of an index page, beside its ``index.html``."""

WASM = "application/wasm"
"""WebAssembly.instantiateStreaming takes no other type than this one."""
SCRIPT = "text/javascript; charset=utf-8"
RUNTIME = "pyodide/*/full"
"""Where `emwheels publish --runtime` lays the files of each release."""

ENCODINGS = {"br": ".br", "gzip": ".gz"}
"""Content coding -> suffix of the precompressed file beside the plain one; the better coding first."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How the files are served whose path is ``…/folder/…suffix``.

    An empty ``folder`` means any, an empty ``suffix`` every file; ``*`` in ``folder`` is any one name. ``direct``: only
    files in that folder itself.
    """

    folder: str = ""
    suffix: str = ""
    direct: bool = False
    media_type: str
    cache: str = REVALIDATE
    negotiated: bool = False
    """The answer depends on the request's Accept header."""
    precompressed: bool = False
    """nginx looks for a ``.br`` file beside it; the built-in server and Caddy do so for every file."""

    @property
    def pattern(self) -> str:
        """Return `pattern_of` the plain file."""
        return self.pattern_of("")

    def pattern_of(self, coding: str) -> str:
        """Return a regular expression for the whole path with the suffix ``coding`` after it.

        In the syntax that Python, PCRE (nginx) and RE2 (Caddy) share.
        """
        between = "[^/]+" if self.direct else ".*"
        parts = "/".join("[^/]+" if part == "*" else re.escape(part) for part in self.folder.split("/"))
        folder = f"(/.*)?/{parts}/" if self.folder else "/"
        return f"^{folder}{between}{re.escape(self.suffix + coding)}$"


RULES = (
    # RFC 6713 gives gzip's type; a wheel is a zip file (PEP 427), and must never be taken for an encoding of one.
    Rule(folder="wheels", suffix=".whl", direct=True, media_type="application/zip", cache=FOREVER, precompressed=True),
    Rule(folder="wheels", suffix=".metadata", direct=True, media_type="text/plain; charset=utf-8", cache=FOREVER),
    Rule(folder="wheels", suffix=".statement.json", direct=True, media_type="application/json", cache=FOREVER),
    Rule(folder="wheels", suffix=".provenance", direct=True, media_type="application/json", cache=FOREVER),
    Rule(folder="simple", suffix=".json", media_type=SIMPLE_JSON, negotiated=True),
    Rule(folder="simple", suffix=".html", media_type="text/html; charset=utf-8", negotiated=True),
    # The runtime: its version is in its path. The lock beside it is not of it, and changes.
    Rule(folder=RUNTIME, suffix=".wasm", direct=True, media_type=WASM, cache=FOREVER, precompressed=True),
    Rule(folder=RUNTIME, suffix=".mjs", direct=True, media_type=SCRIPT, cache=FOREVER, precompressed=True),
    Rule(folder=RUNTIME, suffix=".js", direct=True, media_type=SCRIPT, cache=FOREVER, precompressed=True),
    Rule(folder=RUNTIME, suffix=".zip", direct=True, media_type="application/zip", cache=FOREVER, precompressed=True),
    Rule(suffix=".wasm", media_type=WASM, precompressed=True),
    Rule(suffix=".html", media_type="text/html; charset=utf-8"),
    Rule(suffix=".js", media_type=SCRIPT, precompressed=True),
    Rule(suffix=".mjs", media_type=SCRIPT, precompressed=True),
    Rule(suffix=".json", media_type="application/json", precompressed=True),
    Rule(suffix=".map", media_type="application/json"),
    Rule(suffix=".css", media_type="text/css; charset=utf-8"),
    Rule(suffix=".svg", media_type="image/svg+xml"),
    Rule(suffix=".png", media_type="image/png"),
    Rule(suffix=".zip", media_type="application/zip"),
    Rule(suffix=".xml", media_type="application/xml"),
    Rule(suffix=".txt", media_type="text/plain; charset=utf-8"),
    Rule(suffix=".log", media_type="text/plain; charset=utf-8"),
    Rule(suffix=".whl", media_type="application/zip"),
    Rule(media_type="application/octet-stream"),
)
"""The first rule that fits a path decides; the last one fits every path."""

COMMON_HEADERS = {
    # What is published here is for every origin; a request with credentials is never needed, so "*" is enough.
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Accept-Ranges, Content-Encoding, Content-Length, Content-Range, ETag",
    # A page that is cross-origin isolated loads nothing from elsewhere that does not say this.
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}
"""In every answer, errors and redirects too: without them a page cannot tell a missing project from no network."""

PREFLIGHT_HEADERS = {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Max-Age": "86400",
}
"""In the answer to OPTIONS besides the common ones."""

ISOLATION_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
"""For pages that need SharedArrayBuffer (threads): optional, because such a page loads nothing that does not opt in."""

_PATTERNS = tuple((re.compile(rule.pattern), rule) for rule in RULES)


def rule_of(path: str) -> Rule:
    """Return the rule for ``path``, which begins with a slash and names a file."""
    return next((rule for pattern, rule in _PATTERNS if pattern.fullmatch(path)), RULES[-1])


def headers_of(rule: Rule, *, isolated: bool = False) -> dict[str, str]:
    """Return the headers of an answer under ``rule`` besides `COMMON_HEADERS` and its Content-Type."""
    vary = "Accept, Accept-Encoding" if rule.negotiated else "Accept-Encoding"
    return {"Cache-Control": rule.cache, "Vary": vary} | (ISOLATION_HEADERS if isolated else {})
