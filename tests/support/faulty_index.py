"""One server with many indexes: ``/FAULT/simple`` is right but for one thing, and ``/right/simple`` is right."""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import json
import threading
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from emwheels.serve.rules import COMMON_HEADERS, SIMPLE_JSON, SIMPLE_JSON_FILE, headers_of, rule_of

if TYPE_CHECKING:
    from collections.abc import Callable

ABI = "cp314-cp314-pyemscripten_2026_0_wasm32"
OTHER_ABI = "cp312-cp312-pyodide_2024_0_wasm32"
WASM = b"\0asm\1\0\0\0"


def wheel(name, version, tag=ABI, requires=()):
    """Return the bytes of a wheel with one module, the same for the same arguments."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {each}\n" for each in requires)
    padding = "".join(hashlib.sha256(f"{name}{number}".encode()).hexdigest() for number in range(200))
    members = {
        f"{name}.py": f'VERSION = "{version}"\nPADDING = "{padding}"\n',
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: false\nTag: {tag}\n",
    }
    record = (
        "".join(f"{path},sha256={_urlsafe(text)},{len(text)}\n" for path, text in members.items())
        + f"{info}/RECORD,,\n"
    )
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in [*members.items(), (f"{info}/RECORD", record)]:
            archive.writestr(zipfile.ZipInfo(path, (2026, 1, 1, 0, 0, 0)), text, zipfile.ZIP_DEFLATED)
    return raw.getvalue()


def _urlsafe(text):
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def metadata_of(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith("/METADATA")))


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def statement_of(filename, digest, **different):
    """Return a statement as `index verify` takes it; ``different`` replaces parts."""
    predicate = {
        "buildDefinition": {"buildType": "pkg:generic/tests", "externalParameters": {}},
        "runDetails": {"builder": {"id": "pkg:generic/tests"}},
    }
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": filename, "digest": {"sha256": digest}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": predicate,
    }
    return json.dumps(statement | different).encode()


def provenance_of(*statements, **different):
    """Return provenance (PEP 740) that nobody has signed."""
    attestations = [
        {
            "version": 1,
            "verification_material": {"certificate": "", "transparency_entries": [{}]},
            "envelope": {"statement": base64.b64encode(each).decode(), "signature": ""},
        }
        for each in statements
    ]
    bundle = {"publisher": {"kind": "GitHub", "repository": "a/b", "workflow": "c"}, "attestations": attestations}
    return json.dumps({"version": 1, "attestation_bundles": [bundle]} | different).encode()


@dataclass
class Listed:
    """A wheel as a page shows it: what is wrong about it is wrong here."""

    filename: str
    data: bytes
    url: str = ""
    sha256: str | None = None
    yanked: bool = False
    size: int | None = None
    metadata: bytes = b""
    metadata_sha256: str = ""
    statement: bytes = b""
    statement_sha256: str = ""
    provenance: bytes = b""
    provenance_sha256: str = ""
    in_html: bool = True


@dataclass
class Site:
    """A right index of two projects; a fault changes it before its pages are written, or its answers."""

    base: str
    projects: dict[str, list[Listed]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    listed_as: dict[str, str] = field(default_factory=dict)
    with_html: bool = True
    with_json: bool = True

    def add(self, name, version, *, tag=ABI, **different):
        data = wheel(name.replace("-", "_"), version, tag)
        filename = f"{name.replace('-', '_')}-{version}-{tag}.whl"
        metadata = metadata_of(data)
        values = {
            "url": f"{self.base}/wheels/{filename}",
            "sha256": sha256(data),
            "size": len(data),
            "metadata": metadata,
            "metadata_sha256": sha256(metadata),
            "statement": (statement := statement_of(filename, sha256(data))),
            "statement_sha256": sha256(statement),
        }
        self.projects.setdefault(name, []).append(Listed(filename, data, **(values | different)))

    def write(self):
        """Make the files; those a fault put there already stay."""
        made = {"/pyodide/pyodide.asm.wasm": WASM}
        for name, listed in self.projects.items():
            for each in listed:
                made[f"/wheels/{each.filename}"] = each.data
                made[f"/wheels/{each.filename}.metadata"] = each.metadata
                made[f"/wheels/{each.filename}.statement.json"] = each.statement
                made[f"/wheels/{each.filename}.provenance"] = each.provenance
            folder = f"/simple/{self.listed_as.get(name, name)}/"
            made[f"{folder}index.html"] = _html(name, listed)
            made[f"{folder}{SIMPLE_JSON_FILE}"] = _json(name, listed)
        names = sorted(self.listed_as.get(name, name) for name in self.projects)
        made["/simple/index.html"] = "".join(f'<a href="{name}/">{name}</a>' for name in names).encode()
        made[f"/simple/{SIMPLE_JSON_FILE}"] = json.dumps(
            {"meta": {"api-version": "1.1"}, "projects": [{"name": name} for name in names]}
        ).encode()
        unwanted = () if self.with_json else (SIMPLE_JSON_FILE,)
        unwanted += () if self.with_html else ("index.html",)
        self.files = {path: data for path, data in made.items() if not path.endswith(unwanted or "\0")} | self.files


def _html(name, listed):
    links = ""
    for each in listed:
        if not each.in_html:
            continue
        fragment = f"#sha256={each.sha256}" if each.sha256 else ""
        yanked = ' data-yanked="broken"' if each.yanked else ""
        promised = f' data-core-metadata="sha256={each.metadata_sha256}"' if each.metadata_sha256 else ""
        for what, digest in (("statement", each.statement_sha256), ("provenance", each.provenance_sha256)):
            promised += f' data-emwheels-{what}="sha256={digest}"' if digest else ""
        links += f'<a href="../../wheels/{each.filename}{fragment}"{yanked}{promised}>{each.filename}</a><br>\n'
    return f"<!DOCTYPE html><title>{name}</title>\n{links}".encode()


def _json(name, listed):
    files = [
        {
            "filename": each.filename,
            "url": each.url,
            "hashes": {"sha256": each.sha256} if each.sha256 else {},
            "size": each.size,
            **({"core-metadata": {"sha256": each.metadata_sha256}} if each.metadata_sha256 else {}),
            **({"_emwheels-statement": {"sha256": each.statement_sha256}} if each.statement_sha256 else {}),
            **({"_emwheels-provenance": {"sha256": each.provenance_sha256}} if each.provenance_sha256 else {}),
            **({"yanked": "broken"} if each.yanked else {}),
        }
        for each in listed
    ]
    document = {"meta": {"api-version": "1.1"}, "name": name, "versions": [], "files": files}
    return json.dumps(document).encode()


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes


def right_reply(site, path, headers):
    """Answer like a server that keeps every rule."""
    merged = "/" + "/".join(part for part in path.split("/") if part) + ("/" if path.endswith("/") else "")
    if merged.endswith("/"):
        json_wanted = SIMPLE_JSON in headers.get("Accept", "") and merged + SIMPLE_JSON_FILE in site.files
        merged += SIMPLE_JSON_FILE if json_wanted else "index.html"
    if merged not in site.files:
        return Reply(404, {**COMMON_HEADERS, "Content-Type": "text/plain"}, b"not found\n")
    rule = rule_of(merged)
    body = site.files[merged]
    sent = {**COMMON_HEADERS, **headers_of(rule), "Content-Type": rule.media_type, "ETag": f'"{sha256(body)[:16]}"'}
    if headers.get("If-None-Match") == sent["ETag"]:
        return Reply(304, sent, b"")
    if (wanted := headers.get("Range", "")).startswith("bytes="):
        first, last = wanted[6:].split("-")
        start, end = int(first) if first else len(body) - int(last), int(last) + 1 if first and last else len(body)
        sent["Content-Range"] = f"bytes {start}-{min(end, len(body)) - 1}/{len(body)}"
        return Reply(206, sent, body[start:end])
    return Reply(200, sent, body)


@dataclass(frozen=True)
class Fault:
    """``change`` the site before it is written, ``spoil`` its answers; both work in place."""

    change: Callable[[Site], object] = lambda _site: None
    spoil: Callable[[str, Reply], object] = lambda _path, _reply: None


def _every(site, **different):
    for listed in site.projects.values():
        for each in listed:
            for name, value in different.items():
                setattr(each, name, value(each) if callable(value) else value)


def _without(header):
    return lambda _path, reply: reply.headers.pop(header, None)


def _set(when, **headers):
    def spoil(path, reply):
        if when(path) and reply.status in (200, 206):
            reply.headers.update({name.replace("_", "-"): value for name, value in headers.items()})

    return spoil


def _is_wheel(path):
    return path.endswith(".whl")


def _is_page(path):
    return "/simple/" in path


def _html_only(site):
    site.with_json = False


def _json_only(site):
    site.with_html = False


def _json_as_json(path, reply):
    if reply.headers["Content-Type"] == SIMPLE_JSON:
        reply.headers["Content-Type"] = "application/json"


def _answer_all(path, reply):
    if reply.status == 404:
        reply.status, reply.body = 200, b"<!DOCTYPE html><title>Welcome</title>"
        reply.headers["Content-Type"] = "text/html"


def _truncate(path, reply):
    if _is_wheel(path) and reply.status == 200:
        reply.body = reply.body[:-100]


def _redirect(path, reply):
    if _is_wheel(path) and "/elsewhere/" not in path and reply.status in (200, 206):
        reply.status, reply.body = 302, b""
        reply.headers = {"Location": f"/elsewhere{path}"}


def _real_wheels(site):
    for listed in site.projects.values():
        for each in listed:
            site.files[f"/elsewhere/wheels/{each.filename}"] = each.data


def _no_double_slash(path, reply):
    if "//" in path:
        reply.status, reply.body = 404, b""


def _unnormalised(site):
    site.listed_as["beta-two"] = "Beta_Two"


def _yank_all(site):
    _every(site, yanked=True)


def _other_abi(site):
    site.projects = {}
    site.add("alpha", "1.0", tag=OTHER_ABI)
    site.add("beta-two", "2.0", tag=OTHER_ABI)


def _shift_range(path, reply):
    if reply.status == 206:
        reply.body = bytes(byte ^ 1 for byte in reply.body)


def _remove_wheels(path, reply):
    if _is_wheel(path):
        reply.status, reply.body = 404, b""


def _remove_metadata(path, reply):
    if path.endswith(".metadata"):
        reply.status, reply.body = 404, b""


def _lie(site):
    text = b"Metadata-Version: 2.1\nName: alpha\nVersion: 9.9\nRequires-Dist: surprise\n"
    _every(site, metadata=text, metadata_sha256=sha256(text))


def _cors_on_success_only(path, reply):
    if reply.status == 404:
        reply.headers.pop("Access-Control-Allow-Origin")


def _other_origin(path, reply):
    reply.headers["Access-Control-Allow-Origin"] = "https://elsewhere.example"


def _no_page(path, reply):
    if "/simple/alpha/" in path:
        reply.status, reply.body = 500, b""


def _stale(path, reply):
    if _is_page(path) and reply.status == 200:
        reply.headers["ETag"] = f'"{id(reply):x}"'


def _garbled(path, reply):
    if "/simple/alpha/" in path and reply.headers["Content-Type"] == SIMPLE_JSON:
        reply.body = b"{"


def _drop_from_html(site):
    site.projects["alpha"][0].in_html = False


def _add_gamma(site):
    site.add("gamma", "3.0")


def _wrong_size(site):
    _every(site, size=lambda each: each.size + 1)


def _statement(site, make):
    """Give every wheel another statement, and the index its hash."""
    for listed in site.projects.values():
        for each in listed:
            each.statement = make(each)
            each.statement_sha256 = sha256(each.statement)


def _provenance(site, make):
    for listed in site.projects.values():
        for each in listed:
            each.provenance = make(each)
            each.provenance_sha256 = sha256(each.provenance)


def _remove(suffix):
    def spoil(path, reply):
        if path.endswith(suffix):
            reply.status, reply.body = 404, b""

    return spoil


def _changed_wheel(site):
    """Somebody has put another wheel in the place of each, and has written the pages again."""
    for name, listed in site.projects.items():
        for each in listed:
            each.data = wheel(name.replace("-", "_"), str(each.filename.split("-")[1]), requires=["surprise"])
            each.metadata = metadata_of(each.data)
            each.sha256, each.size, each.metadata_sha256 = sha256(each.data), len(each.data), sha256(each.metadata)


WRONG = "0" * 64
FAULTS: dict[str, Fault] = {
    "right": Fault(),
    "right-html": Fault(_html_only),
    "right-with-gamma": Fault(_add_gamma),
    "no-cors": Fault(spoil=_without("Access-Control-Allow-Origin")),
    "cors-for-another": Fault(spoil=_other_origin),
    "cors-not-on-errors": Fault(spoil=_cors_on_success_only),
    "json-as-application-json": Fault(spoil=_json_as_json),
    "json-relative": Fault(lambda site: _every(site, url=lambda each: f"../../wheels/{each.filename}")),
    "json-garbled": Fault(spoil=_garbled),
    "html-as-download": Fault(_html_only, _set(_is_page, Content_Type="application/octet-stream")),
    "wrong-hash": Fault(lambda site: _every(site, sha256=WRONG)),
    "no-hash": Fault(lambda site: _every(site, sha256=None)),
    "wrong-size": Fault(_wrong_size),
    "page-for-missing-project": Fault(spoil=_answer_all),
    "page-missing": Fault(spoil=_no_page),
    "wasm-as-download": Fault(spoil=_set(lambda path: path.endswith(".wasm"), Content_Type="application/octet-stream")),
    "wheel-says-gzip": Fault(spoil=_set(_is_wheel, Content_Encoding="gzip")),
    "wheel-truncated": Fault(spoil=_truncate),
    "wheel-missing": Fault(spoil=_remove_wheels),
    "wheel-as-text": Fault(spoil=_set(_is_wheel, Content_Type="text/plain")),
    "redirect-without-cors": Fault(_real_wheels, _redirect),
    "no-double-slash": Fault(spoil=_no_double_slash),
    "only-yanked": Fault(_yank_all),
    "metadata-hash": Fault(lambda site: _every(site, metadata_sha256=WRONG)),
    "metadata-missing": Fault(spoil=_remove_metadata),
    "metadata-lies": Fault(_lie),
    "name-not-normalised": Fault(_unnormalised),
    "page-immutable": Fault(spoil=_set(_is_page, Cache_Control="public, max-age=31536000, immutable")),
    "page-without-caching": Fault(
        spoil=lambda path, reply: _is_page(path) and reply.headers.pop("Cache-Control", None)
    ),
    "wheel-not-cached": Fault(spoil=_set(_is_wheel, Cache_Control="no-store")),
    "etag-changes": Fault(spoil=_stale),
    "range-wrong": Fault(spoil=_shift_range),
    "other-abi": Fault(_other_abi),
    "forms-differ": Fault(_drop_from_html),
    "wheel-changed": Fault(_changed_wheel),
    "no-statements": Fault(lambda site: _every(site, statement=b"", statement_sha256="")),
    "statement-missing": Fault(spoil=_remove(".statement.json")),
    "statement-changed": Fault(lambda site: _every(site, statement=b"{}")),
    "statement-of-another": Fault(
        lambda site: _statement(site, lambda each: statement_of("other-1.0-py3-none-any.whl", each.sha256))
    ),
    "statement-garbled": Fault(lambda site: _statement(site, lambda _each: b"{")),
    "statement-deep": Fault(lambda site: _statement(site, lambda _each: b'{"a":' + b"[" * 100_000)),
    "statement-of-no-build": Fault(
        lambda site: _statement(site, lambda each: statement_of(each.filename, each.sha256, predicateType="https://x"))
    ),
    "statement-endless": Fault(lambda site: _statement(site, lambda each: each.statement + b" " * (1 << 20))),
    "provenance": Fault(lambda site: _provenance(site, lambda each: provenance_of(each.statement))),
    "provenance-missing": Fault(
        lambda site: _provenance(site, lambda each: provenance_of(each.statement)), _remove(".provenance")
    ),
    "provenance-of-another": Fault(
        lambda site: _provenance(site, lambda each: provenance_of(statement_of(each.filename, WRONG)))
    ),
    "provenance-of-another-statement": Fault(
        lambda site: _provenance(
            site, lambda each: provenance_of(statement_of(each.filename, each.sha256, predicateType="https://x"))
        )
    ),
    "provenance-garbled": Fault(lambda site: _provenance(site, lambda _each: provenance_of())),
}


NAMED = {
    "right": set(),
    "right-html": set(),
    "right-with-gamma": set(),
    "no-cors": {"cors", "cors-missing"},
    "cors-for-another": {"cors", "cors-missing"},
    "cors-not-on-errors": {"cors-missing"},
    "json-as-application-json": {"json-type"},
    "json-relative": {"json-relative"},
    "json-garbled": {"page-content"},
    "html-as-download": {"page-type"},
    "wrong-hash": {"hash-wrong"},
    "no-hash": {"hash-missing"},
    "wrong-size": {"size-wrong"},
    "page-for-missing-project": {"missing-project"},
    "page-missing": {"page-status"},
    "wasm-as-download": {"wasm-type"},
    "wheel-says-gzip": {"wheel-encoding"},
    "wheel-truncated": {"wheel-truncated"},
    "wheel-missing": {"wheel-status"},
    "wheel-as-text": {"wheel-type"},
    "redirect-without-cors": {"redirect-cors"},
    "no-double-slash": {"double-slash"},
    "only-yanked": {"only-yanked"},
    "metadata-hash": {"metadata-hash"},
    "metadata-missing": {"metadata-status"},
    "metadata-lies": {"metadata-differs"},
    "name-not-normalised": {"name-normalisation"},
    "page-immutable": {"cache-page"},
    "page-without-caching": {"cache-page"},
    "wheel-not-cached": {"cache-wheel"},
    "etag-changes": {"etag"},
    "range-wrong": {"range"},
    "other-abi": {"abi"},
    "forms-differ": {"forms-differ"},
    "wheel-changed": {"statement-subject", "requirement"},
    "no-statements": set(),
    "statement-missing": {"statement-status"},
    "statement-changed": {"statement-hash"},
    "statement-of-another": {"statement-subject"},
    "statement-garbled": {"statement-content"},
    "statement-deep": {"statement-content"},
    "statement-of-no-build": {"statement-content"},
    "statement-endless": {"statement-status"},
    "provenance": {"signature-unchecked"},
    "provenance-missing": {"statement-status"},
    "provenance-of-another": {"statement-subject"},
    "provenance-of-another-statement": {"statement-subject"},
    "provenance-garbled": {"statement-content"},
}
"""Fault -> the checks that have to name it, and no others."""


class FaultyIndex:
    """The server. Use as a context manager."""

    def __init__(self):
        sites = {}
        index = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1
            disable_nagle_algorithm = True

            def do_GET(self):
                fault, _, path = self.path.lstrip("/").partition("/")
                if fault not in FAULTS:
                    self.send_error(404)
                    return
                path = f"/{path}"
                if fault not in sites:
                    sites[fault] = index.site(fault)
                index.requests.append((fault, path, dict(self.headers)))
                asked = {name.title(): value for name, value in self.headers.items()}  # Node sends them in lower case
                if fault == "no-ranges":
                    asked.pop("Range", None)
                reply = right_reply(sites[fault], path, asked)
                FAULTS[fault].spoil(path, reply)
                if reply.headers.get("Location", "").startswith("/"):
                    reply.headers["Location"] = f"/{fault}{reply.headers['Location']}"
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if reply.status != 304:
                    self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(reply.body)

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_arguments):
                pass

        self.requests = []
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def origin(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def url(self, fault):
        return f"{self.origin}/{fault}/simple"

    def site(self, fault):
        site = Site(base=f"{self.origin}/{fault}")
        site.add("alpha", "1.0")
        site.add("beta-two", "2.0")
        site.add("beta-two", "2.1", yanked=True)
        FAULTS[fault].change(site)
        site.write()
        return site

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
