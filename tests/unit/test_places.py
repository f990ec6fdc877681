"""No module but the table spells a place inside the sandbox."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import emwheels
from emwheels.image import places

SOURCE = Path(emwheels.__file__).parent
INSIDE_THE_SANDBOX = re.compile(r"/(mnt|opt|usr)(/|\Z)")
MOUNTED = {name: place for name, place in vars(places).items() if isinstance(place, str) and place.startswith("/mnt/")}


def spelled(tree: ast.Module) -> list[str]:
    """Return the strings of a module that name a place, less those that stand alone: docstrings."""
    texts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in texts]
    return [node.value for node in constants if isinstance(node.value, str) and INSIDE_THE_SANDBOX.search(node.value)]


def test_what_counts_as_a_place():
    code = '"""/mnt/a."""\nA = f"-I/mnt/{x}"\nB = "/opt"\nC = "x /usr/bin/y"\nD = f"{x}/mnt/y"\nE = "mnt/opt.d"\n'
    assert set(spelled(ast.parse(code))) == {"-I/mnt/", "/opt", "x /usr/bin/y", "/mnt/y"}


def test_places_are_spelled_in_the_table_alone():
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        room, *rest = path.relative_to(SOURCE).parts
        if room != "image" and "inside" not in rest:
            found[str(path.relative_to(SOURCE))] = spelled(ast.parse(path.read_text(encoding="utf-8")))
    assert {name: texts for name, texts in found.items() if texts} == {}


def test_programs_in_the_sandbox_are_told_where_things_are():
    programs = [path for path in SOURCE.rglob("inside/*") if path.is_file() and "image" not in path.parts]
    assert len(programs) > 8
    assert [path.name for path in programs if "/mnt/" in path.read_text(encoding="utf-8")] == []


def test_no_mount_hides_another():
    below = [(one, other) for one in MOUNTED.values() for other in MOUNTED.values() if other.startswith(f"{one}/")]
    assert len(set(MOUNTED.values())) == len(MOUNTED) > 8
    assert below == []
