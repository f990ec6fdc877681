"""``emwheels plan``: what is said of each recipe, on builds that are in a store without a compiler."""

from __future__ import annotations

import json

import pytest
import yaml
from sample_run import LIBRARY, add_recipe, keep, make_environment
from small_project import make_command_in

from emwheels.outputs.builds import Builds
from emwheels.outputs.remote.folder import HttpFolder, LocalFolder
from emwheels.pipeline.model import Options
from emwheels.pipeline.run import make_run


@pytest.fixture
def environment(tmp_path):
    """A library, what is compiled against it, and what needs that to run."""
    environment = make_environment(tmp_path)
    add_recipe(environment, "zlib", LIBRARY)
    add_recipe(environment, "base", "requirements:\n  host: [zlib]\n")
    add_recipe(environment, "above", "requirements:\n  run: [base]\n")
    return environment


@pytest.fixture
def command(environment, monkeypatch, capsys):
    return make_command_in(environment, "plan", monkeypatch, capsys)


def built(environment, *names, builds=None, profile="speed"):
    """Keep a build of each of the recipes, in the order of their needs; ``zlib`` is needed by ``base``."""
    run = make_run(environment, [], Options(profile=profile), builds=builds)
    archive = environment.project.root / "zlib.tar.gz"
    archive.write_bytes(b"archive")
    outputs = {}
    for name in names:
        outputs[name] = keep(run, name, outputs, file=archive if name == "zlib" else None)
    return outputs


def rows(said):
    return {row["name"]: row for row in said.json()}


def test_what_was_never_built(command):
    assert command("plan").lines() == [
        "package plan why",
        "zlib to build never built",
        "base to build never built; zlib is to be built first",
        "above to build never built",
        "3 to build",
    ]


def test_what_is_there_and_what_has_changed(command, environment):
    built(environment, "zlib", "base", "above")
    assert command("plan").lines()[-1] == "3 up to date"
    add_recipe(environment, "above", "requirements:\n  run: [base]\n", version="2.0")
    lines = command("plan").lines()
    assert lines[1:3] == ["zlib up to date", "base up to date"]
    assert lines[3].startswith("above to build version 1.0 -> 2.0")
    assert lines[-1] == "2 up to date, 1 to build; the builds took 2 s last time"


def test_what_is_needed_is_built_first_and_the_rest_is_not_certain(command, environment):
    built(environment, "zlib", "base", "above")
    add_recipe(environment, "zlib", LIBRARY, version="2.0")
    found = rows(command("plan", "--json"))
    assert {name: (row["state"], row["certain"]) for name, row in found.items()} == {
        "zlib": ("to build", True),
        "base": ("to build", False),
        "above": ("up to date", True),
    }
    assert found["base"]["why"] == ["zlib is to be built first; up to date if that gives the same bytes as before"]
    assert (found["base"]["key"], found["base"]["needs"], found["base"]["seconds"]) == ("", ["zlib"], 1.5)


def test_json_is_the_whole_plan_and_has_the_keys_of_the_builds(command, environment):
    outputs = built(environment, "zlib", "base", "above")
    said = command("plan", "--json")
    assert [row["name"] for row in said.json()] == ["zlib", "base", "above"], "each after what it needs"
    assert {name: row["key"] for name, row in rows(said).items()} == {
        name: output.key for name, output in outputs.items()
    }
    assert said.err == ""


def test_only_the_names_asked_for_and_what_they_need(command):
    assert list(rows(command("plan", "base", "--json"))) == ["zlib", "base"]
    assert list(rows(command("plan", "zlib", "--json"))) == ["zlib"]


def test_all_is_every_recipe(command):
    assert command("plan", "--all").out == command("plan").out
    assert "give names or --all, not both" in command("plan", "base", "--all", status=2).err


def test_a_profile_has_builds_of_its_own(command, environment):
    built(environment, "zlib", profile="size")
    assert rows(command("plan", "zlib", "--profile", "size", "--json"))["zlib"]["state"] == "up to date"
    assert rows(command("plan", "zlib", "--json"))["zlib"]["state"] == "to build"


