"""``emwheels build .``: projects without a recipe, built, tested and audited for each target that is asked for."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import parse_wheel_filename

from emwheels.author.edit import Edit
from emwheels.author.new_build import change
from emwheels.author.new_needs import COMPILED, MISSING, RECIPE, find_needs
from emwheels.author.new_tests import read_contents
from emwheels.author.own_place import OwnPlace, link_recipes, make_place
from emwheels.author.own_recipe import late_needs, read_table
from emwheels.author.own_source import OwnSource, Said, place_of, requirements_in, resolve
from emwheels.checkout import Checkout
from emwheels.cli.new_recipe import ConfiguredIndex
from emwheels.cli.opening import DOCUMENTED_PROFILE, limits_given, open_builds
from emwheels.cli.own_report import OwnRow, print_rows, summary, write_summary
from emwheels.errors import AuditError, EmwheelsError, FetchError, RecipeError, UsageError
from emwheels.harness.engines import ENGINES
from emwheels.pipeline.environment import Environment
from emwheels.pipeline.model import Options
from emwheels.pipeline.preflight import check_faults, with_locks
from emwheels.pipeline.run import make_run, run_packages
from emwheels.progress import Board
from emwheels.recipe.load import load_recipe, recipe_folders
from emwheels.recipe.overrides import Aim
from emwheels.recipe.source_tree import changed_submodules

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence
    from typing import Any

    from emwheels.author.own_settings import OwnSettings
    from emwheels.pipeline.model import Outcome
    from emwheels.target import Targets

WHEELHOUSE = "wheelhouse"
"""Where the wheels go: cibuildwheel's users look for them there."""


