"""A source that is unpacked, changed and made a patch of, which the build's own patch(1) then applies."""

from __future__ import annotations

import random

import pytest

from emwheels.author.patch import changes, patch_of
from emwheels.build.source import apply_patch
from emwheels.image.door import Door

FILES = {
    "a.c": b"one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n",
    "crlf.txt": b"one\r\ntwo\r\nthree\r\n",
    "latin.txt": "gr\xfcn\nblau\n".encode("latin-1"),
    "no-end.txt": b"first\nlast",
    "gone.txt": b"to be deleted\n",
    "empty.txt": b"",
    "run.sh": b"#!/bin/sh\n",
    "carriage.txt": b"a\rb\rc\n",
    "name with spaces.txt": b"spaces\n",
    "deep/er/x.py": b"x = 1\n",
    "m\xfcsli.txt".encode().decode(): b"unicode name\n",
}
HEADER = ("--why", "A test needs it", "--until", "the test goes")


@pytest.fixture
def tiny(tiny_project):
    tiny_project.recipe("tiny", FILES, "extra: {}\n")
    return tiny_project


def unpacked(project, *more):
    folder = project.root / "mine"
    assert project.run("source", "tiny", str(folder), *more).status == 0
    return folder


def create(project, folder, name="what-it-does", *more):
    return project.run("create-patch", "tiny", str(folder), "--name", name, *HEADER, *more)


def test_what_was_changed_becomes_a_patch_that_gives_the_same_tree(tiny):
    folder = unpacked(tiny)
    assert (folder / "a.c").read_bytes() == FILES["a.c"]
    assert (folder / "a.c").owner() == folder.parent.owner(), "also where root's patches are applied by another user"
    (folder / "a.c").write_bytes(FILES["a.c"].replace(b"five", b"FIVE"))
    (folder / "crlf.txt").write_bytes(b"one\r\nTWO\r\nthree\r\n")
    (folder / "latin.txt").write_bytes("gr\xfcn\nrot\xdf\n".encode("latin-1"))
    (folder / "no-end.txt").write_bytes(b"first\nLAST")
    (folder / "gone.txt").unlink()
    (folder / "empty.txt").unlink()
    (folder / "run.sh").chmod(0o755)
    (folder / "carriage.txt").write_bytes(b"a\rB\rc\n")
    (folder / "name with spaces.txt").write_bytes(b"more spaces\n")
    (folder / "m\xfcsli.txt").write_bytes(b"changed\n")
    (folder / "new").mkdir()
    (folder / "new/file.c").write_bytes(b"int x;")
    (folder / "new/tool.sh").write_bytes(b"#!/bin/sh\necho\n")
    (folder / "new/tool.sh").chmod(0o755)
    (folder / "new/__init__.py").write_bytes(b"")
    (folder / 'new/a b "c".txt').write_bytes(b"quotes\n")
    for left in ("a.c.orig", "a.c~", ".a.c.swp"):
        (folder / left).write_bytes(b"of an editor\0")
    (folder / ".git").mkdir()
    (folder / ".git/HEAD").write_bytes(b"ref\n")

    done = create(tiny, folder, "what-it-does", "--reported", "https://example.org/1")
    assert done.status == 0, done.err
    text = (tiny.root / "patches/tiny/0001-what-it-does.patch").read_bytes()
    head = b"What it does\n\nA test needs it\n\nReported: https://example.org/1. It can go when the test goes.\n\n"
    assert text.startswith(head)
    assert b"of an editor" not in text
    assert tiny.run("list").status == 0, "the recipe's own check of a patch takes it"

    # Another folder with the patch applied is the same tree.
    other = tiny.root / "other"
    assert tiny.run("source", "tiny", str(other)).status == 0
    with Door(other) as before, Door(folder) as after:
        assert [change.path for change in changes(before, after)] == []
    assert (other / "new/tool.sh").stat().st_mode & 0o111
    assert not (other / "gone.txt").exists()
    assert not (other / "empty.txt").exists()
    assert (other / "new/__init__.py").read_bytes() == b""

    # Changes on top, in a file that the first patch touches, are a patch of their own.
    assert create(tiny, folder).status == 1
    (folder / "a.c").write_bytes(FILES["a.c"].replace(b"five", b"FIVE and a half"))
    done = create(tiny, folder, "more")
    assert done.status == 0, done.err
    text = (tiny.root / "patches/tiny/0002-more.patch").read_text()
    assert "-FIVE\n+FIVE and a half\n" in text
    assert text.count("+++") == 1


