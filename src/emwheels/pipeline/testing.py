"""Stage: the tests of one package, on what was built, in each engine."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING

from packaging.utils import parse_wheel_filename

from emwheels.errors import HarnessError, RecipeError
from emwheels.harness import run_tests
from emwheels.harness.model import IMPORT, IMPORTS_ONLY, NOT_RUN, Case, EngineResult, Event, Suite
from emwheels.outputs.named import content
from emwheels.pipeline.own_suite import key_of_suite, locked_for_tests, suite_of
from emwheels.pipeline.phases import timed
from emwheels.pipeline.suite_files import staged
from emwheels.pipeline.unvendored import over_the_wheel
from emwheels.recipe.graph import closure_for_tests, foreign_requirements, recipes_for_tests, run_closure
from emwheels.upstream import LOCK_FILE, SUITE_FILE, Smoke, UpstreamSuite, read_suite, smoke_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from emwheels.outputs.builds import Output
    from emwheels.pipeline.model import Outcome, Run
    from emwheels.progress import Board
    from emwheels.recipe.model import Recipe


def tested(run: Run, recipe: Recipe, outputs: Mapping[str, Output]) -> dict[str, str]:
    """Return a summary for each engine of the run in which the recipe's tests have passed on exactly these outputs."""
    wheels, store = _run_wheels(closure_for_tests(recipe.name, run.recipes), outputs), run.environment.store
    records = {
        engine: store.get_record("tests", key_of_tests(run, recipe, wheels, engine)) for engine in run.options.engines
    }
    return {engine: record["summary"] for engine, record in records.items() if record}


def contents(run: Run, names: Sequence[str], outputs: Mapping[str, Output]) -> dict[str, str]:
    """Return the content of the wheels of ``names``, and of those that they need to run, by name."""
    closure = dict.fromkeys(name for each in names for name in run_closure(each, run.recipes))
    return {output.name: content(output, run.environment.store) for output in _run_wheels(closure, outputs)}


def test_package(run: Run, recipe: Recipe, outputs: Mapping[str, Output], to: Outcome) -> None:
    """Run the recipe's tests on what was built, unless they passed on exactly this. Raises `HarnessError`."""
    options, environment = run.options, run.environment
    if not options.retest and not options.arguments:
        to.engines |= tested(run, recipe, outputs)
    waiting = [engine for engine in options.engines if engine not in to.engines]
    if not waiting:
        return
    reports = environment.dist(options.profile) / "reports" / recipe.name / environment.target.name
    reports = reports / "selected" if options.arguments else reports
    own = suite_of(run, recipe, outputs[recipe.name])
    if not recipe.tests and not own.imports:
        to.engines |= dict.fromkeys(waiting, "no tests")
        return
    suite = None if options.arguments else read_suite(recipe.folder)
    with timed(run, to, "test"):
        results = run_in_engines(
            run,
            recipe,
            outputs,
            tests=recipe.folder,
            engines=waiting,
            output=reports,
            suite=own,
            also=recipes_for_tests(recipe, run.recipes),
            beside=locked_for_tests(run, recipe),
            on_event=lambda event: _show(environment.board, recipe.name, event),
        )
        smoke: dict[str, Smoke] = {}
        if suite and suite.smoke:
            parts = run_smoke(run, recipe, suite, outputs, engines=waiting, reports=reports / "smoke")
            smoke = {engine: smoke_of(part, suite) for engine, part in parts.items()}
    failed = []
    for engine, result in results.items():
        summary, cases = _summary(result, smoke.get(engine))
        to.failures += [(engine, case) for case in cases]
        failed += [f"  {engine}: {case.nodeid}: {_first_line(case.message)}" for case in cases]
        if not cases and not options.arguments:
            _remember(run, recipe, outputs, engine, summary)
        to.engines[engine] = summary
        environment.board.say(recipe.name, f"{engine}: {summary} in {result.seconds:.1f} s")
    if failed:
        shown = "\n".join(failed[:20])
        more = f"\n  and {len(failed) - 20} more" if len(failed) > 20 else ""
        raise HarnessError(f"tests of {recipe.name} failed:\n{shown}{more}", hint=f"logs and JUnit XML: {reports}")


def _summary(result: EngineResult, smoke: Smoke | None) -> tuple[str, list[Case]]:
    """Return what came of the tests in words, and those that failed."""
    only_imports = all(case.nodeid.startswith(IMPORT) for case in result.cases)
    left_out = sum(case.message.startswith(NOT_RUN) for case in result.cases)
    skipped = result.skipped - left_out
    summary = (IMPORTS_ONLY if only_imports else "") + f"{result.passed} passed"
    summary += (f", {skipped} skipped" if skipped else "") + (f", {left_out} not run" if left_out else "")
    cases = [case for case in result.cases if case.outcome in ("failed", "error")]
    if smoke:
        summary += f", {smoke.passed} of {smoke.ran} upstream"
        cases += smoke.unexplained
    return summary + (f", {len(cases)} failed" if cases else ""), cases


def _remember(run: Run, recipe: Recipe, outputs: Mapping[str, Output], engine: str, summary: str) -> None:
    wheels = _run_wheels(closure_for_tests(recipe.name, run.recipes), outputs)
    record = {"summary": summary, "wheels": contents(run, [recipe.name], outputs)}
    run.environment.store.add_record("tests", key_of_tests(run, recipe, wheels, engine), record)


