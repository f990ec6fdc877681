"""Requirements -> a hash-pinned requirements file, resolved by uv for a Python that need not be here."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import uv
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from emwheels.atomic import read_regular, write_atomically
from emwheels.errors import FetchError, RecipeError, redacted, visible, without_secrets
from emwheels.fetch.lock_chain import chains_to_compiled

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from emwheels.fetch.lock_index import LockIndex

_DEFAULT_REQUIRES = ("setuptools>=40.8.0",)  # PEP 518; the bound is that of pypa/build
_LINES_SHOWN = 20
_LARGEST = 16 << 20
"""Bytes of a lock file."""
_DISCARD = 9
"""The port of the discard protocol (RFC 863), where nobody answers."""
_SECONDS = 600
"""How long a resolution may take."""
_PINNED = re.compile(r"^([^\s=\[]+)(?:\[[^\]]*\])?==([^\s;]+)", re.MULTILINE)
_COMPILED = "add a recipe for what is compiled, or leave what needs it out of the recipe's requirements"
_DIRECT = "name the package and a version (NAME==1.2); emwheels locks only what a package index has"


@dataclass(frozen=True, kw_only=True)
class Pinned:
    """A version in a lock file, and the index that it came from, without user and password."""

    name: str
    version: str
    index: str


def read_build_requirements(source_tree: Path, *, label: str = "") -> tuple[str, ...]:
    """Return ``build-system.requires`` of the tree's pyproject.toml, or setuptools where there is none (PEP 518).

    What the backend adds when it is asked (``get_requires_for_build_wheel``) is not in it, since asking executes code:
    a recipe names those, and the caller adds them. Raises `RecipeError` for a file that is not as PEP 518 says, and for
    a direct reference; ``label`` is how messages name the file.
    """
    path = source_tree / "pyproject.toml"
    label = label or str(path)
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except FileNotFoundError:
        return _DEFAULT_REQUIRES
    except (OSError, ValueError, RecursionError) as error:
        fault = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise RecipeError(f"{label}: {fault}", hint="a patch of the recipe can correct it") from error
    if "build-system" not in table:
        return _DEFAULT_REQUIRES
    build_system = table["build-system"]
    requires = build_system.get("requires") if isinstance(build_system, dict) else None
    if not isinstance(requires, list):
        raise RecipeError(f"{label}: build-system.requires is not a list (PEP 518)")
    return tuple(
        checked_requirement(str(entry), f"{label}:{_line_of(str(entry), text)}: build-system.requires")
        for entry in requires
    )


def _line_of(entry: str, text: str) -> int:
    """Return the line on which a text stands, or 1 where it is written in another way."""
    return text.count("\n", 0, max(0, text.find(entry))) + 1


def checked_requirement(text: str, where: str) -> str:
    """Return a requirement of PEP 508 on one line. Raises `RecipeError` for none, and for a direct reference."""
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise RecipeError(f"{where}: {visible(str(error))}") from error
    if requirement.url:
        address = without_secrets(requirement.url)
        what = "a repository" if "+" in address.partition(":")[0] else "an address"
        raise RecipeError(
            f"{where}: {requirement.name} is {what} ({visible(address, lines=False)}), which a lock cannot hold",
            hint=_DIRECT,
        )
    return str(requirement)


def lock_build_requirements(
    requirements: Sequence[str],
    destination: Path,
    *,
    pythons: Sequence[str],
    index: LockIndex,
    any_index: Collection[str] = (),
    constraints: Sequence[str] = (),
) -> list[Pinned]:
    """Write ``destination``: every requirement and what it needs, pinned by version and sha256, wheels only.

    ``constraints`` bound the versions of what is needed anyway.

    One resolution holds for all ``pythons`` (``3.14``) and every platform, by markers. ``index`` says where to look;
    the file does not, but what is returned does. A version that comes from another index than the first that has the
    project is an error, but for the names ``any_index``. Raises `RecipeError` with uv's last lines when there is no
    solution, and `FetchError` where an index did not answer; an earlier file is then left as it was.
    """
    return _lock(
        requirements,
        destination,
        pythons=pythons,
        index=index,
        any_index=any_index,
        constraints=constraints,
        hint="every one of them needs a wheel; relax a bound by a patch, or set one in requirements.constraint",
    )


def lock_pure_requirements(
    requirements: Sequence[str],
    destination: Path,
    *,
    recipes: Mapping[str, str],
    known: Collection[str] = (),
    note: str,
    pythons: Sequence[str],
    index: LockIndex,
    any_index: Collection[str] = (),
    constraints: Sequence[str] = (),
) -> list[Pinned]:
    """Write ``destination``: what is needed beside wheels of recipes (name -> version), pinned by version and sha256.

    The resolution is one for Emscripten. What recipes provide takes part in it, at the recipe's version, and is not
    written: the wheels built here are installed for it. The recipes that the others need are named in a comment that
    starts with ``note``, but for those ``known``. Otherwise as `lock_build_requirements`. Where it is a compiled
    project that ends it, the message has the chain of requirements that leads to it.
    """
    return _lock(
        requirements,
        destination,
        pythons=pythons,
        index=index,
        any_index=any_index,
        constraints=[*constraints, *(f"{name}=={version}" for name, version in sorted(recipes.items()))],
        environment="sys_platform == 'emscripten'",
        recipes=recipes,
        known=known,
        note=note,
        hint="every one of them needs a wheel, and has to accept the versions of the recipes",
    )


def locked_versions(lock: Path) -> dict[str, set[str]]:
    """Return what a lock file pins: normalised name -> versions, one for each marker. Raises `RecipeError`."""
    try:
        text = read_regular(lock, limit=_LARGEST).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{lock}: cannot be read: {error}", hint="lock again: emwheels lock NAME") from error
    found: dict[str, set[str]] = {}
    for name, version in _PINNED.findall(text):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


def _lock(
    requirements: Sequence[str],
    destination: Path,
    *,
    pythons: Sequence[str],
    index: LockIndex,
    any_index: Collection[str],
    hint: str,
    constraints: Sequence[str],
    environment: str = "",
    recipes: Collection[str] = (),
    known: Collection[str] = (),
    note: str = "",
) -> list[Pinned]:
    what = f"the requirements of {destination.parent.name} for {destination.name}"
    asked = [checked_requirement(text, what) for text in requirements]
    status, text, said = _resolve(asked, pythons=pythons, index=index, constraints=constraints, environment=environment)
    if index.failures:
        faults = "\n".join(dict.fromkeys(failure.message for failure in index.failures.values()))
        index.failures.clear()
        raise FetchError(f"{what} cannot be locked, as not every index answered:\n{faults}")
    if index.unbuilt:
        lines = "\n".join(dict.fromkeys(error.message for error in index.unbuilt.values()))
        raise RecipeError(f"{what} cannot be locked:\n{lines}", hint="constrain it to a version that has a wheel")
    if status != 0:
        if chains := chains_to_compiled(asked, index, python=min(pythons, key=Version), recipes=recipes):
            raise RecipeError(f"{what} cannot be locked:\n" + "\n".join(chains), hint=_COMPILED)
        lines = "\n".join(said.strip().splitlines()[-_LINES_SHOWN:])
        raise RecipeError(f"{what} cannot be locked:\n{visible(lines)}", hint=hint)
    text, followed = _without(text, recipes)
    pinned = [_pinned(what, name, version, index, any_index) for name, version in _PINNED.findall(text)]
    if new := sorted(set(followed) - set(known)):
        text += f"{note}{', '.join(new)}\n"
    nox = (destination.parent.parent.parent / "noxfile.py").is_file()
    command = "nox -s lock --" if nox else "emwheels lock"
    header = f"# Generated by `{command} {destination.parent.name}`; do not edit.\n"
    write_atomically(destination, (header + redacted(text)).encode())
    return pinned


def _pinned(what: str, name: str, version: str, index: LockIndex, any_index: Collection[str]) -> Pinned:
    own, first = index.indexes(name, version)
    if own != first and name not in {canonicalize_name(allowed) for allowed in any_index}:
        raise RecipeError(
            f"{what} cannot be locked: {name} {version} is only in {own}, and {first}, which goes first, has {name} in "
            f"other versions. Another project of the same name may be there",
            hint=f"pin a version of the first index, or trust the other one for it: --any-index {name}",
        )
    return Pinned(name=name, version=version, index=own)


def _resolve(
    requirements: Sequence[str],
    *,
    pythons: Sequence[str],
    index: LockIndex,
    constraints: Sequence[str],
    environment: str,
) -> tuple[int, str, str]:
    """Return uv's exit status, the lock, and what uv said. Raises `RecipeError` if it finds no end."""
    oldest = min(pythons, key=Version)
    argv = [uv.find_uv_bin(), "pip", "compile", "--universal", "--python-version", oldest, "--no-cache"]
    argv += ["--generate-hashes", "--only-binary", ":all:", "--no-header", "--no-annotate"]
    argv += ["--no-progress", "--no-python-downloads", "--constraint", "constraints.txt", "-"]
    with tempfile.TemporaryDirectory(prefix="emwheels-lock-") as folder:
        Path(folder, "constraints.txt").write_text("".join(f"{line}\n" for line in constraints), encoding="utf-8")
        # uv reads the environments from a project's file alone (0.13).
        Path(folder, "pyproject.toml").write_text(
            f"[tool.uv]\nenvironments = [{json.dumps(environment)}]\n" if environment else "", encoding="utf-8"
        )
        try:
            done = subprocess.run(
                argv,
                input="\n".join(requirements),
                cwd=folder,
                env=_environment(index.url, folder),
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise RecipeError(f"no versions that fit were found in {_SECONDS} s", hint="pin some of them") from error
    text = done.stdout
    for clause in (f" ; {environment}", f" and {environment}", f"{environment} and ") if environment else ():
        text = text.replace(clause, "")
    return done.returncode, text, done.stderr


def _without(lock: str, names: Collection[str]) -> tuple[str, list[str]]:
    """Return a lock without the entries of ``names``, and those of the names that were in it."""
    entries = re.split(r"(?m)^(?=[^\s#])", lock)
    kept, gone = [], []
    for entry in entries:
        match = _PINNED.match(entry)
        if match and canonicalize_name(match[1]) in names:
            gone.append(str(canonicalize_name(match[1])))
        else:
            kept.append(entry)
    return "".join(kept), gone


def _environment(index: str, settings: str) -> dict[str, str]:
    """Return the environment for uv, which reaches ``index`` on loopback and nothing else: a proxy that is none.

    ``settings`` is the folder in which it looks for a user's and the system's settings, and finds none.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith("UV_")}
    kept = {key: value for key, value in kept.items() if not key.lower().endswith("_proxy")}
    nobody = f"http://127.0.0.1:{_DISCARD}"
    return kept | {
        "UV_DEFAULT_INDEX": index,
        "UV_HTTP_TIMEOUT": str(_SECONDS),
        "XDG_CONFIG_HOME": settings,
        "XDG_CONFIG_DIRS": settings,
        "HTTP_PROXY": nobody,
        "HTTPS_PROXY": nobody,
        "ALL_PROXY": nobody,
        "NO_PROXY": "127.0.0.1",
    }