def test_no_change_says_so(tiny):
    done = create(tiny, unpacked(tiny))
    assert (done.status, list((tiny.root / "patches").iterdir())) == (1, [])
    assert "nothing was changed" in done.err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: (folder / "new.bin").write_bytes(b"a\0b"), "'new.bin' is binary"),
        (lambda folder: (folder / "a.c").write_bytes(b"a\0b"), "'a.c' is binary"),
        (lambda folder: (folder / "link").symlink_to("a.c"), "'link' is a symbolic link"),
        (lambda folder: (folder / "a\x1b[2Jb").write_bytes(b"x"), "with characters that cannot be printed"),
    ],
)
def test_what_a_patch_cannot_say_is_refused_with_a_reason(tiny, change, words):
    folder = unpacked(tiny)
    change(folder)
    done = create(tiny, folder)
    assert done.status == 3
    assert words in done.err
    assert "\x1b" not in done.err
    assert list((tiny.root / "patches").iterdir()) == []


def test_the_folder_has_to_be_empty_and_the_source_to_be_the_same(tiny):
    folder = tiny.root / "mine"
    folder.mkdir()
    (folder / "precious").write_text("")
    assert tiny.run("source", "tiny", str(folder)).status == 2
    assert [path.name for path in tiny.root.iterdir() if path.name.startswith(".")] == [], "nothing half-written"
    assert "was not unpacked by emwheels source" in create(tiny, folder).err
    (folder / "precious").unlink()
    assert tiny.run("source", "tiny", str(folder)).status == 0
    (folder / "a.c").write_bytes(b"else\n")
    tiny.recipe("tiny", {**FILES, "a.c": b"upstream's\n"}, "extra: {}\n")
    done = create(tiny, folder)
    assert (done.status, "of another source" in done.err) == (2, True)
    assert create(tiny, tiny.root / "nowhere").status == 2


def test_a_files_of_the_recipe_are_not_patched(tiny):
    recipe = tiny.root / "recipes/tiny"
    (recipe / "config.h").write_text("#define X\n")
    meta = (recipe / "meta.yaml").read_text()
    (recipe / "meta.yaml").write_text(meta.replace("source:\n", "source:\n  extras:\n    - [config.h, src/config.h]\n"))
    folder = unpacked(tiny)
    (folder / "src/config.h").write_text("#define Y\n")
    done = create(tiny, folder)
    assert done.status == 3
    assert "'src/config.h' is a file of the recipe itself" in done.err


def test_a_header_is_needed_and_is_no_part_of_the_change(tiny):
    folder = unpacked(tiny)
    (folder / "a.c").write_bytes(b"else\n")
    for options in ((), ("--why", "--- a/x"), ("--why", "x", "--until", "\x1b")):
        done = tiny.run("create-patch", "tiny", str(folder), "--name", "x", *options)
        assert done.status == 2, options
    assert "a patch needs --why" in tiny.run("create-patch", "tiny", str(folder), "--name", "x").err
    assert tiny.run("create-patch", "tiny", str(folder), "--name", "Ünfug!", *HEADER).status == 2


def test_random_changes_come_back(image, tmp_path):
    """Trees with lines of all kinds, changed at random: the build's patch(1) makes one of the other."""
    chance = random.Random(7)
    lines = [
        b"a\n",
        b"b\n",
        b"\n",
        b"a\r\n",
        b"\xff\n",
        b"--- x\n",
        b"+++ y\n",
        b"@@ -1 +1 @@\n",
        b"\\ No newline\n",
        b"\r",
    ]

    def content():
        data = b"".join(chance.choices(lines, k=chance.choice([0, 1, 3, 30, 200])))
        return data[:-1] if chance.random() < 0.3 else data

    def edited(data):
        parts = data.splitlines(keepends=True)
        for _ in range(chance.randint(0, 4)):
            at = chance.randint(0, len(parts))
            parts[at : at + chance.randint(0, 3)] = chance.choices(lines, k=chance.randint(0, 3))
        return b"".join(parts)

    for number in range(4):
        old, new = tmp_path / f"{number}-old", tmp_path / f"{number}-new"
        for tree in (old, new):
            tree.mkdir(mode=0o755)
        for name in range(20):
            data = content()
            if chance.random() < 0.8:
                (old / f"f{name}").write_bytes(data)
            if chance.random() < 0.8:
                (new / f"f{name}").write_bytes(edited(data))
                (new / f"f{name}").chmod(0o755 if chance.random() < 0.2 else 0o644)
        with Door(old) as before, Door(new) as after:
            found = changes(before, after)
        patch = tmp_path / f"{number}.patch"
        patch.write_bytes(b"Random\n\n" + patch_of(found))
        apply_patch(patch, old, image)
        with Door(old) as before, Door(new) as after:
            assert changes(before, after) == [], patch
