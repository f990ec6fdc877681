from __future__ import annotations

import pytest
from small_project import Command

SHA = "0" * 64


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("EMWHEELS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "250")
    root = tmp_path / "own"
    (root / "recipes").mkdir(parents=True)
    (root / "emwheels.toml").write_text("[recipes]\nstandard = false\n")
    for name, more in {
        "good": "",
        "hand": "build:\n  script: curl https://example.org/x\n",
        "bad": "build:\n  scirpt: x\n",
    }.items():
        folder = tmp_path / "upstream" / "packages" / name
        folder.mkdir(parents=True)
        (folder / "meta.yaml").write_text(
            f"package:\n  name: {name}\n  version: '1.0'\nsource:\n"
            f"  url: https://example.org/{name}.tar.gz\n  sha256: {SHA}\n{more}"
        )
    return Command(root, capsys)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "upstream"


def test_recipes_are_written_but_for_a_wrong_one(command, folder):
    said = command("import", folder, status=3)
    assert said.lines()[-5:] == [
        "recipe version result changed to do",
        "bad 1.0 wrong 1",
        "good 1.0 imported",
        "hand 1.0 to finish 1",
        "1 wrong, 1 imported, 1 to finish",
    ]
    assert "bad: why: bad/meta.yaml:8: build.scirpt: unknown key; did you mean script?" in said.lines()
    assert sorted(path.name for path in (command.project / "recipes").iterdir()) == ["good", "hand"]
    rows = {row["name"]: row for row in command("list", "--json").json()}
    assert [*rows] == ["good"], "what needs a hand is not ready"
    assert command("import", folder, "good").lines()[-1] == "1 there already"


def test_nothing_is_written_by_a_dry_run(command, folder):
    rows = command("import", folder, "good", "hand", "--dry-run", "--json").json()
    assert [(row["name"], row["state"], row["files"]) for row in rows] == [
        ("good", "imported", ["meta.yaml"]),
        ("hand", "to finish", ["meta.yaml"]),
    ]
    assert "a build has no network" in rows[1]["left"][0]
    assert not [*(command.project / "recipes").iterdir()]


def test_into_another_folder(command, folder, tmp_path):
    (tmp_path / "there").mkdir()
    command("import", folder, "good", "--into", tmp_path / "there")
    assert (tmp_path / "there" / "good" / "meta.yaml").is_file()
    assert "is no folder" in command("import", folder, "good", "--into", tmp_path / "no", status=2).err


def test_a_name_that_is_not_there(command, folder):
    assert "has no recipe goood; did you mean good?" in command("import", folder, "goood", status=2).err


def test_a_folder_that_is_not_there(command, tmp_path):
    assert "has no recipe" in command("import", tmp_path / "no", status=2).err


def test_a_problem_costs_its_own_recipe_only(command, folder):
    meta = folder / "packages" / "bad" / "meta.yaml"
    meta.write_text(meta.read_text().replace("https://example.org", "https://[example"))
    (command.project / "recipes" / "good").write_text("")
    said = command("import", folder, "good", "hand", "hand", "bad", status=3)
    assert said.lines()[-1] == "2 wrong, 1 to finish"
    assert [path.name for path in (command.project / "recipes").glob("*/meta.yaml")] == ["meta.yaml"]


def test_a_link_to_a_folder_is_left_to_do(command, folder):
    (folder / "packages" / "good" / "extra").symlink_to("/etc")
    assert "good: to do: extra is a link; copy what it leads to" in command("import", folder, "good").lines()
