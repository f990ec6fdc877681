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
from typing import IO, TYPE_CHECKING

from emwheels.errors import ImageError
from emwheels.image.model import Completed, Image, Mount
from emwheels.image.rootfs import ContainerProcess, RootFs, ended_with_client, podman_command, run_and_wait

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from emwheels.target import ImagePins

_REFERENCE = re.compile(r"[\w.:/-]+@(?P<digest>sha256:[0-9a-f]{64})")


def configured_reference(pins: ImagePins) -> str:
    """Return the OCI image to use, or an empty string for the embedded image.

    ``EMWHEELS_IMAGE`` overrides targets.toml: a reference by digest, or ``embedded``.
    """
    chosen = os.environ.get("EMWHEELS_IMAGE", pins.oci_reference)
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
class OciImage:
    """An image that an engine holds. See `emwheels.image.model.Image` for the contract."""

    reference: str
    engine: str
    environment: tuple[tuple[str, str], ...]

    @property
    def digest(self) -> str:
        """The manifest's digest."""
        return digest_of(self.reference)

    @classmethod
    def open(cls, reference: str, *, environment: tuple[tuple[str, str], ...]) -> OciImage:
        """Pull the image if the engine does not have it. Raises `ImageError` with what the engine said."""
        digest_of(reference)
        engine = next((name for name in ("podman", "docker") if shutil.which(name)), None)
        if engine is None:
            raise ImageError(
                f"{reference} needs podman or docker",
                hint="apt-get install podman, or set EMWHEELS_IMAGE=embedded to use the image made on this machine",
            )
        if _engine(engine, "image", "inspect", reference).returncode:
            pull = ["pull", reference]
            if engine == "podman" and re.match(r"(localhost|127\.0\.0\.1)[:/]", reference):
                pull.insert(1, "--tls-verify=false")  # a registry on loopback has no certificate
            done = _engine(engine, *pull)
            if done.returncode:
                raise ImageError(f"{engine} could not pull {reference}:\n{done.stderr.strip()[-2000:]}")
        return cls(reference=reference, engine=engine, environment=environment)

    def run(
        self,
        argv: Sequence[str],
        *,
        mounts: Sequence[Mount] = (),
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
        network: bool = False,
        output: IO[bytes] | None = None,
        seconds: float | None = None,
    ) -> Completed:
        """Run ``argv`` in a container and wait; see `emwheels.image.model.Image.run`."""
        with ended_with_client(self._command(argv, mounts, env, cwd, network)) as command:
            return run_and_wait(command, argv=argv, output=output, seconds=seconds)

    def start(
        self,
        argv: Sequence[str],
        *,
        mounts: Sequence[Mount] = (),
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
        network: bool = False,
        stderr: IO[bytes] | int | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start ``argv`` in a container; see `emwheels.image.model.Image.start`."""
        return ContainerProcess(self._command(argv, mounts, env, cwd, network), stderr=stderr)

    def _command(
        self, argv: Sequence[str], mounts: Sequence[Mount], env: Mapping[str, str] | None, cwd: str, network: bool
    ) -> list[str]:
        return podman_command(
            [self.reference],
            argv,
            mounts=mounts,
            env=dict(self.environment) | dict(env or {}),
            cwd=cwd,
            network=network,
            engine=self.engine,
        )


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
            said = output.read()[-2000:].decode(errors="replace").strip()
        if done.status:
            raise ImageError(
                f"the image's /opt/emwheels/headers could not be read:\n{said}",
                hint="is it an image that ci/image/build.sh made, and does the engine run containers at all?",
            )
        yield Path(folder)
