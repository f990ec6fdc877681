"""The recipes that come with emwheels: in its wheel, or in the checkout it is run from."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from emwheels.errors import EmwheelsError

_VERSION = re.compile(r"\d{4}\.\d{1,2}\.\d{1,2}(\.\d+)?")


@cache
def standard_folder() -> Path | None:
    """Return the folder that has emwheels' own targets.toml, recipes/ and patches/, if this emwheels has one."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "standard", package.parents[1]):  # in a wheel; in a checkout
        if (folder / "targets.toml").is_file() and (folder / "recipes" / "VERSION").is_file():
            return folder
    return None


def standard_version(folder: Path) -> str:
    """Return the version of the standard recipes in ``folder``: the day of their last change, of recipes/VERSION."""
    file = folder / "recipes" / "VERSION"
    text = file.read_text(encoding="utf-8").strip()
    if not _VERSION.fullmatch(text):
        raise EmwheelsError(f"{file}: {text!r} is no version such as 2026.11.28", hint="install emwheels again")
    return text
