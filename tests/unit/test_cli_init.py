from __future__ import annotations

import ast
import os
import tomllib
from pathlib import Path

import pytest
from small_project import Command

from emwheels import __version__
from emwheels.checkout import find_project
from emwheels.checkout.standard import standard_folder, standard_version

CHECKOUT = Path(__file__).resolve().parents[2]
ZEROS = "0" * 64


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("EMWHEELS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.chdir(tmp_path)
    for name in ("EMWHEELS_REMOTE", "EMWHEELS_PUSH"):
        monkeypatch.delenv(name, raising=False)
    return Command(tmp_path / "own", capsys)


def recipe(root, name, more=""):
    folder = root / "recipes" / name
    folder.mkdir()
    (folder / "meta.yaml").write_text(
        f"package:\n  name: {name}\n  version: '1.0'\n"
        f"source:\n  url: pkg:pypi/{name}@1.0\n  sha256: {ZEROS}\n{more}about:\n  license: MIT\n  summary: Ours\n"
    )
    return folder


def test_a_new_project(command):
    said = command("init", "own")
    root = command.project
    assert said.out.splitlines() == [
        "wrote emwheels.toml",
        "wrote requirements.txt",
        "wrote .gitignore",
        "wrote recipes/README.md",
        "",
        "Next in own:",
        "  emwheels list",
        "  emwheels new-recipe NAME",
        "  emwheels build --all",
    ]
    settings = tomllib.loads((root / "emwheels.toml").read_text())
    assert settings["recipes"]["standard"] == standard_version(standard_folder())
    assert settings["targets"]["use"] == ["314.0.7"]
    assert (root / "requirements.txt").read_text() == f"emwheels=={__version__}\n"
    assert find_project(root).shelves[1] == standard_folder() / "recipes"


def test_what_is_there_stays(command):
    command.project.mkdir()
    (command.project / "emwheels.toml").write_text("# mine\n")
    (command.project / ".gitignore").symlink_to("nowhere")
    said = command("init", "own", "--json").json()
    assert said["left"] == ["emwheels.toml", ".gitignore"]
    assert said["written"] == ["requirements.txt", "recipes/README.md"]
    assert (command.project / "emwheels.toml").read_text() == "# mine\n"
    assert (command.project / ".gitignore").readlink() == Path("nowhere")


def test_in_the_working_folder(command, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert "\nNext:\n" in command("init").out
    assert (tmp_path / "here" / "emwheels.toml").is_file()


def test_files_of_continuous_integration_are_those_of_emwheels(command):
    command("init", "own", "--ci", "github", "--ci", "gitlab")
    for name, source in {
        ".github/workflows/wheels.yml": "ci/github/wheels.yml",
        **{name: name for name in ("ci/setup.sh", "ci/verify-local.sh", "ci/github/login.sh", "ci/gitlab/build.yml")},
        "ci/gitlab/wheels.gitlab-ci.yml": "ci/gitlab/wheels.gitlab-ci.yml",
    }.items():
        assert (command.project / name).read_text() == (CHECKOUT / source).read_text(), name
    assert all(os.access(path, os.X_OK) for path in command.project.rglob("*.sh"))
    assert "ci/gitlab/wheels.gitlab-ci.yml" in (command.project / ".gitlab-ci.yml").read_text()
    assert "EMWHEELS_REMOTE" in (command.project / "ci" / "README.md").read_text()


def test_a_noxfile_has_verbs_that_exist(command):
    from emwheels.cli.main import command_parser

    command("init", "own", "--noxfile")
    tree = ast.parse((command.project / "noxfile.py").read_text())
    verbs = [
        node.args[1].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "emwheels"
    ]
    assert len(verbs) >= 5
    for verb in verbs:
        command_parser().parse_args([verb, "x"] if verb in ("lock", "publish") else [verb])


def test_other_targets(command):
    command("init", "own", "--target", "315.0.0-alpha.2", "--target", "314.0.7")
    assert "Targets: 315.0.0-alpha.2, 314.0.7 (default 315.0.0-alpha.2)" in command("list").out


def test_a_target_that_is_not_there(command):
    assert "there is no target '1.2'" in command("init", "own", "--target", "1.2", status=2).err
    assert not command.project.exists()


def test_where_a_file_is(command):
    command.project.write_text("")
    assert "is no folder" in command("init", "own", status=2).err


@pytest.fixture
def own(command):
    command("init", "own")
    return command


def test_list_says_which_are_standard(own):
    recipe(own.project, "acme")
    lines = own("list").lines()
    assert "acme 1.0 Ours [imports only]" in lines
    assert "msgpack 1.2.4 MessagePack serializer [standard]" in lines
    assert "To build one and test it: emwheels build NAME" in lines
    rows = {row["name"]: row for row in own("list", "--json").json()}
    assert rows["msgpack"]["from"] == "standard"
    assert "from" not in rows["acme"]


def test_a_standard_recipe_is_taken_over(own):
    assert own("recipe", "copy", "numpy").lines() == ["recipes/numpy", "patches/numpy"]
    assert (own.project / "patches" / "numpy").is_dir()
    assert "is the project's own already" in own("recipe", "copy", "numpy", status=2).err
    assert "[standard]" not in next(line for line in own("list").lines() if line.startswith("numpy "))


@pytest.mark.parametrize(
    "words", [("lock", "numpy"), ("bump", "numpy"), ("new-recipe", "numpy"), ("lint", "--fix", "numpy")]
)
def test_a_standard_recipe_is_not_written_to(own, words):
    assert "make it yours first: emwheels recipe copy numpy" in own(*words, status=2).err


def test_an_override_is_said_once(own):
    own("recipe", "copy", "msgpack")
    said = own("lock", "numpy", status=2).err
    assert said.count("of this project, instead of the standard ones: msgpack") == 1


def test_lint_looks_at_own_recipes(own):
    recipe(own.project, "acme", "requirements:\n  host: [zlib, nothing]\n")
    said = own("lint", "--json", status=3).json()
    assert {row["recipe"] for row in said} == {"acme"}
    assert any("there is no recipe nothing" in row["message"] for row in said)
    assert not any("zlib" in row["message"] for row in said)


def test_a_graph_reaches_into_the_standard_recipes(own):
    recipe(own.project, "acme", "requirements:\n  host: [zlib]\n")
    assert "acme zlib" in own("recipe", "graph", "acme").lines()


def test_a_profile_of_the_project(own):
    text = (own.project / "emwheels.toml").read_text().replace('"speed"', '"fast"')
    (own.project / "emwheels.toml").write_text(text)
    assert "fast" in own("status", status=2).err
    assert own("status", "--profile", "size").out.strip().endswith("own/dist/size/index.html")
