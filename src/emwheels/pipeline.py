"""The whole path for some packages: plan, fetch, build, audit, test, index. Joins the rooms; does no work itself.

The rooms that only a build needs are imported by the functions that build: a run with nothing to do is over before
they would be loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import threading
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout
from packaging.utils import canonicalize_name, parse_wheel_filename

from emwheels import index
from emwheels.builds import Builds, Output
from emwheels.ccache import CompilerCache, Hits
from emwheels.errors import AuditError, EmwheelsError, HarnessError, RecipeError, StoppedError, of_os_error
from emwheels.harness import ENGINES, EngineResult, Event, Suite, run_tests
from emwheels.host import CrossPackage, check_native_packages, cross_requirements
from emwheels.image import debian, oci, registries
from emwheels.image.toolchain import Toolchain, make_toolchain, npm_package, toolchain_key
from emwheels.members import REPORT, SBOM
from emwheels.plan import BuildKey, Planned, build_key, explain, host_recipes, make_plan
from emwheels.recipe import Recipe, dependency_order, foreign_requirements, load_recipes, required_recipes
from emwheels.schedule import (
    JobServer,
    LocalExecutor,
    Result,
    State,
    Task,
    available_cores,
    available_memory,
    run_tasks,
)
from emwheels.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from emwheels.build import BuildInputs
    from emwheels.fetch import Fetched, Fetcher
    from emwheels.image.model import Image
    from emwheels.progress import Board
    from emwheels.project import Project
    from emwheels.remote.model import Remote
    from emwheels.schedule import Executor
    from emwheels.target import Target, Targets


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a run is to do."""

    profile: str = "speed"
    engines: tuple[str, ...] = ENGINES
    test: bool = True
    rebuild: bool = False
    retest: bool = False
    test_seconds: float = 120.0
    """Limit for one test."""
    ccache: bool = True
    """Whether compilers look up objects in the compiler cache. The bytes that come out are the same."""
    jobs: int = 0
    """Cores that all builds may use together, and the most packages at the same time; 0 for those of this machine."""
    fail_fast: bool = False
    """Start nothing more after the first failure."""


@dataclass(kw_only=True)
class Outcome:
    """What a run did with one package."""

    name: str
    state: str
    """``built``, ``reused``, ``failed``, ``blocked`` or ``not started``; in a survey ``reused`` or ``missing``."""
    why: str = ""
    output: Output | None = None
    phases: dict[str, float] = field(default_factory=dict)
    """Phase -> wall seconds."""
    engines: dict[str, str] = field(default_factory=dict)
    """Engine -> ``16 passed``."""
    error: EmwheelsError | None = None
    ccache: Hits | None = None
    """What came out of the compiler cache, if it was used."""