def run_smoke(
    run: Run,
    recipe: Recipe,
    suite: UpstreamSuite,
    outputs: Mapping[str, Output],
    *,
    engines: Sequence[str],
    reports: Path,
) -> dict[str, EngineResult]:
    """Run the files of the package's own suite that upstream.yaml names for that. Raises as `staged` does."""
    also = tuple(run_closure(recipe.name, run.recipes))
    with staged(run.environment, recipe, suite, also=also, smoke=True) as ready:
        with_tests, own = over_the_wheel(run, recipe, outputs, ready.suite)
        return run_in_engines(
            run,
            recipe,
            outputs,
            tests=ready.tests,
            engines=engines,
            output=reports,
            suite=with_tests,
            beside=[*ready.beside, *own],
            on_event=lambda event: _show(run.environment.board, recipe.name, event, "upstream tests"),
        )


def run_in_engines(
    run: Run,
    recipe: Recipe,
    outputs: Mapping[str, Output],
    *,
    tests: Path,
    engines: Sequence[str],
    output: Path,
    suite: Suite = Suite(),  # noqa: B008  (it is immutable)
    also: Sequence[str] = (),
    beside: Sequence[Path] = (),
    on_event: Callable[[Event], None],
) -> dict[str, EngineResult]:
    """Run tests with the wheels of ``recipe``, of the recipes ``also``, and of all that these need.

    The wheels ``beside`` are served as well.
    """
    environment = run.environment
    names = (recipe.name, *also)
    closure = list(dict.fromkeys(name for each in names for name in run_closure(each, run.recipes)))
    served = {_project_name(wheel): wheel for wheel in (*beside, *_served_wheels(run, closure))}
    return run_tests(
        image=environment.test_image,
        runtime=environment.runtime,
        playwright_core=environment.playwright_core,
        harness_wheels=list(served.values()),
        wheels=[environment.named_wheel(wheel) for wheel in _run_wheels(closure, outputs)],
        requirements=[f"{recipe.name}=={recipe.version}"],
        tests=tests,
        engines=engines,
        output=output,
        suite=suite,
        test_seconds=run.options.test_seconds,
        on_event=on_event,
        content=content(outputs[recipe.name], environment.store),
    )


def key_of_tests(run: Run, recipe: Recipe, wheels: Sequence[Output], engine: str) -> str:
    """Return the hash of everything that can change the tests' results; of wheels, what they hold."""
    digest, environment = hashlib.sha256(), run.environment
    lock = (files("emwheels.harness") / "requirements.txt").read_text()
    target, image = environment.target.name, environment.test_image_digest
    for part in (engine, target, image, lock, *(content(output, environment.store) for output in wheels)):
        digest.update(f"{part}\n".encode())
    digest.update(key_of_suite(recipe))
    for name in closure_for_tests(recipe.name, run.recipes):
        if (run_lock := run.recipes[name].run_lock) is not None:
            digest.update(hashlib.sha256(run_lock.read_bytes()).digest())
    suite = read_suite(recipe.folder)
    aside = _NOT_TESTS - _SUITE_FILES if suite and suite.smoke else _NOT_TESTS
    for path in sorted(recipe.folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.name not in aside:
            digest.update(f"{path.relative_to(recipe.folder)}\n".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _run_wheels(closure: Iterable[str], outputs: Mapping[str, Output]) -> list[Output]:
    built = [outputs[name] for name in closure if name in outputs]
    return [output for output in built if output.kind == "wheels"]


def _served_wheels(run: Run, names: Iterable[str]) -> tuple[Path, ...]:
    """Return what is served beside the wheels of recipes ``names``: the harness's, and what the recipes need.

    The harness's come first, then those of the first recipe that has a version.
    """
    served = {_project_name(wheel): wheel for wheel in run.environment.harness_wheels}
    for name in names:
        recipe = run.recipes[name]
        if recipe.run_lock is not None:
            for wheel in run.environment.run_wheels(recipe.run_lock):
                served.setdefault(_project_name(wheel), wheel)
        elif missing := foreign_requirements(recipe, run.recipes):
            raise RecipeError(
                f"{recipe.folder}: requirements.run has {', '.join(missing)}, but there is no requirements.run.txt",
                hint=f"make it: emwheels lock {name}",
            )
    return tuple(served.values())


def _show(board: Board, name: str, event: Event, tests: str = "tests") -> None:
    if event.kind == "boot":
        board.say(name, f"{tests} in {event.engine}")


_SUITE_FILES = frozenset({LOCK_FILE, SUITE_FILE})
_NOT_TESTS = frozenset({"meta.yaml", "requirements.build.txt"}) | _SUITE_FILES


def _project_name(wheel: Path) -> str:
    return parse_wheel_filename(wheel.name)[0]


def _first_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    marked = [line for line in lines if line.startswith("E ")]
    if len(marked) > 1 and marked[0].removeprefix("E").lstrip().startswith("File "):  # a syntax error: where, then what
        marked = [f"{marked[0].strip()}: {marked[-1].removeprefix('E').strip()}"]
    return (marked or lines or [""])[0].strip()[:200]
