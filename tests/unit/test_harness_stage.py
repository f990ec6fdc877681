from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import pytest
from synthetic_wheels import make_wheel

from emwheels.errors import HarnessError
from emwheels.harness import stage
from emwheels.harness.model import Suite


def do_stage(
    tmp_path: Path, *, harness_wheels: list[Path], wheels: list[Path], requirements: list[str]
) -> tuple[Path, dict[str, object]]:
    tests = tmp_path / "recipe"
    tests.mkdir()
    (tests / "test_a.py").write_text("")
    folder = tmp_path / "stage"
    folder.mkdir()
    stage.stage(
        folder,
        harness_wheels=harness_wheels,
        wheels=wheels,
        requirements=requirements,
        tests=tests,
        engines=["node"],
        suite=Suite(root="/lib/site", paths=("a",), options=("-x",), requirements=("hypothesis",), strict=False),
        limits=stage.Patience(boot=1, test=2),
    )
    return folder, json.loads((folder / "job.json").read_text())


def test_index_has_every_wheel_with_its_hash(tmp_path: Path) -> None:
    micropip, demo = make_wheel(tmp_path, "micropip"), make_wheel(tmp_path, "demo_pkg")
    folder, job = do_stage(tmp_path, harness_wheels=[micropip], wheels=[demo], requirements=["Demo.pkg==1.0"])
    digest = hashlib.sha256(demo.read_bytes()).hexdigest()
    page = (folder / "simple/demo-pkg/index.html").read_text()
    assert f'href="../../wheels/{demo.name}#sha256={digest}"' in page
    assert (folder / "wheels" / demo.name).read_bytes() == demo.read_bytes()
    assert (folder / "simple/micropip/index.html").is_file()
    assert job["names"] == ["demo-pkg"]
    with zipfile.ZipFile(demo) as archive:
        record = archive.read("demo_pkg-1.0.dist-info/RECORD")
    assert job["records"] == {"demo-pkg": hashlib.sha256(record).hexdigest()}
    assert job["files"] == ["test_a.py"]
    assert (job["root"], job["paths"], job["options"]) == ("/lib/site", ["a"], ["-x"])
    assert job["requirements"] == ["Demo.pkg==1.0", "hypothesis"]
    assert (job["strict"], job["ends_in_a_row"]) == (False, 10)


def test_wheel_under_test_replaces_the_one_of_the_harness(tmp_path: Path) -> None:
    micropip = make_wheel(tmp_path, "micropip")
    ours, theirs = make_wheel(tmp_path, "packaging", "2.0"), make_wheel(tmp_path, "packaging", "1.0")
    folder, _ = do_stage(tmp_path, harness_wheels=[micropip, theirs], wheels=[ours], requirements=["packaging"])
    assert (folder / "wheels" / ours.name).exists()
    assert not (folder / "wheels" / theirs.name).exists()


def test_micropip_itself_under_test_does_the_installing(tmp_path: Path) -> None:
    ours, theirs = make_wheel(tmp_path, "micropip", "2.0"), make_wheel(tmp_path, "micropip", "1.0")
    folder, job = do_stage(tmp_path, harness_wheels=[theirs], wheels=[ours], requirements=["micropip"])
    assert job["micropip"] == ours.name
    assert (folder / "wheels" / ours.name).exists()


@pytest.mark.parametrize(
    ("requirement", "message"),
    [("numpy==2.5.5", "no wheel of numpy was given"), ("not a requirement", "requirement 'not a requirement'")],
)
def test_requirement_that_no_wheel_answers(tmp_path: Path, requirement: str, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        do_stage(tmp_path, harness_wheels=[make_wheel(tmp_path, "micropip")], wheels=[], requirements=[requirement])


def test_without_micropip(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no micropip"):
        do_stage(tmp_path, harness_wheels=[], wheels=[], requirements=[])


def test_two_wheels_of_one_project(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="two wheels of demo"):
        stage.by_name([make_wheel(tmp_path, "demo", "1"), make_wheel(tmp_path, "demo", "2")])


def test_not_a_wheel_name() -> None:
    with pytest.raises(HarnessError, match=r"demo\.zip"):
        stage.by_name([Path("demo.zip")])


@pytest.mark.parametrize("content", [b"", b"PK nonsense"])
def test_broken_wheel(tmp_path: Path, content: bytes) -> None:
    wheel = tmp_path / "demo-1-py3-none-any.whl"
    wheel.write_bytes(content)
    with pytest.raises(HarnessError, match="not a wheel that can be read"):
        do_stage(tmp_path, harness_wheels=[make_wheel(tmp_path, "micropip")], wheels=[wheel], requirements=[])


def test_wheel_without_record(tmp_path: Path) -> None:
    wheel = tmp_path / "demo-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("demo.py", "")
    with pytest.raises(HarnessError, match="it has no RECORD"):
        do_stage(tmp_path, harness_wheels=[make_wheel(tmp_path, "micropip")], wheels=[wheel], requirements=[])


def test_list_files_leaves_out_what_is_no_test_data(tmp_path: Path) -> None:
    for name in ("test_a.py", "data/b c.bin", ".hidden", ".git/x", "__pycache__/test_a.pyc"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "outside").symlink_to("/etc/passwd")
    assert stage.list_files(tmp_path) == ["data/b c.bin", "test_a.py"]


def test_list_files_of_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no tests here"):
        stage.list_files(tmp_path)
