"""A folder of another machine, reached by rsync: over ssh (``user@host:folder``) or its own protocol (``rsync://``)."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from emwheels.errors import IndexingError, keep_secret, keep_secrets_of, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from emwheels.index.places.place import Source

_NO_SUCH_FILE = 23
"""rsync's status for a partial transfer; of one file it means that this is not there."""
_OPTIONS = ("--recursive", "--copy-links", "--checksum", "--chmod=D755,F644", "--timeout=120")


class Rsync:
    """The index in ``address``, as rsync writes one.

    rsync gives a file its name when it is whole, and what was cut off stays in ``.part`` and is gone on with. The
    environment's RSYNC_RSH and RSYNC_PASSWORD are honoured. Two that publish to one place at a time are not kept apart.
    """

    def __init__(self, address: str) -> None:
        keep_secret(os.environ.get("RSYNC_PASSWORD", ""))
        keep_secrets_of(address)
        self.where = without_secrets(address)
        self._address = address.rstrip("/")
        if shutil.which("rsync") is None:
            raise IndexingError("rsync is not installed", hint="apt-get install rsync openssh-client")

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Do nothing: there is no lock that both of rsync's ways have."""
        yield

    def read(self, name: str) -> bytes | None:
        """Return the content of a file, None when there is none."""
        with tempfile.TemporaryDirectory(prefix="emwheels-rsync-") as folder:
            into = Path(folder) / "file"
            done = self._run([f"{self._address}/{name}", str(into)], accept=(0, _NO_SUCH_FILE))
            if done.returncode == 0:
                return into.read_bytes()
            if "No such file" not in done.stderr:
                raise self._failed(done)
            return None

    def send(self, files: Mapping[str, Source]) -> int:
        """Send those files that are not there with the same bytes, compared by checksum; return how many were."""
        if not files:
            return 0
        with tempfile.TemporaryDirectory(prefix="emwheels-rsync-") as folder:
            for name, source in files.items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                if isinstance(source, bytes):
                    path.write_bytes(source)
                else:
                    path.symlink_to(source.resolve())
            options = ["--mkpath", "--partial-dir=.part", "--out-format=sent %n"]
            done = self._run([*options, f"{folder}/", f"{self._address}/"])
        sent = (line.removeprefix("sent ") for line in done.stdout.splitlines() if line.startswith("sent "))
        return sum(not name.endswith("/") for name in sent)

    def remove(self, names: Iterable[str]) -> None:
        """Remove files. A folder that this leaves empty stays."""
        names = list(names)
        if not names:
            return
        with tempfile.TemporaryDirectory(prefix="emwheels-rsync-") as folder:
            parents = sorted({str(parent) for name in names for parent in PurePosixPath(name).parents} - {"."})
            for parent in parents:
                (Path(folder) / parent).mkdir(parents=True, exist_ok=True)
            rules = (
                "".join(f"+ /{parent}/\n" for parent in parents) + "".join(f"+ /{name}\n" for name in names) + "- *\n"
            )
            self._run(["--delete", "--filter=merge -", f"{folder}/", f"{self._address}/"], given=rules)

    def _run(
        self, arguments: Sequence[str], *, accept: Sequence[int] = (0,), given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["rsync", *_OPTIONS, *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            input=given,
        )
        if done.returncode not in accept:
            raise self._failed(done)
        return done

    def _failed(self, done: subprocess.CompletedProcess[str]) -> IndexingError:
        message = "\n".join(f"  {line}" for line in done.stderr.strip().splitlines()[-5:])
        return IndexingError(
            f"rsync to {self.where} failed with status {done.returncode}:\n{message}",
            hint="what was sent stays; mend the connection and run the same command again",
        )
