"""``emwheels recipe``: what the project knows of one recipe, what needs what, and the schema of meta.yaml."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from emwheels.author.copying import copy_recipe
from emwheels.author.own_settings import own_schema
from emwheels.author.relations import dot, needed, needing, relations, write_graph
from emwheels.author.schema import recipe_schema
from emwheels.author.wheels import unpacked
from emwheels.cli.opening import DOCUMENTED_PROFILE, add_profile, local_path
from emwheels.errors import UsageError
from emwheels.outputs.builds import Output
from emwheels.outputs.latest import latest_build
from emwheels.plan.key import build_key, explain
from emwheels.progress import print_table
from emwheels.recipe.load import find_recipe, load_recipes, recipe_folders
from emwheels.status.picture import size_text, time_text
from emwheels.store import Store, StoreError
from emwheels.upstream import SUITE_FILE, read_result

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from emwheels.checkout import Checkout
    from emwheels.recipe.model import Recipe
    from emwheels.target import Target, Targets

_EXAMPLES = """examples:
  emwheels recipe show scipy                          source, patches, requirements, tests, last build on one screen
  emwheels recipe show scipy --json | jq .build.size
  emwheels recipe graph scipy                         what it needs, a line each
  emwheels recipe graph --output recipes.svg          all of them as a picture; .dot writes Graphviz's text
  emwheels recipe copy scipy                          take over a standard recipe, to change it
  emwheels recipe schema > meta.schema.json           for your editor and for check-jsonschema
  emwheels recipe schema --pyproject                  of [tool.emwheels], for projects without a recipe