class Pipeline:
    """Runs packages of one project for one target."""

    def __init__(
        self,
        project: Project,
        targets: Targets,
        target: Target,
        *,
        board: Board,
        offline: bool = False,
        toolchain_name: str = "debian",
        remote: Remote | None = None,
        push: bool = False,
    ) -> None:
        self.project = project
        self.targets = targets
        self.target = target
        self.board = board
        self.offline = offline
        self.toolchain_name = toolchain_name
        self.store = Store(project.cache / "store")
        self.builds = Builds(self.store, remote, push=push, say=lambda text: board.say("store", text))
        self._recipes: dict[str, Recipe] = {}
        self._stopping = threading.Event()
        self._jobserver: JobServer | None = None

    @cached_property
    def fetcher(self) -> Fetcher:
        """What is fetched goes through this."""
        from emwheels.fetch import Fetcher

        return Fetcher(
            self.store,
            offline=self.offline,
            progress=self.board.download,
            npm_registry=lambda: registries.npm_registry(self.image),
            debian_mirror=lambda: registries.debian_mirror(self.image),
        )

    @property
    def logs(self) -> Path:
        """Where logs are kept, by package."""
        return self.project.cache / "logs"

    @cached_property
    def image_digest(self) -> str:
        """The digest of the image, which is made or pulled first if it is not there; entering it is not needed."""
        if reference := oci.configured_reference(self.targets.image):
            return oci.digest_of(reference)
        record = debian.read_record(self._image_folder)
        if record is None:
            with self.board.phase("image", "making the build image, once (about 5 minutes, 2.5 GB)"):
                record = debian.make_image(
                    self.project.cache,
                    self.targets.image,
                    self.fetcher,
                    say=lambda text: self.board.say("image", text),
                    log=self.logs / "image.log",
                )
        return record.digest

    @property
    def _image_folder(self) -> Path:
        return debian.image_folder(self.project.cache, self.targets.image)

    @cached_property
    def image(self) -> Image:
        """The way into the image."""
        digest = self.image_digest
        if reference := oci.configured_reference(self.targets.image):
            return oci.OciImage.open(reference, environment=debian.environment(self.targets.image))
        method = os.environ.get("EMWHEELS_ENTER") or None
        loaded = debian.load_image(self.project.cache, self.targets.image, method=method)
        if loaded is None:  # removed since the digest was read
            raise EmwheelsError(f"the image {digest} vanished while it was in use", hint="run the command again")
        return loaded[0]

    @cached_property
    def toolchain(self) -> Toolchain:
        """The folders of the target beside the image."""
        with oci.headers(self.image, self._image_folder / "rootfs", self.project.cache) as root:
            return make_toolchain(
                self.target,
                name=self.toolchain_name,
                image=self.image,
                image_root=root,
                fetcher=self.fetcher,
                cache=self.project.cache,
                say=lambda text: self.board.say("toolchain", text),
                log=self.logs / f"toolchain-{self.target.name}.log",
            )

    @cached_property
    def playwright_core(self) -> Path:
        """The unpacked npm package."""
        pins = self.targets.harness
        return npm_package(pins.playwright_core, pins.playwright_core_sha256, self.fetcher, self.project.cache)

    @cached_property
    def harness_wheels(self) -> tuple[Path, ...]:
        """What the harness installs beside the wheels, under the files' own names."""
        with as_file(files("emwheels.harness") / "requirements.txt") as lock:
            return self.pure_wheels(lock)

    def pure_wheels(self, lock: Path) -> tuple[Path, ...]:
        """Return the pure-Python wheels of a hash-pinned requirements file, under the files' own names."""
        fetched = self.fetcher.fetch_requirements(lock, python=self.target.python_minor, platforms=())
        folder = self.project.cache / "harness" / hashlib.sha256(lock.read_bytes()).hexdigest()[:24]
        folder.mkdir(parents=True, exist_ok=True)
        for wheel in fetched:
            index.write_atomically(folder / wheel.filename, wheel.path.read_bytes())
        return tuple(folder / wheel.filename for wheel in fetched)

    @cached_property
    def release(self) -> index.Release:
        """What the target's own lock says, for the one that the index has."""
        runtime = npm_package(self.target.runtime, self.target.runtime_sha256, self.fetcher, self.project.cache)
        return index.read_release(self.target, runtime)

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

    def dist(self, profile: str) -> Path:
        """Where wheels of ``profile`` are published: those of the default profile in dist itself."""
        return self.project.dist if profile == "speed" else self.project.dist / profile

    # -- one package -----------------------------------------------------------------------------------------------

    def key(self, recipe: Recipe, profile: str, outputs: Mapping[str, Output]) -> BuildKey:
        """Return the build key of ``recipe``, given what its host requirements came out as."""
        return self.key_for(recipe, profile, {name: output.identity for name, output in outputs.items()})

    def key_for(self, recipe: Recipe, profile: str, outputs: Mapping[str, str]) -> BuildKey:
        """Return the build key of ``recipe``, given the hash of what its host requirements came out as."""
        return build_key(
            recipe,
            self.target,
            profile=profile,
            image_digest=self.image_digest,
            toolchain=self.toolchain_name,
            toolchain_key=toolchain_key(self.target, self.image_digest, name=self.toolchain_name),
            dependencies={name: outputs[name] for name in host_recipes(recipe, self._recipes)},
        )

    def existing(self, key: BuildKey) -> tuple[Output, str] | None:
        """Return what was built for ``key``, if it is whole, and where it was found: ``store`` or ``remote``."""
        found = self.builds.get(key.digest)
        return (Output.of(found[0]), found[1]) if found else None

    def found(self, key: BuildKey) -> tuple[str, str] | None:
        """Return the hash of what was built for ``key`` and where it is, without bringing it here."""
        found = self.builds.peek(key.digest)
        return (Output.of(found[0]).identity, found[1]) if found else None

    def latest(self, name: str, profile: str) -> dict[str, Any] | None:
        """Return the record of the last build of ``name`` for this target."""
        return self.store.get_record("latest", _latest_key(name, self.target.name, profile))

    def fault(self, recipe: Recipe) -> str:
        """Return why ``recipe`` cannot be built as it is; empty if nothing is known against it."""
        if recipe.source.url is None:
            return "source.path is not built yet"
        if recipe.build.type == "package" and recipe.build_lock is None:
            return f"there is no requirements.build.txt (make it: nox -s lock -- {recipe.name})"
        return ""

    def build(
        self, recipe: Recipe, key: BuildKey, options: Options, outputs: Mapping[str, Output], to: Outcome
    ) -> Output:
        """Build ``recipe``, audit it and keep it in the store."""
        from emwheels.build import build
        from emwheels.provenance import content_of

        profile = options.profile
        with self._timed(to, "fetch"):
            inputs = self.inputs(recipe, key, options, outputs)
        log = self.logs / recipe.name / f"{self.target.name}-{profile}.log"
        with self._work(recipe.name) as work:
            image, toolchain = self.image, self.toolchain
            with self._timed(to, "compile"):
                built = build(inputs, image=image, toolchain=toolchain, work=work, log=log)
            if options.ccache:
                self._report_ccache(recipe, key, profile, built.ccache, to)
            kind = "libraries" if recipe.build.type == "static_library" else "wheels"
            report: dict[str, Any] = {}
            if kind == "wheels":
                with self._timed(to, "audit"):
                    report = self._audit(recipe, built.file, outputs, profile)
            output = Output(
                name=recipe.name,
                kind=kind,
                filename=built.file.name,
                sha256=self.store.put_file(kind, built.file),
                size=built.file.stat().st_size,
                seconds=round(built.seconds, 3),
                key=key.digest,
                content=content_of(built.file) if kind == "wheels" else "",
            )
        record = {
            "output": asdict(output),
            "inputs": dict(key.inputs),
            "log": self.store.put_file("logs", log),
            "audit": report,
            "peak_kib": built.peak_kib,
            "ccache objects": built.ccache.objects,
        }
        self.builds.add(key.digest, record)
        self.store.add_record("latest", _latest_key(recipe.name, self.target.name, profile), record)
        return output

    def inputs(self, recipe: Recipe, key: BuildKey, options: Options, outputs: Mapping[str, Output]) -> BuildInputs:
        """Return all that a build of ``recipe`` reads, fetched if need be."""
        from emwheels.build import BuildInputs

        source, requirements = self._fetch(recipe)
        cross = cross_requirements(recipe, self._recipes)
        check_native_packages(recipe, cross, requirements)
        return BuildInputs(
            recipe=recipe,
            target=self.target,
            profile=options.profile,
            source=source,
            requirements=requirements,
            libraries=[
                self.store.get(outputs[name].kind, outputs[name].sha256)
                for name in host_recipes(recipe, self._recipes)
                if outputs[name].kind == "libraries"
            ],
            cross_packages=[CrossPackage(recipe=host, wheel=self._wheel_path(outputs[host.name])) for host in cross],
            compiler_cache=CompilerCache(folder=self.project.cache / "ccache" / recipe.name)
            if options.ccache
            else None,
            jobserver=self._jobserver,
            documents=self._documents(recipe, key, outputs, requirements),
        )

    def _documents(
        self, recipe: Recipe, key: BuildKey, outputs: Mapping[str, Output], requirements: Sequence[Fetched]
    ) -> dict[str, bytes]:
        """Return what the wheel is to carry of its own making."""
        from emwheels.build import EPOCH
        from emwheels.provenance import Linked, build_report, sbom

        pins = self.targets.image
        own = self.toolchain_name == "debian"
        tools = {
            "emscripten": pins.emscripten if own else self.target.emscripten,
            "llvm": pins.llvm if own else "of Emscripten",
            "pyodide-build": pins.pyodide_build,
            "python": self.target.python,
        }
        linked = [
            Linked(recipe=self._recipes[name], sha256=outputs[name].sha256)
            for name in host_recipes(recipe, self._recipes)
            if outputs[name].kind == "libraries"
        ]
        wheels = [wheel.filename for wheel in requirements]
        return {
            REPORT: build_report(recipe, key, tools=tools, requirements=wheels),
            SBOM: sbom(recipe, key, linked, epoch=EPOCH),
        }

    def _report_ccache(self, recipe: Recipe, key: BuildKey, profile: str, hits: Hits, to: Outcome) -> None:
        to.ccache = hits
        latest = self.latest(recipe.name, profile)
        if hits.hits or not hits.objects or not latest or not latest.get("ccache objects"):
            return
        if not any(name.startswith(_CHANGES_EVERY_OBJECT) for name in key.changed(latest["inputs"])):
            self.board.say(
                recipe.name,
                f"warning: ccache had none of {hits.objects:,} objects, though the last build left its own there; "
                f"the cache is {self.project.cache / 'ccache' / recipe.name}",
            )

    def _fetch(self, recipe: Recipe) -> tuple[Fetched, tuple[Fetched, ...]]:
        if recipe.source.url is None:
            raise RecipeError(
                f"{recipe.folder / 'meta.yaml'}: source.path is not built yet", hint="give source.url and source.sha256"
            )
        if recipe.build.type == "package" and recipe.build_lock is None:
            raise RecipeError(
                f"{recipe.folder}: there is no requirements.build.txt", hint=f"make it: nox -s lock -- {recipe.name}"
            )
        source = self.fetcher.fetch(recipe.source.url, recipe.source.sha256)
        python = self.target.python_minor
        wheels = self.fetcher.fetch_requirements(recipe.build_lock, python=python) if recipe.build_lock else ()
        return source, wheels

    def _audit(self, recipe: Recipe, wheel: Path, outputs: Mapping[str, Output], profile: str) -> dict[str, Any]:
        from emwheels.audit import Runtime, audit_wheel
        from emwheels.build import BUILD_PATHS

        report = audit_wheel(
            wheel,
            target=self.target,
            runtime=Runtime.read(self.toolchain.runtime),
            dependencies=[self._wheel_path(outputs[name]) for name in recipe.requirements.run if name in outputs],
            build_paths=BUILD_PATHS,
            accepted_size=self._accepted_size(recipe.name, profile),
        )
        reports = self.dist(profile) / "reports" / recipe.name
        index.write_atomically(reports / f"audit-{self.target.name}.json", report.to_json().encode())
        for finding in report.findings:
            self.board.say(
                recipe.name, f"audit {finding.severity}: {finding.rule}: {finding.member}: {finding.message}"
            )
        if report.errors:
            lines = "\n".join(f"  {item.rule}: {item.member}: {item.message}" for item in report.errors)
            rejected = self.logs / recipe.name / "rejected" / wheel.name
            index.write_atomically(rejected, wheel.read_bytes())
            raise AuditError(
                f"{wheel.name} must not be published:\n{lines}",
                hint=f"the wheel is {rejected}, the report is in {reports}; nothing was published",
            )
        found: dict[str, Any] = json.loads(report.to_json())
        return found

    def _accepted_size(self, name: str, profile: str) -> int | None:
        latest = self.latest(name, profile)
        return int(latest["output"]["size"]) if latest else None

    def _wheel_path(self, output: Output) -> Path:
        """Return the wheel under its own name, which tells what it is."""
        folder = self.project.cache / "named" / output.sha256[:24]
        path = folder / output.filename
        if not path.is_file():
            index.write_atomically(path, self.store.get(output.kind, output.sha256).read_bytes())
        return path

    def tested(self, recipe: Recipe, outputs: Mapping[str, Output], engines: Iterable[str]) -> dict[str, str]:
        """Return a summary for each engine in which the recipe's tests have passed on exactly these outputs."""
        wheels = self._run_wheels(recipe, outputs)
        records = {engine: self.store.get_record("tests", self._test_key(recipe, wheels, engine)) for engine in engines}
        return {engine: record["summary"] for engine, record in records.items() if record}

    def _run_wheels(self, recipe: Recipe, outputs: Mapping[str, Output]) -> list[Output]:
        found = [outputs[name] for name in _run_closure(recipe.name, self._recipes) if name in outputs]
        return [output for output in found if output.kind == "wheels"]

    def test(self, recipe: Recipe, outputs: Mapping[str, Output], options: Options, to: Outcome) -> None:
        """Run the recipe's tests on what was built, unless they passed on exactly this. Raises `HarnessError`."""
        if not options.retest:
            to.engines |= self.tested(recipe, outputs, options.engines)
        waiting = [engine for engine in options.engines if engine not in to.engines]
        if not waiting:
            return
        with self._timed(to, "test"):
            results = self.run_in_engines(
                recipe,
                outputs,
                tests=recipe.folder,
                engines=waiting,
                output=self.dist(options.profile) / "reports" / recipe.name / self.target.name,
                test_seconds=options.test_seconds,
                on_event=lambda event: self._show(recipe.name, event),
            )
        wheels = self._run_wheels(recipe, outputs)
        failed = []
        for engine, result in results.items():
            summary = f"{result.passed} passed"
            summary += f", {result.skipped} skipped" if result.skipped else ""
            if result.ok:
                self.store.add_record("tests", self._test_key(recipe, wheels, engine), {"summary": summary})
            else:
                summary += f", {result.failed + result.errors} failed"
                failed += [
                    f"  {engine}: {case.nodeid}: {_first_line(case.message)}"
                    for case in result.cases
                    if case.outcome in ("failed", "error")
                ]
            to.engines[engine] = summary
            self.board.say(recipe.name, f"{engine}: {summary} in {result.seconds:.1f} s")
        if failed:
            reports = self.dist(options.profile) / "reports" / recipe.name / self.target.name
            shown = "\n".join(failed[:20])
            more = f"\n  and {len(failed) - 20} more" if len(failed) > 20 else ""
            raise HarnessError(f"tests of {recipe.name} failed:\n{shown}{more}", hint=f"logs and JUnit XML: {reports}")

    def run_in_engines(
        self,
        recipe: Recipe,
        outputs: Mapping[str, Output],
        *,
        tests: Path,
        engines: Sequence[str],
        output: Path,
        suite: Suite = Suite(),  # noqa: B008  (it is immutable)
        beside: Sequence[Path] = (),
        test_seconds: float,
        on_event: Callable[[Event], None],
    ) -> dict[str, EngineResult]:
        """Run tests with the wheels of ``recipe`` and of what it needs; the wheels ``beside`` are served as well."""
        closure = _run_closure(recipe.name, self._recipes)
        served = {_project_name(wheel): wheel for wheel in (*beside, *self.served_wheels(closure))}
        return run_tests(
            image=self.image,
            runtime=self.toolchain.runtime,
            playwright_core=self.playwright_core,
            harness_wheels=list(served.values()),
            wheels=[self._wheel_path(output) for output in self._run_wheels(recipe, outputs)],
            requirements=[f"{recipe.name}=={recipe.version}"],
            tests=tests,
            engines=engines,
            output=output,
            suite=suite,
            test_seconds=test_seconds,
            on_event=on_event,
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
        for name in _run_closure(recipe.name, self._recipes):
            if (run_lock := self._recipes[name].run_lock) is not None:
                digest.update(hashlib.sha256(run_lock.read_bytes()).digest())
        for path in sorted(recipe.folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and path.name not in _NOT_TESTS:
                digest.update(f"{path.relative_to(recipe.folder)}\n".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    # -- many packages ---------------------------------------------------------------------------------------------

    def recipe(self, name: str) -> Recipe:
        """Return the recipe called ``name`` of those that the last run was about, in any spelling of PEP 503."""
        return next(
            recipe for own, recipe in self._recipes.items() if canonicalize_name(own) == canonicalize_name(name)
        )

    def plan(self, names: Sequence[str], profile: str) -> list[Planned]:
        """Return what `run` would do with ``names`` (all if empty) and what they need, and why. Builds nothing."""
        self.load(names)
        return make_plan(self._recipes, profile, self)

    def load(self, names: Sequence[str]) -> None:
        """Read the recipes of ``names`` (all if empty) and of what they need: `step` works on them."""
        self._recipes = load_recipes(self.project.recipes, patches=self.project.patches, names=names or None)

    def bring(self, output: Output) -> None:
        """See to it that what another machine built is in the local store."""
        if self.builds.get(output.key) is None:
            raise EmwheelsError(
                f"{output.name} was built elsewhere and cannot be had from the remote store",
                hint="run the command again: what cannot be had is built again",
            )

    def stop(self) -> None:
        """Let tasks that are at work here end at the next occasion."""
        self._stopping.set()

    def run(
        self, names: Sequence[str], options: Options, *, executor: Executor[Outcome] | None = None
    ) -> list[Outcome]:
        """Build ``names`` and what they need and return what came of each, in the order of their needs.

        ``executor`` does the tasks somewhere else, with `step` of a pipeline that has loaded the same names; what it
        built has to be in the remote store when a task ends. Without it, this machine does them.

        Packages that do not need each other are built at the same time. A failure blocks what needs the package, and
        nothing else. A signal ends everything that runs before its exception goes on.
        """
        self.load(names)
        remove_stale_work(self.project.cache / "work")
        outcomes = {name: Outcome(name=name, state="not started") for name in dependency_order(self._recipes)}
        _ = self.image_digest  # making the image is nothing to be done beside builds
        cores = options.jobs or available_cores()
        here = LocalExecutor(lambda task, given: self.step(task, given, options), jobs=cores, memory=available_memory())
        self._stopping = here.stopping
        self._jobserver = server = JobServer(
            self.project.cache / "work" / f"jobserver-{os.getpid()}", cores=cores, inside="/mnt/jobserver"
        )
        try:
            run_tasks(
                self._tasks(options, cores),
                executor or here,
                ok=lambda outcome: outcome.error is None,
                fail_fast=options.fail_fast,
                on_end=lambda task, result: self._ended(task, result, options, outcomes),
            )
        finally:
            self._jobserver = None
            server.close()
        return list(outcomes.values())

    def survey(self, names: Sequence[str], options: Options) -> list[Outcome]:
        """Return what is there of ``names`` (or of every recipe) and what they need; builds and tests nothing.

        The state is ``reused`` with the output and the engines that passed, or ``missing``.
        """
        self._recipes = load_recipes(self.project.recipes, patches=self.project.patches, names=names or None)
        outputs: dict[str, Output] = {}
        outcomes = []
        for name in dependency_order(self._recipes):
            recipe = self._recipes[name]
            outcomes.append(outcome := Outcome(name=name, state="missing"))
            if any(need not in outputs for need in recipe.requirements.host):
                continue
            if found := self.existing(self.key(recipe, options.profile, outputs)):
                outcome.state, outputs[name] = "reused", found[0]
                outcome.output = found[0]
                outcome.engines = self.tested(recipe, outputs, options.engines)
        return outcomes

    def _tasks(self, options: Options, cores: int) -> list[Task]:
        """Return two tasks for each package, ``build NAME`` and ``test NAME``, the second if there are tests to run.

        What is compiled against a package does not wait for that package's tests.
        """
        tasks = []
        for name, recipe in self._recipes.items():
            needs = tuple(f"build {need}" for need in required_recipes(recipe, self._recipes))
            latest = self.latest(name, options.profile) or {}
            seconds = latest.get("output", {}).get("seconds", _UNKNOWN_SECONDS)
            memory = latest.get("peak_kib", _UNKNOWN_PEAK_KIB) * 1024 * cores
            tasks.append(Task(name=f"build {name}", needs=needs, seconds=seconds, memory=memory))
            if options.test and recipe.tests and recipe.build.type != "static_library":
                closure = tuple(f"build {need}" for need in _run_closure(name, self._recipes))
                tasks.append(Task(name=f"test {name}", needs=closure, seconds=_TEST_SECONDS, memory=_TEST_MEMORY))
        return tasks

    def step(self, task: str, given: Mapping[str, Outcome], options: Options) -> Outcome:
        """Do one task of a run: ``build NAME`` or ``test NAME``, given what the tasks before it came out as.

        What goes in and comes out can be sent to another process. A failure is in the outcome; of what is not a
        user's to mend, the exception is raised.
        """
        what, _, name = task.partition(" ")
        recipe = self._recipes[name]
        outputs = {outcome.name: outcome.output for outcome in given.values() if outcome.output is not None}
        if what == "test":
            before = given[f"build {name}"]
            outcome = replace(before, phases=dict(before.phases), engines=dict(before.engines))
        else:
            outcome = Outcome(name=name, state="failed")
        try:
            if what == "test":
                self.test(recipe, outputs, options, outcome)
            else:
                self._build_or_reuse(recipe, options, outputs, outcome)
        except (EmwheelsError, OSError) as error:
            outcome.state, outcome.error = "failed", of_os_error(error) if isinstance(error, OSError) else error
            if not self._stopping.is_set():
                hint = f"\n  {outcome.error.hint}" if outcome.error.hint else ""
                self.board.say(name, f"failed: {outcome.error.message}{hint}")
        return outcome

    def _build_or_reuse(
        self, recipe: Recipe, options: Options, outputs: Mapping[str, Output], outcome: Outcome
    ) -> None:
        key = self.key(recipe, options.profile, outputs)
        found = None if options.rebuild else self.existing(key)
        if found is None:
            with self._alone(recipe.name, key):
                # Another run may have built it while this one waited.
                found = None if options.rebuild else self.existing(key)
                if found is None:
                    latest = self.latest(recipe.name, options.profile)
                    why = explain(key, latest["inputs"] if latest else None)
                    why = ["asked to build it again"] if options.rebuild else why
                    self.board.say(recipe.name, f"to build: {'; '.join(why)}")
                    outcome.output = self.build(recipe, key, options, outputs, outcome)
                    outcome.state = "built"
                    return
        outcome.output, where = found
        outcome.state, outcome.why = "reused", _REUSED[where]

    def _ended(self, task: str, result: Result[Outcome], options: Options, outcomes: dict[str, Outcome]) -> None:
        """Note what came of a task; publish a package whose last task it was."""
        what, _, name = task.partition(" ")
        if result.error is not None:
            raise result.error
        if result.value is not None:
            outcomes[name] = result.value
        elif result.state is State.BLOCKED and what == "build":
            at_fault = sorted({cause.partition(" ")[2] for cause in result.blocked_by})
            outcomes[name] = Outcome(name=name, state="blocked", why=f"needs {', '.join(at_fault)}")
        recipe, output = self._recipes[name], outcomes[name].output
        tested = what == "test" or not (options.test and recipe.tests)
        if result.state is State.DONE and tested and output is not None and output.kind == "wheels":
            self.store.add_root(self.dist(options.profile).resolve() / "wheels")
            if not self.store.has(output.kind, output.sha256):  # built on another machine
                self.builds.get(output.key)
            # Its bytes were verified, or written, a moment ago; the index hashes them again.
            wheel = self.store.get(output.kind, output.sha256, verify=False)
            index.publish(self.dist(options.profile), wheel, output.filename, release=self.release)

    @contextmanager
    def _alone(self, name: str, key: BuildKey) -> Iterator[None]:
        """Let no other thread or process build the same key until the block ends."""
        folder = self.project.cache / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"build-{key.digest[:32]}.lock")
        said = False
        while True:
            if self._stopping.is_set():
                raise StoppedError
            try:
                lock.acquire(timeout=0.5)
                break
            except Timeout:
                if not said:
                    self.board.say(name, "another run is building this; waiting for it")
                    said = True
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _timed(self, outcome: Outcome, phase: str) -> Iterator[None]:
        if self._stopping.is_set():
            raise StoppedError
        started = time.monotonic()
        with self.board.phase(outcome.name, phase):
            yield
        outcome.phases[phase] = round(time.monotonic() - started, 3)

    @contextmanager
    def _work(self, name: str) -> Iterator[Path]:
        """Give a build a folder of its own; its name tells which process it belongs to."""
        work = self.project.cache / "work" / f"{name}-{os.getpid()}"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        try:
            yield work
        finally:
            debian.remove_tree(work)


_REUSED = {"store": "nothing that can change the output has changed", "remote": "from the remote store"}
_CHANGES_EVERY_OBJECT = ("format", "recipe/", "extras/", "target/", "profile/", "image", "toolchain", "cross-build")
"""Inputs of a key after whose change ccache may rightly have no object."""

_UNKNOWN_SECONDS = 60.0
_UNKNOWN_PEAK_KIB = 1 << 20
"""What is assumed of a package that was never built: the memory of one compiler that works hard."""
_TEST_SECONDS = 30.0
_TEST_MEMORY = 1 << 30
_NOT_TESTS = {"meta.yaml", "requirements.build.txt", "requirements.upstream.txt", "upstream.yaml"}


def remove_stale_work(folder: Path) -> None:
    """Remove the folders of builds whose process is gone."""
    for path in folder.glob("*-*"):
        match = re.fullmatch(r".*-(\d+)", path.name)
        if match and not Path(f"/proc/{match[1]}").exists():
            debian.remove_tree(path)


def _project_name(wheel: Path) -> str:
    return parse_wheel_filename(wheel.name)[0]


def _latest_key(name: str, target: str, profile: str) -> str:
    return hashlib.sha256(f"{name}\n{target}\n{profile}".encode()).hexdigest()


def latest_build(store: Store, name: str, target: str, profile: str) -> dict[str, Any] | None:
    """Return the record of the last build of ``name``: ``output``, ``inputs``, ``log``, ``audit``, ``peak_kib``."""
    return store.get_record("latest", _latest_key(name, target, profile))


def _run_closure(name: str, recipes: Mapping[str, Recipe]) -> list[str]:
    """Return ``name`` and every recipe it needs at run time."""
    found: list[str] = []
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current not in found and current in recipes:
            found.append(current)
            waiting += recipes[current].requirements.run
    return found


def _first_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    marked = [line for line in lines if line.startswith("E ")]
    if len(marked) > 1 and marked[0].removeprefix("E").lstrip().startswith("File "):  # a syntax error: where, then what
        marked = [f"{marked[0].strip()}: {marked[-1].removeprefix('E').strip()}"]
    return (marked or lines or [""])[0].strip()[:200]
