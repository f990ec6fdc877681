"""The files of a new project of one's own."""

from __future__ import annotations

import json
import os
from importlib.resources import files
from typing import TYPE_CHECKING

from emwheels.atomic import write_atomically
from emwheels.errors import EmwheelsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

SERVICES = ("github", "gitlab")
_IGNORED = ".venv/\n.nox/\n__pycache__/\n.pytest_cache/\n/dist/\n"
_OF_EVERY_SERVICE = ("ci/setup.sh", "ci/verify-local.sh")
_OF_SERVICE = {
    "github": {".github/workflows/wheels.yml": "ci/github/wheels.yml", "ci/github/login.sh": "ci/github/login.sh"},
    "gitlab": {name: name for name in ("ci/gitlab/wheels.gitlab-ci.yml", "ci/gitlab/build.yml", "ci/gitlab/login.sh")},
}
"""Service -> file of the project -> the file of emwheels that it is."""
_INCLUDE = "include:\n  - local: ci/gitlab/wheels.gitlab-ci.yml\n"


def settings_text(standard: str, targets: Sequence[str]) -> str:
    """Return an emwheels.toml for a version of the standard recipes (empty: none)."""
    version = json.dumps(standard) if standard else "false"
    return f"""# A project of emwheels. docs/own-repository.md of emwheels has every key.

[recipes]
# The version of the recipes that come with emwheels; false: none of them.
standard = {version}
# Your own are in the first folder. They override standard ones of the same name.
paths = ["recipes"]

[targets]
# Pyodide releases to build for, the default first.
use = {json.dumps(list(targets))}

[build]
profile = "speed"

[index]
folder = "dist"
"""


def starting_files(
    *, version: str, standard: str, targets: Sequence[str], services: Sequence[str], noxfile: bool, shipped: Path
) -> dict[str, str]:
    """Return the files of a new project by their paths; ``shipped`` is the folder in which emwheels has its own ci/.

    ``version`` is that of emwheels. Raises `EmwheelsError` where emwheels lacks files for CI.
    """
    texts = {
        "emwheels.toml": settings_text(standard, targets),
        "requirements.txt": f"emwheels=={version}\n",
        ".gitignore": _IGNORED,
        "recipes/README.md": _template("recipes.md"),
    }
    if noxfile:
        texts["noxfile.py"] = _template("noxfile.txt")
    if services:
        texts["ci/README.md"] = _template("ci.md")
        texts |= {name: _shipped(shipped, name) for name in _OF_EVERY_SERVICE}
    for service in services:
        texts |= {name: _shipped(shipped, source) for name, source in _OF_SERVICE[service].items()}
    if "gitlab" in services:
        texts[".gitlab-ci.yml"] = _INCLUDE
    return texts


def write_new(folder: Path, texts: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Write those of ``texts`` that are not there yet; return which were written, and which were left as they are."""
    written, left = [], []
    for name, text in texts.items():
        path = folder / name
        if os.path.lexists(path):
            left.append(name)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode())
        if name.endswith(".sh"):
            path.chmod(0o755)
        written.append(name)
    return written, left


def _template(name: str) -> str:
    return files("emwheels.author").joinpath("starter", name).read_text(encoding="utf-8")


def _shipped(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text(encoding="utf-8")
    except OSError as error:
        raise EmwheelsError(
            f"{folder / name} cannot be read: {error.strerror}", hint="install emwheels from its wheel"
        ) from error
