"""What a source looks for -> Debian's source package that has it, by the indexes that this machine's apt fetches.

apt reads and verifies them (its own signatures, its own mirror); they are kept in a folder of the cache, apart from the
machine's own lists.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emwheels.atomic import write_atomically
from emwheels.errors import FetchError, visible
from emwheels.image.host_tools import APT_HELPER, KEYRING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from emwheels.author.new_source import Look

_DAY = 24 * 3600
_SECONDS = 600
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_MOST_HITS = 4000
_OTHER_SUITES = ("unstable", "stable", "oldstable")
"""Where else on the mirror a source may be, of which the suite's own files are gone."""
_FOREIGN = re.compile(r"-cross\b|mingw|android|emscripten|\bwasi|-doc$|-dbg$|-dbgsym$|-examples$")


@dataclass(frozen=True, kw_only=True)
class DebianSource:
    """A source package of Debian."""

    name: str
    version: str
    """Upstream's part, as the archive's name has it."""
    filename: str
    sha256: str
    home: str = ""


class DebianSources:
    """The source packages of one suite, and where that has none to fetch, of Debian's others."""

    def __init__(self, folder: Path, suite: str, mirror: str, *, others: Sequence[str] = _OTHER_SUITES) -> None:
        self._folder, self._suite, self._mirror = folder, suite, mirror
        self._others = [DebianSources(folder / other, other, mirror, others=()) for other in others if other != suite]
        self._with_contents = bool(others)

    def find(self, look: Look) -> Iterator[DebianSource]:
        """Yield sources of the package whose development files have what a source looks for: see `sources`."""
        hits = sorted(self._hits(look))
        for *_, package in dict.fromkeys(hits):
            if self._newest(package):
                yield from self.sources(package)
                return

    def sources(self, package: str) -> Iterator[DebianSource]:
        """Yield sources of a source or binary package that have an ``.orig`` archive: the suite's newest, then others'.

        The indexes of other suites are fetched when they are asked for; one that is not there has nothing.
        """
        if not _NAME.fullmatch(package):
            return
        known = set()
        if newest := self._newest(package):
            known.add(newest.filename)
            yield newest
            package = newest.name  # binary packages are called otherwise from suite to suite
        for other in self._others:
            try:
                source = other._newest(package)
            except FetchError:
                continue
            if source and source.filename not in known:
                known.add(source.filename)
                yield source

    def _newest(self, package: str) -> DebianSource | None:
        self._refresh()
        text = self._apt("apt-cache", "showsrc", package)
        found = [each for record in text.split("\n\n") if (each := _source(record))]
        return found[-1] if found else None

    def _hits(self, look: Look) -> Iterator[tuple[int, int, int, str]]:
        """Yield packages with a file that ``look`` asks for, each with what it is sorted by: the best is the least."""
        self._refresh()
        patterns = _patterns(look)
        for line in filter(patterns.match, self._contents(look)):
            path, _, packages = line.rstrip().rpartition(" ")
            path = path.rstrip()
            for package in packages.split(","):
                section, _, name = package.rpartition("/")
                if not _FOREIGN.search(name):
                    yield (not section.endswith("libdevel"), path.count("/"), len(name), name)

    def _contents(self, look: Look) -> Iterator[str]:
        """Yield the lines of Debian's list of files that have the name; grep looks through a gigabyte of text."""
        lists = sorted((self._folder / "lists").glob("*_Contents-amd64*"))
        if not lists:
            return
        # Both programs end by themselves: the second reads to the end.
        with (
            subprocess.Popen([APT_HELPER, "cat-file", lists[0]], stdout=subprocess.PIPE) as cat,
            subprocess.Popen(
                ["grep", "-iF", "-m", str(_MOST_HITS), "-e", look.name],
                stdin=cat.stdout,
                stdout=subprocess.PIPE,
                text=True,
                errors="replace",
                env={"LC_ALL": "C"},
            ) as grep,
        ):
            if cat.stdout:
                cat.stdout.close()
            yield from grep.stdout or ()

    def _refresh(self) -> None:
        """Have apt fetch the indexes, once a day. Raises `FetchError` where there is no apt, or no mirror answers."""
        stamp = self._folder / "fetched"
        if stamp.is_file() and time.time() - stamp.stat().st_mtime < _DAY:
            return
        if not shutil.which("apt-get") or not self._mirror:
            raise FetchError(
                "Debian's sources cannot be searched: this machine has no apt with a Debian mirror",
                hint="name the library's source package: emwheels new-recipe pkg:deb/debian/NAME@VERSION",
            )
        for name in ("lists/partial", "cache/archives/partial"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        entry = f"[signed-by={KEYRING}] {self._mirror} {self._suite} main\n"
        binaries = f"deb {entry}" if self._with_contents else ""
        write_atomically(self._folder / "sources.list", f"{binaries}deb-src {entry}".encode())
        contents = "Acquire::IndexTargets::deb::Contents-deb"  # of one architecture: names of files are all the same
        self._apt(
            *("apt-get", "-o", "Acquire::IndexTargets::deb::Packages::DefaultEnabled=false"),
            *("-o", f"{contents}::MetaKey=main/Contents-amd64"),
            *("-o", f"{contents}::ShortDescription=Contents", "-o", f"{contents}::Description=Contents"),
            "update",
        )
        write_atomically(stamp, str(time.time()).encode())

    def _apt(self, program: str, *arguments: str) -> str:
        settings = {
            "Dir::Etc::sourcelist": self._folder / "sources.list",
            "Dir::Etc::sourceparts": "-",
            "Dir::State::lists": self._folder / "lists",
            "Dir::State::status": "/dev/null",
            "Dir::Cache": self._folder / "cache",
            "Acquire::Languages": "none",
            "APT::Sandbox::User": "root",
        }
        options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
        try:
            done = subprocess.run(
                [program, *options, *arguments],
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise FetchError(f"{program} did not answer: {error}", hint="run the command again") from error
        if done.returncode and arguments[-1] == "update":
            said = visible("\n".join(done.stderr.strip().splitlines()[-3:]))
            raise FetchError(f"Debian's indexes cannot be fetched:\n{said}", hint="check the machine's Debian mirror")
        return done.stdout


def _patterns(look: Look) -> re.Pattern[str]:
    """Return what lines of Debian's Contents have a file that ``look`` asks for."""
    name = re.escape(look.name)
    match look.kind:
        case "headers":
            path = rf"usr/include/(?:[^\s/]+/){{0,2}}{name}"
        case "pkg-config":
            path = rf"usr/(?:lib|share)/(?:[^\s/]+/)?pkgconfig/{name}\.pc"
        case "libraries":
            path = rf"usr/lib/(?:[^\s/]+/)?lib{name}\.(?:a|so)"
        case _:
            path = (
                rf"usr/(?:lib|share)/\S*/(?i:{name})(?:Config|-config)\.cmake"
                rf"|usr/(?:lib|share)/(?:[^\s/]+/)?pkgconfig/(?i:(?:lib)?{name})\.pc"
            )
    return re.compile(rf"(?:{path})\s")


def _source(record: str) -> DebianSource | None:
    fields = dict(re.findall(r"(?m)^([A-Z][\w-]*):[ \t]*(.*(?:\n[ \t].*)*)", record))
    name, version = fields.get("Package", "").strip(), fields.get("Version", "").strip()
    upstream = version.partition(":")[2] or version
    upstream = upstream.rpartition("-")[0] or upstream
    wanted = re.compile(rf"{re.escape(name)}_{re.escape(upstream)}\.orig\.tar\.(?:xz|gz|bz2)")
    for line in fields.get("Checksums-Sha256", "").splitlines():
        match line.split():
            case [sha256, _, file] if wanted.fullmatch(file) and re.fullmatch(r"[0-9a-f]{64}", sha256):
                home = fields.get("Homepage", "").strip()
                return DebianSource(name=name, version=upstream, filename=file, sha256=sha256, home=home)
    return None
