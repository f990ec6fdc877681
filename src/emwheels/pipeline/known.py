"""Build keys of a run, and what was built under them before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emwheels.image.toolchain import toolchain_key
from emwheels.outputs.builds import Output
from emwheels.outputs.latest import latest_build
from emwheels.plan.key import BuildKey, build_key
from emwheels.recipe.graph import host_recipes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emwheels.pipeline.environment import Environment
    from emwheels.pipeline.model import Run
    from emwheels.recipe.model import Recipe


def key_of(run: Run, recipe: Recipe, outputs: Mapping[str, Output]) -> BuildKey:
    """Return the build key of ``recipe``, given what its host requirements came out as."""
    return key_from(run, recipe, {name: output.identity for name, output in outputs.items()})


def key_from(run: Run, recipe: Recipe, identities: Mapping[str, str]) -> BuildKey:
    """Return the build key of ``recipe``, given the hash of what its host requirements came out as."""
    environment = run.environment
    target, toolchain, image = environment.target, environment.toolchain_name, environment.image_digest
    return build_key(
        recipe,
        target,
        profile=run.options.profile,
        image_digest=image,
        toolchain=toolchain,
        toolchain_key=toolchain_key(target, image, name=toolchain),
        dependencies={name: identities[name] for name in host_recipes(recipe, run.recipes)},
    )


def existing(run: Run, key: BuildKey) -> tuple[Output, str] | None:
    """Return what was built for ``key``, if it is whole, and where it was found: ``store`` or ``remote``."""
    build = run.builds.get(key.digest)
    return (Output.of(build[0]), build[1]) if build else None


def latest(run: Run, name: str) -> dict[str, Any] | None:
    """Return the record of the last build of ``name`` for this target and profile."""
    return latest_build(run.environment.store, name, run.environment.target.name, run.options.profile)


def fault(recipe: Recipe) -> str:
    """Return why ``recipe`` cannot be built as it is; empty if nothing is known against it."""
    if recipe.source.url is None:
        return (
            "source.path: a source tree in the recipe's folder cannot be built yet: pack it as an archive, "
            "and give its address as source.url with source.sha256"
        )
    if recipe.build.type == "package" and recipe.build_lock is None:
        return f"there is no requirements.build.txt beside it: make it by nox -s lock -- {recipe.name}"
    return ""


def missing_programs(environment: Environment, recipe: Recipe) -> str:
    """Return which programs ``recipe`` needs and the build image lacks, as words; empty if it has all."""
    needed = recipe.requirements.executable
    if not needed or not (missing := [name for name in needed if name not in environment.programs]):
        return ""
    are = "is" if len(missing) == 1 else "are"
    return (
        f"requirements.executable: {', '.join(missing)} {are} not in the build image: add the Debian package to "
        "image.build.packages of targets.toml, or leave it out if the build does without"
    )


class KnownBuilds:
    """What a run knows, as planning asks for it: see `emwheels.plan.planning.Known`."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def key_for(self, recipe: Recipe, outputs: Mapping[str, str]) -> BuildKey:
        """See `key_from`."""
        return key_from(self._run, recipe, outputs)

    def found(self, key: BuildKey) -> tuple[str, str] | None:
        """Return the hash of what was built for ``key`` and where it is, without bringing it here."""
        build = self._run.builds.peek(key.digest)
        return (Output.of(build[0]).identity, build[1]) if build else None

    def latest(self, name: str) -> dict[str, Any] | None:
        """See `latest`."""
        return latest(self._run, name)

    def fault(self, recipe: Recipe) -> str:
        """See `fault` and `missing_programs`."""
        return fault(recipe) or missing_programs(self._run.environment, recipe)
