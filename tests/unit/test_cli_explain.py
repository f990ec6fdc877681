"""``emwheels explain``: what is printed of a requirement, with an index of PyPI's files given by hand."""

from __future__ import annotations

import pytest
from loopback import serving_folder
from sample_run import RELEASE, add_recipe, make_environment
from small_project import make_command_in
from synthetic_wheels import WASM, make_wheel

from emwheels.errors import FetchError
from emwheels.fetch.index_pages import Offer, Resource

LINUX = "cp314-cp314-manylinux_2_28_x86_64"
WINDOWS = "cp314-cp314-win_amd64"


@pytest.fixture
def environment(tmp_path):
    return make_environment(tmp_path)


@pytest.fixture
def pypi(monkeypatch):
    """The names of the files that PyPI has; ``pypi.asked`` is which projects it was asked for."""

    class Files(list):
        asked = ()
        error = None

    files = Files()

    class Registries:
        def __init__(self, downloader):
            pass

        def offers(self, name):
            files.asked = (*files.asked, name)
            if files.error:
                raise files.error
            return [
                Offer(resource=Resource(url="", filename=it), version=it.split("-")[1].removesuffix(".tar.gz"))
                for it in files
            ]

    monkeypatch.setattr("emwheels.cli.explain.Registries", Registries)
    monkeypatch.setattr("emwheels.cli.explain.Downloader", lambda **_options: None)  # half a second, for certificates
    return files


@pytest.fixture
def command(environment, pypi, monkeypatch, capsys):
    monkeypatch.setattr("emwheels.cli.explain.read_release", lambda target, runtime: RELEASE)
    return make_command_in(environment, "explain", monkeypatch, capsys)


def test_a_wheel_of_the_index_is_taken(command, pypi, tmp_path):
    wheel = make_wheel(tmp_path / "made", "demo", tag=WASM)
    command("index", "add", wheel)
    pypi += [f"demo-1.0-{LINUX}.whl", f"demo-1.0-{WINDOWS}.whl", "demo-1.0.tar.gz"]
    said = command("explain", "demo").lines()
    assert said[0] == "demo in Pyodide 314.0.7 is installed by", "the answer comes first"
    assert said[said.index("this index:") + 1] == f"1.0 {wheel.name} fits"
    assert "1.0 2 files machine code for other systems" in said, "one line for Linux, macOS and Windows"
    assert "1.0 demo-1.0.tar.gz a source distribution, which would have to be built" in said
    assert f"micropip, index URLs set to this index {wheel.name} (this index)" in said
    assert "micropip, as Pyodide has it nothing" in said


def test_nothing_fits_ends_with_1_and_advice(command, pypi):
    pypi += [f"demo-1.0-{LINUX}.whl", "demo-1.0.tar.gz"]
    said = command("explain", "demo", status=1)
    assert "this index: nothing" in said.lines()
    assert "write a recipe" in said.out


def test_a_recipe_that_is_not_built_yet_is_advised(command, pypi, environment):
    add_recipe(environment, "demo")
    pypi.append(f"demo-1.0-{LINUX}.whl")
    assert "emwheels build demo" in command("explain", "demo", status=1).out


def test_json_has_every_candidate_and_no_table(command, pypi):
    pypi += [f"demo-1.0-{LINUX}.whl", "demo-2.0-py3-none-any.whl"]
    said = command("explain", "demo>=1", "--json").json()
    assert (said["requirement"], said["release"]) == ("demo>=1", "314.0.7")
    assert [(each["filename"], bool(each["reasons"])) for each in said["candidates"]] == [
        ("demo-2.0-py3-none-any.whl", False),
        (f"demo-1.0-{LINUX}.whl", True),
    ]
    assert said["chosen"]["micropip, as Pyodide has it"]["filename"] == "demo-2.0-py3-none-any.whl"


def test_only_the_newest_versions_are_shown_unless_all_are_asked_for(command, pypi):
    pypi += [f"demo-{number}.0-py3-none-any.whl" for number in range(20)]
    said = command("explain", "demo")
    assert "demo-19.0-" in said.out
    assert "demo-7.0-" not in said.out
    assert "and 8 more lines (--all)" in said.out
    everything = command("explain", "demo", "--all").out
    assert "demo-0.0-" in everything
    assert "more lines" not in everything


def test_offline_pypi_is_not_asked(command, pypi):
    pypi.append("demo-2.0-py3-none-any.whl")
    said = command("explain", "demo", "--offline", status=1)
    assert pypi.asked == ()
    assert "PyPI was not asked" in said.out


def test_without_pypi_the_rest_is_explained(command, pypi, tmp_path, environment):
    command("index", "add", make_wheel(tmp_path / "made", "demo", tag=WASM))
    pypi.error = FetchError("the index does not answer")
    assert "(this index)" in command("explain", "demo").out
    assert environment.board.lines == ["explain: PyPI was left out: the index does not answer"]


