"""A compiler cache (ccache) inside the sandbox: where it is kept, how it is switched on, what it hit."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.image.model import Mount
from emwheels.image.places import COMPILER_CACHE, PYTHON
from emwheels.plan.key import linker_digest

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_SIZE = "2G"
"""Limit for one recipe; ccache removes what was used longest ago."""

LAUNCHER = "python"
"""Emscripten's programs are shell scripts that start this for the Python program beside them."""

_LAUNCHER = """\
#!/bin/sh
# Emscripten's emcc and em++ start this in place of Python (EMSDK_PYTHON): -E, their program, and their arguments.
# What is in the cache is found before that program starts.
case "$2" in
*/emcc.py | */em++.py) ;;
*/emcmake.py | */emconfigure.py | */emmake.py)
    # They set the variable to the Python that runs them.
    program="$2"
    shift 2
    exec python3 -E "$program" env "EMSDK_PYTHON=$0" "$@"
    ;;
*) exec python3 "$@" ;;
esac
# A preloaded library, as the clock of another day is one, moves LLVM's data, by whose addresses it decides.
unset LD_PRELOAD
export EMWHEELS_COMPILER="$2"
compiler=${{2##*/}}
compiler={folder}/real/${{compiler%.py}}
shift 2
compiles= threads=
for argument in "$@"; do
    case "$argument" in
    -c) compiles=1 ;;
    -pthread | *USE_PTHREADS* | *PTHREAD_POOL_SIZE*) threads=1 ;;
    -fopenmp | -fopenmp=*)
        echo "emwheels: $argument: openmp requires threads and is not supported" >&2
        exit 1
        ;;
    esac
done
if [ "$threads" ]; then
    # There are none: the functions of threads are there, and say so.
    for argument in "$@"; do
        shift
        case "$argument" in
        -pthread | -s*USE_PTHREADS* | -s*PTHREAD_POOL_SIZE*) ;;
        USE_PTHREADS=* | PTHREAD_POOL_SIZE=*) set -- "$@" USE_PTHREADS=0 ;;
        *) set -- "$@" "$argument" ;;
        esac
    done
fi
if [ "$compiles" ]; then
    # emcc reads EMCC_CFLAGS. Its clang is not looked up once more.
    export CCACHE_COMPILERCHECK="$CCACHE_COMPILERCHECK $EMCC_CFLAGS"
    unset EM_COMPILER_WRAPPER
    exec ccache "$compiler" "$@"
fi
exec {python} -I -S {folder}/link_cache.py "{folder}/linking/${{compiler##*/}}" "$@"
"""
_REAL = """\
#!/bin/sh
unset EMSDK_PYTHON
exec python3 -E "$EMWHEELS_COMPILER" "$@"
"""

_LINKING = """\
#!/bin/sh
unset EMSDK_PYTHON
exec {python} -I -S {folder}/mend_link.py "$EMWHEELS_COMPILER" "$@"
"""

_INSIDE = Path(__file__).parent / "inside"
_PROGRAMS = tuple(_INSIDE / name for name in ("link_cache.py", "mend_link.py", "threads.c", "vague_linkage.py"))
_NAMES = "runtime.names"
_LINK_HIT, _LINK_MISS = "link_cache_hit", "link_cache_miss"
"""What ``inside/link_cache.py`` notes."""
_HITS = ("direct_cache_hit", "preprocessed_cache_hit")


@dataclass(frozen=True, kw_only=True)
class Hits:
    """What came out of the cache in one build."""

    hits: int = 0
    """Objects."""
    misses: int = 0
    linked: int = 0
    """Links that were in the cache."""
    links: int = 0
    """Links that were looked up."""

    @property
    def objects(self) -> int:
        """How many compilations could be looked up."""
        return self.hits + self.misses

    def __str__(self) -> str:
        """E.g. ``411 of 412 (99.8 %), 3 of 4 links``."""
        objects = "no objects"
        if self.objects:
            objects = f"{self.hits:,} of {self.objects:,} ({100 * self.hits / self.objects:.1f} %)"
        return objects + (f", {self.linked:,} of {self.links:,} links" if self.links else "")

    def __add__(self, other: Hits) -> Hits:
        """Return those of both builds."""
        return Hits(
            hits=self.hits + other.hits,
            misses=self.misses + other.misses,
            linked=self.linked + other.linked,
            links=self.links + other.links,
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
        return Mount(host=self.folder, inside=COMPILER_CACHE, writable=True)

    @staticmethod
    def add_launchers(folder: Path, *, inside: str, runtime: Collection[str] = ()) -> None:
        """Write what looks into the cache before Emscripten's programs start to ``folder``, ``inside`` for a build.

        ``runtime`` are the names that the runtime offers to a module: a check before a build finds what it has.
        """
        real, linking = folder / "real", folder / "linking"
        real.mkdir(parents=True, exist_ok=True)
        linking.mkdir(exist_ok=True)
        for program in _PROGRAMS:
            shutil.copyfile(program, folder / program.name)
        if runtime:
            (folder / _NAMES).write_text("".join(f"{name}\n" for name in sorted(runtime)))
        for path, text in (
            (folder / LAUNCHER, _LAUNCHER.format(folder=inside, python=PYTHON)),
            (real / "emcc", _REAL),
            (real / "em++", _REAL),
            (linking / "emcc", _LINKING.format(folder=inside, python=PYTHON)),
            (linking / "em++", _LINKING.format(folder=inside, python=PYTHON)),
        ):
            path.write_text(text)
            path.chmod(0o755)

    @staticmethod
    def environment(compiler: str, log: str, *, launchers: str, runtime: Collection[str] = ()) -> dict[str, str]:
        """Return the variables that have compilers look into the cache and ccache note each result in ``log``.

        ``compiler`` identifies the compiler, e.g. by the image's digest: its own file is a small program whose
        libraries do the work. ``launchers`` is the folder of `add_launchers` as the build sees it. Emscripten's
        programs have Python started by EMSDK_PYTHON, whatever path they are called by (CMake's files of Emscripten
        have the whole one). What is compiled and linked by one command has the clang looked up that emcc starts.
        A configuration file that a build left in the folder is not read.
        """
        return {
            "EMSDK_PYTHON": f"{launchers}/{LAUNCHER}",
            # Part of what a link is looked up by, as are all variables of such names.
            "EMWHEELS_LINKER": _linker(runtime),
            "EM_COMPILER_WRAPPER": "ccache",
            "CCACHE_COMPILERTYPE": "clang",
            # The list of headers that the compiler writes anyway (-MD) is taken: nothing is preprocessed twice.
            "CCACHE_DEPEND": "1",
            "CCACHE_DIR": COMPILER_CACHE,
            "CCACHE_CONFIGPATH": "/dev/null",
            "CCACHE_COMPILERCHECK": f"string:{compiler}",
            "CCACHE_MAXSIZE": MAX_SIZE,
            "CCACHE_STATSLOG": log,
        }


def _linker(runtime: Collection[str]) -> str:
    """Return what tells how links are made for a runtime."""
    if not runtime:
        return linker_digest()
    return hashlib.sha256("\n".join([linker_digest(), *sorted(runtime)]).encode()).hexdigest()


def read_hits(text: str) -> Hits:
    """Return what was noted in the file of ``CCACHE_STATSLOG`` (ccache 4): a counter's name per line."""
    counted = Counter(text.splitlines())
    return Hits(
        hits=sum(counted[name] for name in _HITS),
        misses=counted["cache_miss"],
        linked=counted[_LINK_HIT],
        links=counted[_LINK_HIT] + counted[_LINK_MISS],
    )
