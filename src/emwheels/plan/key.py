"""Build keys: the hash of everything that can change the output, and words for what changed."""

from __future__ import annotations

import hashlib
import importlib.resources
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emwheels.profile import LINK_OPTIONS, RUST_OPTIONS, profile_environment
from emwheels.recipe.graph import dependency_order, host_recipes
from emwheels.recipe.rust import crate_lock, is_rust
from emwheels.recipe.source_tree import tree_digest
from emwheels.target.profiles import flags_of, lineage, profile_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emwheels.recipe.model import Recipe
    from emwheels.target import Target


_BUILD_SECTIONS = ("package", "source", "build")


_BUILD_REQUIREMENTS = ("host", "build-extras", "executable", "constraint")


FORMAT = 4
"""Raised when this program builds differently from the same inputs."""


_LINKER = ("mend_link.py", "threads.c", "vague_linkage.py")
_PROGRAMS = (
    *("_f2c_fixes.py", "aclocal", "add_members.py", "autopoint", "prepare_tree.py", "sitecustomize.py", "uname"),
    *("config.site", "macros/emwheels.m4"),
)
_FOR_CMAKE = ("emulator", "emwheels.cmake", "modules/ExternalProject.cmake", "name_modules.py")


def linker_digest() -> str:
    """Return the hash of the programs that link, 64 hexadecimal digits."""
    return _digest_inside(_LINKER)


def programs_digest() -> str:
    """Return the hash of the other programs that emwheels adds to a build and that its bytes depend on."""
    return _digest_inside((*_PROGRAMS, *(f"cmake/{name}" for name in _FOR_CMAKE)))


def _digest_inside(names: Sequence[str]) -> str:
    folder = importlib.resources.files("emwheels").joinpath("build/inside")
    return _sha256(b"".join(folder.joinpath(name).read_bytes() for name in names))


def code_digest(key: BuildKey) -> str:
    """Return the hash of what runs in a build and is nobody's but the recipe's, 64 hexadecimal digits."""
    code = {name: key.inputs[name] for name in _CODE if name in key.inputs}
    return _sha256(json.dumps(code, sort_keys=True).encode())


_CODE = ("recipe", "patches", "extras", "downloads", "build requirements", "dependencies", "rust")


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
    rust: str = "",
) -> BuildKey:
    """Return the key of one build; ``rust`` is the digest of the layer that a recipe in Rust is compiled with.

    ``dependencies`` maps each host requirement to the hash of its *output*, its build report left aside: one that was
    rebuilt to the same bytes changes nothing. Tests, run requirements, descriptions and whether the recipe is disabled
    are not part of it: they do not reach the compiler. Reads the recipe's files, and those of a source that is a
    folder; raises OSError if one vanished, and `RecipeError` for a folder that cannot be taken.
    """
    document = recipe.document
    sections = {name: document[name] for name in _BUILD_SECTIONS if name in document}
    sections["package"] = {name: value for name, value in sections["package"].items() if name != "_disabled"}
    requirements = document.get("requirements") or {}
    if recipe.source.address != recipe.source.url:
        sections["source"] = {**sections["source"], "url": recipe.source.address}
    if recipe.source.path is not None:  # its files count, wherever they are
        sections["source"] = {**sections["source"], "path": tree_digest(recipe)}
    sections["requirements"] = {name: requirements[name] for name in _BUILD_REQUIREMENTS if name in requirements}
    environment = profile_environment(recipe, lineage(profile, target.profiles), profile_names(target.profiles))
    downloads = {each.name: [each.address, each.sha256, each.unpack] for each in recipe.downloads}
    extras = {name: _sha256((recipe.folder / name).read_bytes()) for name, _ in recipe.source.extras}
    return BuildKey(
        inputs={
            "format": FORMAT,
            "recipe": json.loads(json.dumps(sections)),
            "patches": {path.name: _sha256(path.read_bytes()) for path in recipe.patches},
            "extras": extras,
            **({"downloads": downloads} if downloads else {}),
            "build requirements": _sha256(recipe.build_lock.read_bytes()) if recipe.build_lock else "",
            "target": json.loads(json.dumps(target.identity())),
            "profile": {profile: list(flags_of(profile, target.profiles))},
            "link options": list(LINK_OPTIONS),
            "linker": linker_digest(),
            "programs": programs_digest(),
            **({"profile environment": environment} if environment else {}),
            **({"members": "stored"} if target.stored else {}),
            **({"splitter": _digest_inside(("split_tests.py",))} if recipe.build.unvendor_tests else {}),
            **({"rust": _rust(recipe, rust)} if rust else {}),
            "image": image_digest,
            "toolchain": toolchain,
            "cross-build environment": toolchain_key,
            "dependencies": dict(dependencies),
        }
    )


