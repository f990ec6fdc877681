"""What a look at the machine found, a line each."""

from __future__ import annotations

from dataclasses import dataclass

OK, WARNING, NO = "ok", "warning", "no"
"""Fine; worth a look, and a build can run all the same; a build cannot run."""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One thing that builds depend on."""

    state: str
    """`OK`, `WARNING` or `NO`."""
    name: str
    detail: str
    """What was found, without passwords."""
    hint: str = ""
    """What to do about it; empty where all is well."""


def observed(name: str, detail: str) -> Observation:
    """Return what is as it should be."""
    return Observation(state=OK, name=name, detail=detail)


def fault(name: str, detail: str, hint: str, *, stops: bool = False) -> Observation:
    """Return what is not as it should be; ``stops`` where no build can run for it."""
    return Observation(state=NO if stops else WARNING, name=name, detail=detail, hint=hint)


def gigabytes(size: float) -> str:
    """Return bytes in words, e.g. ``7.4 GB``."""
    return f"{size / 1e9:.1f} GB"
