"""Reference pages of the documentation site, made from the code itself.

Each function returns one page. Names, types and defaults come from what the code runs on; the words come from the
help of the command, from docstrings and from the tables beside the code.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import os
import textwrap
from dataclasses import MISSING, Field, fields
from typing import TYPE_CHECKING, Any

import rooms_picture
from emwheels import errors
from emwheels.audit.rules import RULES
from emwheels.build.variables import FOR_RECIPES, FOR_RUST, FROM_EMWHEELS
from emwheels.checkout import find_project
from emwheels.cli.main import command_parser
from emwheels.cli.variables import OTHERS, OWN
from emwheels.recipe.keys import KEYS
from emwheels.target import BuildImagePins, EmsdkPins, HarnessPins, ImagePins, Pin, Target, Targets, load_targets
from emwheels.target.profiles import OwnProfile
from emwheels.verify import all_checks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_WIDTH = "100"
"""Columns of usage lines: argparse asks the terminal otherwise."""


def pages() -> dict[str, str]:
    """Return every page by its path below the folder ``reference``."""
    for name in OWN:  # the defaults of options are those of a machine without settings
        os.environ.pop(name, None)
    os.environ |= {"COLUMNS": _WIDTH, "NO_COLOR": "1"}
    return {
        **command_pages(command_parser()),
        "meta-yaml.md": meta_yaml_page(),
        "targets-toml.md": targets_toml_page(),
        "exit-statuses.md": exit_statuses_page(),
        "audit-rules.md": audit_rules_page(),
        "index-checks.md": index_checks_page(),
        "environment-variables.md": environment_variables_page(),
        "rooms.md": rooms_picture.page(),
    }


# The command


def command_pages(parser: argparse.ArgumentParser) -> dict[str, str]:
    """Return a page with the list of verbs, and one for each verb."""
    general = _examples(parser.epilog or "")
    written = {
        f"commands/{verb}.md": _verb_page(verb, text, below, general) for verb, text, below in subcommands(parser)
    }
    lines = [
        *("# Commands", ""),
        "With nox, put the words after `--`: `nox -s build-package -- numpy --no-test`.",
        "",
        *_table(
            ("command", "what it does"),
            [(f"[`emwheels {verb}`](commands/{verb}.md)", _cell(text)) for verb, text, _ in subcommands(parser)],
        ),
        *("", "These options come before the verb:", ""),
        *_options(parser),
        *("", "```{toctree}", ":hidden:", "", *(path.removesuffix(".md") for path in written), "```", ""),
    ]
    return {"commands.md": "\n".join(lines), **written}


def subcommands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """Yield the name, the help and the parser of everything that ``parser`` may be followed by."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            said = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, below in action.choices.items():
                yield name, said[name], below


def _verb_page(verb: str, text: str, parser: argparse.ArgumentParser, general: Sequence[str]) -> str:
    lines = [f"# emwheels {verb}", "", f"{text[:1].upper()}{text[1:]}.", "", *_usage(parser)]
    shown = _examples(parser.epilog or "") or [line for line in general if line.split()[:2] == ["emwheels", verb]]
    if shown:
        lines += ["## Examples", "", "```console", *(f"$ {line}" for line in shown), "```", ""]
    if rest := _after_examples(parser.epilog or ""):
        lines += [rest, ""]
    lines += _arguments(parser)
    for name, said, below in subcommands(parser):
        lines += [f"## emwheels {verb} {name}", "", f"{said[:1].upper()}{said[1:]}.", "", *_usage(below)]
        if below.epilog and (examples := _examples(below.epilog)):
            lines += ["```console", *(f"$ {line}" for line in examples), "```", ""]
        lines += _arguments(below)
    return "\n".join(lines)


def _usage(parser: argparse.ArgumentParser) -> list[str]:
    lines = parser.format_usage().rstrip().splitlines()
    return ["```text", *(line[len("usage: ") :] for line in lines), "```", ""]


def _arguments(parser: argparse.ArgumentParser) -> list[str]:
    """Return the tables of a parser's positional arguments and options."""
    rows = [
        (f"`{_name(action)}`", _cell(_help(action)), _choices(action))
        for action in parser._actions
        if not action.option_strings and not isinstance(action, argparse._SubParsersAction)
    ]
    lines = [*_table(("argument", "meaning", "one of"), rows), ""] if rows else []
    return [*lines, *_options(parser), ""]


def _options(parser: argparse.ArgumentParser) -> list[str]:
    """Return the table of a parser's options: its own, then those that every verb has."""
    rows = [
        (
            ", ".join(f"`{name}{_value(action)}`" for name in action.option_strings),
            _cell(_help(action)),
            _default(action),
        )
        for action in sorted(parser._actions, key=lambda action: action.dest in _EVERYWHERE)
        if action.option_strings and not isinstance(action, argparse._HelpAction)
    ]
    return _table(("option", "meaning", "default"), rows) if rows else []


_EVERYWHERE = ("remote", "push", "target", "toolchain", "offline", "json")


