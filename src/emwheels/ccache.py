"""A compiler cache (ccache) inside the sandbox: where it is kept, how it is switched on, what it hit."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from stat import S_ISREG
from typing import TYPE_CHECKING

from emwheels.image.model import Mount

if TYPE_CHECKING:
    from pathlib import Path

INSIDE = "/mnt/ccache"
"""Where a build sees its folder of the cache."""
MAX_SIZE = "2G"
"""Limit for one recipe; ccache removes what was used longest ago."""

_COMPILER = """\
#!/bin/sh
# What is in the cache is found before emcc starts, which is a Python program. emcc reads EMCC_CFLAGS.
export CCACHE_COMPILERCHECK="$CCACHE_COMPILERCHECK $EMCC_CFLAGS"
exec ccache {name} "$@"
"""

_HITS = ("direct_cache_hit", "preprocessed_cache_hit")


@dataclass(frozen=True, kw_only=True)
class Hits:
    """What came out of the cache in one build, in objects."""

    hits: int = 0
    misses: int = 0

    @property
    def objects(self) -> int:
        """How many compilations could be looked up."""
        return self.hits + self.misses

    def __str__(self) -> str:
        """E.g. ``411 of 412 (99.8 %)``."""
        return (
            f"{self.hits:,} of {self.objects:,} ({100 * self.hits / self.objects:.1f} %)"
            if self.objects
            else "no objects"
        )


@dataclass(frozen=True, kw_only=True)
class CompilerCache:
    """The compiler cache of one recipe at ``folder``.

    Each recipe has a folder of its own: what a build writes there can reach no other recipe. Builds of one recipe at
    the same time may share it, as ccache writes every entry atomically.
    """

    folder: Path

    def mount(self) -> Mount:
        """Return the folder as a build sees it; it is made if it is not there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return Mount(host=self.folder, inside=INSIDE, writable=True)

    @staticmethod
    def add_compilers(folder: Path) -> None:
        """Write ``emcc`` and ``em++`` that look into the cache to ``folder``, which is to come first in PATH."""
        folder.mkdir(parents=True)
        for name in ("emcc", "em++"):
            (folder / name).write_text(_COMPILER.format(name=name))
            (folder / name).chmod(0o755)

    @staticmethod
    def environment(compiler: str, log: str, *, first: str, path: str) -> dict[str, str]:
        """Return the variables that have compilers look into the cache and ccache note each result in ``log``.

        ``compiler`` identifies the compiler, e.g. by the image's digest: its own file is a small program whose
        libraries do the work. ``first`` is the folder of `add_compilers` as the build sees it, ``path`` its PATH. What
        calls emcc by its whole path (CMake's files of Emscripten) has the clang that emcc starts looked up instead.
        A configuration file that a build left in the folder is not read.
        """
        return {
            "PATH": f"{first}:{path}",
            "EM_COMPILER_WRAPPER": "ccache",
            "CCACHE_PATH": path,
            "CCACHE_COMPILERTYPE": "clang",
            # The list of headers that the compiler writes anyway (-MD) is taken: nothing is preprocessed twice.
            "CCACHE_DEPEND": "1",
            "CCACHE_DIR": INSIDE,
            "CCACHE_CONFIGPATH": "/dev/null",
            "CCACHE_COMPILERCHECK": f"string:{compiler}",
            "CCACHE_MAXSIZE": MAX_SIZE,
            "CCACHE_STATSLOG": log,
        }


def remove_unused(folder: Path, *, older_than: float, dry_run: bool = False) -> tuple[int, int]:
    """Remove what no build has used for ``older_than`` seconds from the caches of all recipes below ``folder``.

    ccache 4 sets the time of an entry that it hits, and takes one that vanishes for a miss, so builds may go on.
    Returns how many files these are, and their bytes.
    """
    count = freed = 0
    until = time.time() - older_than
    for path in folder.glob("*/**/*"):
        with suppress(FileNotFoundError):
            status = path.lstat()
            if S_ISREG(status.st_mode) and status.st_mtime < until:
                count, freed = count + 1, freed + status.st_size
                if not dry_run:
                    path.unlink()
    return count, freed


def read_hits(log: Path) -> Hits:
    """Return what ccache noted in the file of ``CCACHE_STATSLOG`` (ccache 4): a counter's name per line."""
    try:
        counted = Counter(log.read_text(errors="replace").splitlines())
    except FileNotFoundError:
        return Hits()
    return Hits(hits=sum(counted[name] for name in _HITS), misses=counted["cache_miss"])
