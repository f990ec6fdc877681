"""A project's page in each index of this machine's pip, read by unearth through our own client, within bounds."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit, urlunsplit
from urllib.request import url2pathname

import httpx
from unearth import Link, PackageFinder
from unearth.collector import IndexHTMLParser
from unearth.fetchers import DEFAULT_SECURE_ORIGINS

from emwheels.errors import FetchError, without_secrets
from emwheels.fetch.documents import feed_within, is_modest, parse_json
from emwheels.fetch.download import Downloader, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from unearth import Package
    from unearth.fetchers import Fetcher as UnearthFetcher

    from emwheels.fetch.pip_configuration import PipConfiguration

_WEB = ("http", "https")
PAGE_LIMIT = 64 << 20
"""Bytes of a page of an index."""
PAGE_FILES = 100_000
"""Files of a project."""
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~!-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LINK_PART = 80
_SHOWN = 300
"""Characters of a foreign text that are shown."""
# With no handler at all, logging would print unearth's remarks on indexes that do not answer; the caller reports what
# matters.
logging.getLogger("unearth").addHandler(logging.NullHandler())


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A file that a registry offers; ``sha256`` is None where the registry does not say."""

    url: str
    filename: str
    sha256: str | None = None
    listed_at: str = ""
    """The index, or other page, that links to it."""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A file of a project, as an index lists it."""

    resource: Resource
    version: str
    """Empty where the file name does not tell."""
    requires_python: str = ""
    yanked: str | None = None
    """Why it was yanked (PEP 592), empty without a reason; None when it was not."""
    place: int | None = None
    """Which of pip's indexes lists it, from 0; None for its find-links."""
    index: str = ""
    """The index, or the find-link, without user and password."""
    metadata: bool = False
    """There is a file with the wheel's metadata beside it (PEP 658)."""
    uploaded: datetime | None = None
    """When, where the index tells (PEP 700)."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What an index did instead of answering."""

    place: int | None
    """See `Offer`."""
    message: str


def find_offers(
    name: str, downloader: Downloader, pip: PipConfiguration, **options: Any
) -> tuple[list[Offer], list[Failure]]:
    """Return the files of a project that unearth finds with ``options``, best first, and which indexes failed."""
    found: list[tuple[Any, Offer]] = []
    failures: list[Failure] = []
    for place, index in enumerate(pip.index_urls):
        session = _IndexSession(downloader, pip)
        found += _offers_at(name, index, place, session, index_urls=[index], **options)
        failures += [Failure(place=place, message=message) for message in session.failures]
    for link in pip.find_links:
        session = _IndexSession(downloader, pip)
        # With no index at all, unearth would take its own default.
        nowhere = ["file:///nonexistent/"]
        found += _offers_at(name, link, None, session, index_urls=nowhere, find_links=[link], **options)
        failures += [Failure(place=None, message=message) for message in session.failures]
    found.sort(key=lambda pair: pair[0], reverse=True)
    return [offer for _, offer in found], failures


def _offers_at(
    name: str, listed_at: str, place: int | None, session: _IndexSession, **options: Any
) -> list[tuple[Any, Offer]]:
    finder = PackageFinder(session=cast("UnearthFetcher", session), **options)
    try:
        return [
            (finder._sort_key(package), _offer(package, listed_at, place))
            for package in finder.find_all_packages(name, allow_yanked=True)
            if _is_safe(package, listed_at)
        ]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OSError) as error:
        session.failures.append(f"{without_secrets(listed_at)} has no page of {name} to be read: {_printable(error)}")
        return []


def _offer(package: Package, listed_at: str, place: int | None) -> Offer:
    reason = package.link.yank_reason
    return Offer(
        resource=_resource(package, listed_at),
        version=package.version or "",
        requires_python=_printable(package.link.requires_python or ""),
        yanked=None if reason is None else _printable(reason),
        place=place,
        index=without_secrets(listed_at),
        metadata=bool(package.link.dist_info_metadata),
        uploaded=_aware(package.link.upload_time),
    )


