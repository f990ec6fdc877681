"""Prints the recipes that ``emwheels bump --check --json`` found something newer for, as a list of JSON or by line.

    emwheels bump --check --json | python3 ci/newer.py [--lines]

A recipe of which the version is not that of its source has a note, and is left to people.
"""

from __future__ import annotations

import json
import sys

NAMES = sorted(row["name"] for row in json.load(sys.stdin)["recipes"] if row["state"] == "newer" and not row["note"])
print("\n".join(NAMES) if sys.argv[1:] == ["--lines"] else json.dumps(NAMES))
