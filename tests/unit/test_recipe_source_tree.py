"""A source that is a folder: which files count, what is refused, and the same bytes for the same files."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile

import pytest

from emwheels.errors import RecipeError
from emwheels.recipe import source_tree
from emwheels.recipe.load import load_recipe
from emwheels.recipe.source_tree import last_tag, tree_digest, write_tree

META = "package: {name: acme, version: '1.0'}\nsource: {path: PATH}\n"
needs_git = pytest.mark.skipif(not shutil.which("git"), reason="no git here")


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project" / "recipes" / "acme"
    folder.mkdir(parents=True)
    return tmp_path / "project"


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "acme"
    put(folder, "pyproject.toml", "src/acme/__init__.py", "src/acme/fast.c")
    return folder


def put(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def recipe(project, path):
    (project / "recipes" / "acme" / "meta.yaml").write_text(META.replace("PATH", str(path)))
    return load_recipe(project / "recipes" / "acme", patches=project / "patches")


def packed(project, path):
    out = io.BytesIO()
    write_tree(recipe(project, path), out)
    return tarfile.open(fileobj=io.BytesIO(out.getvalue()))


def names(project, path):
    with packed(project, path) as tar:
        return [name.removeprefix("acme-1.0/") for name in tar.getnames()]


def git(folder, *arguments):
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)


def test_all_but_what_builds_leave(project, source):
    put(source, "build/x.o", "dist/a.whl", "src/acme/__pycache__/a.pyc", "src/acme/fast.so", "acme.egg-info/PKG-INFO")
    put(source, ".venv/bin/python", "src/build/__init__.py", ".cargo/config.toml")
    expected = [
        ".cargo/config.toml",
        "pyproject.toml",
        "src/acme/__init__.py",
        "src/acme/fast.c",
        "src/build/__init__.py",
    ]
    assert names(project, source) == expected


@needs_git
def test_what_git_lists(project, source):
    put(source, "build/kept.py", "new.c", "data.bin", "gone.c", "sub/inner.c", "sub/skipped.o")
    (source / ".gitignore").write_text("*.bin\n")
    (source / "sub" / ".gitignore").write_text("skipped.o\n")
    git(source, "init", "-q")
    git(source, "add", "pyproject.toml", "src", "gone.c")
    (source / "gone.c").unlink()
    found = names(project, source)
    assert found == sorted(found)
    assert {"build/kept.py", "new.c", "sub/inner.c", "src/acme/fast.c"} <= set(found)
    assert not {"data.bin", "gone.c", "sub/skipped.o"} & set(found)
    assert not any(name.startswith(".git/") for name in found)


@needs_git
def test_a_program_that_the_repository_names_is_not_run(project, source, tmp_path):
    git(source, "init", "-q")
    witness = tmp_path / "it-ran"
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {witness}\n")
    hook.chmod(0o755)
    git(source, "config", "core.fsmonitor", str(hook))
    assert "pyproject.toml" in names(project, source)
    assert not witness.exists()


@needs_git
def test_a_repository_within_is_taken_with_its_files(project, source):
    git(source, "init", "-q")
    put(source, "third/lib.c", "third/left.o")
    git(source / "third", "init", "-q")
    (source / "third" / ".gitignore").write_text("*.o\n")
    found = names(project, source)
    assert "third/lib.c" in found
    assert "third/left.o" not in found


@needs_git
def test_the_last_tag(source):
    git(source, "init", "-q")
    assert last_tag(source) == ""
    git(source, "add", ".")
    git(source, "-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-qm", "x")
    git(source, "tag", "v1.2")
    assert last_tag(source) == "v1.2"


def test_the_digest_is_of_names_modes_and_bytes_alone(project, source):
    first = tree_digest(recipe(project, source))
    os.utime(source / "pyproject.toml", (1, 1))
    (source / "empty").mkdir()
    assert tree_digest(recipe(project, source)) == first
    (source / "pyproject.toml").chmod(0o755)
    second = tree_digest(recipe(project, source))
    (source / "pyproject.toml").write_text("other")
    third = tree_digest(recipe(project, source))
    (source / "pyproject.toml").rename(source / "setup.py")
    assert len({first, second, third, tree_digest(recipe(project, source))}) == 4


def test_a_link_within_stays_one(project, source):
    (source / "src" / "also.c").symlink_to("acme/fast.c")
    with packed(project, source) as tar:
        member = tar.getmember("acme-1.0/src/also.c")
    assert (member.issym(), member.linkname) == (True, "acme/fast.c")


@pytest.mark.parametrize("target", ["/etc/passwd", "../../elsewhere", "../.."])
def test_a_link_that_leads_out_is_refused(project, source, target):
    (source / "src" / "out").symlink_to(target)
    with pytest.raises(RecipeError, match=r"source\.path: src/out is a link to .*, which leads out of the folder"):
        names(project, source)


def test_what_is_no_file_is_left_out(project, source):
    os.mkfifo(source / "pipe")
    assert "pipe" not in names(project, source)


def test_too_many_files_and_bytes(project, source, monkeypatch):
    monkeypatch.setattr(source_tree, "MOST_BYTES", 20)
    with pytest.raises(RecipeError, match="more than 20 bytes"):
        names(project, source)
    monkeypatch.setattr(source_tree, "MOST_FILES", 2)
    with pytest.raises(RecipeError, match="has 3 files; it must have some, and at most 2"):
        names(project, source)


def test_a_folder_around_the_recipes_is_taken_without_them(project):
    put(
        project,
        "pyproject.toml",
        "acme.c",
        "dist/wheels/a.whl",
        "patches/acme/0001-x.patch.txt",
        "recipes/acme/test_a.py",
    )
    assert names(project, "../..") == ["acme.c", "pyproject.toml"]


def test_the_recipe_s_own_folder_is_taken_without_what_makes_it_a_recipe(project):
    put(project / "recipes" / "acme", "setup.py", "acme.c", "test_acme.py", "requirements.build.txt")
    assert names(project, ".") == ["acme.c", "setup.py"]


@pytest.mark.parametrize("path", ["nothing", "/dev/null", "../../../empty"])
def test_what_is_no_project_is_refused(project, path):
    (project.parent / "empty").mkdir()
    with pytest.raises(RecipeError, match=r"source\.path: .*(there is no folder|is no Python project)"):
        recipe(project, path)


def test_a_file_name_that_is_no_utf8(project, source):
    (source / os.fsdecode(b"caf\xe9.c")).write_text("")
    with pytest.raises(RecipeError, match="its name is not UTF-8"):
        names(project, source)


@needs_git
def test_what_a_gitignore_names_does_not_count_outside_of_a_repository(project, source):
    put(source, "data.bin", "sub/inner.c", "sub/deep/left.log", "kept.log")
    (source / ".gitignore").write_text("*.bin\n*.log\n!kept.log\n")
    (source / "sub" / ".gitignore").write_text("deep/\n")
    found = names(project, source)
    assert {"kept.log", "sub/inner.c", ".gitignore"} <= set(found)
    assert not {"data.bin", "sub/deep/left.log"} & set(found)


@needs_git
def test_what_only_this_clone_leaves_out(project, source):
    git(source, "init", "-q")
    (source / ".git" / "info").mkdir(exist_ok=True)
    (source / ".git" / "info" / "exclude").write_text("notes.txt\n")
    before = tree_digest(recipe(project, source))
    put(source, "notes.txt", "emwheels.lock", "emwheels.md", "wheelhouse/a.whl")
    assert tree_digest(recipe(project, source)) == before


@needs_git
def test_submodules(project, source, tmp_path):
    inner = tmp_path / "inner"
    put(inner, "lib.c")
    for folder in (inner, source):
        git(folder, "init", "-q")
        git(folder, "config", "user.name", "x")
        git(folder, "config", "user.email", "x@example.org")
        git(folder, "add", ".")
        git(folder, "commit", "-qm", "x")
    git(source, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "third")
    git(source, "commit", "-qm", "with a submodule")
    assert "third/lib.c" in names(project, source)
    assert source_tree.changed_submodules(source) == []
    (source / "third" / "lib.c").write_text("changed")
    assert source_tree.changed_submodules(source) == ["third"]
    git(source, "submodule", "deinit", "-f", "third")
    with pytest.raises(RecipeError, match="the submodule third is empty; run git submodule update --init"):
        names(project, source)
