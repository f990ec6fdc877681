"""The log of a failed build or test -> what kind of failure it is, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emwheels.build.diagnosis.cause import first_error, parts_of
from emwheels.build.diagnosis.kind import Found, Kind
from emwheels.build.diagnosis.late import with_the_others
from emwheels.build.diagnosis.of_audits import OF_AUDITS
from emwheels.build.diagnosis.of_compilers import OF_COMPILERS
from emwheels.build.diagnosis.of_configuring import OF_CONFIGURING
from emwheels.build.diagnosis.of_machines import OF_MACHINES
from emwheels.build.diagnosis.of_python import OF_PYTHON
from emwheels.build.diagnosis.of_rust import OF_RUST
from emwheels.build.diagnosis.of_tests import OF_TESTS

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["OF_TESTS", "Found", "Kind", "diagnose", "diagnose_tests", "first_error", "kinds_of_builds", "known_in"]

_TAIL = 2_000_000
"""Characters of a log that are looked at: its end."""
_END_LINES = 40
"""Lines of the end that tell a kind where the first error does not."""
_COMMAND = 400
"""Characters of a line that is a compiler's command rather than a message, and has the names of options in it."""
_MOST = 50
"""Kinds and names that are told apart."""


def kinds_of_builds() -> tuple[Kind, ...]:
    """Return every kind of failure of a build; where two fit, the earlier one says more."""
    return (*OF_AUDITS, *OF_MACHINES, *OF_CONFIGURING, *OF_RUST, *OF_PYTHON, *OF_COMPILERS)


def diagnose(log: str, pinned: Collection[str] = ()) -> Found | None:
    """Return what kind of failure the build with this ``log`` met; None for one that is not known.

    What counts is the first error, and only where that tells nothing the end of the log. ``pinned`` are the names of
    the build requirements that are there: of what is missing, all is named then.
    """
    error = "\n".join(first_error(log[-_TAIL:]))
    own, rest = parts_of(log[-_TAIL:])
    lines = [*own.splitlines()[-_END_LINES:], *rest.splitlines()[-_END_LINES:]]
    end = "\n".join(line for line in lines if len(line) < _COMMAND)
    found = next((found for text in (error, end) for found in known_in(text, kinds_of_builds())), None)
    return found and with_the_others(found, log, pinned)


def diagnose_tests(log: str) -> Found | None:
    """Return what kind of failure the tests with this ``log`` met first; None for one that is not known."""
    return next(iter(known_in(log[-_TAIL:], OF_TESTS)), None)


def known_in(log: str, kinds: tuple[Kind, ...]) -> list[Found]:
    """Return all that ``log`` has of these kinds, in their order, each name once."""
    found: dict[tuple[str, str], Found] = {}
    for kind in kinds:
        for match in kind.compiled.finditer(log[-_TAIL:]):
            what = next((group for group in match.groups() if group), "")
            found.setdefault((kind.id, what), Found(kind=kind, what=what))
            if len(found) >= _MOST:
                return list(found.values())
    return list(found.values())
