"""One package: its build key, its build and the audit. Joins the rooms; does no work itself.

The rooms that only a build needs are imported by the functions that build: a run with nothing to do is over before
they would be loaded.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from emwheels.atomic import write_atomically
from emwheels.build.compiler_cache import CompilerCache, Hits
from emwheels.build.cross_packages import CrossPackage, check_native_packages
from emwheels.errors import AuditError, RecipeError, StoppedError
from emwheels.image.removal import remove_tree
from emwheels.image.toolchain import toolchain_key
from emwheels.outputs.builds import Builds, Output
from emwheels.outputs.latest import latest_build, latest_key
from emwheels.pipeline.environment import Environment
from emwheels.plan.key import BuildKey, build_key
from emwheels.recipe.accepted import accepted_findings
from emwheels.recipe.graph import cross_requirements, host_recipes
from emwheels.wheel import REPORT, SBOM

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from emwheels.build.compile import BuildInputs
    from emwheels.checkout import Project
    from emwheels.fetch.fetcher import Fetched
    from emwheels.outputs.remote.model import Remote
    from emwheels.pipeline.model import Options, Outcome
    from emwheels.progress import Board
    from emwheels.recipe.accepted import Accepted
    from emwheels.recipe.model import Recipe
    from emwheels.schedule import (
        JobServer,
    )
    from emwheels.target import Target, Targets


class PackageSteps(Environment):
    """The steps that a package of one project goes through, for one target."""

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
        super().__init__(project, targets, target, board=board, offline=offline, toolchain_name=toolchain_name)
        self.builds = Builds(self.store, remote, push=push, say=lambda text: board.say("store", text))
        self._recipes: dict[str, Recipe] = {}
        self._stopping = threading.Event()
        self._jobserver: JobServer | None = None
        self._to_show: dict[str, Mapping[str, str]] = {}
        """Projects of which the status page has to tell something new, with what came of their tests."""

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
        return latest_build(self.store, name, self.target.name, profile)

    def fault(self, recipe: Recipe) -> str:
        """Return why ``recipe`` cannot be built as it is; empty if nothing is known against it."""
        if recipe.source.url is None:
            return "source.path is not built yet: give source.url and source.sha256"
        if recipe.build.type == "package" and recipe.build_lock is None:
            return f"there is no requirements.build.txt beside it: make it by nox -s lock -- {recipe.name}"
        return ""

    def build(
        self, recipe: Recipe, key: BuildKey, options: Options, outputs: Mapping[str, Output], to: Outcome
    ) -> Output:
        """Build ``recipe``, audit it and keep it in the store."""
        from emwheels.build.compile import build
        from emwheels.wheel import content_of

        profile = options.profile
        accepted = accepted_findings(recipe)
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
                    report = self._audit(recipe, built.file, outputs, options, accepted)
            seen = recipe.build.cross_build_files if recipe.build.cross_build_env else None
            output = Output(
                name=recipe.name,
                kind=kind,
                filename=built.file.name,
                sha256=self.store.put_file(kind, built.file),
                size=built.file.stat().st_size,
                seconds=round(built.seconds, 3),
                key=key.digest,
                content=content_of(built.file, seen) if kind == "wheels" else "",
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
        if recipe.name not in options.aside:
            self.store.add_record("latest", latest_key(recipe.name, self.target.name, profile), record)
        return output

    def inputs(self, recipe: Recipe, key: BuildKey, options: Options, outputs: Mapping[str, Output]) -> BuildInputs:
        """Return all that a build of ``recipe`` reads, fetched if need be."""
        from emwheels.build.compile import BuildInputs

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
        from emwheels.build.provenance import Linked, build_report, sbom
        from emwheels.build.same_bytes import EPOCH

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
        if why := self.fault(recipe):
            raise RecipeError(f"{recipe.folder / 'meta.yaml'}: {why}")
        assert recipe.source.url is not None  # a fault otherwise
        source = self.fetcher.fetch(recipe.source.url, recipe.source.sha256)
        python = self.target.python_minor
        wheels = self.fetcher.fetch_requirements(recipe.build_lock, python=python) if recipe.build_lock else ()
        return source, wheels

    def _audit(
        self,
        recipe: Recipe,
        wheel: Path,
        outputs: Mapping[str, Output],
        options: Options,
        accepted: Sequence[Accepted],
    ) -> dict[str, Any]:
        from emwheels.audit import Runtime, audit_wheel
        from emwheels.image.places import BUILD_PATHS

        report = audit_wheel(
            wheel,
            target=self.target,
            runtime=Runtime.read(self.toolchain.runtime),
            dependencies=[self._wheel_path(outputs[name]) for name in recipe.requirements.run if name in outputs],
            build_paths=BUILD_PATHS,
            accepted_size=None if recipe.name in options.aside else self._accepted_size(recipe.name, options.profile),
            accepted_types=[each.what for each in accepted if each.rule == "split-type"],
        )
        reports = self.dist(options.profile) / "reports" / recipe.name
        write_atomically(reports / f"audit-{self.target.name}.json", report.to_json().encode())
        for finding in report.findings:
            self.board.say(
                recipe.name, f"audit {finding.severity}: {finding.rule}: {finding.member}: {finding.message}"
            )
        if report.errors:
            lines = "\n".join(f"  {item.rule}: {item.member}: {item.message}" for item in report.errors)
            rejected = self.logs / recipe.name / "rejected" / wheel.name
            write_atomically(rejected, wheel.read_bytes())
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
            write_atomically(path, self.store.get(output.kind, output.sha256).read_bytes())
        return path

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
            remove_tree(work)


_CHANGES_EVERY_OBJECT = ("format", "recipe/", "extras/", "target/", "profile/", "image", "toolchain", "cross-build")
"""Inputs of a key after whose change ccache may rightly have no object."""
