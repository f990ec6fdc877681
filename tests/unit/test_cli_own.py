"""``emwheels build .`` as far as it goes without a compiler: what is made of a project, and what is refused."""

from __future__ import annotations

import tomllib

import pytest
import yaml
from packed import tar_gz
from small_project import make_command
from synthetic_wheels import make_wheel

from emwheels.author.own_recipe import propose_own
from emwheels.author.own_settings import OwnTable
from emwheels.checkout import bare_project
from emwheels.cli.own_options import is_own
from emwheels.cli.own_report import MARK, OwnRow, summary
from emwheels.errors import UsageError
from emwheels.recipe.load import load_recipes
from emwheels.recipe.overrides import Aim
from emwheels.target import load_targets

SYSTEM = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
PROJECT = SYSTEM + '[project]\nname = "Acme.Fast"\nversion = "1.0"\n'
LIBRARY = """\
package: {name: zlib, version: '1.3'}
source: {url: 'pkg:deb/debian/zlib@1.3', sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}
build: {type: static_library, script: make}
"""


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    return make_command(tmp_path / "recipes-here", monkeypatch, capsys)


@pytest.fixture
def targets(command):
    return load_targets(command.project / "targets.toml")


def write(folder, pyproject, **files):
    folder.mkdir(exist_ok=True)
    for name, text in {"pyproject.toml": pyproject, "src/acme_fast/__init__.py": "", **files}.items():
        if text is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
    return folder


def proposed(folder, targets, recipes=None, source=None):
    text = (folder / "pyproject.toml").read_text()
    table = OwnTable("pyproject.toml", text, tomllib.loads(text), Aim(abis=targets.abis))
    target = targets.get(None)
    settings = table.of(target.name)
    source = source or {"path": str(folder)}
    made = propose_own(folder, source, settings, registry=None, target=target, recipes=recipes or {})
    return made, yaml.safe_load(made.meta)


def test_a_recipe_of_what_the_project_says(tmp_path, targets, command):
    (command.project / "recipes" / "zlib").mkdir()
    (command.project / "recipes" / "zlib" / "meta.yaml").write_text(LIBRARY)
    recipes = load_recipes(command.project / "recipes", patches=command.project / "patches")
    text = (
        PROJECT
        + """\
dependencies = ["idna>=3", "colorama; sys_platform == 'win32'"]
optional-dependencies = {test = ["pytest>=8", "hypothesis"], all = []}
[dependency-groups]
more = ["attrs", {include-group = "most"}]
most = ["tomli-w<2; python_version >= '3'"]
[tool.emwheels]
host = ["zlib"]
cflags = "-DX"
environment = {A = "it's"}
before-build = ["make -C {project} prepare"]
config-settings = {a = "1", b = ["2", "3 4"]}
build-requires = ["cython<4"]
test-requires = ["iniconfig"]
test-extras = ["test"]
test-groups = ["more"]
test-command = "pytest tests -q && python -c 'import acme_fast'"
before-test = "python prepare.py"
"""
    )
    folder = write(tmp_path / "acme", text, **{"tests/test_a.py": "", "prepare.py": "", "fast.c": ""})
    made, meta = proposed(folder, targets, recipes)
    assert (made.name, made.version, made.pure) == ("acme-fast", "1.0", False)
    assert meta["requirements"] == {
        "host": ["zlib"],
        "run": ["idna"],
        "build-extras": ["cython<4"],
        "constraint": ["idna>=3"],
    }
    assert meta["build"]["script"] == "export A='it'\"'\"'s'\nmake -C . prepare\n"
    assert meta["build"]["backend-flags"] == "a=1 b=2 'b=3 4'"
    assert meta["build"]["cflags"] == "-I$(WASM_LIBRARY_DIR)/include -DX"
    assert meta["extra"]["emwheels"]["test"] == {
        "requirements": ["iniconfig", "hypothesis", "attrs", "tomli-w<2"],
        "environment": {"A": "it's"},
        "arguments": ["-q"],
        "paths": ["tests", "test_command.py"],
    }
    assert sorted(made.files) == ["conftest.py", "test_command.py"]
    assert list(made.copied) == ["tests", "prepare.py"]


def test_tests_that_nothing_names(tmp_path, targets):
    folder = write(tmp_path / "acme", PROJECT, **{"tests/test_a.py": ""})
    made, meta = proposed(folder, targets)
    assert (list(made.copied), made.pure, meta.get("extra")) == (["tests"], True, None)
    archive = {"url": "https://example.org/acme-1.0.tar.gz", "sha256": "0" * 64}
    assert list(proposed(folder, targets, source=archive)[0].copied) == [], "a stranger's tests"
    (folder / "pyproject.toml").write_text(PROJECT + "[tool.emwheels]\ntest-sources = []\n")
    assert list(proposed(folder, targets)[0].copied) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("host = ['nolib']", "tool.emwheels.host: there is no recipe nolib"),
        ("test-sources = ['nothing']", "there is no nothing in the project"),
        ("test-extras = ['nothing']", r"test-extras: \[project.optional-dependencies\] has no nothing"),
        ("test-groups = ['nothing']", r"test-groups: \[dependency-groups\] has no nothing"),
        ("before-test = 'pytest'", "pytest is no preparation"),
        ("test-command = 'make'", "make is no Python"),
    ],
)
def test_settings_that_cannot_be(tmp_path, targets, text, message):
    folder = write(tmp_path / "acme", f"{PROJECT}[tool.emwheels]\n{text}\n")
    with pytest.raises(UsageError, match=message):
        proposed(folder, targets)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"pyproject.toml": None, "setup.py": ""}, "there is no pyproject.toml"),
        ({"pyproject.toml": "[project]\nname = 'x'\n"}, "has no [build-system]"),
        ({"pyproject.toml": "[project\n"}, "pyproject.toml cannot be read"),
        ({"pyproject.toml": PROJECT + "[tool.emwheels]\nname = 'x'\n"}, ":8: tool.emwheels.name: unknown key"),
        ({"pyproject.toml": SYSTEM}, "does not say what its project is called"),
    ],
)
def test_what_is_no_project_is_one_line(command, tmp_path, files, message):
    folder = write(tmp_path / "acme", pyproject=files.pop("pyproject.toml"), **files)
    said = command("build", str(folder), status=2).err
    assert message in said
    assert len([line for line in said.splitlines() if message in line]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("./nothing",), "there is no ./nothing"),
        (("./acme", "numpy"), "./acme is a project and numpy a recipe"),
        (("./acme", "--all"), "--all, --scheduler and --from are for recipes"),
        (("./acme", "--target", "314.0.7,9.9"), "9.9"),
        (("./acme", "--target", "314.0.7", "--target", "9.9"), "9.9"),
        (("-r", "nothing.txt", "--offline"), "asks your index, and this is offline"),
        (("acme==1.0", "--offline"), "asks your index, and this is offline"),
    ],
)
def test_command_lines_that_are_refused(command, tmp_path, monkeypatch, arguments, message):
    write(tmp_path / "acme", PROJECT)
    monkeypatch.chdir(tmp_path)
    assert message in command("build", *arguments, status=2).err


