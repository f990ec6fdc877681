"""A published image as an `Image`: held by podman or docker where one works, else pulled and entered by emwheels."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import TYPE_CHECKING

from emwheels.errors import ImageError
from emwheels.image.door import Door
from emwheels.image.model import Mount
from emwheels.image.oci import ENGINES, VARIABLES, OciImage, digest_of, holds, works
from emwheels.image.pull import is_pulled, load_pulled, pull_image
from emwheels.image.rootfs import RootFs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from emwheels.fetch.download import Progress
    from emwheels.image.model import Image

_HEADERS = "opt/emwheels/headers"


@dataclass(frozen=True, kw_only=True)
class Published:
    """A published image that is configured, and where this project would keep it."""

    reference: str
    part: str
    cache: Path
    method: str | None = None
    """The way in that ``EMWHEELS_ENTER`` asks for; ``bwrap`` and ``chroot`` are no engine's."""

    @property
    def digest(self) -> str:
        """``sha256:…`` of its manifest, whoever pulls it."""
        return digest_of(self.reference, self.part)

    def engine(self) -> str | None:
        """Return the engine that is to enter it: one that has it, else one that could pull it; None for emwheels."""
        digest = self.digest
        if self.method in ("bwrap", "chroot"):
            return None
        having = next((name for name in ENGINES if holds(name, self.reference)), None)
        if having or is_pulled(self.cache, digest):
            return having
        return next((name for name in ENGINES if works(name)), None)

    def open(
        self,
        environment: tuple[tuple[str, str], ...],
        *,
        offline: bool,
        phase: Callable[[str], AbstractContextManager[None]],
        progress: Progress,
    ) -> Image:
        """Return the way into it; it is pulled if it is not here, unless this is ``offline``.

        Raises `ImageError` when it cannot be had or entered.
        """
        digest = self.digest
        if engine := self.engine():
            return OciImage.open(
                self.reference, part=self.part, engine=engine, environment=environment, offline=offline
            )
        image = load_pulled(self.cache, digest, environment=environment, method=self.method)
        if image is None and offline:
            raise ImageError(
                f"{self.reference} is not on this machine, and this is offline",
                hint=f"run the same command once without --offline, or set {VARIABLES[self.part]}=embedded to use "
                "the image made on this machine",
            )
        if image is None:
            with phase(f"pulling the {self.part} image, once"):
                pull_image(self.cache, self.reference, progress=progress)
            image = load_pulled(self.cache, digest, environment=environment, method=self.method)
        if image is None:
            raise ImageError(f"the image {digest} vanished while it was in use", hint="run the command again")
        return image


@contextmanager
def headers(image: Image, embedded: Path, cache: Path) -> Iterator[Path]:
    """Give a folder of the host that holds the image's ``/opt/emwheels/headers``.

    ``embedded`` is the root file system of the image made on this machine. Of another one, which is foreign, the host
    takes regular files only.
    """
    if isinstance(image, RootFs) and image.root == embedded:
        yield embedded
        return
    cache.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=cache) as folder:
        place, out = Path(folder, "taken"), Path(folder, "out")
        out.mkdir()
        if isinstance(image, RootFs):
            _take(image.root, _HEADERS, place / _HEADERS)
        else:
            _copy_out(image, out)
            _take(out, "", place / Path(_HEADERS).parent)
        yield place


def _take(source: Path, below: str, place: Path) -> None:
    with Door(source) as door:
        for left in door.files(below):
            if left.link is None:
                target = place / left.path.removeprefix(below).lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                door.take(left.path, target)
    if not place.is_dir():
        raise ImageError(f"the image has no /{_HEADERS}", hint="name an image that ci/image/build.sh published")


def _copy_out(image: Image, out: Path) -> None:
    with TemporaryFile() as output:
        done = image.run(
            ["cp", "-r", f"/{_HEADERS}", "/mnt/out/"],
            mounts=[Mount(host=out, inside="/mnt/out", writable=True)],
            output=output,
        )
        output.seek(0)
        message = output.read()[-2000:].decode(errors="replace").strip()
    if done.status:
        raise ImageError(
            f"the image's /{_HEADERS} could not be read:\n{message}",
            hint="is it an image that ci/image/build.sh made, and does the engine run containers at all?",
        )