def _rust(recipe: Recipe, layer: str) -> dict[str, Any]:
    lock = crate_lock(recipe)
    return {
        "layer": layer,
        "options": list(RUST_OPTIONS),
        "sbom": _digest_inside(("plain_sbom.py",)),
        **({"Cargo.lock": _sha256(lock.read_bytes())} if lock else {}),
    }


def input_digests(recipes: Mapping[str, Recipe], target: Target, *, profile: str, compiler: str) -> dict[str, str]:
    """Return for each recipe the hash of what it is made of, as far as the repository tells: no image is needed.

    It changes with the recipe, its patches, what it is compiled against, flags, links, the target and ``compiler``,
    the versions that the image is to have.
    """
    digests: dict[str, str] = {}
    for name in dependency_order(recipes):
        key = build_key(
            recipes[name],
            target,
            profile=profile,
            image_digest=compiler,
            toolchain="",
            toolchain_key="",
            dependencies={need: digests[need] for need in host_recipes(recipes[name], recipes)},
            rust=compiler if is_rust(recipes[name]) else "",
        )
        digests[name] = key.digest
    return digests


_WORDS = {
    "format": "this version of emwheels builds differently",
    "build requirements": "requirements.build.txt changed",
    "image": "the build image changed",
    "toolchain": "the toolchain changed",
    "link options": "emwheels links with other options",
    "linker": "emwheels links in another way",
    "programs": "the programs that emwheels adds to a build changed",
}


def explain(key: BuildKey, earlier: Mapping[str, Any] | None) -> list[str]:
    """Return in words what changed since ``earlier``, the inputs of the last build (None: there was none)."""
    if earlier is None:
        return ["never built"]
    now, then = _flat(key.inputs), _flat(earlier)
    changed = key.changed(earlier)
    if not changed:
        return ["its output is not in the store any more"]
    reasons: list[str] = []
    for name in changed:
        section, _, rest = name.partition("/")
        how = "added" if name not in then else "removed" if name not in now else "changed"
        match section:
            case "patches":
                reasons.append(f"patch {rest.removesuffix('.patch')} {how}")
            case "extras":
                reasons.append(f"file {rest} {how}")
            case "downloads":
                reasons.append(f"download {rest} {how}")
            case "dependencies":
                reasons.append(f"{rest}'s output changed" if how == "changed" else f"requirement {rest} {how}")
            case "recipe" if rest == "package/version":
                reasons.append(f"version {then.get(name)} -> {now.get(name)}")
            case "recipe":
                reasons.append(f"{rest.replace('/', '.')} {how}")
            case "rust" if rest == "Cargo.lock":
                reasons.append(f"Cargo.lock {how}")
            case "rust":
                reasons.append("the Rust layer changed" if rest == "layer" else "emwheels builds Rust in another way")
            case "target":
                reasons.append(f"target: {rest} {how}")
            case "profile":
                reasons.append(f"flags of profile {rest} {how}")
            case "cross-build environment":
                if "image" not in changed and not any(other.startswith("target/") for other in changed):
                    reasons.append("the cross-build environment changed")
            case _:
                reasons.append(_WORDS.get(section, f"{section} {how}"))
    return reasons


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
