"""A published OCI image as an `Image`: pulled by digest, entered with podman or docker."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.errors import ImageError
from emwheels.image.model import Call, Image, Mount
from emwheels.image.rootfs import RootFs, podman_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emwheels.target import ImagePins

_VARIABLES = {"build": "EMWHEELS_IMAGE", "test": "EMWHEELS_TEST_IMAGE"}
_REFERENCE = re.compile(r"\w[\w.:/-]*@(?P<digest>sha256:[0-9a-f]{64})")


def configured_reference(pins: ImagePins) -> str:
    """Return the OCI image to use, or an empty string for the embedded image.

    ``EMWHEELS_IMAGE`` and ``EMWHEELS_TEST_IMAGE`` override targets.toml: a reference by digest, or ``embedded``.
    """
    variable = _VARIABLES.get(pins.part)
    chosen = os.environ.get(variable, pins.oci_reference) if variable else ""
    return "" if chosen == "embedded" else chosen


def digest_of(reference: str) -> str:
    """Return ``sha256:…`` of a reference. Raises `ImageError` for one that is not by digest: it could change."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise ImageError(
            f"{reference!r} does not name an image by digest",
            hint="write it as registry/name@sha256:…, or embedded for the image made on this machine",
        )
    return match["digest"]


@dataclass(frozen=True, kw_only=True)
class OciImage(Image):
    """An image that an engine holds; its digest is the manifest's."""

    reference: str
    engine: str

    @property
    def by_engine(self) -> bool:
        """See `Image.by_engine`."""
        return True

    @property
    def outside(self) -> None:
        """See `Image.outside`: an engine needs its own variables, and a container reads none of them."""

    def command(self, call: Call) -> list[str]:
        """See `Image.command`."""
        return podman_command([self.reference], call, engine=self.engine)

    @classmethod
    def open(cls, reference: str, *, environment: tuple[tuple[str, str], ...], offline: bool = False) -> OciImage:
        """Pull the image if the engine does not have it. Raises `ImageError` with what the engine said.

        ``offline``, one that is not there is an error.
        """
        digest = digest_of(reference)
        engine = next((name for name in ("podman", "docker") if shutil.which(name)), None)
        if engine is None:
            raise ImageError(
                f"{reference} needs podman or docker",
                hint="apt-get install podman, or set EMWHEELS_IMAGE=embedded to use the image made on this machine",
            )
        if _engine(engine, "image", "inspect", reference).returncode:
            if offline:
                raise ImageError(f"offline: {engine} does not have {reference}", hint=f"{engine} pull {reference}")
            pull = ["pull", reference]
            if engine == "podman" and re.match(r"(localhost|127\.0\.0\.1)[:/]", reference):
                pull.insert(1, "--tls-verify=false")  # a registry on loopback has no certificate
            done = _engine(engine, *pull)
            if done.returncode:
                raise ImageError(
                    f"{engine} could not pull {reference}:\n{done.stderr.strip()[-2000:]}",
                    hint=f"see that {engine} works by itself, and that this machine may read the registry",
                )
        return cls(reference=reference, engine=engine, environment=environment, digest=digest)


def _engine(engine: str, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([engine, *argv], capture_output=True, text=True, check=False)


@contextmanager
def headers(image: Image, rootfs: Path, cache: Path) -> Iterator[Path]:
    """Give a folder of the host that holds the image's ``/opt/emwheels/headers``."""
    if isinstance(image, RootFs):
        yield rootfs
        return
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        out = Path(folder) / "opt" / "emwheels"
        out.mkdir(parents=True)
        with tempfile.TemporaryFile() as output:
            done = image.run(
                ["cp", "-r", "/opt/emwheels/headers", "/mnt/out/"],
                mounts=[Mount(host=out, inside="/mnt/out", writable=True)],
                output=output,
            )
            output.seek(0)
            message = output.read()[-2000:].decode(errors="replace").strip()
        if done.status:
            raise ImageError(
                f"the image's /opt/emwheels/headers could not be read:\n{message}",
                hint="is it an image that ci/image/build.sh made, and does the engine run containers at all?",
            )
        yield Path(folder)
