"""``test-command`` and ``before-test`` as an engine runs them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from emwheels.author.own_commands import conftest_file, read_commands
from emwheels.author.own_commands import test_file as written_tests
from emwheels.errors import UsageError


@pytest.fixture
def project(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text("def test_a(): pass\n")
    (tmp_path / "check.py").write_text("import sys\nsys.exit(sys.argv[1:] != ['--quick'])\n")
    return tmp_path


@pytest.mark.parametrize(
    ("command", "arguments", "paths"),
    [
        ("pytest", (), ()),
        ("pytest {project}/tests -k 'not slow' -x", ("-k", "not slow", "-x"), ("tests",)),
        ("python -m pytest tests/test_a.py::test_a", (), ("tests/test_a.py::test_a",)),
        ("pytest -k tests {package}", ("-k", "tests", ""), ()),
        ("pytest elsewhere", ("elsewhere",), ()),
    ],
)
def test_pytest_with_its_arguments_and_paths(project, command, arguments, paths):
    found = read_commands([command], project, "test-command")
    assert (found.pytest, found.paths) == (tuple(each for each in arguments if each), paths)


def test_programs_are_tests_that_pass_or_fail_as_they_do(project):
    texts = ["python -c 'print(1)' && python check.py --quick", "python check.py", "python -m this_is_not_there"]
    found = read_commands(texts, project, "test-command")
    assert found.files == ["check.py"]
    (project / "test_command.py").write_text(written_tests(found.programs))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_command.py"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "2 failed, 2 passed" in done.stdout
    assert "AssertionError: check.py ended with True" in done.stdout
    assert "No module named this_is_not_there" in done.stdout


def test_what_runs_before(project):
    found = read_commands("""python -c 'import os; os.environ["READY"] = "1"'""".splitlines(), project, "before-test")
    (project / "conftest.py").write_text(conftest_file(found.programs))
    (project / "tests" / "test_a.py").write_text("import os\nassert os.environ['READY'] == '1'\ndef test_a(): pass\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    assert subprocess.run(command, cwd=project, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("make test", "make is no Python"),
        ("tox -e py", "tox is no Python"),
        ("python", "python takes -c CODE, -m MODULE or a file here"),
        ("python -O x.py", "python takes -c CODE"),
        ("python ../x.py", "the file is not in the project"),
        ("pytest 'tests", "No closing quotation"),
    ],
)
def test_what_no_engine_can_run(project, command, message):
    with pytest.raises(UsageError, match=message):
        read_commands([command], project, "test-command")
