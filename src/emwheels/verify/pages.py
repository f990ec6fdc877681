"""The pages of an index: read in both forms, and judged by what micropip, pip and uv make of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from emwheels.fetch.documents import feed_within, is_modest, parse_json
from emwheels.serve.rules import SIMPLE_JSON
from emwheels.verify.probe import Unreachable, allows_origins

if TYPE_CHECKING:
    from packaging.tags import Tag
    from packaging.utils import NormalizedName
    from packaging.version import Version

    from emwheels.verify.model import Verification
    from emwheels.verify.probe import Answer, Probe

HTML_TYPES = ("text/html", "application/vnd.pypi.simple.v1+html")
MICROPIP_ACCEPT = f"{SIMPLE_JSON}, */*;q=0.01"
"""What micropip 0.11.1 sends."""
BROWSER_CODINGS = "gzip, br"
LONGEST_PAGE_AGE = 600
"""Seconds that a page may be kept without asking: some hosts set ten minutes and cannot be told otherwise."""
PAGE_LINKS = 100_000
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_NO_PROJECT = "emwheels-there-is-no-such-project"


@dataclass(frozen=True, kw_only=True)
class ListedFile:
    """One wheel that a page links to."""

    filename: str
    url: str
    sha256: str | None
    version: Version
    tags: frozenset[Tag]
    yanked: bool
    size: int | None = None
    metadata: str | bool = False
    """sha256 of the metadata file (PEP 658), or whether there is one."""
    statement: str = ""
    """sha256 of the statement beside it, if the index says that there is one."""
    provenance: str = ""
    """sha256 of its provenance, likewise."""
    provenance_url: str = ""
    """Where its provenance is (PEP 740), if the page says so."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """A project's page in one form."""

    files: tuple[ListedFile, ...]
    relative: bool
    """A link in JSON is relative."""


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.base = ""
        self.links: list[tuple[dict[str, str], str]] = []
        self._text: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "base":
            self.base = self.base or values.get("href", "")
        if tag == "a" and "href" in values:
            self.links.append((values, ""))
            self._text = ""

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._text is not None:
            self.links[-1] = (self.links[-1][0], self._text.strip())
            self._text = None


def read_links(text: str, url: str) -> list[tuple[str, dict[str, str], str]]:
    """Return what an HTML page links to: absolute URL, the link's attributes, its text. Raises `ValueError`."""
    parser = _Links()
    feed_within(parser, text)
    if len(parser.links) > PAGE_LINKS:
        raise ValueError(f"a page with more than {PAGE_LINKS:,} links")
    base = urljoin(url, parser.base)
    return [(urljoin(base, attributes["href"]), attributes, shown) for attributes, shown in parser.links]


def parse_html(text: str, url: str) -> Page:
    """Read a project's page in HTML (PEP 503, 592, 658/714). Raises `ValueError`."""
    files = []
    for link, attributes, _ in read_links(text, url):
        parts = urlsplit(link)
        filename = unquote(parts.path.rpartition("/")[2])
        match = re.search(r"sha256=([0-9a-fA-F]{64})", parts.fragment)
        promised = attributes.get("data-core-metadata", attributes.get("data-dist-info-metadata"))
        files.append(
            _file(
                filename,
                urlunsplit(parts._replace(fragment="")),
                match[1].lower() if match else None,
                yanked="data-yanked" in attributes,
                metadata=_promise(promised),
                statement=_hash(attributes.get("data-emwheels-statement")),
                provenance=_hash(attributes.get("data-emwheels-provenance")),
                provenance_url=_address(url, attributes.get("data-provenance")),
            )
        )
    return Page(files=tuple(file for file in files if file), relative=False)


def _promise(value: str | None) -> str | bool:
    if value is None or value == "false":
        return False
    return value.removeprefix("sha256=").lower() if value.startswith("sha256=") else True


def _address(page: str, link: str | None) -> str:
    return urljoin(page, link) if link else ""


def _hash(value: str | None) -> str:
    return (value or "").removeprefix("sha256=").lower()


def read_json(data: bytes, url: str) -> Page:
    """Read a project's page in JSON (PEP 691, 700, 714). Raises `ValueError` if it is none."""
    try:
        entries: list[dict[str, Any]] = parse_json(data)["files"]
        if len(entries) > PAGE_LINKS:
            raise ValueError(f"a page with more than {PAGE_LINKS:,} files")
        relative = any(not urlsplit(entry["url"]).netloc for entry in entries)
        files = [_entry(entry, url) for entry in entries]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    return Page(files=tuple(file for file in files if file), relative=relative)


