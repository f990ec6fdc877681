"""Archives for tests, with the same bytes for the same content whenever they are made."""

from __future__ import annotations

import gzip
import io
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def tar_gz(members: Mapping[str, str | bytes | tarfile.TarInfo]) -> bytes:
    """Return a tar.gz, such as a source distribution: name -> text, bytes, or a member without content.

    ``tarfile`` by itself writes the time into the head of the gzip stream: two archives made a second apart differ.
    """
    raw = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
                continue
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return raw.getvalue()