def _name(action: argparse.Action) -> str:
    name = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    match action.nargs:
        case "*":
            return f"[{name} …]"
        case "+":
            return f"{name} …"
        case "?":
            return f"[{name}]"
    return name


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    name = "|".join(map(str, action.choices)) if action.choices else str(action.metavar or action.dest.upper())
    return (f" [{name}]" if action.nargs == "?" else f" {name}").replace("|", r"\|")


def _choices(action: argparse.Action) -> str:
    return ", ".join(f"`{choice}`" for choice in action.choices or ())


def _help(action: argparse.Action) -> str:
    if action.help == argparse.SUPPRESS or not action.help:
        return ""
    return action.help % {"prog": "emwheels", "default": action.default}


def _default(action: argparse.Action) -> str:
    if action.nargs == 0 or action.default in (None, "", [], argparse.SUPPRESS):
        return ""
    return f"`{action.default}`"


def _examples(epilog: str) -> list[str]:
    """Return the command lines of a help text, comments apart by ``#``."""
    block = epilog.partition("examples:\n")[2].partition("\n\n")[0]
    found = []
    for line in filter(None, map(str.strip, block.splitlines())):
        command, _, comment = line.partition("  ")
        found.append(f"{command}  # {comment.strip()}" if comment.strip() else command)
    return found


def _after_examples(epilog: str) -> str:
    return epilog.partition("examples:\n")[2].partition("\n\n")[2].strip()


# Files


def meta_yaml_page() -> str:
    """Return the page of meta.yaml."""
    lines = [
        *("# meta.yaml", ""),
        "A recipe's `meta.yaml` has these keys. The format is pyodide-build's; `extra.emwheels` is emwheels' own.",
        "emwheels reports every unknown key, wrong type and missing value with its line.",
        "[Adding a recipe](../docs/adding-a-recipe.md) shows how they work together.",
        "`meta.schema.json` beside this page is for [your editor](../docs/adding-a-recipe.md#in-your-editor).",
    ]
    section = ""
    for name, key in KEYS.items():
        if (first := name.partition(".")[0]) != section:
            section = first
            lines += ["", f"## {section}"]
        default = (
            "Required." if key.required else f"Default: `{_yaml(key.default)}`." if key.default is not None else ""
        )
        lines += ["", f"### `{name}`", "", key.means, "", f"Value: {key.kind}. {default}".rstrip()]
        lines += ["", "```yaml", *_as_yaml(name, key.example), "```"]
    return "\n".join([*lines, ""])


def _yaml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case ():
            return "[]"
        case "":
            return '""'
    return str(value)


def _as_yaml(name: str, example: str) -> list[str]:
    """Return the lines of a meta.yaml that has nothing but this key."""
    lines: list[str] = []
    indent, prefix = "", ""
    *above, last = name.split(".")
    for part in above:
        lines.append(f"{indent}{prefix}{part.removesuffix('[]')}:")
        indent += "  " * (1 + bool(prefix))
        prefix = "- " if part.endswith("[]") else ""
    return [*lines, f"{indent}{prefix}{last}: {example}"]


def targets_toml_page() -> str:
    """Return the page of targets.toml, whose examples are the checkout's own values."""
    given = load_targets(find_project(None).targets_file)
    tables: list[tuple[str, type, Any]] = [
        ('target."VERSION"', Target, given.get(None)),
        ('target."VERSION".emsdk.FILE', Pin, Pin()),
        ("image.build", BuildImagePins, given.image),
        ("image.test", ImagePins, given.test_image),
        ("harness", HarnessPins, given.harness),
    ]
    files = _table(("FILE", "what it is"), [(f"`{f.name}`", _words(EmsdkPins, f.name)) for f in fields(EmsdkPins)])
    lines = [
        *("# targets.toml", ""),
        "`targets.toml` has one table for each Pyodide release, and tables for what all of them share. A new release",
        "is a new table. A value of `[image.build]` or of a target changes the build keys of every wheel; one of",
        "`[image.test]` changes none. `suite` stands in `[image]`, for all images. `[image.service]` is for this",
        "project's own tests.",
        *("", "## The file", ""),
        *_table(("key", "type", "default", "meaning", "example"), [_row(Targets, _field(Targets, "default"), given)]),
    ]
    for name, kind, example in tables:
        lines += ["", f"## `[{name}]`", "", f"{inspect.getdoc(kind)}", ""]
        if kind is Pin:
            lines += [*files, ""]
        shown = [field for field in fields(kind) if field.name not in ("name", "part", "emsdk", "profiles")]
        lines += _table(
            ("key", "type", "default", "meaning", "example"), [_row(kind, field, example) for field in shown]
        )
    lines += ["", "## `[profiles.NAME]`", "", f"{inspect.getdoc(OwnProfile)}", ""]
    lines += _table(
        ("key", "type", "default", "meaning", "example"),
        [
            ("`based-on`", "text", '`"speed"`', _cell(_words(OwnProfile, "based_on")), '`"speed"`'),
            ("`flags`", "a list of texts", "required", _cell(_words(OwnProfile, "flags")), '`["-g"]`'),
        ],
    )
    return "\n".join([*lines, ""])


