from __future__ import annotations

import subprocess

import pytest

from emwheels.build.compiler_cache import LAUNCHER, CompilerCache, Hits, read_hits
from emwheels.build.inside import link_cache
from emwheels.image.places import COMPILER_CACHE
from emwheels.plan.key import linker_digest

LOG = """\
# a.c
cache_miss
direct_cache_miss
local_storage_miss
# b.c
direct_cache_hit
local_storage_hit
# c.c
direct_cache_miss
preprocessed_cache_hit
# a.o
called_for_link
link_cache_hit
link_cache_miss
link_cache_hit
"""


def test_hits_are_read_from_the_log_of_ccache():
    assert read_hits(LOG) == Hits(hits=2, misses=1, linked=2, links=3)
    assert read_hits("") == Hits()


def test_hits_are_shown_with_their_share():
    assert str(Hits(hits=411, misses=1)) == "411 of 412 (99.8 %)"
    assert str(Hits(hits=411, misses=1, linked=3, links=4)) == "411 of 412 (99.8 %), 3 of 4 links"
    assert str(Hits()) == "no objects"
    assert Hits(hits=1, links=2) + Hits(hits=2, misses=3, linked=4) == Hits(hits=3, misses=3, linked=4, links=2)


def test_every_recipe_has_a_folder_of_its_own(tmp_path):
    mount = CompilerCache(folder=tmp_path / "ccache" / "numpy").mount()
    assert (mount.host, mount.inside, mount.writable) == (tmp_path / "ccache" / "numpy", COMPILER_CACHE, True)
    assert mount.host.is_dir()


def test_another_image_is_another_compiler():
    one, other = (
        CompilerCache.environment(digest, "/log", launchers="/launchers") for digest in ("sha256:1", "sha256:2")
    )
    assert {name for name in one if one[name] != other[name]} == {"CCACHE_COMPILERCHECK"}
    assert one["EMSDK_PYTHON"] == f"/launchers/{LAUNCHER}"
    assert one["EMWHEELS_LINKER"] == linker_digest()


@pytest.fixture
def launch(tmp_path):
    """Start the launcher as a program of Emscripten's does, with programs that say what they were given."""
    folder = tmp_path / "launchers"
    CompilerCache.add_launchers(folder, inside=str(folder))
    programs = {
        "ccache": (
            "#!/bin/sh\n"
            f'echo "ccache $LD_PRELOAD$CCACHE_COMPILERCHECK: ${{1#{folder}/}}, $EM_COMPILER_WRAPPER, $2 $3"\n'
        ),
        "python3": '#!/bin/sh\nif [ "$3" = env ]; then shift 2; exec "$@"; fi\necho "python3 $*"\n',
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "CCACHE_COMPILERCHECK": "string:1", "EMCC_CFLAGS": "-DX=1"}
    # Something preloaded, as `emwheels reproduce` has the clock of another day, is not to be in a compiler.
    env |= {"EM_COMPILER_WRAPPER": "ccache", "LD_PRELOAD": "libc.so.6"}

    def launch(*words: str) -> str:
        command = [str(folder / LAUNCHER), "-E", *words]
        return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout.strip()

    return launch


def test_compilations_go_to_ccache_with_the_flags_of_the_environment(launch):
    for name in ("emcc", "em++"):
        assert launch(f"/em/{name}.py", "-c", "a b.c") == f"ccache string:1 -DX=1: real/{name}, , -c a b.c"


def test_links_go_to_the_cache_of_links(launch):
    # Which leaves a command that is no link alone, and starts the compiler itself.
    assert launch("/em/emcc.py", "--version") == "python3 -E /em/emcc.py --version"


@pytest.mark.parametrize("name", ["emcc", "em++"])
def test_links_go_through_vague_linkage(launch, tmp_path, name):
    """What has to be one across modules is told by the objects; a command without the option is run as it is."""
    command = [str(tmp_path / "launchers" / "linking" / name), "a.o", "-o", "x.so"]
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "EMWHEELS_COMPILER": f"/em/{name}.py", "EMSDK_PYTHON": "/nothing"}
    done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
    assert done.stdout == f"python3 -E /em/{name}.py a.o -o x.so\n"


def test_other_programs_of_emscripten_are_started_as_they_are(launch):
    assert launch("/em/emar.py", "-c", "rc", "x.a") == "python3 -E /em/emar.py -c rc x.a"


def test_what_runs_under_emcmake_has_the_launcher_too(launch, tmp_path):
    for name in ("emcmake", "emconfigure", "emmake"):
        assert launch(f"/em/{name}.py", "printenv", "EMSDK_PYTHON") == str(tmp_path / "launchers" / LAUNCHER)


def test_the_counters_are_those_that_the_link_cache_notes():
    assert read_hits(f"{link_cache.HIT}\n{link_cache.MISS}\n{link_cache.MISS}\n") == Hits(linked=1, links=3)