def _entry(entry: dict[str, Any], url: str) -> ListedFile | None:
    promised = entry.get("core-metadata", entry.get("dist-info-metadata", False))
    sha256, size = entry["hashes"].get("sha256"), entry.get("size")
    metadata = promised.get("sha256", True) if isinstance(promised, dict) else bool(promised)
    for digest in (sha256, metadata):
        if not isinstance(digest, bool | None) and not _SHA256.fullmatch(digest):
            raise ValueError(f"{digest!r} is not a sha256")
    if size is not None and not (isinstance(size, int) and size >= 0):
        raise ValueError(f"{size!r} is not a size")
    return _file(
        entry["filename"],
        urljoin(url, entry["url"]),
        sha256,
        yanked=bool(entry.get("yanked", False)),
        size=size,
        metadata=metadata,
        statement=_hash(entry.get("_emwheels-statement", {}).get("sha256")),
        provenance=_hash(entry.get("_emwheels-provenance", {}).get("sha256")),
        provenance_url=_address(url, entry.get("provenance")),
    )


def _file(filename: str, url: str, sha256: str | None, **more: Any) -> ListedFile | None:
    try:
        if not is_modest(filename):
            return None
        _, version, _, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename:
        return None  # a source distribution, a link elsewhere: no client of wheels looks at it
    return ListedFile(
        filename=filename,
        url=url,
        sha256=sha256,
        version=version,
        tags=tags,
        **more,
    )


def is_list(probe: Probe, root: str) -> bool:
    """Tell whether the page at ``root`` says that it is a page of an index (PEP 629, PEP 691)."""
    try:
        answer = probe.get(f"{root}/")
        said = answer.data()
    except (Unreachable, ValueError):
        return False
    return answer.status == 200 and (answer.media_type == SIMPLE_JSON or b"pypi:repository-version" in said)


