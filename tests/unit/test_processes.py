"""Commands that enter the image, with commands of this machine in their place: what they say, and how they end."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from emwheels.image.processes import ended_with_client, run_and_wait, start_with_pipes
from emwheels.image.watch import Watch
from emwheels.target.limits import Limits


def shell(script, *, seconds=None, output=None):
    """Run a script of the shell and return what came of it; ``argv`` is what it stands for."""
    watch = Watch(limits=Limits(time=seconds or 0), output=output)
    return run_and_wait(["/bin/sh", "-c", script], argv=["make", "all"], watch=watch)


def said(script, **options):
    with tempfile.TemporaryFile() as output:
        done = shell(script, output=output, **options)
        output.seek(0)
        return done, output.read().decode()


def is_alive(pid):
    """Tell whether a process is there, and more than a zombie that nobody has waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_for_end(pid):
    for _ in range(1000):
        if not is_alive(pid):
            return True
        time.sleep(0.01)
    return False


@pytest.fixture
def clock(monkeypatch):
    """Lets a day go by, or an interrupt come, once a file has a line: ``clock(file, error=KeyboardInterrupt)``."""

    def set_clock(file, error=None):
        def begun():
            return file.exists() and file.read_text().endswith("\n")

        def monotonic():
            now = begun()
            if error and now:
                raise error
            return 86400.0 * now

        pretended = SimpleNamespace(monotonic=monotonic, sleep=time.sleep)
        monkeypatch.setattr("emwheels.image.processes.time", pretended)
        monkeypatch.setattr("emwheels.image.watch.time", pretended)

    return set_clock


@pytest.mark.parametrize("status", [0, 1, 7, 127, 255])
def test_the_exit_status_is_the_command_s(status):
    done = shell(f"exit {status}")
    assert (done.status, done.reached, done.argv) == (status, "", ("make", "all"))
    assert done.peak_kib > 0
    assert done.seconds > 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_signal_is_a_negative_status(number):
    done = shell(f"kill -{number} $$")
    assert (done.status, done.reached) == (-number, "")


def test_both_streams_are_in_the_output_in_their_order():
    done, text = said("echo one; echo two >&2; echo three; exit 3")
    assert (done.status, text) == (3, "one\ntwo\nthree\n")


def test_without_an_output_what_it_says_goes_nowhere(capfd):
    assert shell("echo lost; echo lost as well >&2").status == 0
    assert capfd.readouterr() == ("", "")


def test_nothing_can_be_read_from_standard_input():
    done, text = said("cat; echo end")
    assert (done.status, text) == (0, "end\n")


def test_a_command_that_takes_too_long_is_killed_with_all_it_started(tmp_path, clock):
    below = tmp_path / "below"
    clock(below)
    script = f"echo started; sleep 600 & echo $! > {below}.part; mv {below}.part {below}; wait; echo not reached"
    done, text = said(script, seconds=3600)
    assert (done.status, done.reached, text) == (-signal.SIGKILL, "time", "started\n")
    assert done.seconds == 86400
    assert wait_for_end(int(below.read_text()))


def test_a_command_that_ends_in_time_has_not_timed_out():
    assert not shell("exit 0", seconds=600).reached


def test_an_interrupt_ends_everything_below_before_it_goes_on(tmp_path, clock):
    both = tmp_path / "both"
    clock(both, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        shell(f"sleep 600 & echo $$ $! > {both}.part; mv {both}.part {both}; wait")
    shell_pid, sleep_pid = map(int, both.read_text().split())
    with pytest.raises(ChildProcessError):
        os.waitpid(shell_pid, os.WNOHANG)  # it was waited for: no zombie is left
    assert wait_for_end(sleep_pid)


def test_a_command_that_is_not_there_is_an_error_of_the_system():
    with pytest.raises(FileNotFoundError):
        run_and_wait(["/nowhere/bwrap"], argv=["true"], watch=Watch(limits=Limits()))


def test_each_command_has_a_session_of_its_own():
    """So that Ctrl-C at the terminal reaches this process alone, and a kill reaches all below the command."""
    _, text = said("cut -d' ' -f6 /proc/$$/stat; echo $$")  # proc_pid_stat(5)
    session, pid = text.split()
    assert session == pid
    assert int(session) != os.getsid(0)


def test_a_command_with_pipes_answers_and_is_in_a_session_of_its_own():
    script, watch = "read x; echo got $x; read y", Watch(limits=Limits())
    with start_with_pipes(["/bin/sh", "-c", script], by_engine=False, stderr=None, watch=watch) as process:
        process.stdin.write(b"this\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"got this\n"
        assert os.getsid(process.pid) == process.pid
        process.kill()
    assert process.returncode == -signal.SIGKILL


# An engine's client, whose container is nobody's child.

ENGINE = """\
#!/bin/sh
echo "$@" >> "$0.log"
[ "$1" = rm ] && exit 1  # as for a container that is gone already
while [ "$1" != image ]; do shift; done
shift
exec "$@"
"""


@pytest.fixture
def engine(tmp_path):
    """A program that takes an engine's command line, does the command here, and logs what it was asked."""
    path = tmp_path / "engine"
    path.write_text(ENGINE)
    path.chmod(0o755)
    return path


def asked(engine):
    return [line.split() for line in Path(f"{engine}.log").read_text().splitlines()]


def run_named(engine, *argv):
    with ended_with_client([str(engine), "--runtime", "runc", "run", "--rm", "image", *argv]) as command:
        return run_and_wait(command, argv=argv, watch=Watch(limits=Limits()))


def test_a_container_has_a_name_of_its_own_and_is_removed_when_the_command_ends(engine):
    assert run_named(engine, "/bin/sh", "-c", "exit 4").status == 4
    assert run_named(engine, "/bin/true").status == 0
    started, removed, again, removed_again = asked(engine)
    name = started[started.index("--name") + 1]
    assert started[:4] == ["--runtime", "runc", "run", "--name"], "an option of run, not of the engine"
    assert removed == ["rm", "--force", name]
    assert again[again.index("--name") + 1] == removed_again[-1] != name


def test_a_container_is_removed_when_the_wait_is_interrupted(engine, clock):
    clock(Path(f"{engine}.log"), KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        run_named(engine, "/bin/sleep", "600")
    started, removed = asked(engine)
    assert removed == ["rm", "--force", started[started.index("--name") + 1]]


def test_killing_a_client_with_pipes_removes_its_container(engine):
    command = [str(engine), "run", "--rm", "image", "/bin/sh", "-c", "read x; echo got $x; exec sleep 600"]
    with start_with_pipes(command, by_engine=True, stderr=None, watch=Watch(limits=Limits())) as process:
        process.stdin.write(b"this\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"got this\n"
        process.kill()
    started, removed = asked(engine)
    assert removed == ["rm", "--force", started[started.index("--name") + 1]]
    assert process.returncode == -signal.SIGKILL
