"""``emwheels new-recipe`` on an index that is a folder: what is proposed, written and refused."""

from __future__ import annotations

import pytest
import yaml
from packed import tar_gz
from small_project import make_command
from synthetic_wheels import make_wheel

LIBRARY = """\
package: {name: zlib, version: '1.3'}
source: {url: 'pkg:deb/debian/zlib@1.3', sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}
build: {type: static_library, script: make}
extra: {emwheels: {provides: {headers: [zlib.h], libraries: [z]}}}
"""
NUMPY = """\
package: {name: numpy, version: '2.4'}
source: {url: 'pkg:pypi/numpy@2.4', sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}
build: {cross-build-env: true, cross-build-files: [numpy/core.h]}
"""
ABOUT = "Metadata-Version: 2.2\nName: {name}\nVersion: {version}\nSummary: Does it\nLicense-Expression: MIT\n"
MACHINE = "cp314-cp314-manylinux_2_28_x86_64"


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that pip takes for its only source, and what adds a source archive to it."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))

    def add(name, version="1.0", *, requires=(), pyproject="", files=None):
        top = f"{name}-{version}"
        about = ABOUT.format(name=name, version=version) + "".join(f"Requires-Dist: {each}\n" for each in requires)
        members = {"PKG-INFO": about, f"src/{name}/__init__.py": "", **(files or {})}
        if pyproject:
            members["pyproject.toml"] = pyproject
        data = tar_gz({f"{top}/{path}": text for path, text in members.items()})
        (folder / f"{top}.tar.gz").write_bytes(data)

    add.folder = folder
    return add


@pytest.fixture
def command(tmp_path, index, monkeypatch, capsys):
    command = make_command(tmp_path / "project", monkeypatch, capsys)
    for name, text in (("zlib", LIBRARY), ("numpy", NUMPY)):
        (command.project / "recipes" / name).mkdir()
        (command.project / "recipes" / name / "meta.yaml").write_text(text)
    return command


def recipe(command, name):
    return yaml.safe_load((command.project / "recipes" / name / "meta.yaml").read_text())


def test_the_newest_version_with_what_its_archive_says(command, index):
    index("speedy", "1.9")
    index("speedy", "1.10", files={"src/speedy/fast.c": '#include "zlib.h"\n#include <stdio.h>\n'})
    index("speedy", "2.0rc1")
    assert command("new-recipe", "speedy", "--no-build").lines()[-1] == "speedy 1.10 written"
    meta = recipe(command, "speedy")
    assert meta["package"] == {"name": "speedy", "version": "1.10", "top-level": ["speedy"]}
    assert meta["source"]["url"] == "pkg:pypi/speedy@1.10"
    assert meta["requirements"]["host"] == ["zlib"], "its source includes zlib.h, and has none"
    assert meta["build"]["cflags"] == "-I$(WASM_LIBRARY_DIR)/include"
    assert meta["about"] == {"summary": "Does it", "license": "MIT"}


def test_what_is_compiled_against_is_under_host_and_run(command, index):
    index("speedy", pyproject='[build-system]\nrequires = ["setuptools", "numpy>=2"]\n')
    command("new-recipe", "speedy", "--no-build")
    assert recipe(command, "speedy")["requirements"] == {"host": ["numpy"], "run": ["numpy"]}


def test_a_pure_package_needs_no_recipe(command, index):
    make_wheel(index.folder, "calm")
    index("calm")
    said = command("new-recipe", "calm")
    assert "pure Python: its own wheel installs in Pyodide, no recipe is needed" in said.out
    assert not (command.project / "recipes" / "calm").exists()


def test_a_wheel_of_upstreams_does(command, index):
    make_wheel(index.folder, "ready", tag="cp314-cp314-pyemscripten_2026_0_wasm32")
    index("ready")
    assert "upstream publishes a wheel for this Pyodide" in command("new-recipe", "ready").out
    command("new-recipe", "ready", "--anyway", "--no-build")
    assert recipe(command, "ready")["package"]["version"] == "1.0"


def test_requirements_are_looked_at_for_pyodide_and_further(command, index):
    index("speedy", requires=["calm", "ready; sys_platform == 'win32'"])
    make_wheel(index.folder, "calm", requires=["inner>=1"])
    make_wheel(index.folder, "inner", tag=MACHINE)
    index("inner")
    said = command("new-recipe", "speedy", "--no-build", status=3)
    assert "speedy needs calm needs inner: it is compiled and has no wheel for Pyodide" in said.err
    assert "--with-dependencies" in said.err
    assert not (command.project / "recipes" / "speedy").exists()
    said = command("new-recipe", "speedy", "--with-dependencies", "--no-build")
    assert [line.split()[0] for line in said.lines()[1:]] == ["inner", "speedy"], "what is needed comes first"
    assert recipe(command, "speedy")["requirements"]["run"] == ["calm", "inner"]


def test_a_ring_is_said_and_nothing_written(command, index):
    for name, other in (("one", "two"), ("two", "one")):
        index(name, requires=[other])
        make_wheel(index.folder, name, tag=MACHINE)
    said = command("new-recipe", "one", "--with-dependencies", "--no-build", status=3).err
    assert "these packages need each other" in said
    assert not (command.project / "recipes" / "one").exists()


