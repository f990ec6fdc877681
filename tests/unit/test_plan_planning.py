"""What a plan says of each package, without an image or a compiler: recipes on disk, builds that are only recorded."""

from __future__ import annotations

import hashlib

import pytest
from sample_target import TARGET

from emwheels.plan.key import build_key
from emwheels.plan.planning import BLOCKED, REMOTE, TO_BUILD, UP_TO_DATE, make_plan
from emwheels.recipe.graph import host_recipes
from emwheels.recipe.load import load_recipes

PATCH = "Why.\nReported.\n\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"


class World:
    """Recipes, and a record of what each build came out as. ``content`` stands for a compiler."""

    def __init__(self, root):
        self.recipes, self.patches = root / "recipes", root / "patches"
        self.recipes.mkdir()
        self.patches.mkdir()
        self.image = "sha256:1"
        self.builds, self.records = {}, {}
        self.faults, self.locks, self.remote = {}, {}, set()

    def recipe(self, name, *, host=(), run=(), extra=""):
        folder = self.recipes / name
        folder.mkdir(exist_ok=True)
        needs = "".join(f"  {kind}: [{', '.join(names)}]\n" for kind, names in (("host", host), ("run", run)) if names)
        (folder / "meta.yaml").write_text(
            f"package:\n  name: {name}\n  version: 1.0\nsource:\n  url: pkg:pypi/{name}@1.0\n  sha256: {'ab' * 32}\n"
            + (f"requirements:\n{needs}" if needs else "")
            + extra
        )
        (folder / "requirements.build.txt").write_text("setuptools==1 --hash=sha256:" + "0" * 64)
        return folder

    def patch(self, name, file, text=PATCH):
        (self.patches / name).mkdir(exist_ok=True)
        (self.patches / name / file).write_text(text)

    def load(self):
        return load_recipes(self.recipes, patches=self.patches)

    # What make_plan asks for.

    def key_for(self, recipe, outputs):
        return build_key(
            recipe,
            TARGET,
            profile="speed",
            image_digest=self.image,
            toolchain="debian",
            toolchain_key=f"of {self.image}",
            dependencies=dict(outputs),
        )

    def found(self, key):
        sha256 = self.builds.get(key.digest)
        return (sha256, "remote" if key.digest in self.remote else "store") if sha256 else None

    def latest(self, name):
        return self.records.get(name)

    def fault(self, recipe):
        return self.faults.get(recipe.name, "")

    def lock(self, recipe):
        return self.locks.get(recipe.name, "")

    def plan(self):
        return {package.name: package for package in make_plan(self.load(), self)}

    def states(self):
        return {name: package.state for name, package in self.plan().items()}

    def build_all(self, content=lambda recipe: recipe.name):
        """Build what is to be built, in order; return the names."""
        recipes, outputs, built = self.load(), {}, []
        for package in make_plan(recipes, self):
            recipe = recipes[package.name]
            key = self.key_for(recipe, {name: outputs[name] for name in host_recipes(recipe, recipes)})
            if key.digest not in self.builds:
                built.append(recipe.name)
                sha256 = hashlib.sha256(content(recipe).encode()).hexdigest()
                self.builds[key.digest] = sha256
                self.records[recipe.name] = {"inputs": key.inputs, "output": {"sha256": sha256, "seconds": 2.0}}
            outputs[recipe.name] = self.builds[key.digest]
        return built


@pytest.fixture
def world(tmp_path):
    """zlib <- numpy <- opencv (host); pandas needs numpy at run time only."""
    world = World(tmp_path)
    world.recipe("zlib")
    world.recipe("numpy", host=["zlib"])
    world.recipe("opencv", host=["numpy"])
    world.recipe("pandas", run=["numpy"])
    return world


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_first_everything_is_to_build_then_nothing(world):
    plan = world.plan()
    assert [package.state for package in plan.values()] == [TO_BUILD] * 4
    assert plan["zlib"].why == ("never built",)
    assert plan["numpy"].why == ("never built", "zlib is to be built first")
    assert plan["opencv"].why == ("never built", "numpy is to be built first")
    assert plan["pandas"].why == ("never built",), "what it needs at run time does not change it"
    assert plan["pandas"].needs == ("numpy",)
    assert list(plan).index("numpy") < list(plan).index("pandas")
    assert world.build_all() == ["zlib", "numpy", "opencv", "pandas"]
    assert set(world.states().values()) == {UP_TO_DATE}
    assert all(package.why == () and package.key for package in world.plan().values())
    assert world.build_all() == []


