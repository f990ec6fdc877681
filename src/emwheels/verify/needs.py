"""What the wheels of an index need, and whether the index has it: a client takes what is missing from elsewhere."""

from __future__ import annotations

from email.parser import BytesParser
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from emwheels.errors import visible
from emwheels.fetch.fetcher import EMSCRIPTEN, marker_environment
from emwheels.fetch.markers import holds
from emwheels.wheel import UNREADABLE, metadata_member

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from packaging.version import Version

    from emwheels.verify.clients import Wanted
    from emwheels.verify.model import Verification

_MOST = 10_000
"""Requirements of a wheel."""


def judge_needs(
    report: Verification,
    wants: Sequence[Wanted],
    names: Collection[str],
    versions: Mapping[str, Collection[Version]],
    python: str,
) -> None:
    """Report what ``wants`` need and the index does not have: ``names`` are all its projects.

    ``versions`` are those that can be installed, of the projects that were looked at; ``python`` is e.g. ``3.14``.
    """
    for want in wants:
        for requirement in _requirements(want.copy, python) if want.copy else ():
            name = canonicalize_name(requirement.name)
            needed = visible(f"{want.filename} needs {requirement}", lines=False)
            if name not in names:
                report.add("requirement", want.project, f"{needed}, and the index has no {name}")
            elif name in versions and not any(
                requirement.specifier.contains(version, prereleases=True) for version in versions[name]
            ):
                has = ", ".join(map(str, sorted(versions[name], reverse=True)[:5])) or "nothing for this target"
                report.add("requirement", want.project, f"{needed}, and the index has {has}")


def _requirements(wheel: Path, python: str) -> Iterator[Requirement]:
    """Yield what a wheel needs in Pyodide, without extras; nothing of what cannot be read, which others report."""
    try:
        data = metadata_member(wheel, "METADATA") or b""
    except UNREADABLE:
        return
    environment = marker_environment(python, platform=EMSCRIPTEN) | {"extra": ""}
    texts = BytesParser().parsebytes(data, headersonly=True).get_all("Requires-Dist", [])
    for text in texts[:_MOST]:
        try:
            requirement = Requirement(str(text))
            if not requirement.url and holds(requirement.marker, environment):
                requirement.marker = None
                yield requirement
        except (InvalidRequirement, ValueError):
            continue