"""
_FIRST_LINE_BYTES = 4096
_LARGEST_MEMBERS = 3


def add_recipe(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser."""
    parser = verbs.add_parser(
        "recipe",
        help="show a recipe, take one over, draw what needs what, print the schema of meta.yaml",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    show = actions.add_parser("show", parents=[common], help="everything that is known of a recipe")
    show.add_argument("name", metavar="NAME", help="a recipe")
    add_profile(show, f"the build that is shown (default: {DOCUMENTED_PROFILE})")
    graph = actions.add_parser("graph", parents=[common], help="what recipes need")
    graph.add_argument("names", nargs="*", metavar="NAME", help="a recipe; it and all that it needs (default: all)")
    graph.add_argument("--output", type=local_path, metavar="FILE", help="write a picture (.svg) or text (.dot)")
    graph.add_argument("--dot", action="store_true", help="print the graph in Graphviz's language")
    copied = actions.add_parser("copy", parents=[common], help="make a recipe of another folder your project's own")
    copied.add_argument("name", metavar="NAME", help="a standard recipe, or one of a further folder")
    schema = actions.add_parser("schema", parents=[common], help="print a JSON Schema of meta.yaml")
    schema.add_argument(
        "--pyproject", action="store_true", help="of the table tool.emwheels of a pyproject.toml instead"
    )


def run_recipe(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Do what the command line asks for and return the exit status."""
    match arguments.action:
        case "schema":
            print(json.dumps(own_schema() if arguments.pyproject else recipe_schema(), indent=1))
        case "copy":
            _copy(arguments, project)
        case "graph":
            _graph(arguments, load_recipes(project.shelves), project)
        case _:
            recipes = load_recipes(project.shelves)
            recipe = _named(arguments.name, recipes, project)
            facts = _facts(recipe, recipes, project, targets.get(arguments.target), arguments.profile)
            if arguments.json:
                print(json.dumps(facts, indent=1))
            else:
                _print_facts(facts)
    return 0


def _named(name: str, recipes: Mapping[str, Recipe], project: Checkout) -> Recipe:
    """Return the recipe of that name; also one that is not ready, which is loaded only if it is named."""
    if canonicalize_name(name) in recipes:
        return recipes[canonicalize_name(name)]
    found = load_recipes(project.shelves, names=[name])
    return find_recipe(name, found, project.shelves)


def _copy(arguments: argparse.Namespace, project: Checkout) -> None:
    """Copy a recipe and its patches into the project, and print the folders."""
    folder = find_recipe(arguments.name, recipe_folders(project.shelves), project.shelves)
    if project.is_own(folder):
        raise UsageError(f"{folder} is the project's own already", hint="edit it")
    written = [_relative(each, project) for each in copy_recipe(folder, project.recipes, project.patches)]
    print(json.dumps(written) if arguments.json else "\n".join(written))


# graph


def _graph(arguments: argparse.Namespace, recipes: Mapping[str, Recipe], project: Checkout) -> None:
    output: Path | None = arguments.output
    if output is not None and output.suffix not in (".svg", ".dot"):
        raise UsageError(f"--output {output}: the name must end in .svg or .dot")
    chosen = [find_recipe(name, recipes, project.shelves).name for name in arguments.names]
    graph = relations(chosen or recipes, recipes)
    if output is not None:
        write_graph(graph, output)
        print(f"{output}: {len(graph.titles)} packages, {len(graph.needs)} arrows")
    elif arguments.dot:
        print(dot(graph), end="")
    elif arguments.json:
        nodes = [{"name": name, "recipe": name not in graph.foreign} for name in graph.titles]
        edges = [{"from": need.name, "to": need.other, "kind": need.kind} for need in graph.needs]
        print(json.dumps({"packages": nodes, "needs": edges}, indent=1))
    else:
        rows = [
            (name, *(" ".join(need.other for need in graph.needs if (need.name, need.kind) == (name, kind))
             for kind in ("host", "run")))
            for name in graph.titles if name not in graph.foreign
        ]  # fmt: skip
        print_table(("package", "compiled against", "needs at run time"), rows)


# show


def _facts(
    recipe: Recipe, recipes: Mapping[str, Recipe], project: Checkout, target: Target, profile: str
) -> dict[str, Any]:
    requirements = recipe.requirements
    return {
        "name": recipe.name,
        "version": recipe.version,
        "type": recipe.build.type,
        "disabled": recipe.package.disabled,
        "summary": recipe.about.summary,
        "home": recipe.about.home,
        "license": recipe.about.license,
        "folder": _relative(recipe.folder, project),
        "source": {"url": recipe.source.address, "path": recipe.source.path, "sha256": recipe.source.sha256},
        "patches": [{"file": _relative(patch, project), "title": _first_line(patch)} for patch in recipe.patches],
        "requirements": {
            "host": list(requirements.host),
            "run": list(requirements.run),
            "build-extras": list(requirements.build_extras),
            "constraint": list(requirements.constraint),
            "executable": list(requirements.executable),
        },
        "needs": needed([recipe.name], recipes),
        "needed by": needing([recipe.name], recipes),
        "tests": [file.name for file in recipe.tests],
        "upstream suite": (recipe.folder / SUITE_FILE).is_file(),
        "upstream result": _upstream(project.root / "docs" / "upstream-tests" / f"{recipe.name}.json"),
        "build": _last_build(recipe, Store(project.cache / "store"), target, profile),
    }


def _relative(path: Path, project: Checkout) -> str:
    return (path.relative_to(project.root) if path.is_relative_to(project.root) else path).as_posix()


def _first_line(patch: Path) -> str:
    with patch.open("rb") as file:
        lines = file.read(_FIRST_LINE_BYTES).decode("utf-8", "replace").splitlines()
    return next((line.strip() for line in lines if line.strip()), "")


def _upstream(file: Path) -> dict[str, Any] | None:
    if not file.is_file():
        return None
    result = read_result(file)
    kept = ("version", "target", "engine", "date", "passed", "failed", "skipped")
    return {name: getattr(result, name) for name in kept}


def _last_build(recipe: Recipe, store: Store, target: Target, profile: str) -> dict[str, Any] | None:
    """Return what is known of the last build, and what changed in the recipe since; None if there was none."""
    record = latest_build(store, recipe.name, target.name, profile)
    if record is None:
        return None
    try:
        output = Output.of(record)
        key = build_key(
            recipe,
            target,
            profile=profile,
            image_digest=record["inputs"]["image"],
            toolchain=record["inputs"]["toolchain"],
            toolchain_key=record["inputs"]["cross-build environment"],
            dependencies=record["inputs"]["dependencies"],
        )
    except (KeyError, TypeError):  # of an earlier version of this program
        return None
    same = key.digest == output.key
    return {
        "target": target.name,
        "profile": profile,
        "key": output.key,
        "file": output.filename,
        "size": output.size,
        "seconds": output.seconds,
        "changed since": [] if same else explain(key, record["inputs"]),
        "unpacked": _unpacked(output, store),
    }


def _unpacked(output: Output, store: Store) -> dict[str, Any] | None:
    """Return the size of a wheel's content and its largest files; None for a library, and for one that is gone."""
    if output.kind != "wheels":
        return None
    try:
        files = unpacked(store.get(output.kind, output.sha256))
    except (StoreError, OSError):
        return None
    if files is None:
        return None
    largest = sorted(files, key=lambda file: -file[1])[:_LARGEST_MEMBERS]
    return {
        "size": sum(size for _, size in files),
        "files": len(files),
        "largest": [{"file": name, "size": size} for name, size in largest],
    }


def _print_facts(facts: Mapping[str, Any]) -> None:
    state = " (not ready)" if facts["disabled"] else ""
    print(f"{facts['name']} {facts['version']}{state}: {facts['summary'] or 'no summary'}")
    source, requirements = facts["source"], facts["requirements"]
    rows = [
        ("type", facts["type"]),
        ("home", facts["home"] or ""),
        ("licence", facts["license"] or ""),
        ("source", source["url"] or f"{facts['folder']}/{source['path']}"),
        ("sha256", source["sha256"] or ""),
        *(("patch", f"{patch['file']}: {patch['title']}") for patch in facts["patches"]),
        *((name, ", ".join(values)) for name, values in requirements.items()),
        ("needs in all", ", ".join(facts["needs"])),
        ("needed by", ", ".join(facts["needed by"]) or "nothing"),
        ("tests", ", ".join(facts["tests"]) or "none"),
        ("upstream suite", _upstream_words(facts)),
        *_build_rows(facts["build"]),
    ]
    print_table((), [(f"  {name}", value) for name, value in rows if value])


def _upstream_words(facts: Mapping[str, Any]) -> str:
    result = facts["upstream result"]
    if not facts["upstream suite"]:
        return "none: no upstream.yaml"
    if result is None:
        return "never run"
    counts = f"{result['passed']:,} passed, {result['failed']:,} failed, {result['skipped']:,} skipped"
    return f"{counts} of {result['version']} in {result['engine']}, {result['date']}"


def _build_rows(build: Mapping[str, Any] | None) -> Iterable[tuple[str, str]]:
    if build is None:
        return [("last build", "none on this machine")]
    rows = [
        ("last build", f"{build['file']} for {build['target']}, profile {build['profile']}"),
        ("key", build["key"]),
        ("took", time_text(build["seconds"])),
        ("size", size_text(build["size"])),
        ("changed since", "; ".join(build["changed since"])),
    ]
    if unpacked := build["unpacked"]:
        rows.append(("unpacked", f"{size_text(unpacked['size'])} in {unpacked['files']:,} files"))
        rows += [("", f"{size_text(each['size']):>9}  {each['file']}") for each in unpacked["largest"]]
    return rows
