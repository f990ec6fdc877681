"""Recipes + target -> build keys, and what is to be built and why.

A build key is the hash of everything that can change the output.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from packaging.utils import canonicalize_name

from emwheels.errors import RecipeError
from emwheels.recipe import dependency_order, required_recipes

if TYPE_CHECKING:
    from emwheels.recipe import Recipe
    from emwheels.target import Target

PROFILES: dict[str, tuple[str, ...]] = {
    "speed": ("-O3", "-msimd128"),
    "size": ("-Oz",),
}
"""Name -> optimisation flags, at compile and link. ``size`` is what pyodide-build uses by itself."""

LINK_OPTIONS = ("-Wl,-Bsymbolic",)
"""What links get besides pyodide-build's options, in every profile.

-Bsymbolic binds a module's symbols to its own definitions, as Python's way of loading modules does natively.
`emwheels.vague_linkage` carries it out, except for what has to be one across modules.
"""

_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BUILD_SECTIONS = ("package", "source", "build")
_BUILD_REQUIREMENTS = ("host", "build-extras", "executable", "constraint")
FORMAT = 4
"""Raised when this program builds differently from the same inputs."""


def linker_digest() -> str:
    """Return the hash of the program that links, 64 hexadecimal digits."""
    return _sha256(importlib.resources.files("emwheels").joinpath("build/inside/vague_linkage.py").read_bytes())


def profile_environment(recipe: Recipe, profile: str) -> dict[str, str]:
    """Return the variables that a recipe's build script gets in one profile only.

    They are ``extra.emwheels.profiles.PROFILE.environment`` of meta.yaml; pyodide-build does not read ``extra``.
    Raises `RecipeError` for anything there that is not a mapping of names to text.
    """
    where = "extra"
    found: Any = recipe.extra
    for key in ("emwheels", "profiles", profile, "environment"):
        if not isinstance(found, Mapping):
            break
        if key == profile and (unknown := set(found) - PROFILES.keys()):
            raise _profile_error(recipe, where, f"there is no profile {min(unknown)}")
        where, found = f"{where}.{key}", found.get(key)
        if found is None:
            return {}
    if not isinstance(found, Mapping):
        raise _profile_error(recipe, where, "must be a mapping")
    for name, value in found.items():
        if not _ENVIRONMENT_NAME.fullmatch(str(name)) or not isinstance(value, str):
            raise _profile_error(recipe, f"{where}.{name}", "must be a variable's name with text in quotes")
    return dict(found)


def _profile_error(recipe: Recipe, where: str, message: str) -> RecipeError:
    return RecipeError(
        f"{recipe.folder / 'meta.yaml'}: {where}: {message}",
        hint='write extra: {emwheels: {profiles: {size: {environment: {NAME: "text"}}}}}',
    )


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

    ``dependencies`` maps each host requirement to the hash of its *output*, its build report left aside: one that was
    rebuilt to the same bytes changes nothing. Tests, run requirements, descriptions and whether the recipe is disabled
    are not part of it: they do not reach the compiler. Reads the recipe's files; raises OSError if one vanished.
    """
    document = recipe.document
    sections = {name: document[name] for name in _BUILD_SECTIONS if name in document}
    sections["package"] = {name: value for name, value in sections["package"].items() if name != "_disabled"}
    requirements = document.get("requirements") or {}
    sections["requirements"] = {name: requirements[name] for name in _BUILD_REQUIREMENTS if name in requirements}
    environment = profile_environment(recipe, profile)
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
            "link options": list(LINK_OPTIONS),
            "linker": linker_digest(),
            **({"profile environment": environment} if environment else {}),
            **({"members": "stored"} if target.stored else {}),
            "image": image_digest,
            "toolchain": toolchain,
            "cross-build environment": toolchain_key,
            "dependencies": dict(dependencies),
        }
    )


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
        )
        digests[name] = key.digest
    return digests


# -- what is to be done, and why --------------------------------------------------------------------------------------

