"""``emwheels lint``: what is wrong with recipes, before anything is built."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from emwheels.author.lint import RULES, LintOptions, lint, mend
from emwheels.author.lint.testing import ruff_program
from emwheels.author.wheels import top_level
from emwheels.cli.opening import DOCUMENTED_PROFILE
from emwheels.errors import RecipeError, StoreError, UsageError, visible
from emwheels.outputs.builds import Output
from emwheels.outputs.latest import latest_build
from emwheels.recipe.load import find_recipe, recipe_folders
from emwheels.store import Store

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from emwheels.author.lint import Remark
    from emwheels.checkout import Checkout
    from emwheels.target import Targets

_EXAMPLES = """examples:
  emwheels lint                       every recipe, its patches, locks and tests
  emwheels lint numpy scipy           these
  emwheels lint --changed             recipes that differ from the last commit
  emwheels lint --fix                 mend what is mechanical; comments stay
  emwheels lint --rules               the rules: what, why, and what to do
  emwheels lint --json | jq -r '.[] | "\\(.file):\\(.line): \\(.message)"'

To accept a fault, say why under extra.emwheels.lint of its meta.yaml: [{rule: about, reason: it has no home page}]

exit status: 0 nothing to mend, 3 something is left
"""
_SECONDS = 60


def add_lint(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser."""
    parser = verbs.add_parser(
        "lint",
        parents=[common],
        help="what is wrong with recipes, with file, line and what to do",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="a recipe (default: every one)")
    parser.add_argument("--changed", action="store_true", help="only recipes that differ from git's last commit")
    parser.add_argument("--since", metavar="REVISION", help="only recipes that differ from this revision of git")
    parser.add_argument("--fix", action="store_true", help="mend what is mechanical, and say what")
    parser.add_argument("--rules", action="store_true", help="list the rules")


def run_lint(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Look, mend if asked to, print, and return the exit status."""
    if arguments.rules:
        _print_rules(as_json=arguments.json)
        return 0
    options = LintOptions(
        recipes=project.recipes,
        patches=project.patches,
        others=project.shelves[1:],
        names=_names(arguments, project),
        modules=_modules(project, targets.get(arguments.target).name),
        ruff=ruff_program(),
    )
    mended = mend(options) if arguments.fix else []
    left = lint(options)
    if arguments.json:
        print(
            json.dumps([_plain(remark, project) | {"mended": remark in mended} for remark in mended + left], indent=1)
        )
    else:
        for remark in mended:
            print(f"{_line(remark, project)} (mended)")
        for remark in left:
            print(_line(remark, project))
        _print_summary(mended, left)
    return RecipeError.exit_code if left else 0


def _names(arguments: argparse.Namespace, project: Checkout) -> Collection[str] | None:
    revision = arguments.since or ("HEAD" if arguments.changed else "")
    if not revision:
        return _named(arguments, project)
    if arguments.names:
        raise UsageError("give names, or --changed or --since, not both")
    if revision.startswith("-"):
        raise UsageError(f"{revision} is no revision", hint="such as --since main")
    changed = {Path(name).parts[1] for name in _changed(project.root, revision) if len(Path(name).parts) > 2}
    return {canonicalize_name(name) for name in changed} & recipe_folders(project.recipes).keys()


def _named(arguments: argparse.Namespace, project: Checkout) -> Collection[str] | None:
    if arguments.fix:
        folders = recipe_folders(project.shelves)
        for name in arguments.names:
            project.check_own(find_recipe(name, folders, project.shelves), "lint --fix")
    return arguments.names or None


def _changed(root: Path, revision: str) -> list[str]:
    """Return the files of recipes and patches that differ from ``revision`` or that git does not know."""
    below = ["--", "recipes", "patches"]
    differing = _git(root, "diff", "--name-only", "--relative", "--no-ext-diff", "-z", revision, *below)
    return differing + _git(root, "ls-files", "--others", "--exclude-standard", "-z", *below)


def _git(root: Path, *arguments: str) -> list[str]:
    git = shutil.which("git")
    if git is None:
        raise UsageError("git is not installed, so nothing says what changed", hint="give the names of recipes")
    done = subprocess.run(
        [git, "-C", str(root), *arguments], capture_output=True, text=True, check=False, timeout=_SECONDS
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise UsageError(f"git cannot say what changed in {root}: {visible(said)}", hint="give the names of recipes")
    return [name for name in done.stdout.split("\0") if name]


def _modules(project: Checkout, target: str) -> dict[str, frozenset[str]]:
    """Return what users can import of each recipe's last wheel, where that is in the cache."""
    store = Store(project.cache / "store")
    found = {}
    for name in recipe_folders(project.shelves):
        record = latest_build(store, name, target, DOCUMENTED_PROFILE)
        if record is None:
            continue
        try:
            output = Output.of(record)
            names = top_level(store.get(output.kind, output.sha256)) if output.kind == "wheels" else None
        except (KeyError, TypeError, StoreError, OSError):  # it is made again when it is needed
            continue
        if names is not None:
            found[name] = names
    return found


def _plain(remark: Remark, project: Checkout) -> dict[str, Any]:
    return {
        "rule": remark.rule,
        "recipe": remark.recipe,
        "file": _relative(remark.file, project),
        "line": remark.line,
        "column": remark.column or None,
        "message": remark.message,
        "advice": RULES[remark.rule].mend,
        "mendable": remark.mend is not None,
    }


def _line(remark: Remark, project: Checkout) -> str:
    place = f"{_relative(remark.file, project)}:{remark.line}"
    return f"{place}:{remark.column or 1}: {remark.rule}: {remark.message}"


def _relative(file: Path, project: Checkout) -> str:
    return (file.relative_to(project.root) if file.is_relative_to(project.root) else file).as_posix()


def _print_summary(mended: Sequence[Remark], left: Sequence[Remark]) -> None:
    for rule in sorted({remark.rule for remark in left}):
        print(f"  {rule}: {RULES[rule].why}; {RULES[rule].mend}")
    done = f"{len(mended)} mended, " if mended else ""
    mendable = sum(remark.mend is not None for remark in left)
    rest = f", {mendable} of them by --fix" if mendable else ""
    print(f"{done}{len(left)} left{rest}" if left else f"{done}nothing to mend")


def _print_rules(*, as_json: bool) -> None:
    if as_json:
        rows = [
            {"rule": name, "what": rule.what, "why": rule.why, "mend": rule.mend, "fix": rule.mends}
            for name, rule in RULES.items()
        ]
        print(json.dumps(rows, indent=1))
        return
    for name, rule in RULES.items():
        print(f"{name}{'  (--fix)' if rule.mends else ''}\n  {rule.what}\n  why: {rule.why}\n  do: {rule.mend}\n")
