"""The scheduler on graphs of opaque tasks: order, blocking, fail-fast, budgets, cancellation."""

from __future__ import annotations

import os
import subprocess
import threading
from concurrent.futures import Future
from contextlib import suppress
from graphlib import CycleError

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emwheels.schedule import JobServer, LocalExecutor, State, Task, TaskResult, critical_path, run_tasks


class Stepwise:
    """An executor without threads: of the tasks that run, the one chosen by ``pick`` ends next."""

    def __init__(self, failing=(), *, jobs=3, memory=0, pick=lambda names: 0):
        self.jobs, self.memory = jobs, memory
        self.failing, self.pick = failing, pick
        self.started, self.ended, self.running = [], [], {}
        self.given, self.most, self.peak, self.stopped = {}, 0, 0, 0
        self.sizes, self.calls = {}, {}

    def submit(self, task, given):
        future = Future()
        future.add_done_callback = lambda call: self.calls.__setitem__(task.identity, call)
        self.started.append(task.identity)
        self.given[task.identity] = dict(given)
        self.sizes[task.identity] = task.memory
        self.running[task.identity] = future
        self.most = max(self.most, len(self.running))
        sizes = [size for size in (self.sizes[name] for name in self.running) if size]
        self.peak = max(self.peak, sum(sizes) if len(sizes) > 1 else 0)
        return future

    def stop(self):
        self.stopped += 1

    def end_one(self):
        names = sorted(self.running)
        name = names[self.pick(names) % len(names)]
        future = self.running.pop(name)
        self.ended.append(name)
        if name in self.failing:
            future.set_exception(RuntimeError(name))
        else:
            future.set_result(f"made {name}")
        self.calls[name](future)


def run(tasks, executor, **options):
    """Run with an executor whose tasks end when the scheduler waits."""
    from emwheels.schedule.run import _Run

    class Waiting:
        def __init__(self, queue):
            self.put, self._get = queue.put, queue.get

        def get(self):
            executor.end_one()
            return self._get()

    state = _Run(
        tasks,
        executor,
        options.get("ok", lambda _: True),
        options.get("fail_fast", False),
        options.get("on_end", lambda *_: None),
    )
    state.ended = Waiting(state.ended)
    return state.run()


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 14))
    names = [f"t{i}" for i in range(count)]
    tasks = []
    for i, name in enumerate(names):
        needs = draw(st.lists(st.sampled_from(names[:i]), max_size=4)) if i else []
        tasks.append(
            Task(
                identity=name,
                needs=tuple(needs),
                seconds=draw(st.integers(0, 9)),
                memory=draw(st.integers(0, 5)),
            )
        )
    failing = draw(st.sets(st.sampled_from(names), max_size=3))
    picks = draw(st.lists(st.integers(0, 10), min_size=count, max_size=count))
    return draw(st.permutations(tasks)), failing, picks


def above(tasks):
    """Return for each task all that it needs, directly or not."""
    by_name = {task.identity: task for task in tasks}

    def find(name):
        return {need for direct in by_name[name].needs for need in {direct, *find(direct)}}

    return {name: find(name) for name in by_name}


@settings(max_examples=200, deadline=None)
@given(graphs(), st.integers(1, 5), st.integers(0, 6))
def test_every_task_runs_after_what_it_needs_or_is_blocked_by_what_failed(graph, jobs, memory):
    tasks, failing, picks = graph
    left = iter(picks)
    executor = Stepwise(failing, jobs=jobs, memory=memory, pick=lambda _: next(left))
    ends = []
    results = run(tasks, executor, on_end=lambda name, result: ends.append(name))

    needed = above(tasks)
    assert sorted(results) == sorted(ends) == sorted(task.identity for task in tasks)
    for task in tasks:
        result, at_fault = results[task.identity], needed[task.identity] & failing
        reached = {name for name in at_fault if not needed[name] & failing}
        if not at_fault:
            assert result.state == (State.FAILED if task.identity in failing else State.DONE)
            assert executor.given[task.identity] == {need: f"made {need}" for need in task.needs}
            assert all(
                executor.ended.index(need) < executor.ended.index(task.identity) for need in needed[task.identity]
            )
        else:
            assert (result.state, set(result.blocked_by)) == (State.BLOCKED, reached)
            assert task.identity not in executor.started
    assert len(executor.started) == len(set(executor.started))
    assert executor.most <= jobs
    assert not memory or executor.peak <= memory


@settings(max_examples=100, deadline=None)
@given(graphs(), st.integers(1, 4))
def test_fail_fast_starts_nothing_after_a_failure_and_waits_for_what_runs(graph, jobs):
    tasks, failing, picks = graph
    left = iter(picks)
    executor = Stepwise(failing, jobs=jobs, pick=lambda _: next(left))
    started_at_failure = []

    def on_end(name, result):
        if result.state is State.FAILED and not started_at_failure:
            started_at_failure.append(list(executor.started))

    results = run(tasks, executor, fail_fast=True, on_end=on_end)
    assert sorted(results) == sorted(task.identity for task in tasks)
    if started_at_failure:
        assert executor.started == started_at_failure[0]
    assert sorted(executor.ended) == sorted(executor.started)
    for name in executor.started:
        assert results[name].state in (State.DONE, State.FAILED)
    for name in results.keys() - set(executor.started):
        assert results[name].state in (State.BLOCKED, State.CANCELLED)


@settings(max_examples=50, deadline=None)
@given(graphs(), st.integers(0, 13))
def test_whatever_is_raised_while_it_runs_stops_the_executor(graph, when):
    tasks, _, _ = graph
    executor = Stepwise()
    ends = []

    def on_end(name, result):
        ends.append(name)
        if len(ends) > when:
            raise KeyboardInterrupt

    if when < len(tasks):
        with pytest.raises(KeyboardInterrupt):
            run(tasks, executor, on_end=on_end)
        assert executor.stopped == 1
        assert len(ends) == when + 1
    else:
        run(tasks, executor, on_end=on_end)
        assert not executor.stopped