def test_names_are_normalised(command, pypi, tmp_path):
    command("index", "add", make_wheel(tmp_path / "made", "my_tool", tag=WASM))
    assert "(this index)" in command("explain", "My.Tool").out
    assert pypi.asked == ("my-tool",)


def test_a_published_index_is_looked_at_instead(command, tmp_path):
    command("index", "add", make_wheel(tmp_path / "made", "demo", tag=WASM))
    command("publish", tmp_path / "www")
    command("index", "remove", "demo")
    command("explain", "demo", status=1)
    assert "(this index)" in command("explain", "demo", "--at", tmp_path / "www").out


def test_what_looks_like_markup_is_shown_as_it_is(command, tmp_path):
    command("index", "add", make_wheel(tmp_path / "made", "demo", tag=WASM))
    command("index", "yank", "demo", "1.0", "--why", "[bold]wrong[/bold] sums")
    assert "[bold]wrong[/bold] sums" in command("explain", "demo").out


@pytest.mark.parametrize("text", ["numpy>", "numpy 2", "", "-x y", "numpy[", "git+https://x"])
def test_what_is_no_requirement(command, pypi, text):
    said = command("explain", "--", text, status=2)
    assert said.err.startswith(f"emwheels: {text!r} is not a requirement: ")
    assert said.err.endswith('such as "numpy>=2"\n')
    assert pypi.asked == ()


def test_a_target_that_there_is_not(command):
    assert "there is no target '1'" in command("explain", "demo", "--target", "1", status=2).err


def test_a_module_is_explained_by_the_project_that_has_it(command, tmp_path):
    command("index", "add", make_wheel(tmp_path / "made", "demo", tag=WASM, files={"cv2/__init__.py": ""}))
    said = command("explain", "cv2", "--offline").lines()
    assert said[:2] == ["cv2 is a module of demo", "demo in Pyodide 314.0.7 is installed by"]


def test_a_marker_that_does_not_hold_is_installed_by_nobody(command, tmp_path):
    command("index", "add", make_wheel(tmp_path / "made", "demo", tag=WASM))
    said = command("explain", 'demo; python_version < "3"', "--offline", status=1)
    assert "does not hold in Pyodide 314.0.7: installers skip it" in said.out
    command("explain", 'demo; sys_platform == "emscripten"', "--offline")


def test_an_extra_that_there_is_not(command, tmp_path):
    command("index", "add", make_wheel(tmp_path / "made", "demo", requires=['fast; extra == "speed"']))
    said = command("explain", "demo[foo]", "--offline").lines()
    assert said[0] == "demo has no requirements for the extra foo; it has speed"
    assert "extra" not in command("explain", "demo[speed]", "--offline").out


def test_a_file_is_explained_as_if_it_were_in_the_index(command, tmp_path, environment):
    wheel = make_wheel(tmp_path / "made", "demo", tag=WASM)
    said = command("explain", wheel, "--offline").lines()
    assert said[0] == f"{wheel.name}, as if it were in the index"
    assert f"micropip, index URLs set to this index {wheel.name} (this index)" in said
    assert not (environment.project.dist / "wheels").exists()


def test_what_is_needed_and_missing_is_said_of_each_client(command, tmp_path):
    command("index", "add", make_wheel(tmp_path / "made", "demo", tag=WASM, requires=["tifffile>=2022"]))
    said = command("explain", "demo", "--offline", status=0).lines()
    (micropip,) = [line for line in said if line.startswith("micropip, index URLs")]
    assert "needs tifffile>=2022, which is not in this index: micropip takes that from elsewhere, or fails" in micropip
    (loaded,) = [line for line in said if line.startswith("loadPackage with this index's lock")]
    assert "nothing ours is left out: it needs tifffile>=2022, which is neither in this index nor in Pyodide" in loaded


def test_a_published_index_is_read_from_outside(command, tmp_path, monkeypatch):
    command("index", "add", make_wheel(tmp_path / "made", "demo", tag=WASM))
    command("publish", tmp_path / "www")
    command("index", "remove", "demo")
    with serving_folder(tmp_path / "www") as address:
        for form in ("", "/", "/simple", "/simple/{package_name}/", "/simple/index.html"):
            said = command("explain", "demo", "--at", f"{address}{form}").lines()
            assert f"micropip, index URLs set to this index demo-1.0-{WASM}.whl (this index)" in said
        assert "no index that emwheels published" in command("explain", "x", "--at", f"{address}/no", status=10).err
        assert "--offline forbids" in command("explain", "x", "--at", address, "--offline", status=2).err