def run_own(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Build what was asked for, for each target; print what came of it and return the status of the first failure."""
    _check(arguments)
    arguments.names = [_expanded(name) for name in arguments.names]
    _hide(project.cache, [Path(name).expanduser() for name in arguments.names])
    settings = _settings(arguments, targets)
    names = _names(arguments, settings, targets)
    rows: list[OwnRow] = []
    for target in names:
        rows += _Target(arguments, project, targets, target, settings).run()
    print_rows(rows, as_json=arguments.json)
    if arguments.summary:
        write_summary(arguments.summary, summary(rows))
    return next((row.status for row in rows if row.status), 0)


def _check(arguments: argparse.Namespace) -> None:
    if arguments.all or arguments.scheduler or getattr(arguments, "start", None):
        raise UsageError("--all, --scheduler and --from are for recipes, and this is a project without one")

    folder = arguments.output_dir
    if folder is not None and folder.exists() and not folder.is_dir():
        raise UsageError(f"-o {folder} is no folder", hint="name a folder, which may be a new one")


def _expanded(name: str) -> str:
    """Return a name with the home folder that ``~`` means. Raises `UsageError` if there is no such user."""
    try:
        return str(Path(name).expanduser()) if name.startswith("~") else name
    except RuntimeError as error:
        raise UsageError(f"{name}: there is no home folder of that user", hint="write the path in full") from error


def _hide(cache: Path, folders: Sequence[Path]) -> None:
    """Have git pass over a cache that lies in a project, as on a CI service: it is no source."""
    if any(cache.is_relative_to(folder.resolve()) for folder in folders if folder.is_dir()):
        cache.mkdir(parents=True, exist_ok=True)
        (cache / ".gitignore").write_text("*\n", encoding="utf-8")


def _settings(arguments: argparse.Namespace, targets: Targets) -> OwnSettings | None:
    """Return what the only project that was asked for says for all targets; None for several, and for an archive."""
    folders = [Path(name).expanduser() for name in arguments.names if Path(name).expanduser().is_dir()]
    if len(folders) != 1 or len(arguments.names) > 1:
        return None
    return read_table(folders[0], str(folders[0]), Aim(abis=targets.abis), strict=True).common


def _names(arguments: argparse.Namespace, settings: OwnSettings | None, targets: Targets) -> list[str]:
    """Return the targets: those of the command line, else of pyproject.toml, else the default. Raises `UsageError`."""
    given = [name.strip() for name in (arguments.target or "").split(",") if name.strip()]
    given = given or list(settings.texts("targets") if settings else ())
    return [*dict.fromkeys(targets.get(name).name for name in given)] or [targets.get(None).name]


class _Target:
    """The run for one target."""

    def __init__(
        self,
        arguments: argparse.Namespace,
        base: Checkout,
        targets: Targets,
        target: str,
        settings: OwnSettings | None,
    ) -> None:
        self._arguments = arguments
        self._base = base
        asked = [*arguments.names, *map(str, arguments.requirements or ())]
        absolute = [str(Path(each).expanduser().absolute()) if Path(each).exists() else each for each in asked]
        place = Checkout(root=base.cache / "own" / place_of(absolute) / target, cache=base.cache)
        make_place(place.root, base.targets_file.read_bytes())
        self._environment = Environment(
            place,
            targets,
            targets.get(target),
            board=Board(),
            offline=arguments.offline,
            toolchain_name=arguments.toolchain,
        )
        self._registry = None if arguments.offline else ConfiguredIndex(self._environment)
        self._options = self._read_options(settings)
        self._rows: dict[str, OwnRow] = {}
        """By name, and by what was asked for where there is no name yet."""
        self._sources: dict[str, OwnSource] = {}
        self._recipes: list[str] = []
        """Recipes that a list of requirements names."""

    def run(self) -> list[OwnRow]:
        """Do everything, and return a row for each package."""
        environment, base = self._environment, self._base
        place = OwnPlace(environment.project.root, environment.target, environment.aim, self._registry)
        link_recipes(environment.project.root, base.shelves)
        needed = [need for source in self._asked() for need in self._add(source, place)]
        for needing, name, version in needed:
            if name not in self._sources:
                self._fail(needing, _compiled(needing, name, version))
        built = [name for name in self._sources if not self._rows[name].status] + self._recipes
        try:
            outcomes = self._built(built, place) if built else []
        except EmwheelsError as error:
            for name in built:
                self._fail(name, error)
            return list(self._rows.values())
        for outcome in outcomes:
            self._take(outcome)
        return list(self._rows.values())

    def _read_options(self, settings: OwnSettings | None) -> Options:
        arguments, only_test = self._arguments, self._arguments.verb == "test"
        word = getattr(arguments, "k", None)
        said = settings.texts("engines") if settings else ()
        if unknown := [name for name in said if name not in ENGINES]:
            raise UsageError(f"tool.emwheels.engines: there is no {unknown[0]}", hint=f"engines: {', '.join(ENGINES)}")
        return Options(
            profile=arguments.profile or (settings.text("profile") if settings else "") or DOCUMENTED_PROFILE,
            engines=tuple(arguments.engine or said or ENGINES),
            test=only_test or not arguments.no_test,
            rebuild=not only_test and arguments.force,
            retest=only_test or arguments.force,
            test_seconds=arguments.test_seconds,
            ends_in_a_row=arguments.ends_in_a_row,
            arguments=(*(("-k", word) if word is not None else ()), *getattr(arguments, "rest", ())),
            publish=False,
            ccache=only_test or not arguments.no_ccache,
            share_cache=self._is_of_the_user(),  # one changed file compiles one file
            limits={} if only_test else limits_given(arguments),
            jobs=0 if only_test else arguments.jobs,
            fail_fast=not only_test and arguments.fail_fast,
        )

    def _is_of_the_user(self) -> bool:
        """Tell whether all that is asked for is folders: objects of a stranger's archive are kept by themselves."""
        names = self._arguments.names
        return not self._arguments.requirements and all(Path(name).expanduser().is_dir() for name in names)

    def _asked(self) -> list[OwnSource]:
        """Return the projects to build; of what needs none, a row says so."""
        found = [self._resolved(name) for name in self._arguments.names]
        if self._arguments.requirements:
            found += self._of_lists(self._arguments.requirements)
        return [source for source in found if source is not None]

    def _resolved(self, text: str) -> OwnSource | None:
        environment = self._environment
        source = resolve(text, environment.fetcher, self._registry, environment.target)
        if isinstance(source, OwnSource):
            return source
        self._say(source)
        return None

    def _of_need(self, name: str, version: str) -> OwnSource | None:
        """Return what has to be built of a package that something needs; that it cannot be costs only what needs it."""
        try:
            return self._resolved(f"{name}=={version}")
        except EmwheelsError as error:
            self._fail(name, error)
            return None

    def _say(self, said: Said) -> None:
        status = FetchError.exit_code if said.state == MISSING else 0
        self._rows[said.name] = OwnRow(
            name=said.name,
            target=self._environment.target.name,
            version=said.version,
            state=said.state,
            why=said.why,
            status=status,
        )

    def _of_lists(self, files: Sequence[Path]) -> list[OwnSource | None]:
        """Return what lists of requirements have to be built for, with all that they need; say what the rest is."""
        if self._registry is None:
            raise UsageError("-r asks your index, and this is offline", hint="run it without --offline")
        wanted, others = requirements_in(files)
        for line in others:
            self._environment.board.say("requirements", f"left out: {line}")
        known = recipe_folders(self._base.shelves)
        found: list[OwnSource | None] = []
        with self._environment.board.phase("requirements", "look up what they need"):
            needs = find_needs("requirements", wanted, self._registry, self._environment.target, known)
        for need in needs:
            chain = " needs ".join(need.chain[1:])
            if need.state == RECIPE:
                self._recipes.append(need.name)
            elif need.state == COMPILED:
                found.append(self._of_need(need.name, need.version))
            else:
                why = _WHY[need.state] + (f"; {chain} needs it" if chain else "")
                self._say(Said(name=need.name, version=need.version, state=need.state, why=why))
        return found

    def _add(self, source: OwnSource, place: OwnPlace) -> list[tuple[str, str, str]]:
        """Make the recipe for a project; return what it needs that is compiled and has neither recipe nor wheel.

        For a list of requirements that is made, too.
        """
        waiting, lacking = [source], []
        while waiting:
            each = waiting.pop(0)
            try:
                with self._environment.board.phase(each.label, "look"):
                    known = place.add(each, lock_anew=bool(getattr(self._arguments, "lock", False)))
            except EmwheelsError as error:
                self._fail(each.folder.resolve().name if each.folder else each.label, error)
                continue
            self._tell(each, known)
            self._sources[known["name"]] = each
            for name, version in known["first"]:
                more = (
                    self._of_need(name, version) if self._arguments.requirements and name not in self._sources else None
                )
                waiting += [more] if more else []
                lacking += [] if more else [(known["name"], name, version)]
        return lacking

    def _tell(self, source: OwnSource, known: Mapping[str, Any]) -> None:
        board, name = self._environment.board, known["name"]
        for note in known["notes"]:
            board.say(name, note)
        for submodule in changed_submodules(source.folder) if source.folder else ():
            board.say(name, f"the submodule {submodule} is not as the repository records it; what lies there is built")
        self._rows[name] = OwnRow(
            name=name,
            target=self._environment.target.name,
            version=known["version"],
            pure=known["pure"],
        )

    def _fail(self, name: str, error: EmwheelsError) -> None:
        row = self._rows.setdefault(name, OwnRow(name=name, target=self._environment.target.name))
        row.state, row.why, row.hint, row.status = "failed", error.message, error.hint, error.exit_code
        self._environment.board.say(name, f"failed: {error.message}\n  {error.hint}".rstrip())

    def _built(self, names: Sequence[str], place: OwnPlace) -> list[Outcome]:
        """Lock, build, note what only the wheels tell, and test."""
        outcomes = self._pass(names, place, replace(self._options, test=False))
        again = [each.name for each in outcomes if self._is_misjudged(each, place)]
        if again:
            outcomes = self._pass(names, place, replace(self._options, test=False))
        self._settle(outcomes)
        first = {each.name: each for each in outcomes}
        good = [name for name in names if name in first and first[name].error is None and first[name].output]
        if not self._options.test or not good:
            return outcomes
        tested = self._pass(good, place, replace(self._options, rebuild=False))
        for outcome in tested:
            before = first.get(outcome.name)
            if before is not None and before.state == "built" and outcome.output is not None:
                outcome.state, outcome.why = outcome.state if outcome.error else "built", before.why
                outcome.phases = before.phases | outcome.phases
                outcome.ccache = before.ccache
        done = {each.name for each in tested}
        return [*(each for each in outcomes if each.name not in done), *tested]

    def _pass(self, names: Sequence[str], place: OwnPlace, options: Options) -> list[Outcome]:
        environment = self._environment
        run = make_run(environment, names, options, builds=open_builds(self._arguments, environment))
        try:
            run = with_locks(run, locked=self._arguments.locked)
        except RecipeError as error:
            if self._arguments.locked:
                error.hint = "make emwheels.lock and commit it: emwheels build . --lock"
            raise
        check_faults(run)
        for name, source in self._sources.items():
            if place.keep_locks(source, name, make=bool(getattr(self._arguments, "lock", False))):
                environment.board.say(name, f"wrote emwheels.lock in {source.label}; commit it")
        return run_packages(run)

    def _is_misjudged(self, outcome: Outcome, place: OwnPlace) -> bool:
        """Correct the version of a recipe whose wheel has another, which no file said; tell whether that was so."""
        if outcome.name not in self._sources or not isinstance(outcome.error, AuditError):
            return False
        rejected = self._environment.logs / outcome.name / "rejected"
        newest = max(rejected.glob("*.whl"), key=lambda path: path.stat().st_mtime, default=None)
        recipe = self._recipe(outcome.name)
        if newest is None or (version := str(parse_wheel_filename(newest.name)[1])) == recipe.version:
            return False
        self._environment.board.say(outcome.name, f"its version is {version}")
        place.correct(self._sources[outcome.name], version)
        return True

    def _settle(self, outcomes: Sequence[Outcome]) -> None:
        """Have in recipes what only the built wheels say: modules, and requirements that no file names."""
        for outcome in outcomes:
            output = outcome.output
            if outcome.name not in self._sources or output is None or output.kind != "wheels":
                continue
            recipe = self._recipe(outcome.name)
            contents = read_contents(self._environment.named_wheel(output))
            more = late_needs(contents.about, recipe, self._environment.target)
            edits = [Edit(key="requirements.run", value=name, adds=True) for name in more]
            modules = list(dict.fromkeys([*contents.top_level, *contents.extensions]))
            if modules != list(recipe.test.imports):
                edits.append(Edit(key="test.imports", value=modules))
            if edits:
                change(recipe.folder, edits)

    def _recipe(self, name: str) -> Any:
        project = self._environment.project
        return load_recipe(project.recipes / name, patches=project.patches)

    def _take(self, outcome: Outcome) -> None:
        """Note what came of a package, and lay its wheel into the wheelhouse, if it was asked for and passed."""
        row = self._rows.setdefault(
            outcome.name, OwnRow(name=outcome.name, target=self._environment.target.name, needed=True)
        )
        row.take(outcome)
        output = outcome.output
        if output is not None and output.kind == "wheels":
            row.version = str(parse_wheel_filename(output.filename)[1])
        wanted = outcome.name in self._sources or bool(self._arguments.requirements)
        if outcome.error is not None or output is None or output.kind != "wheels" or not wanted:
            return
        folder = self._arguments.output_dir or Path(WHEELHOUSE)
        new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        if new:
            (folder / ".gitignore").write_text("*\n", encoding="utf-8")
        row.wheel = str(folder / output.filename)
        shutil.copyfile(self._environment.named_wheel(output), row.wheel)


def _compiled(needing: str, name: str, version: str) -> RecipeError:
    return RecipeError(
        f"{needing} needs {name}, which is compiled and has neither a recipe here nor a wheel for this Pyodide",
        hint=f"give a checkout with its recipe by --project, or build both: emwheels build . {name}=={version}",
    )


_WHY = {
    "pure": "pure Python: micropip installs it as it is",
    "published": "upstream publishes a wheel for this Pyodide",
    "missing": "no index has it",
}
