"""A source that autotools or Meson build, before its build."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess

import pytest

from emwheels.build.inside.prepare_tree import prepare, serve_wraps

OLD = "#! /bin/sh\n# Configuration validation subroutine script.\ntimestamp='2009-11-20'\n"
NEW = OLD.replace("2009", "2026") + "wasm32 emscripten\n"


@pytest.fixture
def files(tmp_path):
    """The image's config.sub and config.guess."""
    folder = tmp_path / "misc"
    folder.mkdir()
    (folder / "config.sub").write_text(NEW)
    (folder / "config.guess").write_text(NEW + "guess\n")
    return folder


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "tree"
    (folder / "deps" / "old" / "build-aux").mkdir(parents=True)
    return folder


def test_old_files_are_replaced_and_newer_ones_stay(tree, files):
    old, other = tree / "deps" / "old" / "build-aux", tree / "config.sub"
    (old / "config.sub").write_text(OLD)
    (old / "config.guess").write_text(OLD)
    os.utime(old / "config.sub", ns=(10**18, 10**18))
    other.write_text(NEW + "own\n")
    prepare(tree, files)
    assert (old / "config.sub").read_text() == NEW
    assert (old / "config.guess").read_text() == NEW + "guess\n"
    assert (old / "config.sub").stat().st_mtime_ns == 10**18
    assert os.access(old / "config.sub", os.X_OK)
    assert other.read_text() == NEW + "own\n"


def test_another_file_of_that_name_and_a_link_stay(tree, files):
    (tree / "config.sub").write_text("ours\n")
    (tree / "elsewhere").write_text(OLD)
    (tree / "deps" / "config.sub").symlink_to("../elsewhere")
    prepare(tree, files)
    assert (tree / "config.sub").read_text() == "ours\n"
    assert (tree / "elsewhere").read_text() == OLD


def test_configure_is_made_when_it_is_first_run(tree, files, tmp_path):
    (tree / "configure.ac").write_text("AC_INIT\n")
    (tree / "deps" / "old" / "configure.ac").write_text("AC_INIT\n")
    (tree / "deps" / "old" / "configure").write_text("#!/bin/sh\n")
    prepare(tree, files)
    assert (tree / "deps" / "old" / "configure").read_text() == "#!/bin/sh\n"
    made = tree / "configure"
    assert made.stat().st_mtime_ns < (tree / "configure.ac").stat().st_mtime_ns
    programs = tmp_path / "programs"
    programs.mkdir()
    autoreconf = programs / "autoreconf"
    autoreconf.write_text('#!/bin/sh\necho "echo true: \\$* in \\$PWD" > configure\n')
    autoreconf.chmod(0o755)
    run = {"cwd": tmp_path, "env": {"PATH": f"{programs}:/usr/bin:/bin"}, "capture_output": True, "text": True}
    done = subprocess.run([made, "--prefix=/x y"], check=True, **run)
    assert done.stdout == f"true: --prefix=/x y in {tmp_path}\n"
    assert "autoreconf makes it" in done.stderr
    assert subprocess.run(["sh", made, "again"], check=True, **run).stdout == f"true: again in {tmp_path}\n"
    assert sorted(path.name for path in tree.iterdir()) == ["configure", "configure.ac", "deps"]


def test_where_autoreconf_fails_the_source_s_own_script_is_tried(tree, files, tmp_path):
    (tree / "configure.in").write_text("AC_INIT\n")
    prepare(tree, files)
    run = {"env": {"PATH": f"{tmp_path}:/usr/bin:/bin"}, "capture_output": True, "text": True}
    (tmp_path / "autoreconf").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "autoreconf").chmod(0o755)
    assert subprocess.run([tree / "configure"], check=False, **run).returncode == 1
    (tree / "autogen.sh").write_text('echo "echo made $NOCONFIGURE" > configure\n')
    assert subprocess.run([tree / "configure"], check=False, **run).stdout == "made 1\n"


@pytest.fixture
def wraps(tree, tmp_path):
    """A tree with wraps, and what a recipe lists for them."""
    downloads, answers, cache = (tmp_path / name for name in ("downloads", "answers", "packagecache"))
    cache.mkdir()
    archive = b"an archive"
    sha256 = hashlib.sha256(archive).hexdigest()
    (answers / "downloads").mkdir(parents=True)
    (answers / "downloads" / sha256).write_bytes(archive)
    (answers / "downloads.json").write_text(json.dumps({"Zip": sha256, "gitty": "0" * 64}))
    (downloads / "gitty").mkdir(parents=True)
    (downloads / "gitty" / "x.c").write_text("x\n")
    folder = tree / "subprojects"
    (folder / "packagefiles" / "gitty").mkdir(parents=True)
    (folder / "packagefiles" / "gitty" / "meson.build").write_text("project('x')\n")
    (folder / "zip.wrap").write_text(
        f"[wrap-file]\ndirectory = zip-1.0\nsource_filename = zip-1.0.tar.gz\nsource_hash = {sha256}\n"
        "[provide]\nzip = zip_dep\n"
    )
    (folder / "own.wrap").write_text(
        "[wrap-git]\nurl = nowhere\nrevision = HEAD\ndirectory = gitty\npatch_directory = gitty\n"
    )
    (folder / "bad.wrap").write_text("no ini\n")
    (folder / "out.wrap").write_text("[wrap-git]\ndirectory = ../../gitty\n")
    return tree, answers, downloads, cache


def test_wraps_find_what_the_recipe_lists(wraps):
    tree, *given = wraps
    cache = given[-1]
    serve_wraps(tree, *given)
    assert (cache / "zip-1.0.tar.gz").read_bytes() == b"an archive"
    made = tree / "subprojects" / "gitty"
    assert sorted(path.name for path in made.iterdir()) == ["meson.build", "x.c"]
    assert [path.name for path in cache.iterdir()] == ["zip-1.0.tar.gz"]