def _aware(time: datetime | None) -> datetime | None:
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time


def _resource(package: Package, listed_at: str) -> Resource:
    link = package.link
    given = [sha256.lower() for sha256 in (link.hash_option or {}).get("sha256", [])]
    hashes = [sha256 for sha256 in given if _SHA256.fullmatch(sha256)]
    url = link.url_without_fragment
    if not urlsplit(url).username and link.comes_from and (user := urlsplit(link.comes_from).netloc.rpartition("@")[0]):
        parts = urlsplit(url)
        if parts.netloc == urlsplit(link.comes_from).netloc.rpartition("@")[2]:  # as pip: same host, same password
            url = urlunsplit(parts._replace(netloc=f"{user}@{parts.netloc}"))
    return Resource(
        url=url,
        filename=link.filename,
        sha256=hashes[0] if hashes else None,
        listed_at=listed_at if "://" in listed_at else "",
    )


class _IndexSession:
    """What unearth needs to read an index, answered by our own client: same retries, certificates and limits."""

    def __init__(self, downloader: Downloader, pip: PipConfiguration) -> None:
        self._downloader = downloader
        self._pip = pip
        self.failures: list[str] = []

    def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> httpx.Response:
        request = httpx.Request("GET", url)
        try:
            if url.startswith("file:"):
                content = Path(url2pathname(urlsplit(url).path)).read_bytes()
                return httpx.Response(200, headers={"content-type": "text/html"}, content=content, request=request)
            answer = self._downloader.get(url, dict(headers or {}), limit=PAGE_LIMIT)
            _check_page(answer)
            kind = answer.headers["content-type"].partition(";")[0]
            return httpx.Response(200, headers={"content-type": kind}, content=answer.content, request=answer.request)
        except (NotFoundError, OSError):
            return httpx.Response(404, request=request)
        except FetchError as error:
            self.failures.append(error.message)
            return httpx.Response(503, request=request)
        except ValueError as error:
            self.failures.append(f"{without_secrets(url)}: {_printable(error)}")
            return httpx.Response(503, request=request)

    head = get

    def iter_secure_origins(self) -> Iterable[tuple[str, str, str]]:
        yield from DEFAULT_SECURE_ORIGINS
        for host in self._pip.trusted_hosts:
            name, _, port = host.partition(":")
            yield "*", name, port or "*"


def _check_page(answer: httpx.Response) -> None:
    """Raise `ValueError` for a page that unearth would not read to its end, or not understand."""
    links = _json_links(answer.content) if "json" in answer.headers["content-type"] else _html_links(answer.content)
    if len(links) > PAGE_FILES:
        raise ValueError(f"a page with more than {PAGE_FILES:,} files")
    for link in links:
        if not is_modest(Link(link).filename):
            raise ValueError(f"a file name that is too long, or of too many tags: {link[:_LINK_PART]}…")


def _json_links(content: bytes) -> list[str]:
    page = parse_json(content)
    files = page.get("files") if isinstance(page, dict) else None
    if not isinstance(files, list) or not all(isinstance(file, dict) for file in files):
        raise ValueError("JSON that is no page of a project")
    return [str(file["url"]) for file in files if file.get("url")]


def _html_links(content: bytes) -> list[str]:
    parser = IndexHTMLParser()
    feed_within(parser, content.decode())
    return [link for anchor in parser.anchors if (link := anchor.get("href"))]


def _is_safe(package: Package, listed_at: str) -> bool:
    """Tell whether a link may be followed: no index of the web leads to a file of this machine or a repository."""
    link = package.link
    listed_by_web = urlsplit(listed_at).scheme in _WEB
    return (
        _FILE_NAME.fullmatch(link.filename) is not None
        and not link.is_vcs
        and urlsplit(link.url).scheme in (_WEB if listed_by_web else (*_WEB, "file"))
    )


def _printable(text: object) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in str(text)[:_SHOWN])