def test_a_recipe_without_a_lock_needs_one(command, environment):
    (environment.project.recipes / "base" / "requirements.build.txt").unlink()
    (line,) = [line for line in command("plan").lines() if line.startswith("base ")]
    assert line.startswith("base to build needs a lock: there is no requirements.build.txt; never built")


def test_a_recipe_that_cannot_be_built_blocks_what_needs_it(command, environment):
    folder = environment.project.recipes / "base"
    (folder / "src").mkdir()
    add_recipe(environment, "base", "requirements:\n  host: [zlib]\n", source="path: src")
    lines = command("plan").lines()
    assert any(line.startswith("base blocked source.path: ") for line in lines), "its folder is empty"
    assert "above blocked needs base" in lines
    assert lines[-1] == "1 to build, 2 blocked"


def test_what_the_remote_store_has_is_not_built(command, environment, monkeypatch, tmp_path):
    remote = LocalFolder(tmp_path / "remote")
    other = make_environment(tmp_path / "elsewhere")
    add_recipe(other, "zlib", LIBRARY)
    run = make_run(other, [], builds=Builds(other.store, remote, push=True))
    archive = tmp_path / "zlib.tar.gz"
    archive.write_bytes(b"archive")
    keep(run, "zlib", file=archive)
    monkeypatch.setattr("emwheels.outputs.remote.open.open_remote", lambda address: remote)
    said = command("plan", "zlib", "--remote", "oci://registry.example.org/builds")
    assert said.lines()[1:] == ["zlib from the remote store", "1 from the remote store"]
    row = rows(command("plan", "zlib", "--remote", "oci://registry.example.org/builds", "--json"))["zlib"]
    assert row["state"] == "remote"
    assert list((environment.store.root / "libraries").rglob("*.*")) == [], "nothing is downloaded"


def test_offline_the_remote_store_is_not_asked(command, environment, monkeypatch):
    monkeypatch.setattr("emwheels.outputs.remote.open.open_remote", lambda address: pytest.fail("it was opened"))
    said = command("plan", "zlib", "--offline", "--remote", "oci://registry.example.org/builds")
    assert said.lines()[-1] == "1 to build"
    assert "store: offline: the remote store is not asked" in environment.board.lines


def test_the_remote_store_of_the_environment_is_used(command, environment, monkeypatch):
    opened = []
    monkeypatch.setattr("emwheels.outputs.remote.open.open_remote", opened.append)
    monkeypatch.setenv("EMWHEELS_REMOTE", "oci://registry.example.org/builds")
    command("plan", "zlib")
    command("plan", "zlib", "--remote", "oci://registry.example.org/others")
    assert opened == ["oci://registry.example.org/builds", "oci://registry.example.org/others"]


@pytest.mark.parametrize("way", ["option", "variable"])
def test_pushing_to_a_folder_that_can_only_be_read_is_refused(command, monkeypatch, way):
    remote = HttpFolder("https://wheels.example.org/builds", None, label="https://wheels.example.org/builds")
    monkeypatch.setattr("emwheels.outputs.remote.open.open_remote", lambda address: remote)
    monkeypatch.setenv("EMWHEELS_PUSH", "1" if way == "variable" else "0")
    said = command("plan", "--remote", remote.url, *(["--push"] if way == "option" else []), status=2)
    assert said.err == (
        "emwheels: https://wheels.example.org/builds is read-only\n"
        "  leave --push away, or give a registry: oci://HOST/NAME\n"
    )


def test_an_address_that_is_none_is_refused(command):
    said = command("plan", "--remote", "ftp://host/builds", status=2)
    assert "'ftp://host/builds' is not the address of a remote store" in said.err
    assert "oci://HOST/NAME" in said.err


def test_pushing_to_nowhere_is_no_mistake(command):
    assert command("plan", "--push").lines()[-1] == "3 to build"


