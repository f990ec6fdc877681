"""All that a build asks for and does not find: pip names only the first of it."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Collection

    from emwheels.build.diagnosis.kind import Found

BETWEEN = " and "
"""Stands between the requirements of a `Found`."""
_HEAD = "Installing packages in isolated environment:"
_ASKED = re.compile(r"- ([A-Za-z0-9][\w.-]*(?:\[[\w,.-]+\])?(?:[<>=!~][^\s;]*)?)$")
_MOST = 50
_TAIL = 2_000_000


def with_the_others(found: Found, log: str, pinned: Collection[str]) -> Found:
    """Return ``found``, a requirement that is not there, with all others that are not among the names ``pinned``.

    The build lists what it installs before pip looks for it. Where nothing is pinned nothing is known.
    """
    if found.kind.id != "late-requirement" or not found.what or not pinned:
        return found
    lines = log[-_TAIL:].splitlines()
    last = next((at for at in reversed(range(len(lines))) if lines[at].startswith(_HEAD)), len(lines))
    listed = (_ASKED.match(line) for line in takewhile(lambda line: line.startswith("- "), lines[last + 1 :]))
    known = {canonicalize_name(name) for name in pinned} | {_name(found.what)}
    others = [match[1] for match in listed if match and _name(match[1]) not in known]
    return replace(found, what=BETWEEN.join([found.what, *others[:_MOST]]))


def _name(requirement: str) -> str:
    return canonicalize_name(re.split(r"[<>=!~\[]", requirement)[0])
