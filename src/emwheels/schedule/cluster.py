"""Tasks on the workers of a Dask cluster, each in a process of its own, on this machine or another."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Generic

from emwheels.errors import EmwheelsError
from emwheels.schedule.entry import CALL, DESCRIBE, OtherEmwheelsError, described, packed
from emwheels.schedule.model import K, T

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from emwheels.schedule.model import Task

_CONNECT_SECONDS = 20
_SAME_HINT = "install the same emwheels there, with the same Python, and start the workers again"
_HINT = "start one: dask scheduler, and on each machine: dask worker ADDRESS --nthreads 1"


class ClusterError(EmwheelsError):
    """There is no cluster to run on, its workers are not of the same code, or it lost a task too often."""


class DaskExecutor(Generic[K, T]):
    """Calls ``work(identity, given)`` for each task on some worker of the cluster whose scheduler is at ``address``.

    ``work``, what it is given and what it returns are pickled, so every worker has to have the same code: those that
    are there are asked for it first, and whoever comes later before it does anything. A worker that dies has its task
    done by another one, so ``work`` may run more than once for a task. ``receive`` is called in this process, in a
    thread, with what came back, and what it returns is the task's result. ``end`` is called on each worker by `stop`,
    and has to end what ``work`` does there. See `emwheels.schedule.model.Executor`.
    """

    memory = 0
    """Each worker has its own; one task on each is what `jobs` allows."""

    def __init__(
        self,
        address: str,
        work: Callable[[K, Mapping[K, T]], Any],
        *,
        receive: Callable[[Any], T],
        end: Callable[[], None],
    ) -> None:
        try:
            import distributed  # noqa: PLC0415 - an optional dependency
        except ImportError as error:
            raise ClusterError(
                "this needs dask.distributed", hint="pip install 'emwheels[dask]', here and on the workers"
            ) from error
        try:
            self._client = distributed.Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ClusterError(f"there is no Dask scheduler at {address}: {error}", hint=_HINT) from error
        try:
            _check_workers(self._client)
        except BaseException:
            self._client.close()
            raise
        self._work = work
        self._receive = receive
        self._end = end
        self._run = uuid.uuid4().hex
        self._waiting: dict[Future[T], Any] = {}
        self._lock = threading.Lock()

    @property
    def jobs(self) -> int:
        """One task for each worker that is there now, and at least one: a task waits for a worker to come."""
        return max(1, len(self._client.nthreads()))

    def submit(self, task: Task[K], given: Mapping[K, T]) -> Future[T]:
        """Send ``task`` to the cluster."""
        future: Future[T] = Future()
        # A key of its own for each run: Dask would otherwise hand out what an earlier run came to.
        work = packed(partial(self._work, task.identity, dict(given)))
        remote = self._client.submit(eval, CALL, work, key=f"{task.identity}-{self._run}", pure=False, retries=0)
        with self._lock:
            self._waiting[future] = remote
        remote.add_done_callback(lambda done: self._settle(future, done))
        return future

    def _settle(self, future: Future[T], remote: Any) -> None:
        with self._lock:
            if self._waiting.pop(future, None) is None:
                return
        try:
            future.set_result(self._receive(remote.result()))
        except Exception as error:  # noqa: BLE001  the thread that waits for the task raises it
            future.set_exception(_explained(error))

    def stop(self) -> None:
        """Take back what waits, and end what runs on the workers."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        if waiting:
            self._client.cancel(list(waiting.values()), force=True)
            self._client.run(eval, CALL, packed(self._end), on_error="ignore")

    def close(self) -> None:
        """Leave the cluster."""
        self._client.close()


def _check_workers(client: Any) -> None:
    """Raise `ClusterError` that names every worker which has not the same code as this machine."""
    descriptions = client.run(eval, DESCRIBE, on_error="return")
    others = [
        f"  {address}: {f'cannot tell its version ({text})' if isinstance(text, BaseException) else text}"
        for address, text in sorted(descriptions.items())
        if text != described()
    ]
    if others:
        raise ClusterError(f"workers do not run the {described()} that is here:\n" + "\n".join(others), hint=_SAME_HINT)


def _explained(error: Exception) -> Exception:
    if isinstance(error, OtherEmwheelsError):
        return ClusterError(f"a worker that came later is another: {error}", hint=_SAME_HINT)
    if type(error).__name__ == "KilledWorker":
        return ClusterError(
            f"the workers that were given this died one after another: {error}",
            hint="look at their logs; a build that needs more memory than a worker has is killed like that",
        )
    return error
