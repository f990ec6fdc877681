"""Stage: everything that one build reads, fetched if need be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emwheels.build.compile import BuildInputs
from emwheels.build.compiler_cache import CompilerCache
from emwheels.build.cross_packages import CrossPackage, check_native_packages
from emwheels.build.provenance import Linked, build_report, sbom
from emwheels.build.same_bytes import EPOCH
from emwheels.errors import RecipeError
from emwheels.pipeline.known import fault
from emwheels.recipe.graph import cross_requirements, host_recipes
from emwheels.wheel import REPORT, SBOM

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from emwheels.fetch.fetcher import Fetched
    from emwheels.outputs.builds import Output
    from emwheels.pipeline.environment import Environment
    from emwheels.pipeline.model import Run
    from emwheels.plan.key import BuildKey
    from emwheels.recipe.model import Recipe


def gather(run: Run, recipe: Recipe, key: BuildKey, outputs: Mapping[str, Output]) -> BuildInputs:
    """Return all that a build of ``recipe`` reads. Raises `RecipeError` and `FetchError`."""
    environment = run.environment
    source, requirements = _fetch(environment, recipe)
    cross = cross_requirements(recipe, run.recipes)
    check_native_packages(recipe, cross, requirements)
    libraries = _libraries(run, recipe, outputs)
    cache = CompilerCache(folder=compiler_cache_folder(environment, recipe.name))
    return BuildInputs(
        recipe=recipe,
        target=environment.target,
        profile=run.options.profile,
        source=source,
        requirements=requirements,
        libraries=[environment.store.get(output.kind, output.sha256) for output in libraries.values()],
        cross_packages=[CrossPackage(recipe=host, wheel=environment.named_wheel(outputs[host.name])) for host in cross],
        compiler_cache=cache if run.options.ccache else None,
        jobserver=run.jobserver,
        documents=_documents(run, recipe, key, libraries, requirements),
    )


def compiler_cache_folder(environment: Environment, name: str) -> Path:
    """Return where the compiler cache of a recipe is."""
    return environment.project.cache / "ccache" / name


def _fetch(environment: Environment, recipe: Recipe) -> tuple[Fetched, tuple[Fetched, ...]]:
    if why := fault(recipe):
        raise RecipeError(f"{recipe.folder / 'meta.yaml'}: {why}")
    assert recipe.source.url is not None  # a fault otherwise
    fetcher, python = environment.fetcher, environment.target.python_minor
    source = fetcher.fetch(recipe.source.url, recipe.source.sha256)
    wheels = fetcher.fetch_requirements(recipe.build_lock, python=python) if recipe.build_lock else ()
    return source, wheels


def _libraries(run: Run, recipe: Recipe, outputs: Mapping[str, Output]) -> dict[str, Output]:
    """Return those host requirements that are libraries, in the recipe's order."""
    names = host_recipes(recipe, run.recipes)
    return {name: outputs[name] for name in names if outputs[name].kind == "libraries"}


def _documents(
    run: Run, recipe: Recipe, key: BuildKey, libraries: Mapping[str, Output], requirements: Sequence[Fetched]
) -> dict[str, bytes]:
    """Return what the wheel is to carry of its own making."""
    pins, target = run.environment.targets.image, run.environment.target
    own = run.environment.toolchain_name == "debian"
    tools = {
        "emscripten": pins.emscripten if own else target.emscripten,
        "llvm": pins.llvm if own else "of Emscripten",
        "pyodide-build": pins.pyodide_build,
        "python": target.python,
    }
    linked = [Linked(recipe=run.recipes[name], sha256=output.sha256) for name, output in libraries.items()]
    wheels = [wheel.filename for wheel in requirements]
    return {
        REPORT: build_report(recipe, key, tools=tools, requirements=wheels),
        SBOM: sbom(recipe, key, linked, epoch=EPOCH),
    }
