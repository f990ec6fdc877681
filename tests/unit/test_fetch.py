from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import re
import socket
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from loopback import serving

from emwheels.errors import FetchError
from emwheels.fetch import download
from emwheels.fetch import registries as registry
from emwheels.fetch.fetcher import Fetcher, manylinux_platforms
from emwheels.fetch.pip_configuration import PipConfiguration
from emwheels.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from emwheels.fetch.index_pages import Offer

CONTENT = bytes(range(256)) * 2000
SHA = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Site:
    """A loopback server: files by path, and faults that each answer one request."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[Any] = field(default_factory=list)
    requests: list[tuple[str, str | None]] = field(default_factory=list)


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            site.requests.append((self.path, wanted))
            fault = site.faults.pop(0) if site.faults else None
            if isinstance(fault, tuple):
                status, headers = fault
                self.answer(status, b"", headers)
                return
            content = site.files.get(self.path)
            if content is None:
                self.answer(404, b"", {})
                return
            start = int(wanted[6:-1]) if wanted else 0
            if start > len(content):
                self.answer(416, b"", {})
                return
            headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
            self.answer(206 if start else 200, content[start:], headers, cut=fault == "cut")

        def answer(self, status: int, body: bytes, headers: dict[str, str], *, cut: bool = False) -> None:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Type", "application/json" if self.path.startswith("/npm") else "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if cut else body)

    site.files["/a-1.tar.gz"] = CONTENT
    with serving(Handler) as site.url:
        yield site


@dataclass
class Bench:
    store: Store
    pauses: list[float]

    def fetcher(self, **options: Any) -> Fetcher:
        return Fetcher(self.store, pause=self.pauses.append, **options)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(Store(tmp_path / "store"), [])


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*args: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", connect)


def partials(bench: Bench) -> list[Path]:
    return list((bench.store.root / "partial").glob("*"))


def test_a_file_is_fetched_once(site: Site, bench: Bench) -> None:
    seen: list[tuple[str, int, int | None]] = []
    fetcher = bench.fetcher(progress=lambda *args: seen.append(args))
    fetched = fetcher.fetch(f"{site.url}/a-1.tar.gz", SHA)
    assert fetched.path.read_bytes() == CONTENT
    assert (fetched.sha256, fetched.filename) == (SHA, "a-1.tar.gz")
    assert seen[-1] == ("a-1.tar.gz", len(CONTENT), len(CONTENT))
    assert fetcher.fetch(f"{site.url}/a-1.tar.gz", SHA) == fetched
    assert len(site.requests) == 1
    assert partials(bench) == []


def test_a_cut_connection_is_resumed(site: Site, bench: Bench) -> None:
    site.faults = ["cut", "cut"]
    assert bench.fetcher().fetch(f"{site.url}/a-1.tar.gz", SHA).path.read_bytes() == CONTENT
    half, quarter = len(CONTENT) // 2, len(CONTENT) // 2 + len(CONTENT) // 4
    assert [r for _, r in site.requests] == [None, f"bytes={half}-", f"bytes={quarter}-"]
    assert len(bench.pauses) == 2
    assert bench.pauses[0] <= 1 <= bench.pauses[1] <= 2


def test_a_later_run_goes_on_where_one_stopped(site: Site, bench: Bench) -> None:
    site.faults = ["cut"]
    with pytest.raises(FetchError, match="in 1 attempts"):
        bench.fetcher(attempts=1).fetch(f"{site.url}/a-1.tar.gz", SHA)
    assert len(partials(bench)) == 1
    bench.fetcher().fetch(f"{site.url}/a-1.tar.gz", SHA)
    assert site.requests[-1][1] == f"bytes={len(CONTENT) // 2}-"


@pytest.mark.parametrize("leftover", [b"junk", CONTENT + b"more"])
def test_a_wrong_leftover_is_started_again(site: Site, bench: Bench, leftover: bytes) -> None:
    site.faults = ["cut"]
    with contextlib.suppress(FetchError):
        bench.fetcher(attempts=1).fetch(f"{site.url}/a-1.tar.gz", SHA)
    partials(bench)[0].write_bytes(leftover)
    assert bench.fetcher().fetch(f"{site.url}/a-1.tar.gz", SHA).path.read_bytes() == CONTENT


def test_trouble_is_retried_as_the_server_asks(site: Site, bench: Bench) -> None:
    site.faults = [(503, {}), (429, {"Retry-After": "7"}), (500, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})]
    bench.fetcher().fetch(f"{site.url}/a-1.tar.gz", SHA)
    assert len(site.requests) == 4
    assert bench.pauses[1] == 7


def test_it_gives_up(site: Site, bench: Bench) -> None:
    site.faults = [(503, {})] * 9
    with pytest.raises(FetchError, match="in 3 attempts: the server answered 503"):
        bench.fetcher(attempts=3).fetch(f"{site.url}/a-1.tar.gz", SHA)
    assert len(site.requests) == 3


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_refusal_is_final(site: Site, bench: Bench, status: int) -> None:
    site.faults = [(status, {})]
    with pytest.raises(FetchError, match=str(status)):
        bench.fetcher().fetch(f"{site.url}/a-1.tar.gz", SHA)
    assert len(site.requests) == 1
    assert bench.pauses == []


def test_a_wrong_hash(site: Site, bench: Bench) -> None:
    with pytest.raises(FetchError, match=f"expected sha256 {'0' * 64}, got {SHA}"):
        bench.fetcher().fetch(f"{site.url}/a-1.tar.gz", "0" * 64)
    assert partials(bench) == []
    assert not bench.store.has("sources", SHA)


def test_a_damaged_store_entry_is_fetched_again(site: Site, bench: Bench) -> None:
    path = bench.fetcher().fetch(f"{site.url}/a-1.tar.gz", SHA).path
    path.chmod(0o644)
    path.write_bytes(b"rot")
    assert bench.fetcher().fetch(f"{site.url}/a-1.tar.gz", SHA).path.read_bytes() == CONTENT


@pytest.mark.parametrize("url", ["http://user:secret@a.invalid/\0", "https://user:secret@a.invalid:port/x"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(FetchError) as caught:
        download.Downloader(attempts=1).get(url)
    assert "secret" not in caught.value.message


def test_a_file_over_the_limit(site: Site, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="larger than 1000 bytes"):
        download.Downloader(limit_bytes=1000).save(f"{site.url}/a-1.tar.gz", tmp_path / "x", lambda *_: None)


def test_redirects(site: Site, bench: Bench) -> None:
    site.faults = [(302, {"Location": "/a-1.tar.gz"})]
    assert bench.fetcher().fetch(f"{site.url}/old.tar.gz", SHA).sha256 == SHA
    request = httpx.Request("GET", "https://user:secret@example.invalid/x")
    downgrade = httpx.Response(302, headers={"Location": "http://example.invalid/x"}, request=request)
    with pytest.raises(FetchError, match="from https to http") as caught:
        download._refuse_downgrade(downgrade)
    assert "secret" not in caught.value.message


@pytest.mark.usefixtures("no_sockets")
def test_offline_opens_no_socket(bench: Bench, tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text(f"cython==3.3.1 --hash=sha256:{SHA}\n")
    fetcher = bench.fetcher(offline=True)
    for name, action in {
        "pkg:pypi/a@1": lambda: fetcher.fetch("pkg:pypi/a@1", SHA),
        "https://example.invalid/a-1.tar.gz": lambda: fetcher.fetch("https://example.invalid/a-1.tar.gz", None),
        "cython==3.3.1": lambda: fetcher.fetch_requirements(lock, python="3.14"),
    }.items():
        with pytest.raises(FetchError, match=re.escape(name)) as caught:
            action()
        assert "without --offline" in caught.value.hint


def test_offline_uses_the_store(site: Site, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    online = bench.fetcher().fetch(f"{site.url}/a-1.tar.gz", SHA)
    monkeypatch.setattr(socket.socket, "connect", None)
    assert bench.fetcher(offline=True).fetch(f"{site.url}/a-1.tar.gz", SHA) == online


@pytest.mark.parametrize(
    "text",
    ["pkg:pypi/a", "pkg:", "pkg:cargo/a@1", "pkg:pypi/a@1?file_name=..%2Fx", "ftp://h/x", "file:///etc/passwd", "x"],
)
def test_what_is_no_source(bench: Bench, text: str) -> None:
    with pytest.raises(FetchError):
        bench.fetcher().fetch(text, None)


def test_what_is_no_hash(bench: Bench) -> None:
    with pytest.raises(FetchError, match="not a sha256"):
        bench.fetcher().fetch("pkg:pypi/a@1", "abc")


MACHINE = platform.machine()
WHEELS = (f"a-1-cp314-cp314-manylinux_2_17_{MACHINE}.whl", "a-1-cp313-cp313-win_amd64.whl", "a-1-py3-none-any.whl")


@pytest.fixture
def index(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """An index with sdists of a 1 and 2, wheels of a 1, and an sdist only of b."""
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", f"{site.url}/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "file:///nonexistent/simple")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    for project, names in {"a": (*WHEELS, "a-1.tar.gz", "a-2.tar.gz"), "b": ("b-1.tar.gz",)}.items():
        site.files |= {f"/f/{name}": name.encode() for name in names}
        links = (f'<a href="/f/{n}#sha256={hashlib.sha256(n.encode()).hexdigest()}">{n}</a>' for n in names)
        site.files[f"/simple/{project}/"] = "".join(links).encode()
    return site


def test_pypi(index: Site, bench: Bench) -> None:
    fetch = bench.fetcher().fetch
    assert fetch("pkg:pypi/a@1", None).filename == "a-1.tar.gz"
    assert fetch("pkg:pypi/A@1.0", hashlib.sha256(WHEELS[1].encode()).hexdigest()).filename == WHEELS[1]
    assert fetch(f"pkg:pypi/a@1?file_name={WHEELS[2]}", None).path.read_bytes() == WHEELS[2].encode()
    with pytest.raises(FetchError, match="no such version") as caught:
        fetch("pkg:pypi/a@1.5", None)
    assert caught.value.hint == "nearest: 1, 2"
    with pytest.raises(FetchError, match="no such package"):
        fetch("pkg:pypi/nothing@1", None)
    index.faults = [(503, {})] * 5
    with pytest.raises(FetchError, match="not every index answered"):
        fetch("pkg:pypi/a@2", None)


def test_an_empty_variable_is_none(index: Site, bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As pip has it."""
    (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = {index.url}/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("PIP_INDEX_URL", "")
    assert bench.fetcher().fetch("pkg:pypi/a@1", None).filename == "a-1.tar.gz"


def test_an_index_in_a_folder_that_lacks_the_project(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", str(tmp_path))
    with pytest.raises(FetchError, match="there is no such package"):
        bench.fetcher().fetch("pkg:pypi/a@1", None)


@pytest.fixture
def two_indexes(site: Site) -> registry.Registries:
    """An index with a 1, and one after it with a 1 of its own and a 2; b is in the second alone."""
    files = {
        "one/simple/a": "a-1-py3-none-any.whl",
        "two/simple/a": "a-1-py3-none-any.whl",
        "two/simple/b": "b-1.tar.gz",
    }
    for page, name in files.items():
        site.files[f"/{page}/"] = f'<a href="/{page}/{name}#sha256={"0" * 64}">{name}</a>'.encode()
    site.files["/two/simple/a/"] += b'<a href="/two/a-2.tar.gz">a-2.tar.gz</a>'
    urls = tuple(f"{site.url}/{name}/simple/" for name in ("one", "two"))
    downloader = download.Downloader(attempts=1, seconds=5)
    return registry.Registries(downloader, pip=PipConfiguration(index_urls=urls))


def test_a_project_is_that_of_the_first_index_that_has_it(site: Site, two_indexes: registry.Registries) -> None:
    def found(offers: Sequence[Offer]) -> list[tuple[str, str]]:
        return [(offer.version, offer.index.removeprefix(site.url)) for offer in offers]

    assert found(two_indexes.offers("a")) == [("1", "/one/simple/")]
    assert found(two_indexes.offers("b")) == [("1", "/two/simple/")]
    assert found(two_indexes.versions("a")) == [("2", "/two/simple/"), ("1", "/one/simple/")]


def test_a_first_index_that_fails_is_not_passed_over(site: Site, two_indexes: registry.Registries) -> None:
    site.files["/one/simple/a/"] = b"<a>" * 600_000
    for ask in (two_indexes.offers, two_indexes.versions):
        with pytest.raises(
            FetchError, match=r"an index that goes first did not answer: .*/one/.*more than 500,000 tags"
        ):
            ask("a")
    assert len(two_indexes.offers("b")) == 1


def locked(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "requirements.build.txt"
    path.write_text("# generated\n" + "\n".join(lines) + "\n")
    return path


def pin(name: str) -> str:
    return f"--hash=sha256:{hashlib.sha256(name.encode()).hexdigest()}"


def test_requirements(index: Site, bench: Bench, tmp_path: Path) -> None:
    lock = locked(
        tmp_path,
        f"a==1 \\\n    {pin(WHEELS[2])} \\\n    {pin(WHEELS[0])}",
        f"b==1 ; python_version < '3.14' {pin('x')}",
    )
    (native,) = bench.fetcher().fetch_requirements(lock, python="3.14")
    assert native.filename == WHEELS[0]
    (pure,) = bench.fetcher().fetch_requirements(locked(tmp_path, f"a==1 {pin(WHEELS[2])}"), python="3.14")
    assert pure.filename == WHEELS[2]
    (asked,) = bench.fetcher().fetch_requirements(lock, python="3.14", platforms=("any",))
    assert asked.filename == WHEELS[2], "no wheel of a platform, though one is pinned"


@pytest.mark.parametrize(
    ("line", "match"),
    [
        (f"b==1 {pin('b-1.tar.gz')}", "b==1 has no wheel for CPython 3.14"),
        (f"a==1 {pin('other')}", "no pinned hash"),
        ("a==1", "not pinned"),
        (f"a>=1 {pin('x')}", "not pinned"),
        (f"a==1.* {pin('x')}", "not pinned"),
        ("--index-url https://example.invalid", "not a pinned requirement"),
        ("a==1 --hash=md5:abc", "not a pinned requirement"),
    ],
)
def test_bad_locks(index: Site, bench: Bench, tmp_path: Path, line: str, match: str) -> None:
    with pytest.raises(FetchError, match=match):
        bench.fetcher().fetch_requirements(locked(tmp_path, line), python="3.14")


def test_npm(site: Site, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", f"{site.url}/npm/")
    release = {"dist": {"tarball": "https://elsewhere.invalid/@s/p/-/p-1.0.0.tgz"}}
    site.files["/npm/@s%2Fp/1.0.0"] = json.dumps(release).encode()
    site.files["/npm/@s%2Fp"] = json.dumps({"versions": {"1.0.0": {}, "1.1.0-alpha.1": {}}}).encode()
    site.files["/npm/@s/p/-/p-1.0.0.tgz"] = CONTENT
    fetched = bench.fetcher().fetch("pkg:npm/%40s/p@1.0.0", SHA)
    assert fetched.filename == "p-1.0.0.tgz"
    with pytest.raises(FetchError, match="no such version") as caught:
        bench.fetcher().fetch("pkg:npm/%40s/p@9", None)
    assert "1.0.0" in caught.value.hint


def test_npm_unconfigured(site: Site, bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NPM_CONFIG_USERCONFIG", str(tmp_path / "npmrc"))
    monkeypatch.setattr(registry.shutil, "which", lambda name: None)
    with pytest.raises(FetchError) as caught:
        bench.fetcher().fetch("pkg:npm/p@1", None)
    assert "npm_config_registry" in caught.value.hint
    site.files["/npm/p/1"] = json.dumps({"dist": {"tarball": f"{site.url}/a-1.tar.gz"}}).encode()
    assert bench.fetcher(npm_registry=lambda: f"{site.url}/npm").fetch("pkg:npm/p@1", SHA).sha256 == SHA
    (tmp_path / "npmrc").write_text(f"registry = {site.url}/npm/\n")
    assert bench.fetcher().fetch("pkg:npm/p@1", None).sha256 == SHA


def test_debian(site: Site, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMWHEELS_DEBIAN_MIRROR", f"{site.url}/debian/")
    site.files["/debian/pool/main/libx/libxml2/libxml2_2.9.orig.tar.gz"] = CONTENT
    assert bench.fetcher().fetch("pkg:deb/debian/libxml2@1:2.9-3", SHA).filename == "libxml2_2.9.orig.tar.gz"
    with pytest.raises(FetchError, match=r"geos_3\.orig\.tar\.xz, geos_3\.orig\.tar\.gz"):
        bench.fetcher().fetch("pkg:deb/debian/geos@3", None)
    monkeypatch.delenv("EMWHEELS_DEBIAN_MIRROR")
    monkeypatch.setattr(
        registry, "output_of", lambda argv: "http://s.invalid/debian-security/ Debian\nhttp://o.invalid O"
    )
    with pytest.raises(FetchError) as caught:
        bench.fetcher().fetch("pkg:deb/debian/geos@3", None)
    assert "EMWHEELS_DEBIAN_MIRROR" in caught.value.hint


def test_unreadable_certificates(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent.pem")
    with pytest.raises(FetchError, match=r"/nonexistent\.pem"):
        bench.fetcher().fetch("https://127.0.0.1:9/x.tar.gz", None)


def test_manylinux_platforms() -> None:
    tags = manylinux_platforms("aarch64")
    assert tags[0] == "manylinux_2_35_aarch64"
    assert "manylinux2014_aarch64" in tags


@pytest.mark.network
@pytest.mark.parametrize(
    ("purl", "filename"),
    [
        ("pkg:pypi/msgpack@1.2.4", "msgpack-1.2.4.tar.gz"),
        ("pkg:npm/pyodide@314.0.7", "pyodide-314.0.7.tgz"),
        ("pkg:deb/debian/libyaml@0.2.5", "libyaml_0.2.5.orig.tar.gz"),
    ],
)
def test_real_registries(bench: Bench, purl: str, filename: str) -> None:
    assert bench.fetcher().fetch(purl, None).filename == filename
