"""A Dask cluster as `DaskExecutor` uses it, with a client in place of Dask's: no scheduler, no workers."""

from __future__ import annotations

import pickle
import sys
from types import SimpleNamespace

import pytest

from emwheels.schedule import Task
from emwheels.schedule.cluster import ClusterError, DaskExecutor
from emwheels.schedule.entry import DESCRIBE, call, described, packed

TASK = Task(identity="build numpy", needs=(), seconds=1.0, memory=0)


class Remote:
    """What a cluster gives for a task: done when it is told to be."""

    def __init__(self):
        self.callbacks, self.value, self.error = [], None, None

    def add_done_callback(self, function):
        self.callbacks.append(function)

    def result(self):
        if self.error is not None:
            raise self.error
        return self.value

    def end(self, value=None, error=None):
        self.value, self.error = value, error
        for function in self.callbacks:
            function(self)


class Client:
    """Stands for `distributed.Client`."""

    workers = None
    refuses = None

    def __init__(self, address, *, timeout, set_as_default):
        if Client.refuses:
            raise Client.refuses
        self.address, self.default = address, set_as_default
        self.submitted, self.cancelled, self.ran, self.closed = [], [], [], False
        Client.made.append(self)

    def run(self, function, expression, *given, on_error):
        self.ran.append((expression, given, on_error))
        return dict(Client.workers) if expression == DESCRIBE else {}

    def nthreads(self):
        return dict.fromkeys(Client.workers, 1)

    def submit(self, function, expression, work, *, key, pure, retries):
        remote = Remote()
        self.submitted.append(SimpleNamespace(remote=remote, work=work, key=key, pure=pure, retries=retries))
        return remote

    def cancel(self, remotes, *, force):
        self.cancelled += remotes

    def close(self):
        self.closed = True


@pytest.fixture
def dask(monkeypatch):
    """A cluster of two workers with the same code as here, in place of `distributed`."""
    Client.made, Client.refuses = [], None
    Client.workers = {"tcp://one": described(), "tcp://two": described()}
    monkeypatch.setitem(sys.modules, "distributed", SimpleNamespace(Client=Client))
    return Client


def work(identity, given):
    return f"{identity} with {sorted(given)}"


def ended():
    return "ended"


def make(receive=lambda value: value):
    return DaskExecutor("tcp://scheduler:8786", work, receive=receive, end=ended)


def test_as_many_tasks_as_workers_and_at_least_one(dask):
    executor = make()
    assert (executor.jobs, executor.memory) == (2, 0)
    dask.workers = {}
    assert executor.jobs == 1, "a task waits for a worker to come"


def test_a_task_is_sent_with_what_it_is_given_and_what_comes_back_is_received(dask):
    executor = make(receive=lambda value: f"received {value}")
    future = executor.submit(TASK, {"build zlib": 1})
    (sent,) = dask.made[0].submitted
    assert call(**sent.work) == "build numpy with ['build zlib']"
    assert not future.done()
    sent.remote.end("it")
    assert future.result() == "received it"


def test_no_result_of_an_earlier_run_is_taken_for_this_one(dask):
    for executor in (make(), make()):
        executor.submit(TASK, {})
    (one,), (two,) = (client.submitted for client in dask.made)
    assert one.key != two.key
    assert one.key.startswith("build numpy-")
    assert (one.pure, one.retries) == (False, 0)


def test_an_error_of_the_work_is_the_task_s(dask):
    executor = make()
    future = executor.submit(TASK, {})
    dask.made[0].submitted[0].remote.end(error=ZeroDivisionError("a mistake"))
    with pytest.raises(ZeroDivisionError, match="a mistake"):
        future.result()


def test_what_cannot_be_received_is_an_error_of_the_task(dask):
    def receive(_value):
        raise ValueError("not there")

    future = make(receive).submit(TASK, {})
    dask.made[0].submitted[0].remote.end("it")
    with pytest.raises(ValueError, match="not there"):
        future.result()


def test_workers_that_die_are_told_in_words(dask):
    class KilledWorker(Exception):  # noqa: N818
        """As Dask's, which is not loaded here."""

    future = make().submit(TASK, {})
    dask.made[0].submitted[0].remote.end(error=KilledWorker("build numpy"))
    with pytest.raises(ClusterError, match="died one after another: build numpy") as caught:
        future.result()
    assert "memory" in caught.value.hint


def test_stopping_takes_back_what_waits_and_ends_what_runs(dask):
    executor = make()
    first, second = executor.submit(TASK, {}), executor.submit(TASK, {})
    client = dask.made[0]
    client.submitted[0].remote.end("done")
    executor.stop()
    assert client.cancelled == [client.submitted[1].remote]
    (_, given, on_error) = client.ran[-1]
    assert call(**given[0]) == "ended"
    assert on_error == "ignore"
    client.submitted[1].remote.end(error=RuntimeError("cancelled"))
    assert (first.result(), second.done()) == ("done", False), "of what was stopped nothing comes"


def test_stopping_with_nothing_to_do_asks_no_worker(dask):
    executor = make()
    before = len(dask.made[0].ran)
    executor.stop()
    assert len(dask.made[0].ran) == before


def test_a_cluster_is_left(dask):
    executor = make()
    executor.close()
    assert dask.made[0].closed
    assert dask.made[0].default is False, "no other code of this process finds it"


# Clusters that cannot be used.


def test_without_dask_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match=r"needs dask\.distributed") as caught:
        make()
    assert "emwheels[dask]" in caught.value.hint


@pytest.mark.parametrize("error", [OSError("timed out"), ValueError("no such protocol")])
def test_without_a_scheduler_it_is_said_how_to_start_one(dask, error):
    dask.refuses = error
    with pytest.raises(ClusterError, match=f"no Dask scheduler at tcp://scheduler:8786: {error}") as caught:
        make()
    assert "dask scheduler" in caught.value.hint


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("emwheels 0.0.1 (abc) on Python 3.11", "  tcp://two: emwheels 0.0.1 (abc) on Python 3.11"),
        (ModuleNotFoundError("no emwheels"), "  tcp://two: cannot tell its version (no emwheels)"),
    ],
)
def test_a_worker_with_other_code_is_named_and_the_cluster_left(dask, said, shown):
    dask.workers["tcp://two"] = said
    with pytest.raises(ClusterError) as caught:
        make()
    assert caught.value.message.splitlines()[1:] == [shown]
    assert described() in caught.value.message
    assert "install the same emwheels there" in caught.value.hint
    assert dask.made[0].closed


def test_a_worker_with_other_code_that_comes_later_does_nothing(dask):
    future = make().submit(TASK, {})
    (sent,) = dask.made[0].submitted
    with pytest.raises(RuntimeError, match=r"has emwheels .*, not another") as there:
        call(sent.work["payload"], "another")
    sent.remote.end(error=there.value)
    with pytest.raises(ClusterError, match="a worker that came later is another"):
        future.result()


def test_what_a_worker_is_described_by():
    version, _, python = described().partition(" on Python ")
    assert version.startswith("emwheels ")
    assert python == f"{sys.version_info.major}.{sys.version_info.minor}"


def test_work_that_cannot_be_unpacked_is_an_answer_and_no_hang():
    payload = packed(ended)["payload"]
    with pytest.raises((pickle.UnpicklingError, EOFError)):
        call(payload[:-5], described())
