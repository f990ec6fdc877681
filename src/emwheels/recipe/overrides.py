"""Reads ``extra.emwheels.overrides`` of meta.yaml: what a recipe says otherwise for some targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from emwheels.recipe.document import Findings, did_you_mean, printable
from emwheels.recipe.keys import KEYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WHERE = "extra.emwheels.overrides"
_LOCKED = ("requirements.build-extras", "requirements.constraint")
"""One lock file has the build requirements of all targets."""
OVERRIDABLE = (
    *("package._disabled", "source.patches", "source.extras"),
    *(key for key in KEYS if key.startswith("build.") and key != "build.type"),
    *(key for key in KEYS if key.startswith("requirements.") and key not in _LOCKED),
    *(key for key in KEYS if key.startswith("test.")),
)
"""The keys that may differ by target."""


@dataclass(frozen=True, kw_only=True)
class Aim:
    """The target that recipes are read for, and all that there are."""

    target: str = ""
    """Its name; empty: recipes are read as they are without overrides."""
    abis: Mapping[str, str] = field(default_factory=dict)
    """Name of each target -> its ABI tag. Without any, no pattern is refused for fitting none."""

    def fits(self, pattern: str, target: str) -> bool:
        """Tell whether ``pattern`` (fnmatch) is of ``target``: of its name, or of its ABI tag."""
        return any(fnmatchcase(name, pattern) for name in (target, self.abis.get(target, target)))


@dataclass(frozen=True, kw_only=True)
class Override:
    """One entry."""

    place: str
    """Its dotted key."""
    target: str
    """A pattern; see `Aim.fits`."""
    sections: Mapping[str, Mapping[str, Any]]


def read_overrides(document: Mapping[str, Any], findings: Findings, aim: Aim) -> list[Override]:
    """Return the overrides of a document, and report what is wrong with them in ``findings``."""
    extra = document.get("extra")
    own = extra.get("emwheels") if isinstance(extra, Mapping) else None
    entries = own.get("overrides") if isinstance(own, Mapping) else None
    if entries is None:
        return []
    if not isinstance(entries, list):
        findings.report(WHERE, 'must be a list, such as [{target: "315*", build: {cflags: -DX}}]')
        return []
    read = (_read(entry, f"{WHERE}[{number}]", findings, aim) for number, entry in enumerate(entries))
    return [override for override in read if override is not None]


def _read(entry: object, place: str, findings: Findings, aim: Aim) -> Override | None:
    if not isinstance(entry, Mapping):
        findings.report(place, 'must be a mapping, such as {target: "315*", build: {cflags: -DX}}')
        return None
    target = entry.get("target")
    if not isinstance(target, str):
        words = "must be text, such as 315*" if "target" in entry else "is missing; for which targets is this?"
        findings.report(f"{place}.target", words)
        return None
    if aim.abis and not any(aim.fits(target, name) for name in aim.abis):
        known = ", ".join(f"{name} ({abi})" for name, abi in aim.abis.items())
        findings.report(f"{place}.target", f"{printable(target)} fits no target of targets.toml: {known}")
    sections = {name: value for name, value in entry.items() if name != "target"}
    for name, value in sections.items():
        _check_section(name, value, f"{place}.{printable(name)}", findings)
    if not sections:
        findings.report(place, "changes nothing: add keys, such as build: {cflags: -DX}")
    kept = {
        name: {key: part for key, part in value.items() if f"{name}.{key}" in OVERRIDABLE}
        for name, value in sections.items()
        if isinstance(value, Mapping)
    }
    return Override(place=place, target=target, sections={name: values for name, values in kept.items() if values})


def _check_section(name: str, value: object, place: str, findings: Findings) -> None:
    known = list(dict.fromkeys(key.partition(".")[0] for key in OVERRIDABLE))
    if name not in known:
        findings.report(place, f"cannot differ by target{did_you_mean(name, known)}; what can is in {', '.join(known)}")
    elif not isinstance(value, Mapping):
        findings.report(place, "must be a mapping")
    else:
        allowed = [key.partition(".")[2] for key in OVERRIDABLE if key.startswith(f"{name}.")]
        for key in value:
            if key not in allowed:
                near = did_you_mean(key, allowed) or f"; of {name}, these can: {', '.join(allowed)}"
                findings.report(f"{place}.{printable(key)}", f"cannot differ by target{near}")


def overridden(document: Mapping[str, Any], overrides: Iterable[Override]) -> dict[str, Any]:
    """Return the document with the values of ``overrides`` in place of its own, and without the list of them."""
    result = dict(document)
    for override in overrides:
        for name, values in override.sections.items():
            before = result.get(name)
            result[name] = {**(before if isinstance(before, Mapping) else {}), **values}
    extra = result["extra"]
    own = {name: value for name, value in extra["emwheels"].items() if name != "overrides"}
    result["extra"] = {**extra, "emwheels": own}
    return result


def placed(findings: Findings, overrides: Sequence[Override]) -> Findings:
    """Return findings for the document that `overridden` returns: its keys stand where they were given."""
    moved = Findings(findings.file)
    moved.places = dict(findings.places)
    for override in overrides:
        prefix = f"{override.place}."
        moved.places |= {
            key.removeprefix(prefix): place
            for key, place in findings.places.items()
            if key.startswith(prefix) and "." in key.removeprefix(prefix)  # a section stays where it is
        }
    return moved
