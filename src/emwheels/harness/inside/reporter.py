"""What runs inside Pyodide: install the wheels with micropip, run pytest, and tell the driver each step.

The engine imports this file alone, under the name ``emwheels_reporter``; it must import nothing of emwheels, and
pytest only once that is installed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pytest

LIMIT = 200_000
"""Characters of a message or of a test's captured output that are kept, from the end."""


async def install(job_json: str, index_url: str) -> None:
    """Install the job's requirements and pytest from the local index, and check that these are the wheels given."""
    job = json.loads(job_json)
    micropip = import_module("micropip")
    await micropip.install([*job["requirements"], "pytest"], index_urls=[index_url])
    check_installed(job["records"], job["names"])


def check_installed(records: dict[str, str], required: Sequence[str]) -> None:
    """Raise `RuntimeError` unless every installed distribution of ``records`` is the one whose RECORD has that sha256.

    ``required`` names those that have to be there.
    """
    for name, expected in records.items():
        try:
            record = metadata.distribution(name).read_text("RECORD")
        except metadata.PackageNotFoundError:
            if name in required:
                raise RuntimeError(f"{name} was not installed") from None
            continue
        if record is None or hashlib.sha256(record.encode()).hexdigest() != expected:
            raise RuntimeError(f"{name}: what is installed is not the wheel under test (its RECORD differs)")


def run(job_json: str, emit: Callable[[str], None]) -> None:
    """Run pytest over the test folder. ``emit`` takes each event as JSON text."""
    import pytest  # noqa: PLC0415  (there only after `install`)

    job = json.loads(job_json)
    root = job["root"]
    os.environ.update(job["environment"])
    reporter = Reporter(emit, root=root, finished=job["finished"], ignored=job["ignored"], imports=job["imports"])
    arguments = [
        *([f"{root}/{path}" for path in job["paths"]] or [root]),
        f"--rootdir={root}",
        "--continue-on-collection-errors",
        "--disable-warnings",  # they are reported one by one, and so survive a hang
        "--color=no",
        "-p",
        "no:cacheprovider",
        *job["options"],
    ]
    os.chdir(root)
    status = pytest.main(arguments, plugins=[reporter])
    reporter.send("finish", status=int(status))


def import_items(session: pytest.Session, imports: Mapping[str, str]) -> list[pytest.Item]:
    """Return a test for each module of ``imports`` (name -> why it is skipped, or nothing), called ``import NAME``."""
    import pytest  # noqa: PLC0415  (there only after `install`)

    class ImportItem(pytest.Item):
        """The import of one module."""

        def runtest(self) -> None:
            """Import it."""
            module = self.name.removeprefix("import ")
            if reason := imports[module]:
                pytest.skip(reason)
            import_module(module)

    names = [f"import {module}" for module in imports]
    return [ImportItem.from_parent(session, name=name, nodeid=name) for name in names]


class Reporter:
    """A pytest plugin that tells each step as it happens, and leaves out what an earlier start of the engine did."""

    def __init__(
        self,
        emit: Callable[[str], None],
        *,
        root: str,
        finished: Sequence[str],
        ignored: Sequence[str],
        imports: Mapping[str, str],
    ) -> None:
        self._emit = emit
        self._root = root
        self._finished = Counter(finished)
        self._ignored = frozenset(ignored)
        self._imports = imports
        self._reports: list[pytest.TestReport] = []

    def send(self, event: str, **fields: Any) -> None:
        """Hand one event to the driver."""
        self._emit(json.dumps({"event": event, **fields}))

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Leave out a file that failed to be collected before."""
        return True if str(collection_path).removeprefix(f"{self._root}/") in self._ignored else None

    def pytest_collectstart(self, collector: pytest.Collector) -> None:
        """Name the file that is about to be imported."""
        if collector.path.is_file():
            self.send("collecting", nodeid=collector.nodeid.partition("::")[0])

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Report a file that cannot be collected, or that skips itself."""
        if report.outcome != "passed" and report.nodeid not in self._ignored:
            outcome = "skipped" if report.skipped else "error"
            self._case(report.nodeid or "collection", outcome, 0.0, _message(report), report.sections, collection=True)

    def pytest_collection_modifyitems(
        self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Put the imports first, and leave out what is finished.

        Deselect by exact name: pytest's own ``--deselect`` takes a prefix, so ``test_a`` would take ``test_ab``.
        """
        items[:0] = import_items(session, self._imports)
        finished = self._finished.copy()
        left: list[pytest.Item] = []
        done: list[pytest.Item] = []
        for item in items:  # several may have one name: those that ran are the first ones
            (done if finished[item.nodeid] > 0 else left).append(item)
            finished[item.nodeid] -= 1
        config.hook.pytest_deselected(items=done)
        items[:] = left

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Say which tests are going to run: no others can pass."""
        self.send("collected", nodeids=[item.nodeid for item in session.items])

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Name the test that is about to run."""
        self._reports = []
        self.send("start", nodeid=nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Gather the reports of a test's setup, call and teardown into one case."""
        self._reports.append(report)
        if report.when == "teardown":
            seconds = sum(each.duration for each in self._reports)
            self._case(report.nodeid, *_verdict(self._reports, seconds), report.sections, collection=False)

    def pytest_warning_recorded(self, warning_message: Any, nodeid: str) -> None:
        """Send a warning to the log."""
        self.send("warning", text=f"{nodeid}: {warning_message}"[-LIMIT:])

    def _case(
        self,
        nodeid: str,
        outcome: str,
        seconds: float,
        message: str,
        sections: Sequence[tuple[str, str]],
        *,
        collection: bool,
    ) -> None:
        output = "\n".join(f"--- {title} ---\n{text}" for title, text in sections)
        self.send(
            "case",
            nodeid=nodeid,
            outcome=outcome,
            seconds=seconds,
            message=message[-LIMIT:],
            output=output[-LIMIT:],
            collection=collection,
        )


def _verdict(reports: Sequence[pytest.TestReport], seconds: float) -> tuple[str, float, str]:
    """Outcome, seconds and message of a test; the first part that did not pass decides."""
    for report in reports:
        if report.failed:
            return "failed" if report.when == "call" else "error", seconds, _message(report)
        if report.skipped:
            return "skipped", seconds, _message(report)
    return "passed", seconds, ""


def _message(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why a report did not pass."""
    if hasattr(report, "wasxfail"):
        return f"expected failure: {report.wasxfail}"
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2])
    return report.longreprtext
