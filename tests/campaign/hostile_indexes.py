"""Indexes, as an attacker serves them to `index verify`, `explain`, `bundle` and `lock`."""

from __future__ import annotations

# ruff: noqa: E501  (each attack on a line)
import gzip
import hashlib
import io
import itertools
import json
import time
import zipfile
from dataclasses import asdict
from functools import cache, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import brotli
from hostile_ground import SECRET, BrokenError, Ground
from hostile_web import attacker, drip, endless
from packaging.requirements import Requirement
from sample_target import TARGET

from emwheels.fetch.download import Downloader
from emwheels.fetch.fetcher import Fetcher
from emwheels.fetch.lock import lock_build_requirements
from emwheels.fetch.lock_index import LockIndex
from emwheels.fetch.pip_configuration import PipConfiguration
from emwheels.fetch.registries import Registries
from emwheels.index.explain import explain
from emwheels.index.lockfile import Release
from emwheels.index.model import Catalogue
from emwheels.index.resolve import Finder, resolve
from emwheels.store import Store, sha256_of
from emwheels.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hostile_web import Answer, Hostile

    from emwheels.fetch.index_pages import Offer

_JSON = "application/vnd.pypi.simple.v1+json"
_WHEEL = "demo-1.0-py3-none-any.whl"
_LONGEST = 25
"""Seconds that a reader may take."""
_RELEASE = Release(
    name=TARGET.name,
    python=TARGET.python,
    platform_tag=TARGET.platform_tag,
    packages_url="https://x/",
    lock={"packages": {}},
)


def _wheel(metadata: bytes = b"", more: tuple[str, bytes] = ("demo.py", b"")) -> bytes:
    made, info = io.BytesIO(), "demo-1.0.dist-info"
    files = {
        "demo.py": b"", f"{info}/METADATA": metadata or b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }  # fmt: skip
    files[more[0]] = more[1]
    rows = "".join(f"{path},sha256={_digest(data)},{len(data)}\n" for path, data in files.items())
    files[f"{info}/RECORD"] = f"{rows}{info}/RECORD,,\n".encode()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return made.getvalue()


def _digest(data: bytes) -> str:
    import base64

    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


@cache
def _made() -> dict[str, bytes]:
    """Return wheels that are made for an attack, once."""
    header = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"
    return {
        "right": _wheel(),
        "bomb": _wheel(header + b"\n" + bytes(200 << 20)),
        "requirements": _wheel(header + b"".join(b"Requires-Dist: demo (>=%d)\n" % n for n in range(50_000))),
        "escapes": _wheel(header + b"Requires-Python: >=3\x1b[2J\nRequires-Dist: \xed\xa0\x80 @ x\n"),
        "upwards": _wheel(more=("../../evil.py", b"evil")),
    }