def test_the_longest_way_to_the_end_goes_first():
    tasks = [
        Task(identity="short", seconds=5),
        Task(identity="first-of-chain", seconds=1),
        Task(identity="chain", seconds=1, needs=("first-of-chain",)),
        Task(identity="end-of-chain", seconds=8, needs=("chain",)),
    ]
    assert critical_path(tasks) == {"short": 5, "first-of-chain": 10, "chain": 9, "end-of-chain": 8}
    executor = Stepwise(jobs=1)
    run(tasks, executor)
    assert executor.started == ["first-of-chain", "chain", "end-of-chain", "short"]


def test_what_fits_into_no_memory_runs_alone():
    tasks = [Task(identity="fat", memory=100, seconds=1), Task(identity="thin", memory=1, seconds=9)]
    executor = Stepwise(jobs=2, memory=10)
    results = run(tasks, executor)
    assert {result.state for result in results.values()} == {State.DONE}
    assert executor.most == 1


def test_a_returned_value_can_mean_failure():
    tasks = [Task(identity="a"), Task(identity="b", needs=("a",))]
    results = run(tasks, Stepwise(), ok=lambda value: value != "made a")
    assert results == {
        "a": TaskResult(state=State.FAILED, value="made a"),
        "b": TaskResult(state=State.BLOCKED, blocked_by=("a",)),
    }


def test_graphs_that_are_none():
    with pytest.raises(CycleError):
        run_tasks([Task(identity="a", needs=("b",)), Task(identity="b", needs=("a",))], Stepwise())
    with pytest.raises(ValueError, match="a needs gone"):
        run_tasks([Task(identity="a", needs=("gone",))], Stepwise())
    assert run_tasks([], Stepwise()) == {}


def test_threads_do_the_work_and_pass_results_on():
    def work(name, given):
        if name == "bad":
            raise RuntimeError("no")
        return sum(given.values()) + 1

    tasks = [
        Task(identity="a"),
        Task(identity="b", needs=("a",)),
        Task(identity="c", needs=("a", "b")),
        Task(identity="bad"),
        Task(identity="d", needs=("bad", "c")),
    ]
    results = run_tasks(tasks, LocalExecutor(work, jobs=4))
    assert {name: result.value for name, result in results.items()} == {"a": 1, "b": 2, "c": 4, "bad": None, "d": None}
    assert str(results["bad"].error) == "no"
    assert results["d"].blocked_by == ("bad",)


def test_stopping_leaves_no_process_behind():
    processes = []
    both = threading.Barrier(3)

    def work(name, given):
        process = subprocess.Popen(["sh", "-c", "sleep 1000 & wait"], start_new_session=True, stdout=subprocess.DEVNULL)
        processes.append(process)
        both.wait(timeout=30)
        return process.wait()

    class Interrupting(LocalExecutor):
        def submit(self, task, given):
            future = super().submit(task, given)
            if task.identity == "b":
                both.wait(timeout=30)
                raise KeyboardInterrupt
            return future

    executor = Interrupting(work, jobs=2)
    with pytest.raises(KeyboardInterrupt):
        run_tasks([Task(identity="a"), Task(identity="b")], executor)
    assert executor.stopping.is_set()
    assert [process.wait(timeout=10) for process in processes] == [-9, -9]
    groups = {process.pid for process in processes}
    assert not [
        process.pid
        for process in psutil.process_iter()
        if os.getpgid(process.pid) in groups and process.status() != psutil.STATUS_ZOMBIE
    ]


def test_tokens_that_died_with_their_holder_come_back(tmp_path):
    server = JobServer(tmp_path / "server", cores=2, inside="/unused")
    with server.build() as (pipe, _):
        assert taken(pipe) == b"+"
    with server.build(), server.build():
        pass
    server.close()
    assert not (tmp_path / "server").exists()


def taken(pipe):
    """Take what is in a pipe, as make and Ninja do."""
    descriptor = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    try:
        return os.read(descriptor, 100)
    except BlockingIOError:
        return b""
    finally:
        os.close(descriptor)


def fill(pipe, count):
    """Put tokens into a pipe that nobody has given, as many as it takes at the most."""
    descriptor = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    try:
        with suppress(BlockingIOError):
            for _ in range(count):
                os.write(descriptor, b"+")
    finally:
        os.close(descriptor)


@pytest.fixture
def server(tmp_path):
    server = JobServer(tmp_path / "server", cores=4, inside="/unused")
    yield server
    server.close()


@pytest.mark.parametrize("count", [40, 1_000_000])
def test_tokens_that_nobody_gave_are_taken_out(server, count):
    with server.build() as (pipe, _), server.build() as (other, _):
        fill(pipe, count)
        with server._changed:
            server._balance()
            assert len(taken(pipe) + taken(other)) == 2, "the cores that are left"
    with server.build() as (pipe, _):
        assert taken(pipe) == b"+++", "all that the hostile build had is free again"


def test_a_build_that_holds_every_token_keeps_nobody_waiting_for_ever(server, monkeypatch):
    monkeypatch.setattr("emwheels.schedule.jobserver._PATIENCE", 0.05)
    with server.build() as (pipe, _):
        assert taken(pipe) == b"+++"
        with server.build() as (own, _):
            assert taken(own) == b""


def test_builds_share_what_is_left_evenly(server):
    with server.build() as (one, _), server.build() as (other, _), server._changed:  # nothing is balanced meanwhile
        assert [taken(one), taken(other)] == [b"+", b"+"]
