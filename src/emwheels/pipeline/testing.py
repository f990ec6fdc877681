"""One package: its tests, on what was built, in each engine."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING

from packaging.utils import parse_wheel_filename

from emwheels.errors import HarnessError, RecipeError
from emwheels.harness import run_tests
from emwheels.harness.model import EngineResult, Event, Suite
from emwheels.pipeline.building import PackageSteps
from emwheels.pipeline.upstream_suite import staged
from emwheels.recipe.graph import foreign_requirements, run_closure
from emwheels.upstream import LOCK_FILE, SUITE_FILE, Smoke, UpstreamSuite, read_suite, smoke_of
from emwheels.wheel import content_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from emwheels.outputs.builds import Output
    from emwheels.pipeline.model import Options, Outcome
    from emwheels.recipe.model import Recipe


class TestingSteps(PackageSteps):
    """The steps of a package from its build to its test results."""

    def tested(self, recipe: Recipe, outputs: Mapping[str, Output], engines: Iterable[str]) -> dict[str, str]:
        """Return a summary for each engine in which the recipe's tests have passed on exactly these outputs."""
        wheels = self._run_wheels(run_closure(recipe.name, self._recipes), outputs)
        records = {engine: self.store.get_record("tests", self._test_key(recipe, wheels, engine)) for engine in engines}
        return {engine: record["summary"] for engine, record in records.items() if record}

    def _run_wheels(self, closure: Iterable[str], outputs: Mapping[str, Output]) -> list[Output]:
        found = [outputs[name] for name in closure if name in outputs]
        return [output for output in found if output.kind == "wheels"]

    def contents(self, names: Sequence[str], outputs: Mapping[str, Output]) -> dict[str, str]:
        """Return the content of the wheels of ``names``, and of those that they need to run, by name."""
        closure = dict.fromkeys(name for each in names for name in run_closure(each, self._recipes))
        return {output.name: self.content(output) for output in self._run_wheels(closure, outputs)}

    def content(self, output: Output) -> str:
        """Return the hash of what a wheel holds, whatever was known of its making; of a library, that of its bytes."""
        if output.kind != "wheels":
            return output.sha256
        record = self.store.get_record("contents", output.sha256)
        if record is None:
            record = {"content": content_of(self.store.get(output.kind, output.sha256))}
            self.store.add_record("contents", output.sha256, record)
        return str(record["content"])

    def test(self, recipe: Recipe, outputs: Mapping[str, Output], options: Options, to: Outcome) -> None:
        """Run the recipe's tests on what was built, unless they passed on exactly this. Raises `HarnessError`."""
        if not options.retest:
            to.engines |= self.tested(recipe, outputs, options.engines)
        waiting = [engine for engine in options.engines if engine not in to.engines]
        if not waiting:
            return
        reports = self.dist(options.profile) / "reports" / recipe.name / self.target.name
        suite = read_suite(recipe.folder)
        with self._timed(to, "test"):
            results = self.run_in_engines(
                recipe,
                outputs,
                tests=recipe.folder,
                engines=waiting,
                output=reports,
                test_seconds=options.test_seconds,
                on_event=lambda event: self._show(recipe.name, event),
            )
            smoke = self._smoke(recipe, suite, outputs, waiting, options) if suite and suite.smoke else {}
        wheels = self._run_wheels(run_closure(recipe.name, self._recipes), outputs)
        failed = []
        for engine, result in results.items():
            summary = f"{result.passed} passed"
            summary += f", {result.skipped} skipped" if result.skipped else ""
            cases = [case for case in result.cases if case.outcome in ("failed", "error")]
            if engine in smoke:
                summary += f", {smoke[engine].passed} of {smoke[engine].ran} upstream"
                cases += smoke[engine].unexplained
            if not cases:
                record = {"summary": summary, "wheels": self.contents([recipe.name], outputs)}
                self.store.add_record("tests", self._test_key(recipe, wheels, engine), record)
            else:
                summary += f", {len(cases)} failed"
                failed += [f"  {engine}: {case.nodeid}: {_first_line(case.message)}" for case in cases]
            to.engines[engine] = summary
            self.board.say(recipe.name, f"{engine}: {summary} in {result.seconds:.1f} s")
        if failed:
            shown = "\n".join(failed[:20])
            more = f"\n  and {len(failed) - 20} more" if len(failed) > 20 else ""
            raise HarnessError(f"tests of {recipe.name} failed:\n{shown}{more}", hint=f"logs and JUnit XML: {reports}")

    def _smoke(
        self,
        recipe: Recipe,
        suite: UpstreamSuite,
        outputs: Mapping[str, Output],
        engines: Sequence[str],
        options: Options,
    ) -> dict[str, Smoke]:
        """Run the files of the package's own suite that upstream.yaml names for that."""
        also = tuple(run_closure(recipe.name, self._recipes))
        with staged(self, recipe, suite, also=also, smoke=True) as ready:
            results = self.run_in_engines(
                recipe,
                outputs,
                tests=ready.tests,
                engines=engines,
                output=self.dist(options.profile) / "reports" / recipe.name / self.target.name / "smoke",
                suite=ready.suite,
                beside=ready.beside,
                test_seconds=options.test_seconds,
                on_event=lambda event: self._show(recipe.name, event),
            )
        return {engine: smoke_of(result, suite) for engine, result in results.items()}

    def run_in_engines(
        self,
        recipe: Recipe,
        outputs: Mapping[str, Output],
        *,
        tests: Path,
        engines: Sequence[str],
        output: Path,
        suite: Suite = Suite(),  # noqa: B008  (it is immutable)
        also: Sequence[str] = (),
        beside: Sequence[Path] = (),
        test_seconds: float,
        on_event: Callable[[Event], None],
    ) -> dict[str, EngineResult]:
        """Run tests with the wheels of ``recipe``, of the recipes ``also``, and of all that these need.

        The wheels ``beside`` are served as well.
        """
        wanted = (recipe.name, *also)
        closure = list(dict.fromkeys(name for each in wanted for name in run_closure(each, self._recipes)))
        served = {_project_name(wheel): wheel for wheel in (*beside, *self.served_wheels(closure))}
        return run_tests(
            image=self.image,
            runtime=self.toolchain.runtime,
            playwright_core=self.playwright_core,
            harness_wheels=list(served.values()),
            wheels=[self._wheel_path(output) for output in self._run_wheels(closure, outputs)],
            requirements=[f"{recipe.name}=={recipe.version}"],
            tests=tests,
            engines=engines,
            output=output,
            suite=suite,
            test_seconds=test_seconds,
            on_event=on_event,
            content=self.content(outputs[recipe.name]),
        )

    def _show(self, name: str, event: Event) -> None:
        if event.kind == "boot":
            self.board.say(name, f"tests in {event.engine}")

    def _test_key(self, recipe: Recipe, wheels: Sequence[Output], engine: str) -> str:
        """Return the hash of everything that can change the tests' results."""
        digest = hashlib.sha256()
        lock = (files("emwheels.harness") / "requirements.txt").read_text()
        for part in (engine, self.target.name, self.image_digest, lock, *(output.sha256 for output in wheels)):
            digest.update(f"{part}\n".encode())
        for name in run_closure(recipe.name, self._recipes):
            if (run_lock := self._recipes[name].run_lock) is not None:
                digest.update(hashlib.sha256(run_lock.read_bytes()).digest())
        suite = read_suite(recipe.folder)
        aside = _NOT_TESTS - _SUITE_FILES if suite and suite.smoke else _NOT_TESTS
        for path in sorted(recipe.folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and path.name not in aside:
                digest.update(f"{path.relative_to(recipe.folder)}\n".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def served_wheels(self, names: Iterable[str]) -> tuple[Path, ...]:
        """Return what is served beside the wheels of recipes ``names``: the harness's, and what the recipes need.

        The harness's come first, then those of the first recipe that has a version.
        """
        served = {_project_name(wheel): wheel for wheel in self.harness_wheels}
        for name in names:
            recipe = self._recipes[name]
            if recipe.run_lock is not None:
                for wheel in self.pure_wheels(recipe.run_lock):
                    served.setdefault(_project_name(wheel), wheel)
            elif missing := foreign_requirements(recipe, self._recipes):
                raise RecipeError(
                    f"{recipe.folder}: requirements.run has {', '.join(missing)}, but there is no requirements.run.txt",
                    hint=f"make it: nox -s lock -- {name}",
                )
        return tuple(served.values())


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