class Pages:
    """Reads and judges the pages of one index."""

    def __init__(self, probe: Probe, report: Verification, root: str) -> None:
        self._probe = probe
        self._report = report
        self.root = root

    def project_names(self) -> list[str]:
        """Return the names on the root page, as they are written there. Raises `Unreachable`."""
        answer = self._get(f"{self.root}/", "the list of projects")
        if answer is None:
            return []
        self.judge_cache(answer, "the list of projects")
        try:
            if answer.media_type == SIMPLE_JSON:
                return [str(entry["name"]) for entry in parse_json(answer.data())["projects"]]
            links = read_links(answer.data().decode("utf-8", errors="replace"), answer.url)
            names = [unquote(urlsplit(link).path.rstrip("/").rpartition("/")[2]) for link, _, _ in links]
        except (ValueError, KeyError, TypeError) as error:
            self._report.add("page-content", "the list of projects", f"{answer.url}: {error}")
            return []
        return [name for name in names if name]

    def judge_absence(self) -> None:
        """Ask for a project that does not exist."""
        answer = self._probe.get(f"{self.root}/{_NO_PROJECT}/", accept=MICROPIP_ACCEPT)
        if answer.status < 300:
            message = f"{answer.status}, {answer.media_type or 'no Content-Type'}, for a project that does not exist"
            self._report.add("missing-project", f"{self.root}/{_NO_PROJECT}/", message)
        elif not answer.allows_origins:
            self._report.add("cors-missing", f"{self.root}/{_NO_PROJECT}/", f"{answer.status} without the header")

    def judge_slashes(self, name: str) -> None:
        """Ask as micropip does when the index URL ends in a slash."""
        answer = self._probe.get(f"{self.root}//{name}/", accept=MICROPIP_ACCEPT)
        if answer.status != 200:
            self._report.add("double-slash", f"{self.root}//{name}/", f"the server answered {answer.status}")

    def project(self, name: str, normal: NormalizedName) -> Page | None:
        """Read the page of the project that is listed as ``name`` in both forms and judge it.

        None if no form can be used.
        """
        url = f"{self.root}/{normal}/"
        first = self._probe.get(url, accept="text/html")
        if first.status == 404 and name != normal:
            self._report.add(
                "name-normalisation", name, f"{normal} is not found ({first.status}); it is listed as {name}"
            )
            return None
        html = self._get(url, name, accept="text/html")
        asked = self._get(url, name, accept=MICROPIP_ACCEPT)
        self.judge_slashes(normal)
        if html is not None:
            self.judge_cache(html, name)
        pages = {
            answer.media_type: page
            for answer in (html, asked)
            if answer is not None and (page := self._parse(answer, name)) is not None
        }
        if len(pages) > 1 and len({_listed(page) for page in pages.values()}) > 1:
            self._report.add("forms-differ", name, _difference(*pages.values()))
        # micropip's own choice comes last in the requests and first here.
        return pages.get(SIMPLE_JSON) or next(iter(pages.values()), None)

    def _get(self, url: str, subject: str, *, accept: str = MICROPIP_ACCEPT) -> Answer | None:
        """GET a page and judge everything but its content; None if it cannot be read."""
        answer = self._probe.get(url, accept=accept, encoding=BROWSER_CODINGS)
        judge_way(self._report, answer, subject)
        if answer.status != 200 or answer.cut:
            self._report.add("page-status", subject, f"{url}: {answer.cut or answer.status}")
            return None
        if answer.media_type == "application/json":
            self._report.add("json-type", subject, f"{url} comes as application/json")
            return None
        if answer.media_type not in (*HTML_TYPES, SIMPLE_JSON):
            self._report.add("page-type", subject, f"{url} comes as {answer.media_type or 'nothing'}")
            return None
        return answer

    def _parse(self, answer: Answer, subject: str) -> Page | None:
        try:
            data = answer.data()
            if answer.media_type != SIMPLE_JSON:
                return parse_html(data.decode("utf-8", errors="replace"), answer.url)
            page = read_json(data, answer.url)
        except ValueError as error:
            self._report.add("page-content", subject, f"{answer.url}: {error}")
            return None
        if page.relative:
            self._report.add("json-relative", subject, f"{answer.url} has relative URLs")
        return page

    def judge_cache(self, answer: Answer, subject: str) -> None:
        """Judge how long a page is kept, and whether asking for it again is cheap and right."""
        control = answer.headers.get("cache-control", "").lower()
        age = max((int(seconds) for seconds in re.findall(r"(?:max-age|s-maxage)=(\d{1,12})", control)), default=0)
        if "immutable" in control or age > LONGEST_PAGE_AGE:
            self._report.add("cache-page", subject, f"{answer.url}: Cache-Control: {control}")
        elif not control:
            self._report.add("cache-page", subject, f"{answer.url}: no Cache-Control, so each cache decides for itself")
        tag = answer.headers.get("etag")
        if tag is None:
            self._report.add("etag", subject, f"{answer.url}: no ETag")
            return
        for condition, expected in ((tag, 304), ('"emwheels-another"', 200)):
            again = self._probe.get(
                answer.url,
                accept=MICROPIP_ACCEPT if answer.media_type == SIMPLE_JSON else "text/html",
                encoding=BROWSER_CODINGS,
                headers={"If-None-Match": condition},
            )
            if again.status != expected:
                self._report.add("etag", subject, f"{answer.url}: {again.status} for If-None-Match: {condition}")


def judge_way(report: Verification, answer: Answer, subject: str) -> None:
    """Judge the redirects that led to ``answer``, and whether a page may read it."""
    for url, headers in answer.hops:
        if not allows_origins(headers):
            report.add("redirect-cors", subject, f"{url} redirects to {headers['location']} without the header")
        if url.startswith("https:") and answer.url.startswith("http:"):
            report.add("insecure-link", subject, f"{url} redirects to {answer.url}")
    if not answer.allows_origins:
        has = answer.headers.get("access-control-allow-origin")
        header = f"Access-Control-Allow-Origin: {has}" if has else "no Access-Control-Allow-Origin"
        # The redirect's own finding says it already where only that leads to such an answer.
        report.add("redirect-cors" if answer.hops else "cors", subject, f"{answer.url}: {header}")


def _listed(page: Page) -> frozenset[tuple[str, str | None, bool]]:
    return frozenset((file.filename, file.sha256, file.yanked) for file in page.files)


def _difference(*pages: Page) -> str:
    one, other = (_listed(page) for page in pages[:2])
    return "; ".join(sorted(f"{name} (sha256 {sha256}, yanked {yanked})" for name, sha256, yanked in one ^ other))
