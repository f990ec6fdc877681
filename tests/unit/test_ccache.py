from __future__ import annotations

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
    one, other = (CompilerCache.environment(digest, "/log") for digest in ("sha256:1", "sha256:2"))
    assert {name for name in one if one[name] != other[name]} == {"CCACHE_COMPILERCHECK"}
