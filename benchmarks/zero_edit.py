"""How many packages go in by themselves: ``new-recipe --with-dependencies`` for a list of names, no line by hand.

Each name gets a project of its own with this checkout's recipes, so that no result depends on another. A package that
is pure Python counts if the command says so and `emwheels explain` finds its wheel. One of which upstream publishes a
wheel for Pyodide is built all the same. What was measured earlier stays in the table until it is measured again.

    python benchmarks/zero_edit.py --only crc32c mmh3
    python benchmarks/zero_edit.py --names other.txt --output /tmp/other.md
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
HEAD = """\
# Packages without a line by hand

<!-- Written by benchmarks/zero_edit.py; do not edit. -->

Each package went through `emwheels new-recipe --with-dependencies NAME` in a project with the recipes of this
repository: recipe, lock, build, and a first test in Node that starts every compiled module. *Mended* counts the
changes of the command to its own recipe. Minutes are wall time on a machine that had other work.

"""
COLUMNS = ("package", "version", "result", "minutes", "mended", "cause", "date")


def main() -> int:
    """Try the packages, write the table after each, and return how many of them failed (at most 100)."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--names", type=Path, default=Path(__file__).with_suffix(".txt"), help="a file, a name a line")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="only these of them")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "zero-edit.md")
    arguments = parser.parse_args()
    names = arguments.only or arguments.names.read_text(encoding="utf-8").split()
    rows = read_rows(arguments.output)
    for name in names:
        rows[name] = attempt(name)
        print(f"{name}: {rows[name]['result']} {rows[name]['cause']}", file=sys.stderr)
        arguments.output.write_text(page(rows), encoding="utf-8")
    return min(100, sum(rows[name]["result"] == "failed" for name in names))


def attempt(name: str) -> dict[str, str]:
    """Return the row of one package, tried in a project of its own."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="emwheels-zero-edit-") as folder:
        project = Path(folder)
        for part in ("recipes", "patches"):
            shutil.copytree(ROOT / part, project / part)
        shutil.copyfile(ROOT / "targets.toml", project / "targets.toml")
        shutil.rmtree(project / "recipes" / name, ignore_errors=True)
        row, said = new_recipe(project, name)
        if row.get("state") == "published":
            row, said = new_recipe(project, name, "--anyway")
        if row.get("state") == "pure":
            found = emwheels(project, "explain", name).returncode == 0
            row |= {"state": "pure" if found else "failed", "why": "" if found else "no client installs its wheel"}
    worked = row.get("state") in ("tested", "pure")
    cause = "" if worked else row.get("why") or said
    return {
        "package": name,
        "version": str(row.get("version", "")),
        "result": str(row["state"]) if worked else "failed",
        "minutes": f"{(time.monotonic() - started) / 60:.1f}",
        "mended": str(len(row.get("mended", ())) or ""),
        "cause": one_line(cause),
        "date": datetime.now(UTC).date().isoformat(),
    }


def new_recipe(project: Path, name: str, *options: str) -> tuple[dict[str, Any], str]:
    """Return what the command says of ``name``, and its last words if it says nothing."""
    done = emwheels(project, "new-recipe", name, "--with-dependencies", "--engine", "node", "--json", *options)
    try:
        rows = json.loads(done.stdout)
    except ValueError:
        return {}, next((line for line in done.stderr.splitlines() if line.startswith("emwheels: ")), "it said nothing")
    row: dict[str, Any] = next((row for row in rows if row["name"] == name), {})
    if row.get("state") == "blocked":
        first = next((each for each in rows if each["state"] == "failed"), row)
        row["why"] = f"{first['name']}: {first['why']}"
    return row, ""


def emwheels(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command of this checkout on ``project``."""
    argv = [sys.executable, "-m", "emwheels", "--project", str(project), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)


def one_line(text: str) -> str:
    """Return the first line of a cause, fit for a cell."""
    lines = [line.strip(" |") for line in text.strip().splitlines() if line.strip(" |")]
    errors = [line for line in lines if re.search(r"error|not found|no wheel|unknown", line, re.IGNORECASE)]
    chosen = next(iter(errors or lines), "")
    return re.sub(r"\S*/(emwheels-zero-edit|tmp)\S*", "…", chosen).replace("|", "\\|")[:160]


def page(rows: dict[str, dict[str, str]]) -> str:
    """Return the page: how many went in, and a row for each."""
    worked = sum(row["result"] != "failed" for row in rows.values())
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    lines += [f"| {' | '.join(row[column] for column in COLUMNS)} |" for _, row in sorted(rows.items())]
    listed = Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").split()
    left = [name for name in listed if name not in rows]
    said = f"{worked} of {len(rows)} tried went in."
    said += f" Not tried yet: {', '.join(left)}." if left else ""
    return f"{HEAD}{said}\n\n" + "\n".join(lines) + "\n"


def read_rows(path: Path) -> dict[str, dict[str, str]]:
    """Return the rows that an earlier run wrote."""
    rows: dict[str, dict[str, str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == len(COLUMNS) and cells[0] not in ("package", "---"):
            rows[cells[0]] = dict(zip(COLUMNS, cells, strict=True))
    return rows


if __name__ == "__main__":
    sys.exit(main())
