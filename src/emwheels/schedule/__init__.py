"""Runs a graph of tasks it knows nothing about: in parallel, within a budget, to the end in spite of failures."""

from emwheels.schedule.jobserver import JobServer
from emwheels.schedule.local import LocalExecutor, available_cores, available_memory
from emwheels.schedule.model import Executor, State, Task, TaskResult
from emwheels.schedule.run import critical_path, run_tasks

__all__ = [
    "Executor",
    "JobServer",
    "LocalExecutor",
    "State",
    "Task",
    "TaskResult",
    "available_cores",
    "available_memory",
    "critical_path",
    "run_tasks",
]
