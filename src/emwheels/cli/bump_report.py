"""What ``emwheels bump --check`` and ``--published`` print, and where known vulnerabilities are looked up."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from emwheels.author.advisories import Looked, look
from emwheels.author.newer import DEBIAN, FAILED, NEWER, PYPI
from emwheels.author.pinned import pins_of
from emwheels.errors import FetchError, without_secrets
from emwheels.fetch.download import PATIENCE, Downloader
from emwheels.progress import print_table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from emwheels.author.advisories import KnownVulnerability
    from emwheels.author.newer import Standing
    from emwheels.recipe.model import Recipe

SERVICE = "EMWHEELS_ADVISORIES"
_ARCHIVE = "all.zip"
"""What OSV calls the file with all advisories of an ecosystem, below a folder of its name."""
_LARGEST = 1 << 30
"""Bytes of an archive of advisories."""
_PLACES_SHOWN = 4


def add_advisories(parser: argparse.ArgumentParser) -> None:
    """Add ``--advisories``."""
    parser.add_argument(
        "--advisories",
        action="append",
        type=Path,
        default=[],
        metavar="PATH",
        help=(
            "with --check: a file, a folder or an archive of advisories in OSV's format; may be repeated "
            f"(default: {SERVICE})"
        ),
    )


@dataclass(frozen=True, kw_only=True)
class LookReport:
    """What a look found."""

    standings: Sequence[Standing]
    looked: Looked | None
    """None where no advisories were looked at."""
    published: bool
    """Whether it is about wheels that upstream publishes."""
    target: str

    @property
    def findings(self) -> tuple[KnownVulnerability, ...]:
        """The advisories that pinned versions are affected by."""
        return self.looked.findings if self.looked else ()

    def show(self, *, as_json: bool) -> None:
        """Print it on standard output."""
        if as_json:
            print(json.dumps(self._plain(), indent=1))
        elif self.published:
            self._show_published()
        else:
            self._show_newer()

    def _plain(self) -> dict[str, Any]:
        plain: dict[str, Any] = {"recipes": [asdict(each) for each in self.standings]}
        if not self.published:
            plain["advisories"] = asdict(self.looked) if self.looked else None
        return plain

    def _show_published(self) -> None:
        found = [each for each in self.standings if each.published]
        print_table(("recipe", "version", "upstream's wheel"), [(e.name, e.version, e.published) for e in found])
        for each in self._failed():
            print(f"{each.name}: not looked at: {each.note}")
        print(f"Upstream publishes a wheel for Pyodide {self.target} of {len(found)} of {len(self.standings)} recipes.")

    def _show_newer(self) -> None:
        heads = ["recipe", "version", "newest source", "state", "note"]
        rows = [[e.name, e.version, e.newest, e.state, e.note] for e in self.standings]
        if self.looked is not None:
            heads.insert(4, "advisories")
            for each, row in zip(self.standings, rows, strict=True):
                row.insert(4, self._identities(each))
        print_table(heads, rows)
        newer = [each for each in self.standings if each.state == NEWER]
        print(f"{len(newer)} of {len(self.standings)} recipes have a newer source; {len(self._failed())} not looked at")
        if self.looked is None:
            print(f"Known vulnerabilities: not looked at; name advisories with --advisories PATH or in {SERVICE}")
            return
        for finding in self.looked.findings:
            print(_in_words(finding))
        for fault in self.looked.faults:
            print(f"advisories: {fault}")
        print(
            f"Known vulnerabilities: {len(self.findings)}, by {self.looked.advisories} advisories about these projects"
        )

    def _failed(self) -> list[Standing]:
        return [each for each in self.standings if each.state == FAILED]

    def _identities(self, standing: Standing) -> str:
        own = [finding.identity for finding in self.findings if standing.name in finding.pin.places]
        return ", ".join([*own[:2], *([f"{len(own) - 2} more"] if own[2:] else [])])


def _in_words(finding: KnownVulnerability) -> str:
    pin = finding.pin
    places = ", ".join(pin.places[:_PLACES_SHOWN])
    more = f" and {len(pin.places) - _PLACES_SHOWN} more" if len(pin.places) > _PLACES_SHOWN else ""
    names = ", ".join([finding.identity, *finding.aliases[:2]])
    ends = f"; fixed in {', '.join(finding.fixed[:3])}" if finding.fixed else "; no version that fixes it is known"
    return f"{pin.ecosystem} {pin.name} {pin.version} ({places}{more}): {names}: {finding.summary}{ends}"


def advisories_of(
    arguments: argparse.Namespace, chosen: Sequence[Recipe], recipes: Mapping[str, Recipe]
) -> Looked | None:
    """Hold what ``chosen`` pin against the advisories that the options name, or `SERVICE`; None without any."""
    pins = pins_of(chosen, recipes)
    if arguments.advisories:
        return look(arguments.advisories, pins)
    place = os.environ.get("EMWHEELS_ADVISORIES", "")
    if not place:
        return None
    if not place.startswith(("https://", "http://")):
        return look([Path(place)], pins)
    with TemporaryDirectory(prefix="emwheels-advisories-") as folder:
        paths, faults = _downloaded(place.rstrip("/"), Path(folder))
        looked = look(paths, pins)
    return Looked(findings=looked.findings, advisories=looked.advisories, faults=(*faults, *looked.faults))


def _downloaded(address: str, folder: Path) -> tuple[list[Path], list[str]]:
    """Fetch what OSV publishes: ``all.zip`` of each ecosystem; an address that ends in a file's name is that file."""
    own = address.rpartition("/")[2]
    files = {own: address} if own.endswith((".zip", ".json")) else {
        f"{ecosystem}-{_ARCHIVE}": f"{address}/{ecosystem}/{_ARCHIVE}" for ecosystem in (PYPI, DEBIAN)
    }  # fmt: skip
    downloader, paths, faults = Downloader(patience=PATIENCE, limit_bytes=_LARGEST), [], []
    for number, (name, url) in enumerate(files.items()):
        path = folder / f"{number}{Path(name).suffix}"
        try:
            downloader.save(url, path, lambda _done, _total: None)
            paths.append(path)
        except FetchError as error:
            faults.append(f"{without_secrets(url)}: not looked at: {error.message}")
    return paths, faults