@pytest.mark.parametrize("text", [".", "./x", "~/x", "a/b", "x.tar.gz", "x==1", "https://x/y.zip", "git+https://x/y@z"])
def test_a_project_is_told_from_a_recipe(text):
    class Given:
        names = (text,)

    assert is_own(Given)
    Given.names = ("numpy", "tag:x", "py*")
    assert not is_own(Given)


def test_a_project_without_recipes(tmp_path, monkeypatch):
    monkeypatch.setenv("EMWHEELS_CACHE", str(tmp_path))
    project = bare_project()
    assert load_targets(project.targets_file).targets
    assert list(project.recipes.iterdir()) == []


def test_what_is_pure_in_a_list_is_said_and_needs_no_build(command, tmp_path, monkeypatch):
    index = tmp_path / "index"
    index.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    make_wheel(index, "calm", requires=["inner"])
    make_wheel(index, "inner")
    for name in ("calm", "inner"):
        (index / f"{name}-1.0.tar.gz").write_bytes(tar_gz({f"{name}-1.0/PKG-INFO": "Metadata-Version: 2.2\n"}))
    make_wheel(index, "ready", tag="cp314-cp314-pyemscripten_2026_0_wasm32")
    (tmp_path / "list.txt").write_text("calm  # a word\nready==1.0 \\\n  --hash=sha256:00\n-e ./here\nlost\n")
    said = command("build", "-r", str(tmp_path / "list.txt"), "--json", status=4)
    found = {row["name"]: (row["state"], row["why"]) for row in said.json()}
    assert found["calm"] == ("pure", "pure Python: micropip installs it as it is")
    assert found["inner"] == ("pure", "pure Python: micropip installs it as it is; calm needs it")
    assert found["ready"] == ("published", "upstream publishes a wheel for this Pyodide")
    assert found["lost"] == ("missing", "no index has it")
    assert "left out: -e ./here" in said.err
    assert "is pure" not in command("build", "calm==1.0", status=0).err


def test_a_compiled_requirement_without_recipe_and_wheel_is_one_line(command, tmp_path, monkeypatch):
    index = tmp_path / "index"
    index.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    make_wheel(index, "inner", tag="cp314-cp314-manylinux_2_28_x86_64")
    folder = write(tmp_path / "acme", PROJECT + 'dependencies = ["inner"]\n')
    said = command("build", str(folder), "--no-test", "--json", status=3)
    (row,) = said.json()
    assert row["why"] == (
        "acme-fast needs inner, which is compiled and has neither a recipe here nor a wheel for this Pyodide"
    )
    assert row["hint"].endswith("emwheels build . inner==1.0")


def test_a_summary_in_markdown_shows_what_it_is_told_to_the_letter():
    good = OwnRow(name="acme", target="314.0.7", version="1.0", state="built", wheel="wheelhouse/acme.whl", size=12345)
    good.phases, good.engines = {"compile": 60.0, "test": 1.5}, {"node": "3 passed", "chromium-page": "3 passed"}
    bad = OwnRow(name="b|d", target="314.0.7", state="failed", why="<script>\n```", hint="mend it", status=8)
    bad.failures = [{"engine": "node", "test": "test_a.py::test_<b>", "message": "assert ```\n1", "output": ""}]
    text = summary([good, bad])
    assert text.startswith(f"{MARK}\n### ❌ 1 wheel for Pyodide, 1 failed\n")
    row = "| acme 1.0 | 314.0.7 | built | `acme.whl` | 12,345 | 61.5 s | node: 3 passed<br>chromium-page: 3 passed |"
    assert row in text
    assert r"| b\|d | 314.0.7 | failed | &lt;script> |" in text
    assert "````text\n<script>\n```\nmend it\n````" in text
    assert "<summary>node: test\\_a.py::test\\_&lt;b></summary>" in text


def test_the_home_of_nobody_is_an_error(command):
    assert "no home folder" in command("build", "~nobody-has-this-name/x", "--offline", status=2).err


def test_wheels_are_laid_into_no_file(command, tmp_path):
    write(tmp_path / "acme", PROJECT)
    (tmp_path / "file").write_text("")
    assert "is no folder" in command("build", tmp_path / "acme", "-o", tmp_path / "file", status=2).err
