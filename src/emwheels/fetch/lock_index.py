"""An index on loopback for the time of a resolution: what the resolver asks for, our own client fetches, within bounds.

So no foreign index is read by a resolver that follows wherever it leads, no password reaches one, and it is known from
which index each version came.
"""

from __future__ import annotations

import http.server
import json
import re
import shutil
import tempfile
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, unquote, urlsplit
from urllib.request import url2pathname

from packaging.utils import InvalidName, canonicalize_name, canonicalize_version

from emwheels.errors import EmwheelsError, FetchError
from emwheels.fetch.download import Downloader, NotFoundError
from emwheels.fetch.lock_selection import Selection, read_metadata

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from emwheels.fetch.index_pages import Offer
    from emwheels.fetch.registries import Registries

_JSON = "application/vnd.pypi.simple.v1+json"
_METADATA_LIMIT = 4 << 20
_PROJECT = re.compile(r"/simple/([^/]+)/")
_FILE = re.compile(r"/files/([^/]+)/(\d{1,6})/[^/]+?(\.metadata)?")


class LockIndex:
    """The indexes of ``registries`` as one, on a port of loopback. Use as a context manager.

    Of each version it has the wheels of the first index that lists it, and of find-links; with ``newest``, only those
    that were uploaded until then; and what ``selection`` chooses of them.
    """

    def __init__(
        self,
        registries: Registries,
        downloader: Downloader,
        *,
        newest: datetime | None = None,
        selection: Selection | None = None,
    ) -> None:
        self._registries = registries
        self._downloader = downloader
        self._newest = newest
        self._selection = selection or Selection()
        self._offers: dict[str, Sequence[Offer]] = {}
        self._wheels: dict[str, Path] = {}
        self._building = threading.RLock()
        self._folder = tempfile.TemporaryDirectory(prefix="emwheels-lock-")
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self.failures: dict[str, FetchError] = {}
        """What could not be fetched, by project or file."""
        self.unbuilt: dict[str, EmwheelsError] = {}
        """What could not be built from its source archive, by file."""
        self.unfit: set[str] = set()
        """The projects that were asked for and have files, but none that can be installed."""

    @property
    def url(self) -> str:
        """Where the resolver finds it."""
        return f"http://127.0.0.1:{self._server.server_port}/simple/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._folder.cleanup()

    def indexes(self, name: str, version: str) -> tuple[str, str]:
        """Return the index that a version came from, and the first index that has the project.

        They are the same if all is well; find-links count as every index. No user and password is in them; empty for
        what was not asked for.
        """
        offers = self._offers.get(name, ())
        wanted = canonicalize_version(version)
        of_it = [offer for offer in offers if canonicalize_version(offer.version) == wanted]
        places = sorted((offer.place, offer.index) for offer in offers if offer.place is not None)
        own = next((offer.index for offer in of_it if offer.place is not None), of_it[0].index if of_it else "")
        trusted = not places or any(offer.place in (None, places[0][0]) for offer in of_it)
        return own, own if trusted else places[0][1]

    def page(self, text: str) -> bytes | None:
        """Return the page of a project (PEP 691), None where no index has it."""
        try:
            name = canonicalize_name(unquote(text), validate=True)
        except InvalidName:
            return None
        offers = self.offers(name)
        chosen = self._selection.choose(name, offers)
        if offers and not chosen:
            self.unfit.add(name)
        files = [_entry(name, number, offers[number], shown) for number, shown in chosen]
        return json.dumps({"meta": {"api-version": "1.1"}, "name": name, "files": files}).encode() if offers else None

    def offers(self, name: str) -> Sequence[Offer]:
        """Return the files of a project, newest first; none where an index did not answer, which is noted."""
        if name not in self._offers:
            try:
                self._offers.setdefault(name, self._until_newest(name, self._registries.versions(name)))
            except FetchError as error:
                self.failures[name] = error
                self._offers[name] = ()
        return self._offers[name]

    def chosen(self, name: str) -> Sequence[int]:
        """Return the numbers of those files of a project that the resolver is shown, newest first."""
        return [number for number, _ in self._selection.choose(name, self.offers(name))]

    def _until_newest(self, name: str, offers: Sequence[Offer]) -> Sequence[Offer]:
        if self._newest is None:
            return offers
        if silent := next((offer for offer in offers if offer.uploaded is None), None):
            raise FetchError(
                f"{silent.index} does not say when {silent.resource.filename} of {name} was uploaded (PEP 700)",
                hint="leave --exclude-newer and --min-age away for this index",
            )
        return [offer for offer in offers if offer.uploaded is not None and offer.uploaded <= self._newest]

    def file(self, name: str, number: int, *, metadata: bool) -> Path | None:
        """Return a file of a project, or its metadata beside it; None where there is none."""
        offers = self._offers.get(name, ())
        if number >= len(offers):
            return None
        resource = offers[number].resource
        path = Path(self._folder.name) / f"{name}-{number}{'.metadata' if metadata else ''}"
        try:
            if not resource.filename.endswith(".whl"):
                return self._built(name, offers[number], path, metadata=metadata)
            if resource.url.startswith("file:"):
                source = Path(url2pathname(urlsplit(resource.url).path))
                return source.with_name(f"{source.name}.metadata") if metadata else source
            if metadata:
                url = f"{resource.url}.metadata"
                path.write_bytes(self._downloader.get(url, limit=_METADATA_LIMIT, listed_at=resource.listed_at).content)
            elif not path.exists():
                self._downloader.save(resource.url, path, lambda *_: None, listed_at=resource.listed_at)
        except NotFoundError:
            return None
        except FetchError as error:
            self.failures[resource.filename] = error
            return None
        except EmwheelsError as error:
            self.unbuilt[resource.filename] = error
            return None
        return path

    def _built(self, name: str, offer: Offer, path: Path, *, metadata: bool) -> Path:
        """Return the wheel that a source archive is built to, or its metadata. Raises `FetchError` if it is not."""
        with self._building:
            wheel = self._wheels.get(offer.resource.filename)
            if wheel is None:
                assert self._selection.build is not None  # or no source archive was chosen
                wheel = self._selection.build(name, offer)
                self._wheels[offer.resource.filename] = wheel
        if metadata:
            path.write_bytes(read_metadata(wheel))
        return path if metadata else wheel


