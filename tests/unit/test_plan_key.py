from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest
from sample_target import TARGET

from emwheels.build.inside import vague_linkage
from emwheels.errors import RecipeError
from emwheels.plan import key as plan_key
from emwheels.plan.key import BuildKey, build_key, explain, input_digests, linker_digest
from emwheels.profile import profile_environment
from emwheels.recipe.load import load_recipe, load_recipes
from emwheels.target.profiles import PROFILES

META = """\
package:
  name: demo
  version: 1.2.3
source:
  url: pkg:pypi/demo@1.2.3
  sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
  extras:
    - [extra.h, include/extra.h]
build:
  cflags: -DX=1
requirements:
  run: [other]
  host: [lib]
test:
  imports: [demo]
about:
  summary: A demo
"""
HEADER = "Needed because of this.\nReported upstream.\n\n"
GIVEN = {
    "profile": "speed",
    "image_digest": "sha256:1",
    "toolchain": "debian",
    "toolchain_key": "2",
    "dependencies": {"lib": "3"},
}


class Folder:
    def __init__(self, root):
        self.recipe = root / "recipes" / "demo"
        self.patches = root / "patches"
        self.meta = self.recipe / "meta.yaml"
        self.patch = self.patches / "demo" / "0001-x.patch"
        self.recipe.mkdir(parents=True)
        self.patch.parent.mkdir(parents=True)
        self.meta.write_text(META)
        self.patch.write_text(HEADER + "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n")
        (self.recipe / "extra.h").write_text("1\n")
        (self.recipe / "requirements.build.txt").write_text("setuptools==1 --hash=sha256:" + "0" * 64)
        (self.recipe / "test_demo.py").write_text("def test(): pass\n")

    def edit(self, old, new):
        text = self.meta.read_text()
        assert old in text
        self.meta.write_text(text.replace(old, new))

    def key(self, target=TARGET, **changes):
        return build_key(load_recipe(self.recipe, patches=self.patches), target, **{**GIVEN, **changes})


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("package:", "# a comment\npackage:"),
        ("package:", "package:\n  _disabled: true"),
        ("  cflags: -DX=1", '  cflags: "-DX=1"  # quoted'),
        ("run: [other]", "run: [other, another]"),
        ("imports: [demo]", "imports: [demo, demo.core]"),
        ("A demo", "Another demo"),
        ("[extra.h, include/extra.h]", "- extra.h\n      - include/extra.h"),
    ],
)
def test_what_does_not_reach_the_compiler_leaves_the_key(folder, old, new):
    before = folder.key().digest
    folder.edit(old, new)
    assert folder.key().digest == before


def test_tests_leave_the_key(folder):
    before = folder.key().digest
    (folder.recipe / "test_demo.py").write_text("def test(): assert True\n")
    (folder.recipe / "test_more.py").write_text("")
    assert folder.key().digest == before


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("-DX=1", "-DX=2", ["recipe/build/cflags"]),
        ("  cflags: -DX=1", "  cflags: -DX=1\n  script: make", ["recipe/build/script"]),
        ("version: 1.2.3", "version: 1.2.4", ["recipe/package/version"]),
        ("789abcdef\n", "789abcde0\n", ["recipe/source/sha256"]),
        ("host: [lib]", "host: [lib]\n  executable: [make]", ["recipe/requirements/executable"]),
        ("host: [lib]", "host: [lib]\n  constraint: [numpy<3]", ["recipe/requirements/constraint"]),
        ("host: [lib]", "host: [lib]\n  build-extras: [cython]", ["recipe/requirements/build-extras"]),
    ],
)
def test_recipe_changes_the_key(folder, old, new, changed):
    before = folder.key()
    folder.edit(old, new)
    after = folder.key()
    assert after.digest != before.digest
    assert after.changed(before.inputs) == changed


def test_files_change_the_key(folder):
    before = folder.key()
    folder.patch.write_text(folder.patch.read_text().replace("+b", "+c"))
    assert folder.key().changed(before.inputs) == ["patches/0001-x.patch"]
    (folder.recipe / "extra.h").write_text("2\n")
    lock = folder.recipe / "requirements.build.txt"
    lock.write_text(lock.read_text().replace("==1", "==2"))
    (folder.patch.parent / "0002-y.patch").write_text(HEADER + "--- a/y\n")
    assert folder.key().changed(before.inputs) == [
        "build requirements",
        "extras/extra.h",
        "patches/0001-x.patch",
        "patches/0002-y.patch",
    ]


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        ({"profile": "size"}, ["profile/size", "profile/speed"]),
        ({"image_digest": "sha256:9"}, ["image"]),
        ({"toolchain": "other"}, ["toolchain"]),
        ({"toolchain_key": "9"}, ["cross-build environment"]),
        ({"dependencies": {"lib": "9"}}, ["dependencies/lib"]),
        ({"target": dataclasses.replace(TARGET, cflags=())}, ["target/cflags"]),
        ({"target": dataclasses.replace(TARGET, python="3.14.3")}, ["target/python"]),
    ],
)
def test_surroundings_change_the_key(folder, change, changed):
    before, after = folder.key(), folder.key(**change)
    assert after.digest != before.digest
    assert after.changed(before.inputs) == changed


def test_profile_flags_change_the_key(folder, monkeypatch):
    before = folder.key()
    monkeypatch.setitem(PROFILES, "speed", ("-O1",))
    assert folder.key().changed(before.inputs) == ["profile/speed"]