_TOML_TYPES = {
    "str": "text",
    "bool": "true or false",
    "tuple[str, ...]": "a list of texts",
    "Mapping[str, str]": "a table of texts",
}


def _field(kind: type, name: str) -> Field[Any]:
    return next(field for field in fields(kind) if field.name == name)


def _row(kind: type, field: Field[Any], example: Any) -> tuple[str, ...]:
    default = "required" if field.default is MISSING else f"`{_toml(field.default)}`"
    shown = _toml(getattr(example, field.name))
    cut = f"{shown[:60]}…" if len(shown) > 60 else shown
    return (f"`{field.name}`", _TOML_TYPES[str(field.type)], default, _cell(_words(kind, field.name)), f"`{cut}`")


def _toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case dict():
            return f"{{ {', '.join(f'{name} = {_toml(text)}' for name, text in value.items())} }}"
    return f'"{value}"'


def _words(kind: type, name: str) -> str:
    """Return the docstring below a field, which Python drops when it runs the code, of the class or one above it."""
    for each in kind.__mro__[:-1]:
        body = ast.parse(textwrap.dedent(inspect.getsource(each))).body[0]
        assert isinstance(body, ast.ClassDef)
        for statement, after in zip(body.body, body.body[1:], strict=False):
            if isinstance(statement, ast.AnnAssign) and getattr(statement.target, "id", "") == name:
                match after:
                    case ast.Expr(value=ast.Constant(value=str(text))):
                        return " ".join(text.replace("``", "`").split())
    raise LookupError(f"{kind.__name__}.{name} has no docstring: write one below it")


# What comes out


def exit_statuses_page() -> str:
    """Return the page of exit statuses, from the classes of `emwheels.errors`."""
    found: dict[int, list[str]] = {0: ["Done."]}
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.EmwheelsError):
            text = (inspect.getdoc(kind) or "").partition("\n\n")[0]
            found.setdefault(kind.exit_code, []).append(text if kind.exit_code != 1 else "Any other failure.")
    rows = [(f"`{status}`", _cell(" ".join(texts))) for status, texts in sorted(found.items())]
    return "\n".join([
        "# Exit statuses",
        "",
        "If several packages fail, the status is that of the first failure. Every failure is a message that says what",
        "happened, in which file, and what to do. [Troubleshooting](../docs/troubleshooting.md) goes through them.",
        "",
        *_table(("status", "what happened"), rows),
        "",
    ])  # fmt: skip


def audit_rules_page() -> str:
    """Return the page of the audit's rules."""
    lines = [
        *("# Audit rules", ""),
        "The audit reads a wheel before it is kept. An error stops the wheel. A warning is shown and reported.",
        "[How it works](../docs/how-it-works.md) says how a wheel is read.",
    ]
    for name, rule in RULES.items():
        lines += ["", f"## {name}", "", rule.means, "", f"**What to do.** {rule.fix}"]
    return "\n".join([*lines, ""])


def index_checks_page() -> str:
    """Return the page of what `emwheels index verify` finds."""
    lines = [
        *("# Index checks", ""),
        "[`emwheels index verify`](commands/index.md) names each fault of a published index. An error means that some",
        "client fails.",
        "",
    ]
    rows = [(f"`{name}`", check.severity, _cell(check.means), _cell(check.fix)) for name, check in all_checks().items()]
    return "\n".join([*lines, *_table(("check", "severity", "what a client meets", "what to do"), rows), ""])


def environment_variables_page() -> str:
    """Return the page of environment variables."""
    heads = ("variable", "meaning")

    def rows(table: dict[str, str]) -> Iterable[tuple[str, str]]:
        return [(f"`{name}`", _cell(text)) for name, text in table.items()]

    return "\n".join([
        "# Environment variables",
        "",
        "## What emwheels reads",
        "",
        *_table(heads, rows(OWN)),
        "",
        "It also honours variables of other programs:",
        "",
        *_table(heads, rows(OTHERS)),
        "",
        "## What a build script sees",
        "",
        "A build sees none of your variables, only the image's own and these. A recipe may use:",
        "",
        *_table(heads, rows(FOR_RECIPES)),
        "",
        "`extra.emwheels.profiles` of [meta.yaml](meta-yaml.md) adds variables of your own. emwheels also sets:",
        "",
        *_table(heads, rows(FROM_EMWHEELS)),
        "",
        "A recipe in Rust sees these as well:",
        "",
        *_table(heads, rows(FOR_RUST)),
        "",
    ])  # fmt: skip


# Markdown


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows)]


def _cell(text: str) -> str:
    """Return ``text`` for a cell of a table, where words in capitals that stand for a value are code already."""
    return " ".join(text.split()).replace("|", r"\|").replace("<", r"\<").replace("*", r"\*")
