from __future__ import annotations

import subprocess

from emwheels.ccache import INSIDE, CompilerCache, Hits, read_hits

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
"""


def test_hits_are_read_from_the_log_of_ccache(tmp_path):
    log = tmp_path / "log"
    log.write_text(LOG)
    assert read_hits(log) == Hits(hits=2, misses=1)
    assert read_hits(tmp_path / "missing") == Hits()


def test_hits_are_shown_with_their_share():
    assert str(Hits(hits=411, misses=1)) == "411 of 412 (99.8 %)"
    assert str(Hits()) == "no objects"


def test_every_recipe_has_a_folder_of_its_own(tmp_path):
    mount = CompilerCache(folder=tmp_path / "ccache" / "numpy").mount()
    assert (mount.host, mount.inside, mount.writable) == (tmp_path / "ccache" / "numpy", INSIDE, True)
    assert mount.host.is_dir()


def test_another_image_is_another_compiler():
    one, other = (
        CompilerCache.environment(digest, "/log", first="/first", path="/bin") for digest in ("sha256:1", "sha256:2")
    )
    assert {name for name in one if one[name] != other[name]} == {"CCACHE_COMPILERCHECK"}
    assert one["PATH"] == "/first:/bin"


def test_the_flags_that_emcc_reads_from_the_environment_are_part_of_the_compiler(tmp_path):
    CompilerCache.add_compilers(tmp_path / "compilers")
    (tmp_path / "ccache").write_text('#!/bin/sh\necho "$CCACHE_COMPILERCHECK: $@"\n')
    (tmp_path / "ccache").chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "CCACHE_COMPILERCHECK": "string:1", "EMCC_CFLAGS": "-DX=1"}
    for name in ("emcc", "em++"):
        command = [str(tmp_path / "compilers" / name), "-c", "a b.c"]
        done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
        assert done.stdout == f"string:1 -DX=1: {name} -c a b.c\n"