EXTRA = """extra:
  emwheels:
    profiles:
      size:
        environment:
          SIMD: "OFF"
"""


def test_environment_of_a_profile_is_part_of_that_profile_only(folder):
    before = {profile: folder.key(profile=profile) for profile in PROFILES}
    folder.meta.write_text(META + EXTRA)
    after = {profile: folder.key(profile=profile) for profile in PROFILES}
    assert after["speed"].digest == before["speed"].digest
    assert after["size"].changed(before["size"].inputs) == ["profile environment/SIMD"]
    recipe = load_recipe(folder.recipe, patches=folder.patches)
    assert profile_environment(recipe, ["size"], PROFILES) == {"SIMD": "OFF"}
    assert profile_environment(recipe, ["speed"], PROFILES) == {}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('SIMD: "OFF"', "SIMD: 1", r"environment\.SIMD: must be"),
        ('SIMD: "OFF"', '"A B": x', r"environment\.A B: must be"),
        ('SIMD: "OFF"', "- SIMD", r"size\.environment: must be a mapping"),
        ("      size:", "      tiny:", r"profiles: there is no profile tiny"),
    ],
)
def test_environment_of_a_profile_that_makes_no_sense(folder, old, new, said):
    folder.meta.write_text(META + EXTRA.replace(old, new))
    with pytest.raises(RecipeError, match=said) as caught:
        folder.key(profile="size")
    assert str(folder.meta) in caught.value.message


def test_the_place_of_the_recipe_does_not_matter(tmp_path):
    assert Folder(tmp_path / "a").key().digest == Folder(tmp_path / "b").key().digest


def test_a_key_is_64_digits_and_the_order_of_inputs_does_not_matter():
    one, two = BuildKey(inputs={"a": 1, "b": {"c": 2, "d": 3}}), BuildKey(inputs={"b": {"d": 3, "c": 2}, "a": 1})
    assert one.digest == two.digest
    assert len(one.digest) == 64
    assert one.changed(two.inputs) == []


def test_changed_says_what_came_and_went():
    now = BuildKey(inputs={"patches": {"new": "1"}, "same": 1})
    assert now.changed({"patches": {"old": "1"}, "same": 1}) == ["patches/new", "patches/old"]
    assert now.changed({"patches": {}, "same": 1}) == ["patches/new"], "an empty table is not an input by itself"


def test_how_links_are_made_is_part_of_the_key(folder, monkeypatch):
    before = folder.key()
    assert before.inputs["linker"] == linker_digest()
    monkeypatch.setattr(plan_key, "linker_digest", lambda: "9" * 64)
    assert folder.key().changed(before.inputs) == ["linker"]
    assert explain(folder.key(), before.inputs) == ["emwheels links in another way"]


def test_the_linker_is_told_by_its_bytes():
    folder = Path(vague_linkage.__file__).parent
    programs = [(folder / name).read_bytes() for name in ("mend_link.py", "threads.c", "vague_linkage.py")]
    assert linker_digest() == hashlib.sha256(b"".join(programs)).hexdigest()


def digests(root, target=TARGET, **changes):
    given = {"profile": "speed", "compiler": "Emscripten 5.0.3, LLVM 21", **changes}
    return input_digests(load_recipes(root / "recipes", patches=root / "patches"), target, **given)


@pytest.fixture
def three(tmp_path):
    """A project in which ``top`` is compiled against ``lib``, and ``other`` against nothing."""
    for name, more in (
        ("top", "requirements: {host: [Lib]}\n"),
        ("lib", ""),
        ("other", "requirements: {run: [lib]}\n"),
    ):
        (tmp_path / "recipes" / name).mkdir(parents=True)
        (tmp_path / "recipes" / name / "meta.yaml").write_text(
            f"package: {{name: {name}, version: '1.0'}}\n"
            f"source: {{url: 'pkg:pypi/{name}@1.0', sha256: {'0' * 64}}}\n{more}"
        )
    return tmp_path


def test_what_a_recipe_is_made_of_is_told_without_an_image(three):
    before = digests(three)
    assert sorted(before) == ["lib", "other", "top"]
    assert len({*before.values()}) == 3
    assert digests(three) == before


@pytest.mark.parametrize("name", ["lib", "other", "top"])
def test_a_changed_recipe_changes_what_is_compiled_against_it(three, name):
    before = digests(three)
    (three / "patches" / name).mkdir(parents=True)
    (three / "patches" / name / "0001-x.patch").write_text(HEADER + "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n")
    after = digests(three)
    changed = {name, "top"} if name == "lib" else {name}
    assert {each for each in before if before[each] != after[each]} == changed


@pytest.mark.parametrize(
    "change",
    [{"profile": "size"}, {"compiler": "Emscripten 6"}, {"target": dataclasses.replace(TARGET, cflags=())}],
)
def test_flags_compiler_and_target_change_every_recipe(three, change):
    before, after = digests(three), digests(three, **change)
    assert all(before[name] != after[name] for name in before)


def test_another_way_to_link_changes_every_recipe(three, monkeypatch):
    before = digests(three)
    monkeypatch.setattr(plan_key, "linker_digest", lambda: "9" * 64)
    after = digests(three)
    assert all(before[name] != after[name] for name in before)


def test_a_file_that_vanished_is_an_error(folder):
    recipe = load_recipe(folder.recipe, patches=folder.patches)
    folder.patch.unlink()
    with pytest.raises(FileNotFoundError):
        build_key(recipe, TARGET, **GIVEN)
