from __future__ import annotations

import pytest

from emwheels.checkout import find_project
from emwheels.checkout.settings import Settings, read_settings
from emwheels.checkout.standard import standard_folder, standard_version
from emwheels.errors import RecipeError, UsageError
from emwheels.recipe.load import read_recipes, recipe_folders
from emwheels.target import load_targets

STANDARD = standard_folder()
ZEROS = "0" * 64


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Write an emwheels.toml and return its folder."""
    monkeypatch.setenv("EMWHEELS_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "project"
    (root / "recipes").mkdir(parents=True)

    def write(text="[recipes]\nstandard = false\n"):
        (root / "emwheels.toml").write_text(text)
        return root

    return write


def recipe(folder, version="1.0", more=""):
    folder.mkdir(parents=True)
    (folder / "meta.yaml").write_text(
        f"package:\n  name: {folder.name}\n  version: '{version}'\n"
        f"source:\n  url: pkg:pypi/{folder.name}@{version}\n  sha256: {ZEROS}\n{more}"
    )
    return folder


def patch(folder, name="0001-tiny.patch"):
    folder.mkdir(parents=True)
    (folder / name).write_text("Why: it is a test.\n\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-1\n+2\n")


def refused(write, text):
    root = write(text)
    with pytest.raises(UsageError) as caught:
        find_project(root)
    return caught.value.message.removeprefix(f"{root / 'emwheels.toml'}:"), caught.value.hint


def test_every_key(project):
    root = project(
        '[recipes]\nstandard = "2026.11.28"\npaths = ["recipes", "../more"]\n[targets]\nuse = ["314.0.7"]\n'
        '[build]\nprofile = "size"\nremote = "oci://host/name"\n[index]\nfolder = "public"\n'
    )
    settings = read_settings(root / "emwheels.toml")
    assert settings == Settings(
        standard="2026.11.28",
        paths=("recipes", "../more"),
        targets=("314.0.7",),
        profile="size",
        remote="oci://host/name",
        index="public",
        file=root / "emwheels.toml",
        lines=settings.lines,
    )
    assert dict(settings.lines)["recipes.paths"] == 3


def test_an_empty_file_is_a_project_on_the_standard_recipes(project):
    found = find_project(project(""))
    assert found.shelves == (found.root / "recipes", STANDARD / "recipes")
    assert found.targets_file == STANDARD / "targets.toml"
    assert found.dist == found.root / "dist"


def test_a_project_may_have_its_own_targets(project):
    root = project()
    (root / "targets.toml").write_text("")
    assert find_project(root).targets_file == root / "targets.toml"


def test_found_from_below_and_before_a_checkout_above(project):
    root = project()
    (root.parent / "targets.toml").write_text("")
    (root.parent / "recipes").mkdir()
    assert find_project(root / "recipes").root == root.resolve()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[recipes]\nstandart = false\n", "2: recipes.standart is no key; did you mean standard?"),
        ("[recipies]\nstandard = false\n", "1: recipies is no key; did you mean recipes?"),
        ("\n\nstandard = false\n", "3: standard is no key; the file has recipes, targets, build, index"),
        ("recipes = 3\n", "1: recipes must be a table"),
        ("[recipes]\nstandard = 3\n", '2: recipes.standard must be a version, such as "2026.11.28", or false'),
        ("[recipes]\nstandard = true\n", '2: recipes.standard must be a version, such as "2026.11.28", or false'),
        ('[recipes]\npaths = "recipes"\n', "2: recipes.paths must be a list of folders, the first one in the project"),
        ('[recipes]\npaths = ["../recipes"]\n', "2: recipes.paths must be a list of folders, the first one in the"),
        ('[recipes]\npaths = ["/"]\n', "2: recipes.paths must be a list of folders"),
        ("[recipes]\npaths = []\n", "2: recipes.paths must be a list of folders"),
        ('[recipes]\nstandard = false\npaths = ["no"]\n', "3: recipes.paths: "),
        ('[recipes]\npaths = [\n"recipes", "../no"]\nstandard = false\n', "2: recipes.paths: '../no' is no folder"),
        ("[targets]\nuse = []\n", "2: targets.use must be a list of targets"),
        ('[build]\nprofile = "../size"\n', "2: build.profile must be the name of a profile"),
        ('[build]\nremote = "file:///x"\n', "2: build.remote must be the address of a store"),
        ('[index]\nfolder = "../dist"\n', "2: index.folder must be the name of a folder of the project"),
        ('[recipes]\n"a\\u001b" = 1\n', " recipes.a\\x1b is no key"),
        ("[recipes\n", " Expected ']'"),
    ],
)
def test_what_is_wrong_says_where(project, text, words):
    message, hint = refused(project, text)
    assert message.startswith(words)
    assert hint


def test_a_version_that_is_not_here(project):
    message, hint = refused(project, '[recipes]\nstandard = "2020.1.1"\n')
    has = standard_version(STANDARD)
    assert message == f"2: recipes.standard: this emwheels has the standard recipes {has}, not 2020.1.1"
    assert hint == f'install the emwheels that has 2020.1.1, or write standard = "{has}"'


def test_the_pinned_version_is_taken(project):
    root = project(f'[recipes]\nstandard = "{standard_version(STANDARD)}"\n')
    assert recipe_folders(find_project(root).shelves)["numpy"] == STANDARD / "recipes" / "numpy"


def test_own_recipes_override_and_extend(project, tmp_path):
    root = project('[recipes]\npaths = ["recipes", "../more/recipes"]\n')
    own, more = recipe(root / "recipes" / "numpy", "9.9"), recipe(tmp_path / "more" / "recipes" / "acme")
    recipe(tmp_path / "more" / "recipes" / "numpy", "8.8")
    patch(tmp_path / "more" / "patches" / "acme")
    read = read_recipes(find_project(root).shelves)
    assert (read.sound["numpy"].folder, read.sound["acme"].folder) == (own, more)
    assert read.sound["numpy"].patches == (), "the patches of the standard recipe are not those of this one"
    assert [path.name for path in read.sound["acme"].patches] == ["0001-tiny.patch"]
    assert read.sound["scipy"].patches, "a standard recipe has its own"
    assert {"numpy", "acme", "scipy", "zlib"} <= read.sound.keys()


def test_without_names_only_own_recipes_are_picked(project):
    root = project("")
    recipe(root / "recipes" / "acme", more="requirements:\n  host: [zlib]\n")
    read = read_recipes(find_project(root).shelves, of_first=True)
    assert read.names == ("acme",)
    assert {*read.sound} == {"acme", "zlib"}
    assert {"numpy", "acme"} <= {*read_recipes(find_project(root).shelves, names=["*"], of_first=False).names}


def test_patches_beside_a_folder_of_recipes_have_owners_there(project):
    root = project("")
    recipe(root / "recipes" / "acme")
    patch(root / "patches" / "numpy")
    with pytest.raises(RecipeError, match="there is no recipe numpy"):
        read_recipes(find_project(root).shelves)


def test_two_folders_may_share_their_patches(project):
    root = project('[recipes]\nstandard = false\npaths = ["recipes", "more"]\n')
    recipe(root / "recipes" / "acme")
    recipe(root / "more" / "other")
    patch(root / "patches" / "acme")
    patch(root / "patches" / "other")
    read = read_recipes(find_project(root).shelves)
    assert all(len(each.patches) == 1 for each in read.sound.values())


def test_targets_that_are_used():
    file = STANDARD / "targets.toml"
    every = load_targets(file)
    used = load_targets(file, use=["315.0.0-alpha.2"])
    assert [*used.targets] == ["315.0.0-alpha.2"]
    assert used.get(None).name == "315.0.0-alpha.2"
    assert used.abis.keys() == every.abis.keys(), "a recipe's override for another target is no mistake"
    with pytest.raises(UsageError, match=r"there is no target '314\.0\.7'"):
        used.get("314.0.7")
    with pytest.raises(UsageError, match=r"emwheels\.toml: targets\.use: there is no target '1\.2'"):
        load_targets(file, use=["1.2"])


def test_the_default_profile_has_the_index_itself(project):
    found = find_project(project('[build]\nprofile = "size"\n[index]\nfolder = "public"\n'))
    assert found.dist_of("size") == found.root / "public"
    assert found.dist_of("speed") == found.root / "public" / "speed"


def test_only_own_recipes_are_changed(project):
    found = find_project(project(""))
    found.check_own(found.recipes / "acme", "lock")
    with pytest.raises(UsageError) as caught:
        found.check_own(STANDARD / "recipes" / "numpy", "lock")
    assert caught.value.hint == "make it yours first: emwheels recipe copy numpy"
    assert found.origin(STANDARD / "recipes" / "numpy") == "standard"