def test_dry_run_writes_nothing(command, index):
    index("speedy")
    said = command("new-recipe", "speedy", "--dry-run")
    assert "# recipes/speedy/meta.yaml\npackage:\n  name: speedy\n" in said.out
    assert not (command.project / "recipes" / "speedy").exists()


def test_json(command, index):
    index("speedy")
    (row,) = command("new-recipe", "speedy", "--dry-run", "--json").json()
    assert (row["name"], row["version"], row["state"], row["status"]) == ("speedy", "1.0", "would be written", 0)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["zlib"], 2, "zlib has a recipe, of version 1.3"),
        (["nothing-here"], 4, "nothing-here: there is no such package"),
        (["spe edy"], 2, "is not the name of a package"),
        (["speedy[more]"], 2, "is more than a name and a version"),
        (["speedy==3"], 4, "speedy==3: no release has a source archive"),
        (["speedy", "--offline"], 2, "this is offline"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(command, index, arguments, status, said):
    index("speedy")
    assert said in command("new-recipe", *arguments, status=status).err


def test_a_package_that_cannot_be_had_costs_no_other(command, index):
    index("speedy")
    said = command("new-recipe", "nothing-here", "speedy", "--no-build", status=4)
    assert [line.split()[0] for line in said.lines()[1:]] == ["nothing-here", "speedy"]
    assert recipe(command, "speedy")["package"]["version"] == "1.0"


def test_a_hostile_archive_leaves_nothing(command, index):
    (index.folder / "speedy-1.0.tar.gz").write_bytes(tar_gz({"speedy-1.0/../../evil": "x"}))
    assert "leads out of the folder" in command("new-recipe", "speedy", "--no-build", status=4).err
    assert not (command.project / "recipes" / "speedy").exists()


def test_a_summary_shows_no_control_characters(command, index):
    index("speedy", files={"PKG-INFO": ABOUT.format(name="speedy", version="1.0").replace("Does", "\x1b[31mDoes")})
    command("new-recipe", "speedy", "--no-build")
    assert "\x1b" not in (command.project / "recipes" / "speedy" / "meta.yaml").read_text()


def project(command, files, name="acme"):
    folder = command.project.parent / name
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


ACME = """\
[build-system]
requires = ["setuptools", "numpy"]
[project]
name = "Acme_Fast"
version = "1.2"
description = "Does it fast"
license = "MIT"
dependencies = ["calm"]
urls = {Homepage = "https://acme.example.org/"}
"""


def test_a_folder_that_holds_a_project(command, index):
    make_wheel(index.folder, "calm")
    files = {"pyproject.toml": ACME, "acme_fast/__init__.py": "", "acme_fast/a.c": "#include <zlib.h>\n"}
    folder = project(command, files)
    assert command("new-recipe", str(folder), "--no-build").lines()[-1] == "acme-fast 1.2 written"
    meta = recipe(command, "acme-fast")
    assert meta["package"] == {"name": "acme-fast", "version": "1.2", "top-level": ["acme_fast"]}
    assert meta["source"] == {"path": "../../../acme"}
    assert meta["requirements"] == {"host": ["numpy", "zlib"], "run": ["numpy", "calm"]}
    assert meta["about"] == {"home": "https://acme.example.org/", "summary": "Does it fast", "license": "MIT"}


@pytest.mark.parametrize(
    ("files", "version", "script"),
    [
        ({"setup.py": "setup(\n    name='acme',\n    version='2.0',\n)"}, "2.0", None),
        ({"setup.py": "setup()", "setup.cfg": "[metadata]\nname = acme\nversion = 3.1\n"}, "3.1", None),
        ({"pyproject.toml": "[project]\nname='acme'\n", "src/acme/__init__.py": "__version__ = '4'\n"}, "4", None),
        (
            {"pyproject.toml": "[build-system]\nrequires=['setuptools-scm']\n[project]\nname='acme'\n"},
            "0.0",
            "export SETUPTOOLS_SCM_PRETEND_VERSION=0.0\n",
        ),
    ],
)
def test_the_version_of_a_folder(command, index, files, version, script):
    said = command("new-recipe", str(project(command, files)), "--no-build")
    meta = recipe(command, "acme")
    assert (str(meta["package"]["version"]), meta.get("build", {}).get("script")) == (version, script)
    assert ("no file says which version this is" in said.err + said.out) == (version == "0.0")


@pytest.mark.parametrize(
    ("files", "status", "said"),
    [
        ({"README": ""}, 2, "is no Python project: it has neither pyproject.toml nor setup.py"),
        ({"pyproject.toml": "[project\n"}, 2, "pyproject.toml cannot be read"),
        ({"setup.py": "setup()"}, 2, "does not say what its project is called"),
        ({"pyproject.toml": "[project]\nname='zlib'\n"}, 2, "zlib has a recipe, of version 1.3"),
    ],
)
def test_a_folder_without_a_recipe_to_write(command, index, files, status, said):
    assert said in command("new-recipe", str(project(command, files)), "--no-build", status=status).err