def _page(*files: dict[str, Any] | str) -> Callable[[bytes, Answer | None], Answer]:
    """Return how to serve a page of files in JSON, or of links in HTML: with a wheel, or another answer for files."""

    def serve(wheel: bytes, file: Answer | None = None) -> Answer:
        sha256 = hashlib.sha256(wheel).hexdigest()

        def answer(handler: Hostile) -> None:
            if handler.path.rstrip("/") == "/simple":
                handler.give(b"<a href='demo/'>demo</a>")
            elif handler.path == "/simple/demo/":
                text = _fill(
                    json.dumps({"meta": {"api-version": "1.1"}, "name": "demo", "files": files}), handler, sha256
                )
                html = _fill("\n".join(map(str, files)), handler, sha256)
                is_html = all(isinstance(file, str) for file in files)
                handler.give((html if is_html else text).encode(), "text/html" if is_html else _JSON)
            elif file is not None:
                file(handler)
            elif handler.path.endswith(".metadata"):
                handler.give(b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n", "application/octet-stream")
            elif handler.path.endswith(".whl"):
                handler.give(wheel, "application/octet-stream", Content_Length=str(len(wheel)))
            else:
                handler.give(b"", status=404)

        return answer

    return serve


def _fill(text: str, handler: Hostile, sha256: str) -> str:
    local = handler.folder / _WHEEL
    for mark, value in {
        "@SHA@": sha256,
        "@TRAP@": handler.trap,
        "@FILE@": local.as_uri(),
        "@FOLDER@": handler.folder.as_uri(),
    }.items():
        text = text.replace(mark, value)
    return text


def _entry(**changes: Any) -> dict[str, Any]:
    return {
        "filename": _WHEEL,
        "url": f"/files/{_WHEEL}",
        "hashes": {"sha256": "@SHA@"},
        "core-metadata": True,
    } | changes


def _everywhere() -> dict[str, Answer]:
    """Return what is answered to everything: pages, headers, names."""
    bomb = gzip.compress(bytes(200 << 20), 9)
    return {
        "deep JSON": lambda h: h.give(b"[" * 500_000, _JSON),
        "deep objects": lambda h: h.give(b'{"files":' * 100_000, _JSON),
        "JSON of another kind": lambda h: h.give(b'{"projects": 1, "files": {"a": []}}', _JSON),
        "half surrogates": lambda h: h.give(b'{"projects": [{"name": "\\ud800"}], "files": [{"url": "\\ud800"}]}', _JSON),
        "numbers for names": lambda h: h.give(b'{"projects": [{"name": 1}, {}, [], null], "files": [1, {}]}', _JSON),
        "NaN and infinity": lambda h: h.give(b'{"files": [NaN, Infinity, -Infinity]}', _JSON),
        "a number of 100,000 digits": lambda h: h.give(b'{"files": [' + b"9" * 100_000 + b"]}", _JSON),
        "3,000,000 values": lambda h: h.give(b'{"files": [' + b"1," * 3_000_000 + b"1]}", _JSON),
        "a string without end": lambda h: h.give(b'{"files": ["' + b'\\"' * 1_000_000, _JSON),
        "UTF-16": lambda h: h.give('{"projects": [], "files": []}'.encode("utf-16"), _JSON),
        "JSON that says it is HTML": lambda h: h.give(b'{"projects": [], "files": []}', "text/html"),
        "HTML that says it is JSON": lambda h: h.give(b"<a href='demo/'>demo</a>", _JSON),
        "a gzip bomb": lambda h: h.give(bomb, Content_Encoding="gzip"),
        "a gzip bomb of JSON": lambda h: h.give(bomb, _JSON, Content_Encoding="gzip"),
        "a brotli bomb": lambda h: h.give(brotli.compress(bytes(100 << 20), quality=5), Content_Encoding="br"),
        "an encoding that is none": lambda h: h.give(b"x", Content_Encoding="evil"),
        "encodings one in another": lambda h: h.give(gzip.compress(gzip.compress(b"x")), Content_Encoding="gzip, gzip"),
        "another encoding than it says": lambda h: h.give(b"x" * 100, Content_Encoding="gzip"),
        "a redirect to itself": lambda h: h.lead(h.path),
        "a redirect to a file": lambda h: h.lead("file:///etc/passwd"),
        "a redirect to nowhere": lambda h: h.lead("http://[::bad/"),
        "a redirect with a NUL": lambda h: h.lead("/%00%0d%0aX: y"),
        "a redirect to this machine": lambda h: h.lead("http://@TRAP@/"),
        "a redirect to this machine by name": lambda h: h.lead("http://localhost:@PORT@/"),
        "a redirect to this machine as a number": lambda h: h.lead("http://2130706433:@PORT@/"),
        "a redirect to this machine by IPv6": lambda h: h.lead("http://[::ffff:127.0.0.1]:@PORT@/"),
        "a redirect to a cloud's metadata": lambda h: h.lead("http://169.254.169.254/latest/meta-data/"),
        "a redirect to a private network": lambda h: h.lead("http://10.255.255.1/"),
        "redirects without end": lambda h: h.lead(f"{h.path}x"),
        "a name that is an address": lambda h: h.give(b"<a href='http:%2f%2fevil/'>x</a>"),
        "a name that is an option": lambda h: h.give(b"<a href='-r%2fetc%2fpasswd/'>x</a>"),
        "a name upwards": lambda h: h.give(b"<a href='..%2f..%2fevil/'>x</a>"),
        "a name of 100,000 characters": lambda h: h.give(b"<a href='" + b"x" * 100_000 + b"/'>x</a>"),
        "escapes in names": lambda h: h.give("<a href='\x1b]0;evil\x07\u202e/'>x</a>".encode()),
        "tags without end": lambda h: h.give(b"<a " * 200_000),
        "a comment without end": lambda h: h.give(b"<!--" * 100_000),
        "1,000,000 links": lambda h: h.give(b"<a href='x'>x</a>" * 1_000_000),
        "20,000 projects": lambda h: h.give(
            b"".join(b"<a href='p%d/'>x</a>" % n for n in range(20_000)) if h.path == "/simple/" else b""
        ),
        "binary": lambda h: h.give(bytes(range(256)) * 100),
        "another charset": lambda h: h.give(b"\xff\xfe<\0a\0", "text/html; charset=utf-7"),
        "a charset that is none": lambda h: h.give(b"<a href='a/'>a</a>", "text/html; charset=evil\u00e9"),
        "no content type": lambda h: h.give(b"<a href='a/'>a</a>", ""),
        "90 headers": lambda h: h.give(b"", **{f"X_{n}": "y" for n in range(90)}),
        "a header without end": lambda h: h.give(b"", X="y" * 10_000_000),
        "a length that lies": lambda h: h.give(b"x", Content_Length="1000000"),
        "a length that is none": lambda h: h.give(b"x", Content_Length="-1"),
        "half an answer": lambda h: h.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type"),
        "no HTTP": lambda h: h.wfile.write(b"SSH-2.0-evil\r\n"),
        "status 999": lambda h: h.give(b"", status=999),
        "come back in a year": lambda h: h.give(b"", status=429, Retry_After="31536000"),
        "who are you": lambda h: h.give(b"", status=401, WWW_Authenticate='Basic realm="\x1b[2J"'),
        "a server that drips": drip,
        "an endless page": endless,
        "endless JSON": partial(endless, kind=_JSON),
    }  # fmt: skip


def _of_files() -> dict[str, Answer]:
    """Return what is answered about files, on pages that are right but for one thing."""
    right = _made()["right"]
    bomb = gzip.compress(bytes(200 << 20), 9)
    pages: dict[str, Any] = {
        "a file on this machine's server": _entry(url=f"http://@TRAP@/{_WHEEL}"),
        "a file at a cloud's metadata": _entry(url=f"http://169.254.169.254/{_WHEEL}"),
        "a file of this machine": _entry(url="@FILE@"),
        "a file of this machine in HTML": f"<a href='@FILE@#sha256=@SHA@'>{_WHEEL}</a>",
        "a base on this machine": f"<base href='@FOLDER@/'><a href='{_WHEEL}#sha256=@SHA@'>{_WHEEL}</a>",
        "a repository": f"<a href='git+https://example.org/x/{_WHEEL}'>{_WHEEL}</a>",
        "a script": f"<a href='javascript:alert(1)/{_WHEEL}'>{_WHEEL}</a>",
        "a file name upwards": _entry(filename=f"../../{_WHEEL}", url=f"/files/..%2f..%2f{_WHEEL}"),
        "a file name with a NUL": _entry(filename="demo-1.0\0-py3-none-any.whl", url="/files/demo-1.0%00-py3-none-any.whl"),
        "a file name with escapes": _entry(filename="demo-1.0-\x1b[2J-none-any.whl", url="/files/demo-1.0-%1b[2J-none-any.whl"),
        "1,000,000 tags": _entry(filename=_many_tags(), url=f"/files/{_many_tags()}"),
        "a version of 5,000 digits": _entry(filename=f"demo-{'9' * 5000}-py3-none-any.whl", url=f"/files/demo-{'9' * 5000}-py3-none-any.whl"),
        "a wrong digest": _entry(hashes={"sha256": "0" * 64}),
        "a digest that is none": _entry(hashes={"sha256": "../../etc/passwd"}),
        "digests that are a list": _entry(hashes=["@SHA@"]),
        "a size that is huge": _entry(size=10**30),
        "a size that is negative": _entry(size=-1),
        "a size that lies": _entry(size=3),
        "an address that is a number": _entry(url=1),
        "an address that is none": _entry(url="http://[::bad/x.whl"),
        "Python of nowhere": {**_entry(), "requires-python": "\x1b[2J" * 10_000},
        "yanked with escapes": _entry(yanked="\x1b]0;evil\x07" * 1000),
        "metadata of an odd kind": {**_entry(), "core-metadata": {"sha256": ["x"]}},
        "a time that is none": {**_entry(), "upload-time": "never"},
    }  # fmt: skip
    answers = {name: _page(page)(right) for name, page in pages.items()}
    files: dict[str, Answer] = {
        "a file that drips": drip,
        "a file without end": lambda h: h.give(b"", status=404) if h.path.endswith(".metadata") else endless(h, "application/octet-stream"),
        "metadata without end": lambda h: endless(h) if h.path.endswith(".metadata") else h.give(right),
        "metadata that drip": lambda h: drip(h) if h.path.endswith(".metadata") else h.give(right),
        "metadata that are a bomb": lambda h: h.give(bomb, Content_Encoding="gzip") if h.path.endswith(".metadata") else h.give(right),
        "metadata that are binary": lambda h: h.give(bytes(range(256)) * 9) if h.path.endswith(".metadata") else h.give(right),
        "metadata that ask this machine": lambda h: h.give(
            f"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Dist: evil @ http://{h.trap}/evil-1.0-py3-none-any.whl\n".encode()
        ) if h.path.endswith(".metadata") else h.give(right),
        "a file that leads to this machine": lambda h: h.lead("http://@TRAP@/"),
        "a file packed as a bomb": lambda h: h.give(bomb, Content_Encoding="gzip"),
        "a file that is a page": lambda h: h.give(b"<html>sign in</html>"),
        "a file cut short": lambda h: h.give(right[:50], Content_Length=str(len(right))),
        "zeros in place of a file": lambda h: h.give(bytes(1000)),
    }  # fmt: skip
    answers |= {name: _page(_entry(size=len(right)))(right, answer) for name, answer in files.items()}
    for name, what in {
        "a wheel whose METADATA is a bomb": "bomb", "a wheel with 50,000 requirements": "requirements",
        "a wheel with escapes in METADATA": "escapes", "a wheel with a path upwards": "upwards",
    }.items():  # fmt: skip
        answers[name] = _page({**_entry(), "core-metadata": False})(_made()[what])
    return answers


def _many_tags() -> str:
    return f"demo-1.0-{'.'.join(['a'] * 100)}-{'.'.join(['b'] * 100)}-{'.'.join(['c'] * 100)}.whl"


def _deep_lock(handler: Hostile) -> None:
    if handler.path == "/pyodide-lock.json":
        handler.give(b'{"packages":' * 100_000, "application/json")
    else:
        _page(_entry())(_made()["right"])(handler)


def indexes(ground: Ground) -> Iterator[tuple[str, Callable[[], str]]]:
    """Each index, read by `index verify` and by others: those read a page alike, so they take turns at what is no page."""
    readers = {"explain": _explain, "bundle": _bundle, "lock": _lock}
    turns = itertools.cycle(readers)
    for name, answer in (_everywhere() | {"a deep pyodide-lock.json": _deep_lock}).items():
        reader = next(turns)
        yield f"{name}: verify", partial(_read, ground, answer, _verify)
        yield f"{name}: {reader}", partial(_read, ground, answer, readers[reader])
    for name, answer in _of_files().items():
        for reader, read in {"verify": _verify, "bundle": _bundle, "lock": _lock}.items():
            yield f"{name}: {reader}", partial(_read, ground, answer, read)


def _read(ground: Ground, answer: Answer, read: Callable[[str, Path], str]) -> str:
    folder = ground.folder()
    (folder / _WHEEL).write_bytes(_made()["right"])
    (folder / "file").write_text(SECRET)
    began = time.monotonic()
    with attacker(answer, folder) as (address, trapped):
        try:
            said = read(address, folder)
        finally:
            took = time.monotonic() - began
            if trapped:
                raise BrokenError(f"a server of this machine was asked for {trapped}")
            if took > _LONGEST:
                raise BrokenError(f"it took {took:.0f} s")
    if SECRET in said:
        raise BrokenError(f"a file of this machine was read: {said[:200]}")
    return said


def _downloader() -> Downloader:
    return Downloader(attempts=2, pause=lambda _: None, seconds=2, limit_bytes=50 << 20)


def _registries(address: str, downloader: Downloader) -> Registries:
    return Registries(downloader, pip=PipConfiguration(index_urls=(f"{address}/simple/",)))


def _verify(address: str, _: Path) -> str:
    (report,) = verify([f"{address}/simple"], target=TARGET, clients=(), seconds=2)
    json.dumps(report.to_dict(), ensure_ascii=False).encode()
    return report.findings[0].message if report.findings else "nothing was found"


def _offers(address: str) -> list[Offer]:
    offers = list(_registries(address, _downloader()).offers("demo"))
    for offer in offers:
        if urlsplit(offer.resource.url).scheme not in ("http", "https"):
            raise BrokenError(f"it offers {offer.resource.url}")
    return offers


def _explain(address: str, _: Path) -> str:
    explained = explain(Requirement("demo"), _RELEASE, project=None, pypi=_offers(address), recipes={})
    json.dumps(asdict(explained), ensure_ascii=False).encode()
    return explained.advice


def _bundle(address: str, folder: Path) -> str:
    fetcher = Fetcher(Store(folder / "store"))
    fetcher._downloader = _downloader()
    fetcher._registries = _registries(address, fetcher._downloader)

    def fetch(offer: Offer) -> Path:
        purl = f"pkg:pypi/demo@{offer.version}?file_name={offer.resource.filename}"
        path = fetcher.fetch(purl, offer.resource.sha256).path
        if sha256_of(path) != offer.resource.sha256:
            raise BrokenError(f"another file was taken for {offer.resource.url}")
        return path

    finder = Finder(
        release=_RELEASE, catalogue=Catalogue(), dist=folder, offers=lambda _name: [o for o in _offers(address) if o.resource.sha256],
        fetch=fetch,
    )  # fmt: skip
    return ", ".join(wheel.filename for wheel in resolve([Requirement("demo")], finder))


def _lock(address: str, folder: Path) -> str:
    downloader = _downloader()
    destination = folder / "demo" / "requirements.build.txt"
    destination.parent.mkdir()
    with LockIndex(_registries(address, downloader), downloader) as index:
        pinned = lock_build_requirements(["demo"], destination, pythons=["3.14"], index=index)
    if "://" in destination.read_text():
        raise BrokenError(f"the lock has an address: {destination.read_text()[:200]}")
    return ", ".join(f"{pin.name} {pin.version} from {pin.index}" for pin in pinned)
