"""Recipes + target -> build keys. A build key is the hash of everything that can change the output."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emwheels.recipe import Recipe
    from emwheels.target import Target

PROFILES: dict[str, tuple[str, ...]] = {
    "speed": ("-O3", "-msimd128"),
    "size": ("-Oz",),
}
"""Name -> optimisation flags, at compile and link. ``size`` is what pyodide-build uses by itself."""

_BUILD_SECTIONS = ("package", "source", "build")
_BUILD_REQUIREMENTS = ("host", "build-extras", "executable", "constraint")
FORMAT = 1
"""Raised when this program builds differently from the same inputs."""


@dataclass(frozen=True, kw_only=True)
class BuildKey:
    """The key and what went into it, so that a difference can be explained."""

    inputs: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """64 hexadecimal digits."""
        return hashlib.sha256(json.dumps(self.inputs, sort_keys=True).encode()).hexdigest()

    def changed(self, earlier: Mapping[str, Any]) -> list[str]:
        """Return the names of the inputs that differ from ``earlier``, e.g. ``patches/0001-x.patch``."""
        now, then = _flat(self.inputs), _flat(earlier)
        return sorted(name for name in now.keys() | then.keys() if now.get(name) != then.get(name))


def build_key(
    recipe: Recipe,
    target: Target,
    *,
    profile: str,
    image_digest: str,
    toolchain: str,
    toolchain_key: str,
    dependencies: Mapping[str, str],
) -> BuildKey:
    """Return the key of one build.

    ``dependencies`` maps each host requirement to the sha256 of its *output*: one that was rebuilt to the same
    bytes changes nothing. Tests, run requirements and descriptions are not part of it: they do not reach the
    compiler. Reads the recipe's files; raises OSError if one vanished.
    """
    document = recipe.document
    sections = {name: document[name] for name in _BUILD_SECTIONS if name in document}
    requirements = document.get("requirements") or {}
    sections["requirements"] = {name: requirements[name] for name in _BUILD_REQUIREMENTS if name in requirements}
    extras = {name: _sha256((recipe.folder / name).read_bytes()) for name, _ in recipe.source.extras}
    return BuildKey(
        inputs={
            "format": FORMAT,
            "recipe": json.loads(json.dumps(sections)),
            "patches": {path.name: _sha256(path.read_bytes()) for path in recipe.patches},
            "extras": extras,
            "build requirements": _sha256(recipe.build_lock.read_bytes()) if recipe.build_lock else "",
            "target": json.loads(json.dumps(target.identity())),
            "profile": {profile: list(PROFILES[profile])},
            "image": image_digest,
            "toolchain": toolchain,
            "cross-build environment": toolchain_key,
            "dependencies": dict(dependencies),
        }
    )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}/")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
