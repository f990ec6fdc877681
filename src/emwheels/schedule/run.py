"""The scheduler: which task is next, and what a failure means for the others."""

from __future__ import annotations

import heapq
from collections import defaultdict
from functools import partial
from graphlib import TopologicalSorter
from queue import SimpleQueue
from typing import TYPE_CHECKING, Generic, cast

from emwheels.schedule.model import K, State, T, Task, TaskResult

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from emwheels.schedule.model import Executor


def critical_path(tasks: Sequence[Task[K]]) -> dict[K, float]:
    """Return for each task the seconds from its start to the end of the longest chain that begins with it.

    Raises `graphlib.CycleError` for tasks that need each other and `ValueError` for one that needs an unknown one.
    """
    by_name = {task.identity: task for task in tasks}
    for task in tasks:
        if missing := [name for name in task.needs if name not in by_name]:
            raise ValueError(f"{task.identity} needs {', '.join(map(str, missing))}, which is no task")
    order = list(TopologicalSorter({task.identity: task.needs for task in tasks}).static_order())
    longest_after: dict[K, float] = defaultdict(float)
    total: dict[K, float] = {}
    for name in reversed(order):
        total[name] = by_name[name].seconds + longest_after[name]
        for need in by_name[name].needs:
            longest_after[need] = max(longest_after[need], total[name])
    return total


def run_tasks(
    tasks: Sequence[Task[K]],
    executor: Executor[K, T],
    *,
    ok: Callable[[T], bool] = lambda _value: True,
    fail_fast: bool = False,
    on_end: Callable[[K, TaskResult[K, T]], None] = lambda _name, _result: None,
) -> dict[K, TaskResult[K, T]]:
    """Run ``tasks`` and return what came of each, in the order in which they ended.

    A task starts when all that it needs are done and it fits into the executor's jobs and memory beside those that
    run; of several the one with the longest way to the end goes first. One that is bigger than all the memory runs
    beside none whose memory counts. A task failed if it raised an `Exception`, or ``ok`` says so of what it returned;
    what needs it, directly or not, is blocked, and all else goes on. With ``fail_fast`` nothing is started after the
    first failure, and what runs is waited for.

    ``on_end`` is called in this thread. Whatever is raised here, by it or by a signal, stops the executor first.
    Raises as `critical_path` does.
    """
    return _Run(tasks, executor, ok, fail_fast, on_end).run()


class _Run(Generic[K, T]):
    """The state of one call of `run_tasks`."""

    def __init__(
        self,
        tasks: Sequence[Task[K]],
        executor: Executor[K, T],
        ok: Callable[[T], bool],
        fail_fast: bool,
        on_end: Callable[[K, TaskResult[K, T]], None],
    ) -> None:
        self.executor = executor
        self.ok = ok
        self.fail_fast = fail_fast
        self.on_end = on_end
        self.tasks = {task.identity: task for task in tasks}
        self.ahead = critical_path(tasks)
        self.waiting_for = {task.identity: len(set(task.needs)) for task in tasks}
        self.dependents: dict[K, list[K]] = defaultdict(list)
        for task in tasks:
            for need in set(task.needs):
                self.dependents[need].append(task.identity)
        self.ready: list[tuple[float, K]] = []
        self.running: dict[K, Future[T]] = {}
        self.memory = 0
        self.ended: SimpleQueue[K] = SimpleQueue()
        self.results: dict[K, TaskResult[K, T]] = {}
        self.stopping = False

    def run(self) -> dict[K, TaskResult[K, T]]:
        for name, count in self.waiting_for.items():
            if count == 0:
                heapq.heappush(self.ready, (-self.ahead[name], name))
        try:
            self._start()
            while self.running:
                self._finish(self.ended.get())
                self._start()
        except BaseException:
            self.executor.stop()
            raise
        for name in sorted(self.tasks.keys() - self.results.keys()):
            self._end(name, TaskResult(state=State.CANCELLED))
        return self.results

    def _start(self) -> None:
        too_big = []
        while self.ready and len(self.running) < self.executor.jobs and not self.stopping:
            entry = heapq.heappop(self.ready)
            task = self.tasks[entry[1]]
            limit = self.executor.memory
            if limit and self.memory and task.memory and self.memory + task.memory > limit:
                too_big.append(entry)
                continue
            given = {need: cast("T", self.results[need].value) for need in task.needs}
            self.memory += task.memory
            future = self.running[task.identity] = self.executor.submit(task, given)
            future.add_done_callback(partial(self._note, task.identity))
        for entry in too_big:
            heapq.heappush(self.ready, entry)

    def _note(self, name: K, _future: Future[T]) -> None:
        self.ended.put(name)

    def _finish(self, name: K) -> None:
        future = self.running.pop(name)
        self.memory -= self.tasks[name].memory
        error = future.exception()
        if error is not None and not isinstance(error, Exception):
            raise error
        value = future.result() if error is None else None
        if error is None and self.ok(future.result()):
            self._end(name, TaskResult(state=State.DONE, value=value))
            for dependent in self.dependents[name]:
                self.waiting_for[dependent] -= 1
                if self.waiting_for[dependent] == 0:
                    heapq.heappush(self.ready, (-self.ahead[dependent], dependent))
            return
        self.stopping = self.fail_fast
        self._end(name, TaskResult(state=State.FAILED, value=value, error=error))
        self._block(name)

    def _block(self, failed: K) -> None:
        """Mark all that needs ``failed`` as blocked, by each task at fault of which it is known so far."""
        reached = {failed}
        waiting = [failed]
        while waiting:
            for dependent in self.dependents[waiting.pop()]:
                if dependent not in reached:
                    reached.add(dependent)
                    waiting.append(dependent)
        for name in sorted(reached - {failed}):
            before = self.results.get(name)
            if before is None:
                self._end(name, TaskResult(state=State.BLOCKED, blocked_by=(failed,)))
            else:
                self.results[name] = TaskResult(
                    state=State.BLOCKED, blocked_by=tuple(sorted({*before.blocked_by, failed}))
                )

    def _end(self, name: K, result: TaskResult[K, T]) -> None:
        self.results[name] = result
        self.on_end(name, result)
