"""``emwheels recipe``: what is shown of a recipe, and the graph and the schema as files and text."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from sample_run import LIBRARY, add_recipe, keep, make_environment
from small_project import make_command

from emwheels.author.schema import recipe_schema
from emwheels.pipeline.model import Options
from emwheels.pipeline.run import make_run

APP = """\
requirements:
  host: [zlib]
  run: [other, six]
about:
  summary: What it is
  license: MIT
"""
PATCH = "\n\nReturn int from tp_clear\n\nReported.\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"


@pytest.fixture
def environment(tmp_path):
    environment = make_environment(tmp_path)
    add_recipe(environment, "zlib", LIBRARY, locked=False)
    add_recipe(environment, "other")
    add_recipe(environment, "app", APP, files={"test_app.py": "def test_app(): assert 1\n"})
    (environment.project.patches / "app").mkdir()
    (environment.project.patches / "app" / "0001-clear.patch").write_text(PATCH)
    return environment


@pytest.fixture
def command(environment, monkeypatch, capsys):
    monkeypatch.setattr("emwheels.cli.main.load_targets", lambda file, use: environment.asked)
    return make_command(environment.project.root, monkeypatch, capsys, cache=environment.project.cache)


def test_what_was_never_built(command):
    facts = command("recipe", "show", "App", "--json").json()
    assert facts["patches"] == [{"file": "patches/app/0001-clear.patch", "title": "Return int from tp_clear"}]
    assert facts["needs"] == ["other", "six", "zlib"]
    assert facts["needed by"] == []
    assert facts["build"] is None
    assert facts["requirements"]["run"] == ["other", "six"]
    lines = command("recipe", "show", "zlib").lines()
    assert lines[0] == "zlib 1.0: no summary"
    assert {
        "needed by app",
        "tests none",
        "last build none on this machine",
        "upstream suite none: no upstream.yaml",
    } <= {*lines}


def test_the_last_build(command, environment):
    run = make_run(environment, ["app"], Options())
    archive = environment.project.root / "zlib.tar.gz"
    archive.write_bytes(b"archive")
    library = keep(run, "zlib", file=archive)
    output = keep(run, "app", {"zlib": library, "other": keep(run, "other")})
    build = command("recipe", "show", "app", "--json").json()["build"]
    assert (build["key"], build["file"], build["size"]) == (output.key, output.filename, output.size)
    assert build["unpacked"]["files"] == 4
    assert command("recipe", "show", "zlib", "--json").json()["build"]["unpacked"] is None
    lines = command("recipe", "show", "app").lines()
    assert f"key {output.key}" in lines
    assert not any(line.startswith("changed since") for line in lines)
    (environment.project.patches / "app" / "0001-clear.patch").unlink()
    assert "changed since patch 0001-clear removed" in command("recipe", "show", "app").lines()
    environment.store.path_of(output.kind, output.sha256).unlink()
    assert command("recipe", "show", "app", "--json").json()["build"]["unpacked"] is None


def test_a_recipe_that_is_not_ready(command, environment):
    meta = add_recipe(environment, "late") / "meta.yaml"
    meta.write_text(meta.read_text().replace("package:\n", "package:\n  _disabled: true\n"))
    assert command("recipe", "show", "late").lines()[0] == "late 1.0 (not ready): no summary"


def test_no_such_recipe(command):
    assert "did you mean app?" in command("recipe", "show", "ap", status=2).err
    assert "did you mean app?" in command("recipe", "graph", "ap", status=2).err


def test_graph_in_every_form(command, tmp_path):
    assert command("recipe", "graph", "app").lines() == [
        "package compiled against needs at run time", "app zlib other six", "other", "zlib",
    ]  # fmt: skip
    rows = command("recipe", "graph", "app", "--json").json()
    assert {"name": "six", "recipe": False} in rows["packages"]
    assert {"from": "app", "to": "zlib", "kind": "host"} in rows["needs"]
    assert '"app" -> "zlib";' in command("recipe", "graph", "--dot").out
    for name, first in (("all.svg", "<svg"), ("all.dot", "digraph")):
        file = tmp_path / name
        assert command("recipe", "graph", "--output", file).out == f"{file}: 4 packages, 3 arrows\n"
        assert file.read_text().startswith(first)
    assert ET.parse(tmp_path / "all.svg").getroot().tag.endswith("svg")
    assert "must end in .svg or .dot" in command("recipe", "graph", "--output", tmp_path / "a.png", status=2).err


def test_schema(command):
    assert command("recipe", "schema").json() == recipe_schema()


def test_what_acts_on_a_terminal_is_shown(command, environment):
    add_recipe(environment, "evil", 'about: {summary: "\\e[2Jgone"}\n')
    said = command("recipe", "show", "evil").out
    assert "\x1b" not in said
    assert "\\x1b[2Jgone" in said
