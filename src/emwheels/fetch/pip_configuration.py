"""Where this machine's own pip finds packages. No registry is named here."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from emwheels.errors import FetchError, keep_secrets_of


@dataclass(frozen=True, kw_only=True)
class PipConfiguration:
    """Where pip looks for packages on this machine. URLs may hold a password: do not show them."""

    index_urls: tuple[str, ...]
    find_links: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()


def pip_configuration() -> PipConfiguration:
    """Ask this machine's pip, environment and configuration files included, where it finds packages.

    File indexes and folders that do not exist are left out, as pip passes over them. Raises `FetchError` when there is
    neither a pip nor PIP_INDEX_URL.
    """
    python = python_with_pip()
    values = _pip_values(python) if python else _pip_environment()
    index = values.get("index-url")
    if index is None:
        if python is None:
            raise FetchError("no pip was found to tell which package index to use", hint="set PIP_INDEX_URL")
        code = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
        index = output_of([python, "-c", code])
        if not index:
            raise FetchError(f"the pip of {python} does not tell its default index", hint="set PIP_INDEX_URL")
    urls = [] if values.get("no-index", "").lower() in {"1", "true", "yes", "on"} else [index]
    urls += values.get("extra-index-url", "").split() if urls else []
    keep_secrets_of(*urls, *values.get("find-links", "").split())
    return PipConfiguration(
        index_urls=tuple(_address(url).rstrip("/") + "/" for url in urls if _may_exist(url)),
        find_links=tuple(link for link in values.get("find-links", "").split() if _may_exist(link)),
        trusted_hosts=tuple(values.get("trusted-host", "").split()),
    )


def python_with_pip() -> str | None:
    """Return an interpreter that has pip: this one, else python3 or python of PATH, else None."""
    candidates = (sys.executable, shutil.which("python3"), shutil.which("python"))
    return next((c for c in candidates if c and output_of([c, "-m", "pip", "--version"])), None)


def pip_package() -> Path | None:
    """Return the folder of the package pip of `python_with_pip`; None if there is none."""
    python = python_with_pip()
    place = output_of([python, "-I", "-c", "import pip; print(pip.__path__[0])"]) if python else ""
    return Path(place.strip()) if place.strip() else None


def _pip_values(python: str) -> dict[str, str]:
    """Read ``pip config list``: lines of ``SECTION.KEY='VALUE'``. Later sections win, but not by an empty value."""
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in output_of([python, "-m", "pip", "config", "list"]).splitlines():
        name, equals, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if equals and section in sections and (text := str(ast.literal_eval(value))):
            sections[section][key] = text
    return sections["global"] | sections["install"] | sections[":env:"]


def _pip_environment() -> dict[str, str]:
    prefix = "PIP_"
    return {
        name.removeprefix(prefix).lower().replace("_", "-"): value
        for name, value in os.environ.items()
        if name.startswith(prefix) and value
    }


def _address(location: str) -> str:
    return location if "://" in location else Path(location).absolute().as_uri()


def _may_exist(location: str) -> bool:
    if location.startswith("file:"):
        return Path(url2pathname(urlsplit(location).path)).exists()
    return "://" in location or Path(location).exists()


def output_of(argv: list[str]) -> str:
    """Return what a command prints, or nothing when it fails."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
