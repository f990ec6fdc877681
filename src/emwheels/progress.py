"""What is going on, for a person: a live board on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from collections.abc import Iterator


class Board:
    """Shows phases of packages as they run, and lines that stay. Everything goes to standard error."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._live = self._console.is_terminal
        self._progress: Progress | None = None

    @contextmanager
    def phase(self, package: str, phase: str) -> Iterator[None]:
        """Show that ``package`` is in ``phase`` until the block ends; without a terminal, one line before it."""
        if not self._live:
            self.say(package, phase)
            yield
            return
        columns = (SpinnerColumn(), TextColumn("[bold]{task.fields[package]}"), TextColumn("{task.description}"))
        with Progress(*columns, TimeElapsedColumn(), console=self._console, transient=True) as progress:
            progress.add_task(escape(phase), package=escape(package), total=None)
            self._progress = progress
            try:
                yield
            finally:
                self._progress = None

    def say(self, package: str, text: str) -> None:
        """Print a line that stays."""
        stamp = "" if self._live else time.strftime("%H:%M:%S ")
        self._console.print(f"{stamp}[bold]{escape(package)}[/bold]: {escape(text)}")

    def download(self, name: str, done: int, total: int | None) -> None:
        """Show the bytes of a download, on a terminal only."""
        if self._progress is not None and sys.stderr.isatty():
            of = f" of {total / 1e6:.1f}" if total else ""
            self._progress.update(self._progress.task_ids[0], description=escape(f"{name}: {done / 1e6:.1f}{of} MB"))