TOUCHED = {
    "a recipe's comment": (lambda w: edit(w.recipes / "numpy/meta.yaml", "package:", "# why\npackage:"), None, set()),
    "its test": (lambda w: (w.recipes / "numpy/test_numpy.py").write_text("def test(): pass\n"), None, set()),
    "its summary": (lambda w: w.recipe("numpy", host=["zlib"], extra="about:\n  summary: New\n"), None, set()),
    "a new patch": (lambda w: w.patch("numpy", "0002-x.patch"), "patch 0002-x added", {"numpy"}),
    "a flag": (
        lambda w: w.recipe("numpy", host=["zlib"], extra="build:\n  cflags: -DX\n"),
        "build.cflags added",
        {"numpy"},
    ),
    "the build lock": (
        lambda w: edit(w.recipes / "numpy/requirements.build.txt", "==1", "==2"),
        "requirements.build.txt changed",
        {"numpy"},
    ),
    "the source": (
        lambda w: edit(w.recipes / "numpy/meta.yaml", "abab", "cdcd"),
        "source.sha256 changed",
        {"numpy"},
    ),
    "the version": (
        lambda w: edit(w.recipes / "numpy/meta.yaml", "version: 1.0", "version: 1.1"),
        "version 1.0 -> 1.1",
        {"numpy"},
    ),
    "the image": (
        lambda w: setattr(w, "image", "sha256:2"),
        "the build image changed",
        {"zlib", "numpy", "opencv", "pandas"},
    ),
}


@pytest.mark.parametrize("touched", TOUCHED)
def test_what_is_touched_is_what_is_built(world, touched):
    """The compiler gives the same bytes as before, so that nothing else has to follow."""
    change, why, built = TOUCHED[touched]
    world.build_all()
    change(world)
    plan = world.plan()
    for name, package in plan.items():
        certain = package.state == TO_BUILD and package.certain
        assert certain == (name in built), (name, package)
    if why:
        assert plan["numpy"].why[0] == why
        assert plan["opencv"].state == TO_BUILD
    if built == {"numpy"}:
        assert not plan["opencv"].certain
        assert plan["opencv"].why == ("numpy is to be built first; up to date if that gives the same bytes as before",)
    assert set(world.build_all()) == built


def test_a_dependency_whose_bytes_changed_is_followed_by_what_is_compiled_against_it(world):
    world.build_all()
    world.patch("numpy", "0001-x.patch")
    assert world.build_all(lambda recipe: f"{recipe.name} patched") == ["numpy", "opencv"]
    edit(world.patches / "numpy/0001-x.patch", "+b", "+c")
    assert world.plan()["numpy"].why == ("patch 0001-x changed",)
    assert world.build_all(lambda recipe: f"{recipe.name} patched") == ["numpy"], "the same bytes come out"
    (world.patches / "numpy/0001-x.patch").unlink()
    assert world.build_all() == []
    assert set(world.states().values()) == {UP_TO_DATE}, "what was built before is found again"


def test_a_change_behind_what_is_to_be_built_is_said_too(world):
    world.build_all()
    world.patch("numpy", "0001-x.patch")
    world.patch("opencv", "0001-y.patch")
    package = world.plan()["opencv"]
    assert (package.state, package.certain, package.key) == (TO_BUILD, True, "")
    assert package.why == ("patch 0001-y added", "numpy is to be built first")


def test_after_the_dependency_changed_the_dependent_says_so(world):
    world.build_all()
    world.patch("numpy", "0001-x.patch")
    recipes = world.load()
    del recipes["opencv"], recipes["pandas"]
    # numpy is built alone, to other bytes.
    key = world.key_for(recipes["numpy"], {"zlib": hashlib.sha256(b"zlib").hexdigest()})
    sha256 = hashlib.sha256(b"other").hexdigest()
    world.builds[key.digest] = sha256
    world.records["numpy"] = {"inputs": key.inputs, "output": {"sha256": sha256, "seconds": 1.0}}
    plan = world.plan()
    assert plan["numpy"].state == UP_TO_DATE
    assert (plan["opencv"].state, plan["opencv"].why) == (TO_BUILD, ("numpy's output changed",))


def test_what_is_in_the_remote_store_is_not_to_be_built(world):
    world.build_all()
    world.remote = set(world.builds)
    assert set(world.states().values()) == {REMOTE}


def test_what_cannot_be_built_blocks_what_needs_it(world):
    world.faults["numpy"] = "there is no requirements.build.txt"
    plan = world.plan()
    assert (plan["numpy"].state, plan["numpy"].why) == (BLOCKED, ("there is no requirements.build.txt",))
    assert (plan["opencv"].state, plan["opencv"].why) == (BLOCKED, ("needs numpy",))
    assert plan["zlib"].state == TO_BUILD
    world.faults.clear()
    world.build_all()
    world.faults["numpy"] = "there is no requirements.build.txt"
    assert world.states()["numpy"] == BLOCKED, "what was built in spite of it is not to be used"


def test_what_needs_a_lock_says_so_whatever_becomes_of_it(world):
    world.locks["numpy"] = "there is no requirements.build.txt"
    assert world.plan()["numpy"].why[:2] == ("needs a lock: there is no requirements.build.txt", "never built")
    world.build_all()
    built = world.plan()["numpy"]
    assert (built.state, built.why) == (UP_TO_DATE, ("needs a lock: there is no requirements.build.txt",))


def test_an_output_that_is_gone_is_built_again(world):
    world.build_all()
    world.builds.clear()
    assert world.plan()["zlib"].why == ("its output is not in the store any more",)