UP_TO_DATE = "up to date"
REMOTE = "remote"
TO_BUILD = "to build"
BLOCKED = "blocked"


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What a run would do with one package."""

    name: str
    state: str
    """`UP_TO_DATE`, `REMOTE` (it would come from the remote store), `TO_BUILD` or `BLOCKED`."""
    why: tuple[str, ...] = ()
    """E.g. ``patch 0002-x changed``."""
    needs: tuple[str, ...] = ()
    """The recipes that come before."""
    key: str = ""
    """Empty where it is not known yet: a host requirement is to be built, and what it comes out as is part of it."""
    certain: bool = True
    """False if it turns out to be up to date should what it needs come out with the bytes of last time."""
    seconds: float | None = None
    """How long the last build of it took."""


class Known(Protocol):
    """What was built before; `emwheels.pipeline.Pipeline` knows it."""

    def key_for(self, recipe: Recipe, profile: str, outputs: Mapping[str, str]) -> BuildKey:
        """Return the key, given the hash of the output of each host requirement."""
        ...

    def found(self, key: BuildKey) -> tuple[str, str] | None:
        """Return the hash of the output, as it counts in keys, and where it is: ``store`` or ``remote``."""
        ...

    def latest(self, name: str, profile: str) -> Mapping[str, Any] | None:
        """Return the record of the last build, whatever its key was."""
        ...

    def fault(self, recipe: Recipe) -> str:
        """Return why ``recipe`` cannot be built as it is; empty if nothing is known against it."""
        ...


def host_recipes(recipe: Recipe, recipes: Mapping[str, Recipe]) -> list[str]:
    """Return the names of those ``recipes`` that ``recipe`` is compiled against, in its own order."""
    known = {canonicalize_name(name): name for name in recipes}
    return [known[name] for name in map(canonicalize_name, recipe.requirements.host) if name in known]


def make_plan(recipes: Mapping[str, Recipe], profile: str, known: Known) -> list[Planned]:
    """Return what a run would do with ``recipes``, each after those that it needs. Builds and downloads nothing.

    Raises `RecipeError` for recipes that need each other.
    """
    return _Planner(recipes, profile, known).plan()


class _Planner:
    """One call of `make_plan`."""

    def __init__(self, recipes: Mapping[str, Recipe], profile: str, known: Known) -> None:
        self.recipes = recipes
        self.profile = profile
        self.known = known
        self.planned: dict[str, Planned] = {}
        self.outputs: dict[str, str] = {}
        """Name -> sha256 of what it is, or was when it was last built."""

    def plan(self) -> list[Planned]:
        for name in dependency_order(self.recipes):
            recipe = self.recipes[name]
            needs = tuple(required_recipes(recipe, self.recipes))
            latest = self.known.latest(name, self.profile)
            seconds = float(latest["output"]["seconds"]) if latest else None
            blocked = [need for need in needs if self.planned[need].state == BLOCKED]
            if blocked:
                found = Planned(name=name, state=BLOCKED, why=(f"needs {', '.join(blocked)}",))
            else:
                found = self._one(recipe, latest)
            self.planned[name] = replace(found, needs=needs, seconds=seconds)
        return list(self.planned.values())

    def _one(self, recipe: Recipe, latest: Mapping[str, Any] | None) -> Planned:
        name, host = recipe.name, host_recipes(recipe, self.recipes)
        first = [need for need in host if self.planned[need].state == TO_BUILD]
        after = f"{', '.join(first)} {'is' if len(first) == 1 else 'are'} to be built first"
        digest = ""
        why: list[str] = ["never built"] if latest is None else []
        if all(need in self.outputs for need in host):
            key = self.known.key_for(recipe, self.profile, {need: self.outputs[need] for need in host})
            found = self.known.found(key)
            if found:
                self.outputs[name] = found[0]
                if not first:
                    return Planned(name=name, state=UP_TO_DATE if found[1] == "store" else REMOTE, key=key.digest)
                perhaps = (f"{after}; up to date if that gives the same bytes as before",)
                return Planned(name=name, state=TO_BUILD, why=perhaps, certain=False)
            digest = "" if first else key.digest
            why = explain(key, latest["inputs"] if latest else None)
        if fault := self.known.fault(recipe):
            return Planned(name=name, state=BLOCKED, why=(fault,))
        if latest:
            self.outputs[name] = latest["output"].get("content") or latest["output"]["sha256"]
        return Planned(name=name, state=TO_BUILD, why=(*why, after) if first else tuple(why), key=digest)


_WORDS = {
    "format": "this version of emwheels builds differently",
    "build requirements": "requirements.build.txt changed",
    "image": "the build image changed",
    "toolchain": "the toolchain changed",
    "link options": "emwheels links with other options",
    "linker": "emwheels links in another way",
}


def explain(key: BuildKey, earlier: Mapping[str, Any] | None) -> list[str]:
    """Return in words what changed since ``earlier``, the inputs of the last build (None: there was none)."""
    if earlier is None:
        return ["never built"]
    now, then = _flat(key.inputs), _flat(earlier)
    changed = key.changed(earlier)
    if not changed:
        return ["its output is not in the store any more"]
    said: list[str] = []
    for name in changed:
        section, _, rest = name.partition("/")
        how = "added" if name not in then else "removed" if name not in now else "changed"
        match section:
            case "patches":
                said.append(f"patch {rest.removesuffix('.patch')} {how}")
            case "extras":
                said.append(f"file {rest} {how}")
            case "dependencies":
                said.append(f"{rest}'s output changed" if how == "changed" else f"requirement {rest} {how}")
            case "recipe" if rest == "package/version":
                said.append(f"version {then.get(name)} -> {now.get(name)}")
            case "recipe":
                said.append(f"{rest.replace('/', '.')} {how}")
            case "target":
                said.append(f"target: {rest} {how}")
            case "profile":
                said.append(f"flags of profile {rest} {how}")
            case "cross-build environment":
                if "image" not in changed and not any(other.startswith("target/") for other in changed):
                    said.append("the cross-build environment changed")
            case _:
                said.append(_WORDS.get(section, f"{section} {how}"))
    return said


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
