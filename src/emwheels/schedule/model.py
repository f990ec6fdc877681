"""Tasks, what came of them, and what runs them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future


class Identity(Protocol):
    """What a task is told by: a value that can be a key, and sorted. Its text is shown."""

    def __hash__(self) -> int:
        """See `object.__hash__`."""
        ...

    def __lt__(self, other: Any, /) -> bool:
        """Tell which of two comes first, where nothing else does."""
        ...


K = TypeVar("K", bound=Identity)
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Task(Generic[K]):
    """A node of the graph."""

    identity: K
    needs: tuple[K, ...] = ()
    """The tasks that have to be done before, whose results this one is given."""
    seconds: float = 1.0
    """How long it took earlier: the longest way to the end goes first."""
    memory: int = 0
    """Bytes that it is expected to need at its peak; 0 for not worth counting."""


class State(StrEnum):
    """What came of a task."""

    DONE = "done"
    FAILED = "failed"
    BLOCKED = "blocked"
    """Something it needs failed."""
    CANCELLED = "cancelled"
    """It was not started, because another task had failed and the run was to end there."""


@dataclass(frozen=True, kw_only=True)
class TaskResult(Generic[K, T]):
    """What came of one task."""

    state: State
    value: T | None = None
    """What it returned; a task may return something and still have failed."""
    error: BaseException | None = None
    """What it raised."""
    blocked_by: tuple[K, ...] = ()
    """The tasks at fault, however far down: those that failed themselves. Sorted."""


class Executor(Protocol[K, T]):
    """Where tasks are run. Another one (a cluster) need only start a task and say when it ended."""

    @property
    def jobs(self) -> int:
        """The most tasks that are to run at the same time."""
        ...

    @property
    def memory(self) -> int:
        """Bytes that running tasks may be expected to need together; 0 for no limit."""
        ...

    def submit(self, task: Task[K], given: Mapping[K, T]) -> Future[T]:
        """Start ``task``, with the results of what it needs by their tasks, and return at once."""
        ...

    def stop(self) -> None:
        """End every task that runs, and return when no process of theirs is left. May be called twice."""
        ...
