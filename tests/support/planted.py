"""Secrets that are planted on a machine of their own, and the search for them in all that is written there."""

from __future__ import annotations

import base64
import gzip
import os
import tarfile
import tempfile
import zipfile
from typing import TYPE_CHECKING
from urllib.parse import quote

from emwheels import errors
from emwheels.fetch import download

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

_OF_THIS_MACHINE = ("PIP_", "NPM_CONFIG_", "UV_", "AWS_", "AZURE_", "GOOGLE_", "EMWHEELS_", "RSYNC_", "DOCKER_")


class Planted:
    """A machine below ``root``, with a home of its own, on which secrets can be planted and looked for."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.home = root / "home"
        self._secrets: dict[str, str] = {}
        self._there: dict[Path, bytes] = {}
        self._theirs: tuple[bytes, ...] = ()
        self._patch = monkeypatch
        for name in os.environ:
            if name.upper().startswith(_OF_THIS_MACHINE) or name.lower().endswith("_proxy"):
                monkeypatch.delenv(name)
        for name in ("NETRC", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "REGISTRY_AUTH_FILE"):
            monkeypatch.delenv(name, raising=False)
        (root / "tmp").mkdir()
        self.home.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(root / "tmp"))
        monkeypatch.setattr(errors, "_kept", [])  # what this process learned before would hide what it shows now
        download._netrc.cache_clear()
        self.set(HOME=str(self.home), PIP_CONFIG_FILE=str(self.home / "pip.conf"), TMPDIR=str(root / "tmp"))

    def set(self, **environment: str) -> None:
        """Set variables."""
        for name, value in environment.items():
            self._patch.setenv(name, value)

    def write(self, name: str, text: str) -> None:
        """Write a file of the home."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def secret(self, name: str) -> str:
        """Return a secret of a name, which is for an address as it is."""
        return self._secrets.setdefault(name, f"P4ss%40{name}%2F1")

    def login(self, name: str) -> str:
        """Return ``USER:PASSWORD``, for an address."""
        return f"jane:{self.secret(name)}"

    def plain(self, name: str) -> str:
        """Return the secret as it is in files that are no addresses."""
        return errors.unquote(self.secret(name))

    def know(self, *secrets: str) -> None:
        """Look for these, too, which others gave."""
        self._secrets |= {secret: secret for secret in secrets}

    def begin(self, *theirs: bytes) -> None:
        """Take what is there for what was planted, as files with the content of one of ``theirs``."""
        self._there, self._theirs = dict(self._files()), theirs

    def found_in(self, *said: str) -> list[str]:
        """Return where a secret stands: in what was ``said``, or in a file that was written since `begin`."""
        files = ((path, data) for path, data in self._files() if self._there.get(path) != data)
        written = [(str(path), data) for path, data in files if data not in self._theirs]
        texts = [(f"said {i}", text.encode()) for i, text in enumerate(said)] + written
        forms = [form.encode() for secret in self._secrets.values() for form in _forms(secret)]
        texts += [(f"in {where}", inner) for where, data in written for inner in _inside(self.root / where, data)]
        return [f"{where}: {form.decode()}" for where, data in texts for form in forms if form in data]

    def _files(self) -> Iterator[tuple[Path, bytes]]:
        for path in sorted(self.root.rglob("*")):
            if path.is_file():
                yield path, path.read_bytes()


def _forms(secret: str) -> set[str]:
    plain = errors.unquote(secret)
    coded = base64.b64encode(f"jane:{plain}".encode()).decode()
    return {secret, plain, quote(plain, safe=""), quote(plain), coded}


def _inside(path: Path, data: bytes) -> Iterator[bytes]:
    """Return what is packed in a file: members of wheels and archives, and what gzip made smaller."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    elif data.startswith(b"\x1f\x8b"):
        yield gzip.decompress(data)
    elif path.suffix == ".tar" and tarfile.is_tarfile(path):
        yield data