def test_levels_of_jobs_for_github(command, environment):
    built(environment, "zlib")
    add_recipe(environment, "lone")
    matrix = json.loads(command("plan", "--format", "github").out)
    names = [{name for job in level["include"] for name in job["packages"].split()} for level in matrix["levels"]]
    assert set().union(*names) == {"base", "above", "lone"}, "what is there is no job"
    assert matrix["packages"] == 3


def test_a_child_pipeline_for_gitlab(command, environment):
    jobs = yaml.safe_load(command("plan", "--format", "gitlab").out)
    packages = [job["variables"]["EMWHEELS_PACKAGES"] for job in jobs.values() if "variables" in job]
    assert " ".join(packages).split() == ["zlib", "base", "above"]
    built(environment, "zlib", "base", "above")
    assert list(yaml.safe_load(command("plan", "--format", "gitlab").out)) == ["nothing to build"]


def test_a_project_without_recipes(command, environment):
    for folder in environment.project.recipes.iterdir():
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
    assert command("plan").lines() == ["package plan why", "no recipes"]
    assert command("plan", "--json").json() == []


def test_a_name_that_no_recipe_has(command):
    assert "there is no recipe bas; did you mean base?" in command("plan", "bas", status=2).err


def test_recipes_that_need_each_other(command, environment):
    add_recipe(environment, "zlib", LIBRARY + "requirements:\n  host: [base]\n")
    assert "these recipes need each other: base -> zlib -> base" in command("plan", status=3).err


def test_a_format_that_is_not_known(command):
    assert "invalid choice: 'jenkins'" in command("plan", "--format", "jenkins", status=2).err


def test_nothing_is_built_or_kept(command, environment):
    def everything():
        return sorted(path for path in environment.project.cache.rglob("*") if path.is_file())

    built(environment, "zlib")
    before = everything()
    command("plan")
    assert everything() == before
    assert environment.fetcher.asked == []


def test_a_bad_recipe_costs_what_needs_it(command, environment):
    folder = add_recipe(environment, "zlib", "bild: {}\nrequirements:\n  host: [x]\n")
    add_recipe(environment, "other")
    said = command("plan", status=3)
    assert said.lines() == [
        "package plan why",
        "other to build never built",
        "zlib bad recipe 2 to mend",
        "above blocked needs zlib",
        "base blocked needs zlib",
        "1 to build, 1 bad recipe, 2 blocked",
    ]
    meta = folder / "meta.yaml"
    assert f"{meta}:7: bild: unknown key" in said.err
    assert f"{meta}:9: requirements.host[0]: there is no recipe x" in said.err
    found = rows(command("plan", "base", "--json", status=3))
    assert (found["zlib"]["state"], len(found["zlib"]["why"])) == ("bad recipe", 2)
    assert (found["base"]["state"], found["base"]["needs"]) == ("blocked", ["zlib"])
    assert command("plan", "other").lines()[-1] == "1 to build"


def test_selectors(command, environment):
    meta = add_recipe(environment, "tagged") / "meta.yaml"
    meta.write_text(meta.read_text().replace("package:\n", "package:\n  tag: [core]\n"))
    assert [line.split()[0] for line in command("plan", "tag:core").lines()[1:-1]] == ["tagged"]
    assert [line.split()[0] for line in command("plan", "*,!tag:core").lines()[1:-1]] == ["zlib", "base", "above"]
    assert "did you mean core?" in command("plan", "tag:cor", status=2).err
    assert "picks no recipe" in command("plan", "tagged", "!tagged", status=2).err


def test_a_program_that_the_image_lacks(command, environment):
    vars(environment)["programs"] = frozenset({"cmake"})
    add_recipe(environment, "zlib", LIBRARY + "requirements:\n  executable: [cmake, swig]\n")
    add_recipe(environment, "other", "requirements:\n  executable: [cmake]\n")
    found = rows(command("plan", "--json"))
    assert {name: row["state"] for name, row in found.items()} == {
        "zlib": "blocked",
        "base": "blocked",
        "above": "blocked",
        "other": "to build",
    }
    (why,) = found["zlib"]["why"]
    assert why.startswith("requirements.executable: swig is not in the build image: ")