def _entry(name: str, number: int, offer: Offer, shown: str) -> dict[str, Any]:
    resource = offer.resource
    entry: dict[str, Any] = {
        "filename": shown,
        "url": f"/files/{name}/{number}/{quote(shown)}",
        "hashes": {"sha256": resource.sha256} if resource.sha256 else {},
        "yanked": False if offer.yanked is None else offer.yanked or True,
        "core-metadata": offer.metadata or not resource.filename.endswith(".whl"),
    }
    return entry | ({"requires-python": offer.requires_python} if offer.requires_python else {})


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers the resolver, and nobody who asks for anything else."""

    protocol_version = "HTTP/1.1"

    def __init__(self, index: LockIndex, *arguments: Any) -> None:
        self._index = index
        super().__init__(*arguments)

    def handle(self) -> None:
        """Answer until the resolver goes, which it may in the middle of a file: it wants no more than the metadata."""
        with suppress(ConnectionError):
            super().handle()

    def do_GET(self) -> None:
        """Answer with a page, a file or its metadata."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Answer as to GET, without the body."""
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        path = urlsplit(self.path).path
        if match := _PROJECT.fullmatch(path):
            page = self._index.page(match[1])
            if page is None:
                self.send_error(404)
                return
            self._begin(_JSON, len(page))
            if body:
                self.wfile.write(page)
            return
        found = _FILE.fullmatch(path)
        file = self._index.file(found[1], int(found[2]), metadata=bool(found[3])) if found else None
        if file is None or not file.is_file():
            self.send_error(404)
            return
        self._begin("application/octet-stream", file.stat().st_size)
        if body:
            with file.open("rb") as stream:
                shutil.copyfileobj(stream, self.wfile)

    def _begin(self, kind: str, size: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(size))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing: it is no server for anybody else."""
