"""Which of a source's own tests run with a new recipe's, and which are left out."""

from __future__ import annotations

import pytest
import yaml

from emwheels.author.new_suite import MOST, SECONDS, Tried, find_candidates, passing, suite_text
from emwheels.upstream import read_suite

PLAIN = "import tiny, math\nfrom . import helper\n\ndef test_it():\n    assert tiny.one() == 1\n"


def put(tree, files):
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)


def found(tree, files, requires=()):
    put(tree, files)
    candidates = find_candidates(tree, ["tiny"], requires)
    return candidates.files if candidates else ()


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        (PLAIN, True),
        ("import pytest, tiny.core\n", True),
        ("from helper import x\n", True),
        ("import numpy\n", True),
        ("import hypothesis\n", False),
        ("def test_it():\n    import subprocess\n", False),
        ("import threading\n", False),
        ("def test_it(:\n", False),
        (b"\xff\xfe\x00".decode("latin-1"), False),
    ],
)
def test_what_can_run_anywhere(tmp_path, text, taken):
    files = {"tests/test_a.py": text, "tests/helper.py": "import hypothesis"}
    assert found(tmp_path, files, ["numpy"]) == (("tests/test_a.py",) if taken else ())


def test_the_smallest_come_first_and_not_all(tmp_path):
    files = {f"test/test_{number:02}.py": PLAIN + "#" * number for number in range(MOST + 5)}
    files["test/test_huge.py"] = PLAIN + "#" * 100_000
    taken = found(tmp_path, files)
    assert taken == tuple(f"test/test_{number:02}.py" for number in range(MOST))


def test_a_conftest_that_imports_more_spoils_them_all(tmp_path):
    assert found(tmp_path, {"tests/test_a.py": PLAIN, "tests/conftest.py": "import hypothesis\n"}) == ()


def test_links_are_not_followed(tmp_path):
    put(tmp_path, {"elsewhere/test_a.py": PLAIN})
    (tmp_path / "tests").symlink_to("elsewhere")
    assert find_candidates(tmp_path, ["tiny"], ()) is None


@pytest.mark.parametrize(
    ("file", "document"),
    [
        ("tests/test_a.py", {"files": ["tests"], "smoke": ["tests/test_a.py"]}),
        (
            "src/tiny/tests/test_a.py",
            {
                "files": ["tiny/tests"],
                "base": "src",
                "into": "site-packages",
                "paths": ["tiny/tests"],
                "smoke": ["tiny/tests/test_a.py"],
            },
        ),
    ],
)
def test_upstream_yaml(tmp_path, file, document):
    put(tmp_path, {file: PLAIN})
    candidates = find_candidates(tmp_path, ["tiny"], ())
    text = suite_text(candidates, candidates.files)
    assert yaml.safe_load(text) == document
    (tmp_path / "upstream.yaml").write_text(text)
    assert list(read_suite(tmp_path).smoke) == document["smoke"]


def test_what_passes_is_kept_and_of_the_rest_it_is_said_why():
    half = SECONDS * 0.6
    tried = [
        Tried(nodeid="tests/test_a.py::test_1", outcome="passed", seconds=half),
        Tried(nodeid="tests/test_a.py::test_2", outcome="skipped", seconds=0),
        Tried(nodeid="tests/test_b.py::test_1", outcome="passed", seconds=1),
        Tried(nodeid="tests/test_b.py::test_2", outcome="failed", seconds=0, message="E  assert 1 == 2\nmore"),
        Tried(nodeid="tests/test_c.py::test_1", outcome="passed", seconds=half),
        Tried(nodeid="tests/test_d.py", outcome="error", seconds=0, message="E   ImportError: no\x1b[31m"),
        Tried(nodeid="tests/test_e.py::test_1", outcome="skipped", seconds=0),
    ]
    kept, left_out = passing([f"tests/test_{letter}.py" for letter in "abcde"], tried)
    assert kept == ["tests/test_a.py"]
    assert left_out["tests/test_b.py"] == "assert 1 == 2"
    assert left_out["tests/test_c.py"] == "it takes 12 s, and all may take 20"
    assert left_out["tests/test_d.py"].startswith("ImportError: no")
    assert "\x1b" not in left_out["tests/test_d.py"]
    assert left_out["tests/test_e.py"] == "none of its tests passed"


def test_an_engine_that_does_not_come_up_is_the_reason():
    tried = [Tried(nodeid="boot", outcome="error", seconds=0, message="no wheel of numpy")]
    assert passing(["tests/test_a.py"], tried) == ([], {"tests/test_a.py": "no wheel of numpy"})
