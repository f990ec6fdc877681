"""A published index by its address. It can be read, and no more."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import quote

from emwheels.errors import UsageError, without_secrets
from emwheels.fetch.download import PATIENCE, Downloader, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from emwheels.index.places.place import Source

_LARGEST = 256 << 20


class Web:
    """The index at ``url``, which may be that of its list of projects, in any of the forms that clients take."""

    def __init__(self, url: str, downloader: Downloader | None = None) -> None:
        root = url.replace("{package_name}", "").removesuffix("index.html").rstrip("/")
        self._root = root.removesuffix("/simple")
        self._downloader = downloader or Downloader(patience=PATIENCE)
        self.where = without_secrets(self._root)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Refuse: nothing can be changed."""
        self._refuse()
        yield

    def address(self, name: str) -> str:
        """Return the address of a file."""
        return f"{self._root}/{quote(name)}"

    def read(self, name: str) -> bytes | None:
        """Return the content of a file, None when there is none."""
        try:
            return self._downloader.get(self.address(name), limit=_LARGEST).content
        except NotFoundError:
            return None

    def send(self, files: Mapping[str, Source]) -> int:  # noqa: ARG002
        """Refuse: nothing can be changed."""
        self._refuse()

    def remove(self, names: Iterable[str]) -> None:  # noqa: ARG002
        """Refuse: nothing can be changed."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise UsageError(f"{self.where} can be read, and not changed", hint="name the place that it is published to")
