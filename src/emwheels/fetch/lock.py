"""Requirements -> a hash-pinned requirements file, resolved by uv for a Python that need not be here."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import tomllib
from typing import TYPE_CHECKING

import uv
from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import Version

from emwheels.atomic import write_atomically
from emwheels.errors import RecipeError, redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from emwheels.fetch.pip_configuration import PipConfiguration

    Wheels = Callable[[str, str], Iterable[str]]

_DEFAULT_REQUIRES = ("setuptools>=40.8.0",)  # PEP 518; the bound is that of pypa/build
_LINES_SHOWN = 20
_PINNED = re.compile(
    r"^(?P<name>[^\s=\[]+)(?:\[[^\]]*\])?==(?P<version>[^\s;]+).*(?P<hashes>(?: \\\n +--hash=\S+)+)$", re.MULTILINE
)


def read_build_requirements(source_tree: Path) -> tuple[str, ...]:
    """Return ``build-system.requires`` of the tree's pyproject.toml, or setuptools where there is none (PEP 518).

    What the backend adds when it is asked (``get_requires_for_build_wheel``) is not in it, since asking executes code:
    a recipe names those, and the caller adds them. Raises `RecipeError` for a file that is not as PEP 518 says.
    """
    path = source_tree / "pyproject.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return _DEFAULT_REQUIRES
    except (OSError, ValueError) as error:
        raise RecipeError(f"{path}: {error}", hint="a patch of the recipe can correct it") from error
    if "build-system" not in table:
        return _DEFAULT_REQUIRES
    build_system = table["build-system"]
    requires = build_system.get("requires") if isinstance(build_system, dict) else None
    if not isinstance(requires, list):
        raise RecipeError(f"{path}: build-system.requires is not a list (PEP 518)")
    return tuple(_checked(path, entry) for entry in requires)


def _checked(path: Path, entry: object) -> str:
    try:
        return str(Requirement(str(entry)))
    except InvalidRequirement as error:
        raise RecipeError(f"{path}: build-system.requires: {error}") from error


def lock_build_requirements(
    requirements: Sequence[str],
    destination: Path,
    *,
    pythons: Sequence[str],
    index: PipConfiguration,
    wheels: Wheels | None = None,
) -> None:
    """Write ``destination``: every requirement and what it needs, pinned by version and sha256, wheels only.

    One resolution holds for all ``pythons`` (``3.14``) and every platform, by markers. ``index`` says where to look;
    the file does not. ``wheels`` returns the sha256 of every wheel of a name and a version: uv, where a folder of this
    machine has one of a version's wheels, pins none of the others. Raises `RecipeError` with uv's last lines when there
    is no solution; an earlier file is then left as it was.
    """
    _lock(
        requirements,
        destination,
        pythons=pythons,
        index=index,
        wheels=wheels,
        hint="every one of them needs a wheel; relax a bound by a patch, or constrain it in the recipe",
    )


def lock_pure_requirements(
    requirements: Sequence[str],
    destination: Path,
    *,
    recipes: Mapping[str, str],
    pythons: Sequence[str],
    index: PipConfiguration,
    wheels: Wheels | None = None,
) -> None:
    """Write ``destination``: what is needed beside wheels of recipes (name -> version), pinned by version and sha256.

    What recipes provide takes part in the resolution, at the recipe's version, and is not written: the wheels built
    here are installed for it. Otherwise as `lock_build_requirements`.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as constraints:
        constraints.write("".join(f"{name}=={version}\n" for name, version in sorted(recipes.items())))
        constraints.flush()
        options = ["--constraint", constraints.name]
        for name in sorted(recipes):
            options += ["--no-emit-package", name]
        _lock(
            requirements,
            destination,
            pythons=pythons,
            index=index,
            wheels=wheels,
            options=options,
            hint="every one of them needs a wheel, and has to accept the versions of the recipes",
        )


def _lock(
    requirements: Sequence[str],
    destination: Path,
    *,
    pythons: Sequence[str],
    index: PipConfiguration,
    wheels: Wheels | None,
    hint: str,
    options: Sequence[str] = (),
) -> None:
    oldest = min(pythons, key=Version)
    argv = [uv.find_uv_bin(), "pip", "compile", "--universal", "--python-version", oldest]
    argv += [
        "--generate-hashes",
        "--only-binary",
        ":all:",
        "--no-header",
        "--no-annotate",
        "--no-config",
        "--no-progress",
    ]
    # pip takes the best version of all indexes; uv would stop at the first index that has the name.
    argv += ["--no-python-downloads", "--index-strategy", "unsafe-best-match", *options, "-"]
    if not index.index_urls:
        argv.append("--no-index")
    done = subprocess.run(
        argv, input="\n".join(requirements), env=_environment(index), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        lines = "\n".join(done.stderr.strip().splitlines()[-_LINES_SHOWN:])
        raise RecipeError(
            f"the requirements of {destination.parent.name} for {destination.name} cannot be locked:\n{lines}",
            hint=hint,
        )
    header = f"# Generated by `nox -s lock -- {destination.parent.name}`; do not edit.\n"
    text = header + redacted(with_hashes(done.stdout, wheels) if wheels else done.stdout)
    write_atomically(destination, text.encode())


def with_hashes(text: str, wheels: Wheels) -> str:
    """Return the requirements ``text`` with the sha256 that ``wheels`` knows of each, besides those that are there."""

    def more(pinned: re.Match[str]) -> str:
        there = {line.partition("sha256:")[2] for line in pinned["hashes"].split()} - {""}
        known = sorted(there.union(wheels(pinned["name"], pinned["version"])))
        before = pinned[0].removesuffix(pinned["hashes"])
        return before + "".join(f" \\\n    --hash=sha256:{sha256}" for sha256 in known)

    return _PINNED.sub(more, text)


def _environment(index: PipConfiguration) -> dict[str, str]:
    """Return the environment for uv. Indexes go in here, as a password must not be seen in a list of processes."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("UV_")}
    if index.index_urls:
        environment["UV_DEFAULT_INDEX"] = index.index_urls[0]
        environment["UV_INDEX"] = " ".join(index.index_urls[1:])
    environment["UV_FIND_LINKS"] = ",".join(index.find_links)
    environment["UV_INSECURE_HOST"] = " ".join(index.trusted_hosts)
    if bundle := os.environ.get("REQUESTS_CA_BUNDLE"):
        environment.setdefault("SSL_CERT_FILE", bundle)
    return environment
