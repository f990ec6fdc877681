from __future__ import annotations

import os
import subprocess
import sys

import pytest
from filelock import FileLock
from sample_run import add_recipe, make_environment

from emwheels.errors import StoppedError
from emwheels.pipeline.known import key_of
from emwheels.pipeline.model import Outcome
from emwheels.pipeline.phases import alone, remove_stale_work, timed, work_folder
from emwheels.pipeline.run import make_run


@pytest.fixture
def run(tmp_path):
    environment = make_environment(tmp_path)
    add_recipe(environment, "tiny")
    return make_run(environment, [])


@pytest.fixture
def key(run):
    return key_of(run, run.recipes["tiny"], {})


class Waiting:
    """A lock that does not wait; ``at`` has what happens when somebody tries for that many times in vain."""

    def __init__(self, monkeypatch):
        self.failures, self.at = 0, {}
        self.locks = []
        """None is let go by being collected as garbage."""
        outer = self

        class Impatient(FileLock):
            def acquire(self, timeout=None, **options):
                outer.locks.append(self)
                try:
                    return super().acquire(timeout=0, **options)
                except TimeoutError:
                    outer.failures += 1
                    outer.at.get(outer.failures, lambda: None)()
                    raise

        monkeypatch.setattr("emwheels.pipeline.phases.FileLock", Impatient)


@pytest.fixture
def waiting(monkeypatch):
    return Waiting(monkeypatch)


@pytest.fixture
def held(run, key):
    """The lock of the key, as another process holds it."""
    with alone(run, "tiny", key):
        (path,) = (run.environment.project.cache / "locks").iterdir()
    lock = FileLock(path)
    lock.acquire()
    yield lock
    lock.release()


def test_a_phase_is_shown_and_noted(run):
    outcome = Outcome(name="tiny", state="failed")
    with timed(run, outcome, "compile"):
        assert run.environment.board.lines == ["tiny: compile"]
        assert outcome.phases == {}
    assert list(outcome.phases) == ["compile"]


def test_a_phase_that_fails_took_time_as_well(run):
    outcome = Outcome(name="tiny", state="failed")
    with pytest.raises(ValueError, match="broken"), timed(run, outcome, "compile"):
        raise ValueError("broken")
    assert outcome.phases["compile"] >= 0


def test_no_phase_begins_once_everything_is_to_end(run):
    outcome = Outcome(name="tiny", state="failed")
    run.stopping.set()
    with pytest.raises(StoppedError), timed(run, outcome, "compile"):
        pytest.fail("it began")
    assert (run.environment.board.lines, outcome.phases) == ([], {})


def test_nobody_waits_for_a_key_of_another_build(run, key, held):
    add_recipe(run.environment, "other")
    other = make_run(run.environment, ["other"])
    with alone(other, "other", key_of(other, other.recipes["other"], {})):
        pass
    assert run.environment.board.lines == []


def test_a_build_waits_for_another_of_the_same_key_and_says_so_once(run, key, held, waiting):
    waiting.at[3] = held.release
    with alone(run, "tiny", key):
        assert waiting.failures == 3
        assert run.environment.board.lines == ["tiny: another run is building this; waiting for it"]


def test_the_lock_is_held_to_the_end_of_the_block(run, key, waiting):
    waiting.at[1] = run.stopping.set
    with alone(run, "tiny", key), pytest.raises(StoppedError), alone(run, "tiny", key):
        pytest.fail("two of them are at it")
    run.stopping.clear()
    with alone(run, "tiny", key):
        assert waiting.failures == 1


def test_the_lock_is_let_go_by_a_build_that_fails(run, key, waiting):
    with pytest.raises(ValueError, match="broken"), alone(run, "tiny", key):
        raise ValueError("broken")
    waiting.at[1] = run.stopping.set  # rather than to wait
    with alone(run, "tiny", key):
        assert waiting.failures == 0


def test_a_build_that_waits_ends_when_everything_is_to_end(run, key, held, waiting):
    waiting.at[2] = run.stopping.set
    with pytest.raises(StoppedError), alone(run, "tiny", key):
        pytest.fail("it is held by another")
    assert held.is_locked
    assert waiting.failures == 2


def test_a_run_that_is_stopped_does_not_take_the_lock(run, key):
    run.stopping.set()
    with pytest.raises(StoppedError), alone(run, "tiny", key):
        pytest.fail("it began")


@pytest.mark.parametrize("error", [None, ValueError("broken")])
def test_a_working_folder_is_gone_afterwards(tmp_path, error):
    def use():
        with work_folder(tmp_path, "tiny") as folder:
            assert folder.parent == tmp_path / "work"
            read_only = folder / "build"
            read_only.mkdir()
            (read_only / "file").write_text("")
            read_only.chmod(0o555)
            if error:
                raise error

    if error:
        with pytest.raises(ValueError, match="broken"):
            use()
    else:
        use()
    assert list((tmp_path / "work").iterdir()) == []


def test_a_working_folder_is_empty_even_if_an_earlier_build_left_one(tmp_path):
    left = tmp_path / "work" / f"tiny-{os.getpid()}"
    left.mkdir(parents=True)
    (left / "object.o").write_text("")
    with work_folder(tmp_path, "tiny") as folder:
        assert folder == left
        assert list(folder.iterdir()) == []


def test_only_the_work_of_dead_processes_is_removed(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    kept = [f"tiny-{os.getpid()}", "two-words", "plain", f"tiny-{dead.pid}-x"]
    for name in (*kept, f"tiny-{dead.pid}", f"with-dashes-{dead.pid}"):
        (tmp_path / name / "source").mkdir(parents=True)
    remove_stale_work(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)
    assert all((tmp_path / name / "source").is_dir() for name in kept)


def test_where_nothing_was_built_there_is_nothing_to_remove(tmp_path):
    remove_stale_work(tmp_path / "work")
    assert not (tmp_path / "work").exists()
