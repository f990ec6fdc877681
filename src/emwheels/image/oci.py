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

from emwheels.errors import ImageError, redacted
from emwheels.image.model import Call, Image, Mount
from emwheels.image.rootfs import RootFs, podman_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emwheels.target import ImagePins

VARIABLES = {"build": "EMWHEELS_IMAGE", "test": "EMWHEELS_TEST_IMAGE"}
"""Part -> the variable that chooses its image."""
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]*@(?P<digest>sha256:[0-9a-f]{64})")
"""Never with a dash in front: an engine would take that for an option."""


def configured_reference(pins: ImagePins) -> str:
    """Return the OCI image to use, or an empty string for the embedded image.

    ``EMWHEELS_IMAGE`` and ``EMWHEELS_TEST_IMAGE`` override targets.toml: a reference by digest, or ``embedded``.
    """
    variable = VARIABLES.get(pins.part)
    chosen = os.environ.get(variable, pins.oci_reference) if variable else ""
    return "" if chosen == "embedded" else chosen


def digest_of(reference: str, part: str) -> str:
    """Return ``sha256:…`` of the reference that is configured for an image.

    Raises `ImageError` for one that is not by digest: it could change.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise ImageError(
            f"{reference!r} does not name an image by digest ({_origin(part)})",
            hint="write it as registry/name@sha256:…, or embedded for the image made on this machine",
        )
    return match["digest"]


def _origin(part: str) -> str:
    """Return where a reference was configured."""
    variable = VARIABLES[part]
    return variable if variable in os.environ else f"image.{part}.oci_reference in targets.toml"


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
    def open(
        cls, reference: str, *, part: str, environment: tuple[tuple[str, str], ...], offline: bool = False
    ) -> OciImage:
        """Pull the image of that ``part`` if the engine does not have it, unless this is ``offline``.

        Raises `ImageError` with what the engine said.
        """
        digest = digest_of(reference, part)
        embedded = f"set {VARIABLES[part]}=embedded to use the image made on this machine"
        engine = next((name for name in ("podman", "docker") if shutil.which(name)), None)
        if engine is None:
            raise ImageError(f"{reference} needs podman or docker", hint=f"apt-get install podman, or {embedded}")
        found = _engine(engine, "image", "inspect", reference)
        if found.returncode and offline:
            raise ImageError(
                f"{engine} does not have {reference}, and this is offline{_tail(found)}",
                hint=f"run the same command once without --offline, or {embedded}",
            )
        if found.returncode:
            _pull(engine, reference, embedded)
        return cls(reference=reference, engine=engine, environment=environment, digest=digest)


def _pull(engine: str, reference: str, otherwise: str) -> None:
    pull = ["pull", reference]
    if engine == "podman" and re.match(r"(localhost|127\.0\.0\.1)[:/]", reference):
        pull.insert(1, "--tls-verify=false")  # a registry on loopback has no certificate
    done = _engine(engine, *pull)
    if done.returncode:
        raise ImageError(
            f"{engine} could not pull {reference}{_tail(done)}",
            hint=f"see whether `{engine} info` works here and its registry can be reached, or {otherwise}",
        )


def _tail(done: subprocess.CompletedProcess[str]) -> str:
    """Return the end of what an engine said against something, as further lines of a message."""
    said = redacted(done.stderr.strip())[-2000:]
    return f":\n{said}" if said else ""


def _engine(engine: str, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([engine, *argv], capture_output=True, text=True, errors="replace", check=False)


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
            message = redacted(output.read().decode(errors="replace").strip())[-2000:]
        if done.status:
            raise ImageError(
                f"the image's /opt/emwheels/headers could not be read:\n{message}",
                hint="is it an image that ci/image/build.sh made, and does the engine run containers at all?",
            )
        yield Path(folder)
