"""targets.toml -> `Target`: everything that is known of one Pyodide release."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emwheels.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Target:
    """One Pyodide release and what a wheel for it has to be.

    ``abi`` is the platform tag of PEP 783 without its ``_wasm32`` suffix, e.g. ``pyemscripten_2026_0``.
    """

    name: str
    """Pyodide's version, e.g. ``314.0.7``; the table's name."""
    python: str
    """Full version of the interpreter, e.g. ``3.14.2``."""
    abi: str
    emscripten: str
    """The Emscripten version that this Pyodide was built with."""
    runtime: str
    """purl of the npm package that holds the runtime."""
    runtime_sha256: str
    cflags: tuple[str, ...]
    """Flags that every side module needs, at compile and link."""
    ldflags: tuple[str, ...]

    @property
    def python_minor(self) -> str:
        """E.g. ``3.14``."""
        return ".".join(self.python.split(".")[:2])

    @property
    def python_tag(self) -> str:
        """E.g. ``cp314``."""
        return "cp" + self.python_minor.replace(".", "")

    @property
    def platform_tag(self) -> str:
        """The wheel platform tag, e.g. ``pyemscripten_2026_0_wasm32`` (PEP 783)."""
        return f"{self.abi}_wasm32"


@dataclass(frozen=True, kw_only=True)
class ImagePins:
    """What the build image is made of, and what must be found in it."""

    suite: str
    packages: tuple[str, ...]
    emscripten: str
    llvm: str
    pythons: tuple[str, ...]
    pyodide_build: str
    oci_reference: str
    """``registry/name@sha256:…``; empty when no image has been published."""


@dataclass(frozen=True, kw_only=True)
class HarnessPins:
    """What the harness drives browsers with."""

    playwright_core: str
    """purl of the npm package."""
    playwright_core_sha256: str


@dataclass(frozen=True, kw_only=True)
class Targets:
    """The parsed targets.toml."""

    default: str
    targets: dict[str, Target]
    image: ImagePins
    harness: HarnessPins

    def get(self, name: str | None) -> Target:
        """Return the target called ``name``, or the default one. Raises `UsageError` for an unknown name."""
        wanted = name or self.default
        if wanted not in self.targets:
            known = ", ".join(self.targets)
            raise UsageError(f"there is no target {wanted!r}", hint=f"targets.toml has: {known}")
        return self.targets[wanted]


def load_targets(path: Path) -> Targets:
    """Read targets.toml. Raises `UsageError` that names the file and the table for anything wrong in it."""
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text())
        tables: dict[str, dict[str, Any]] = document["target"]
        targets = {name: Target(name=name, **_frozen(table)) for name, table in tables.items()}
        found = Targets(
            default=document["default"],
            targets=targets,
            image=ImagePins(**_frozen(document["image"])),
            harness=HarnessPins(**_frozen(document["harness"])),
        )
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: {error}", hint="compare with the tables that the project ships") from error
    found.get(None)
    return found


def _frozen(table: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
