"""Stage: everything that one build reads, fetched if need be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from emwheels.audit import Runtime
from emwheels.build.compile import BuildInputs
from emwheels.build.compiler_cache import CompilerCache
from emwheels.build.cross_packages import CrossPackage, check_native_packages
from emwheels.build.provenance import Linked, build_report, sbom
from emwheels.build.same_bytes import EPOCH
from emwheels.errors import RecipeError
from emwheels.pipeline.crates import crate_notes, rust_inputs
from emwheels.pipeline.known import fault, missing_programs
from emwheels.pipeline.sources import source_of, source_tree
from emwheels.pipeline.tools import built_tool
from emwheels.plan.key import code_digest
from emwheels.recipe.graph import cross_requirements, host_recipes
from emwheels.recipe.locked import pinned_versions
from emwheels.recipe.rust import is_rust
from emwheels.wheel import REPORT, SBOM

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from emwheels.build.provenance import CrateNote
    from emwheels.fetch.fetcher import Fetched
    from emwheels.outputs.builds import Output
    from emwheels.pipeline.environment import Environment
    from emwheels.pipeline.model import Run
    from emwheels.plan.key import BuildKey
    from emwheels.recipe.model import Recipe
    from emwheels.target.limits import Limits


def gather(run: Run, recipe: Recipe, key: BuildKey, outputs: Mapping[str, Output]) -> BuildInputs:
    """Return all that a build of ``recipe`` reads. Raises `RecipeError` and `FetchError`."""
    environment = run.environment
    source, requirements = _fetch(environment, recipe)
    if recipe.source.path is not None and source.sha256 != key.inputs["recipe"]["source"]["path"]:
        raise RecipeError(
            f"{recipe.folder / 'meta.yaml'}: source.path: files changed since this run began",
            hint="run the command again, which builds what is there now",
        )
    cross = cross_requirements(recipe, run.recipes)
    check_native_packages(recipe, cross, requirements)
    libraries = _libraries(run, recipe, outputs)
    cache = CompilerCache(folder=compiler_cache_folder(run, recipe.name, key))
    rust = rust_inputs(environment, recipe) if is_rust(recipe) else None
    # maturin writes an SBOM of the crates itself, of those alone that are in the wheel.
    crates = rust.crates if rust and "maturin" not in pinned_versions(recipe.build_lock) else ()
    return BuildInputs(
        recipe=recipe,
        target=environment.target,
        profile=run.options.profile,
        source=source,
        requirements=requirements,
        libraries=[environment.store.get(output.kind, output.sha256) for output in libraries.values()],
        cross_packages=[CrossPackage(recipe=host, wheel=environment.named_wheel(outputs[host.name])) for host in cross],
        downloads=[(each, environment.fetcher.fetch(each.url, each.sha256)) for each in recipe.downloads],
        runtime_names=Runtime.read(environment.runtime).names,
        compiler_cache=cache if run.options.ccache else None,
        jobserver=run.jobserver,
        limits=limits_of(run, recipe),
        rust=rust,
        documents=_documents(run, recipe, key, libraries, requirements, crates=crate_notes(crates)),
    )


def compiler_cache_folder(run: Run, name: str, key: BuildKey) -> Path:
    """Return where the compiler cache is that a build of a recipe reads and writes.

    What a build writes there, it can lay out as it likes, so builds share it only if they run the same code: the same
    recipe, patches, source, requirements and dependencies. With ``share_cache`` all builds of a recipe do.
    """
    domain = "shared" if run.options.share_cache else code_digest(key)[:24]
    return run.environment.project.cache / "ccache" / name / domain


def limits_of(run: Run, recipe: Recipe) -> Limits:
    """Return the limits of a build: the defaults, then targets.toml, then the recipe, then the command line.

    Raises `RecipeError` for a limit of the recipe's that is none.
    """
    texts = recipe.own.get("limits", {})
    if not isinstance(texts, Mapping):
        raise _limits_error(recipe, "must be a table")
    try:
        limits = run.environment.targets.limits.with_texts({str(name): value for name, value in texts.items()})
    except ValueError as error:
        raise _limits_error(recipe, str(error)) from error
    return limits.with_texts(run.options.limits)


def _limits_error(recipe: Recipe, message: str) -> RecipeError:
    return RecipeError(
        f"{recipe.folder / 'meta.yaml'}: extra.emwheels.limits: {message}",
        hint="write extra: {emwheels: {limits: {memory: 8G, time: 2h}}}",
    )


def _fetch(environment: Environment, recipe: Recipe) -> tuple[Fetched, tuple[Fetched, ...]]:
    if why := fault(recipe, environment.project) or missing_programs(environment, recipe):
        raise RecipeError(f"{recipe.folder / 'meta.yaml'}: {why}")
    if recipe.takes_wheels and recipe.build_lock is None:
        raise RecipeError(
            f"{recipe.folder}: there is no requirements.build.txt", hint=f"make it: emwheels lock {recipe.name}"
        )
    source = source_of(environment, recipe)
    return source, build_wheels(environment, recipe.build_lock) if recipe.build_lock else ()


def try_patches(environment: Environment, recipe: Recipe) -> None:
    """Apply a recipe's patches to its source as a build does, and keep nothing.

    Raises `RecipeError` with the patch and what patch(1) says of each file, and `FetchError`.
    """
    with source_tree(environment, recipe):
        pass


def build_wheels(environment: Environment, lock: Path) -> tuple[Fetched, ...]:
    """Return the wheels of a lock for the machine that builds; what is a source archive is built to one, in the image.

    Raises `FetchError` and `BuildError`.
    """
    python = environment.target.python_minor
    fetched = environment.fetcher.fetch_requirements(lock, python=python, sources=True)
    wheels = [each for each in fetched if each.filename.endswith(".whl")]
    tools = [each for each in fetched if not each.filename.endswith(".whl")]
    return (*wheels, *(built_tool(environment, tool, wheels, python=python) for tool in tools))


def _libraries(run: Run, recipe: Recipe, outputs: Mapping[str, Output]) -> dict[str, Output]:
    """Return those host requirements that are libraries, in the recipe's order."""
    names = host_recipes(recipe, run.recipes)
    return {name: outputs[name] for name in names if outputs[name].kind == "libraries"}


def _documents(
    run: Run,
    recipe: Recipe,
    key: BuildKey,
    libraries: Mapping[str, Output],
    requirements: Sequence[Fetched],
    *,
    crates: Sequence[CrateNote],
) -> dict[str, bytes]:
    """Return what the wheel is to carry of its own making."""
    pins, target = run.environment.targets.image, run.environment.target
    own = run.environment.toolchain_name == "debian"
    tools = {
        "emscripten": pins.emscripten if own else target.emscripten,
        "llvm": pins.llvm if own else "of Emscripten",
        "pyodide-build": pins.pyodide_build,
        "python": target.python,
        **({"rust": run.environment.rust.pins.rust} if is_rust(recipe) else {}),
    }
    linked = [Linked(recipe=run.recipes[name], sha256=output.sha256) for name, output in libraries.items()]
    wheels = [wheel.filename for wheel in requirements]
    return {
        REPORT: build_report(recipe, key, tools=tools, requirements=wheels),
        SBOM: sbom(recipe, key, linked, epoch=EPOCH, crates=crates),
    }
