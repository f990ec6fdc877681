"""docs/wheels.json, the wheels that the documents are about, and which results are of other wheels.

A result belongs to the bytes that it was had with: whatever is recorded of a wheel (suites, reproduced builds,
benchmarks) names the content of each wheel that took part. A result of another wheel is *stale*. It stays in the
tables, marked, and has to be had again, or to be listed in docs/due.yaml with the reason why it was not yet.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import yaml

from emwheels.errors import EmwheelsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

WHEELS = "wheels.json"
"""In the folder of documents."""
DUE = "due.yaml"
UNKNOWN = "?"
"""In place of a content that nobody noted: of no present wheel."""
SHORT = 12
"""Digits of a content that tables show, and that tell it."""


@dataclass(frozen=True, kw_only=True)
class LedgerWheel:
    """A wheel, or a library's archive, as it was when the tables were written."""

    name: str
    version: str
    kind: str
    """``wheels`` or ``libraries``."""
    filename: str
    sha256: str
    content: str
    """Of a wheel without its build report, SBOM and RECORD (`emwheels.wheel.content_of`); a library's sha256."""
    bytes: int
    seconds: float
    """Wall time of the compile phase."""
    inputs: str
    """Hash of what it was made of, as far as the repository tells (`emwheels.plan.planning.input_digests`)."""
    engines: Mapping[str, str] = field(default_factory=dict)
    """Engine -> what came of the recipe's tests on exactly this wheel and those that it needs."""


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """The wheels of one target and profile, by name."""

    target: str
    profile: str
    date: str
    wheels: Mapping[str, LedgerWheel]
    rules_in: tuple[str, ...] = ()
    """Documents that had the table of the audit's rules when the tables were written."""

    def others(self, contents: Mapping[str, str]) -> list[str]:
        """Return the names of those wheels that had other bytes than the present ones when a result was had.

        ``contents`` maps the wheels that took part to their content, or the first `SHORT` digits of it.
        """
        return sorted(
            name
            for name, content in contents.items()
            if name not in self.wheels or self.wheels[name].content[: max(len(content), 1)] != content
        )


@dataclass(frozen=True, kw_only=True)
class RecordedResult:
    """Something that was recorded, as far as it matters here."""

    name: str
    """``upstream-tests/numpy``, or of a document its name and the heading: ``performance.md#the-demo``."""
    date: str
    wheels: Mapping[str, str]
    """The content of each wheel that took part; nothing if nobody noted it."""

    def is_stale(self, ledger: Ledger) -> bool:
        """Tell whether it is of other wheels than the present ones."""
        return not self.wheels or bool(ledger.others(self.wheels))


def read_ledger(path: Path) -> Ledger:
    """Read what `write_ledger` wrote; an empty one if there is none. Raises `EmwheelsError` for anything else."""
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        wheels = {row["name"]: _checked(LedgerWheel(**row)) for row in document.pop("wheels")}
        rules_in = tuple(map(str, document.pop("rules_in", ())))
        return Ledger(wheels=wheels, rules_in=rules_in, **document)
    except FileNotFoundError:
        return Ledger(target="", profile="", date="", wheels={})
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise EmwheelsError(f"{path}: not a list of wheels: {error}", hint="write it anew: emwheels tables") from error


def _checked(wheel: LedgerWheel) -> LedgerWheel:
    if not isinstance(wheel.bytes, int) or not isinstance(wheel.seconds, int | float):
        raise TypeError(f"the bytes or seconds of {wheel.name} are no number")
    if not isinstance(wheel.engines, dict) or not isinstance(wheel.content, str):
        raise TypeError(f"the content or the engines of {wheel.name} are of another kind")
    return wheel


def write_ledger(ledger: Ledger, path: Path) -> None:
    """Write ``ledger`` as JSON, a wheel after the other by name."""
    rows = [asdict(wheel) for _, wheel in sorted(ledger.wheels.items())]
    document: dict[str, Any] = {"target": ledger.target, "profile": ledger.profile, "date": ledger.date}
    document |= {"rules_in": ledger.rules_in} if ledger.rules_in else {}
    document["wheels"] = rows
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class Due:
    """Results that are known to be of other wheels, and why they were not had again."""

    results: str
    """A pattern (fnmatch) of `Result.name`."""
    reason: str


def read_due(path: Path) -> tuple[Due, ...]:
    """Read the list of what is due; nothing if there is none. Raises `EmwheelsError` for what is no such list."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    except (OSError, yaml.YAMLError, ValueError) as error:
        raise EmwheelsError(f"{path}: {error}") from error
    entries = []
    for entry in document if isinstance(document, list) else [document]:
        match entry:
            case {"results": str(results), "reason": str(reason), **rest} if not rest and reason.strip():
                entries.append(Due(results=results, reason=" ".join(reason.split())))
            case {"results": [*several], "reason": str(reason), **rest} if not rest and reason.strip():
                entries += [Due(results=str(each), reason=" ".join(reason.split())) for each in several]
            case None:
                pass
            case _:
                raise EmwheelsError(
                    f"{path}: each entry has the keys results (a pattern, or a list of them) and reason (text)",
                    hint="for example: - {results: upstream-tests/numpy, reason: it takes an hour}",
                )
    return tuple(entries)


def problems(
    ledger: Ledger, results: Iterable[RecordedResult], due: Iterable[Due], inputs: Mapping[str, str]
) -> list[str]:
    """Return what is wrong with the documents, a line each: what is stale and not listed, and what is listed in vain.

    ``inputs`` has for each recipe the hash of what it would be made of now. A wheel whose recipe, patches, flags or
    links have changed since it was recorded is stale, and what is recorded of it with it.
    """
    stale: dict[str, str] = {}
    for name, digest in sorted(inputs.items()):
        if (wheel := ledger.wheels.get(name)) is None:
            stale[f"wheels/{name}"] = "no build of it is recorded"
        elif wheel.inputs != digest:
            stale[f"wheels/{name}"] = (
                "the recipe, its patches, flags or how it is linked have changed since it was built"
            )
    for result in sorted(results, key=lambda each: each.name):
        changed = [name for name in result.wheels if f"wheels/{name}" in stale]
        if not result.wheels:
            stale[result.name] = f"nobody noted which wheel it is of ({result.date})"
        elif others := ledger.others(result.wheels):
            stale[result.name] = f"of another {', '.join(others)} ({result.date})"
        elif changed:
            stale[result.name] = f"{', '.join(changed)} is to be built again"
    listed = tuple(due)
    faults = [
        f"{name}: {why}" for name, why in stale.items() if not any(fnmatchcase(name, entry.results) for entry in listed)
    ]
    faults += [
        f"{DUE}: nothing stale is called {entry.results!r}: remove the entry"
        for entry in listed
        if not any(fnmatchcase(name, entry.results) for name in stale)
    ]
    faults += [
        f"{WHEELS}: there is no recipe {name!r}: write the tables anew"
        for name in sorted(ledger.wheels.keys() - inputs)
    ]
    return faults
