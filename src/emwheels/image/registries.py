"""What the image knows of registries, for a machine that has no npm or is not Debian."""

from __future__ import annotations

import re
import tempfile
from typing import TYPE_CHECKING

from emwheels.errors import ImageError

if TYPE_CHECKING:
    from emwheels.image.model import Image


def npm_registry(image: Image) -> str:
    """Return the registry that Debian's npm asks by default. Raises `ImageError` when the image does not say."""
    if address := _read(image, "/opt/emwheels/npm-registry").strip():
        return address
    raise ImageError("this machine does not say which npm registry to use", hint="set npm_config_registry")


def debian_mirror(image: Image) -> str:
    """Return the mirror that the image was made from. Raises `ImageError` when the image does not say."""
    listed = re.search(r"(?m)^deb\s+(?:\[[^]]*\]\s+)?(\S+)", _read(image, "/etc/apt/sources.list"))
    if listed:
        return listed[1]
    raise ImageError("this machine does not say which Debian mirror to use", hint="set EMWHEELS_DEBIAN_MIRROR")


def _read(image: Image, path: str) -> str:
    with tempfile.TemporaryFile() as output:
        done = image.run(["cat", path], output=output)
        output.seek(0)
        return "" if done.status else output.read().decode(errors="replace")
