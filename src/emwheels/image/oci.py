"""A published OCI image by its digest, and the engines that pull and enter it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emwheels.errors import ImageError
from emwheels.image.model import Call, Image
from emwheels.image.rootfs import podman_command

if TYPE_CHECKING:
    from emwheels.target import ImagePins

VARIABLES = {"build": "EMWHEELS_IMAGE", "test": "EMWHEELS_TEST_IMAGE"}
"""Part -> the variable that chooses its image."""
ENGINES = ("podman", "docker")
"""The container engines that can hold a published image, the one to prefer first."""
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
        cls,
        reference: str,
        *,
        part: str,
        engine: str,
        environment: tuple[tuple[str, str], ...],
        offline: bool = False,
    ) -> OciImage:
        """Pull the image of that ``part`` if the ``engine`` does not have it, unless this is ``offline``.

        Raises `ImageError` with what the engine said.
        """
        digest = digest_of(reference, part)
        embedded = f"set {VARIABLES[part]}=embedded to use the image made on this machine"
        found = _engine(engine, "image", "inspect", reference)
        if found.returncode and offline:
            raise ImageError(
                f"{engine} does not have {reference}, and this is offline{_tail(found)}",
                hint=f"run the same command once without --offline, or {embedded}",
            )
        if found.returncode:
            _pull(engine, reference, embedded)
        return cls(reference=reference, engine=engine, environment=environment, digest=digest)


def holds(engine: str, reference: str) -> bool:
    """Tell whether an engine is there and has an image."""
    return shutil.which(engine) is not None and _engine(engine, "image", "inspect", reference).returncode == 0


def works(engine: str) -> bool:
    """Tell whether an engine is there and runs: docker may be without its daemon."""
    return shutil.which(engine) is not None and _engine(engine, "info").returncode == 0


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
    said = done.stderr.strip()[-2000:]
    return f":\n{said}" if said else ""


def _engine(engine: str, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([engine, *argv], capture_output=True, text=True, errors="replace", check=False)
