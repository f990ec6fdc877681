"""Build keys of a run, and what was built under them before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emwheels.errors import RecipeError
from emwheels.image.toolchain import toolchain_key
from emwheels.outputs.builds import Output
from emwheels.outputs.latest import latest_build
from emwheels.plan.key import BuildKey, build_key
from emwheels.recipe.graph import host_recipes
from emwheels.recipe.load import load_recipe, recipe_folders
from emwheels.recipe.locked import build_names, lock_needed
from emwheels.recipe.rust import PROGRAMS, is_rust
from emwheels.recipe.source_tree import tree_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from emwheels.checkout import Checkout
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
        rust=environment.rust.digest if is_rust(recipe) else "",
    )


def existing(run: Run, key: BuildKey) -> tuple[Output, str] | None:
    """Return what was built for ``key``, if it is whole, and where it was found: ``store`` or ``remote``."""
    build = run.builds.get(key.digest)
    return (Output.of(build[0]), build[1]) if build else None


def latest(run: Run, name: str) -> dict[str, Any] | None:
    """Return the record of the last build of ``name`` for this target and profile."""
    return latest_build(run.environment.store, name, run.environment.target.name, run.options.profile)


def fault(recipe: Recipe, project: Checkout) -> str:
    """Return why ``recipe`` cannot be built as it is; empty if nothing is known against it."""
    if recipe.source.path is not None:
        try:
            tree_digest(recipe)
        except RecipeError as error:
            return error.message.removeprefix(f"{recipe.folder / 'meta.yaml'}: ")
    return headers_fault(recipe, project, build_names(recipe))


def headers_fault(recipe: Recipe, project: Checkout, names: Iterable[str]) -> str:
    """Return what is wrong if a recipe of the project to compile against is one of ``names``, which a build asks for.

    The build would take the headers of the native package, which are of another word size. It would compile.
    """
    folders = recipe_folders(project.shelves)
    forgotten = [
        name
        for name in sorted(set(names) - {recipe.name, *recipe.requirements.host})
        if name in folders and _has_headers(folders[name])
    ]
    if not forgotten:
        return ""
    listed = ", ".join(forgotten)
    return (
        f"requirements.host does not name {listed}, which the build asks for: it would compile against the native "
        f"headers of {listed}, and the module would crash the interpreter; add {listed} to requirements.host and "
        f"requirements.run, then lock again: emwheels lock {recipe.name}"
    )


def _has_headers(folder: Path) -> bool:
    try:
        return load_recipe(folder).build.cross_build_env
    except RecipeError:  # said where that recipe is used
        return False


def missing_programs(environment: Environment, recipe: Recipe) -> str:
    """Return which programs ``recipe`` needs and the build image lacks, as words; empty if it has all."""
    needed = [name for name in recipe.requirements.executable if name not in PROGRAMS]
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
        environment = self._run.environment
        return fault(recipe, environment.project) or missing_programs(environment, recipe)

    def lock(self, recipe: Recipe) -> str:
        """See `lock_needed`."""
        return lock_needed(recipe, self._run.recipes)
