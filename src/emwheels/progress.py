"""What is going on, for a person: a live board on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from emwheels.errors import visible

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from rich.progress import TaskID


class Board:
    """Shows phases of packages as they run, and lines that stay. Everything goes to standard error.

    Packages run in threads of their own; each has at most one phase at a time.
    """

    def __init__(self) -> None:
        self._console = Console(file=_own(sys.stderr), highlight=False, soft_wrap=True, emoji=False)
        self._live = self._console.is_terminal
        self._lock = threading.Lock()
        self._progress: Progress | None = None
        self._thread = threading.local()
        self._rows: dict[str, TaskID] = {}

    @property
    def live(self) -> bool:
        """Whether it is shown on a terminal, where a line can be written anew."""
        return self._live

    @contextmanager
    def phase(self, package: str, phase: str) -> Iterator[None]:
        """Show that ``package`` is in ``phase`` until the block ends; without a terminal, one line before it."""
        if not self._live:
            self.say(package, phase)
            yield
            return
        row = self._add(package, phase)
        outer, self._thread.row = getattr(self._thread, "row", None), row
        self._rows[package] = row
        try:
            yield
        finally:
            self._rows.pop(package, None)
            self._thread.row = outer
            self._remove(row)

    def _add(self, package: str, phase: str) -> TaskID:
        with self._lock:
            if self._progress is None:
                columns = (
                    SpinnerColumn(),
                    TextColumn("[bold]{task.fields[package]}"),
                    TextColumn("{task.description}"),
                    TimeElapsedColumn(),
                )
                self._progress = Progress(*columns, console=self._console, transient=True)
                self._progress.start()
            return self._progress.add_task(_plain(phase), package=_plain(package), total=None)

    def _remove(self, row: TaskID) -> None:
        with self._lock:
            if self._progress is not None:
                self._progress.remove_task(row)
                if not self._progress.tasks:
                    self._progress.stop()
                    self._progress = None

    def say(self, package: str, text: str) -> None:
        """Print a line that stays."""
        stamp = "" if self._live else time.strftime("%H:%M:%S ")
        self._console.print(Text.assemble(stamp, (visible(package), "bold"), ": ", visible(text)))

    def further(self, package: str, text: str) -> None:
        """Show how far the phase of ``package`` is: in its row; without a terminal, in a line."""
        if not self._live:
            self.say(package, text)
            return
        with self._lock:
            row = self._rows.get(package)
            if self._progress is not None and row is not None:
                self._progress.update(row, description=_plain(text))

    def download(self, name: str, done: int, total: int | None) -> None:
        """Show the bytes of a download of this thread, on a terminal only."""
        progress, row = self._progress, getattr(self._thread, "row", None)
        if progress is not None and row is not None and sys.stderr.isatty():
            of = f" of {total / 1e6:.1f}" if total else ""
            progress.update(row, description=_plain(f"{name}: {done / 1e6:.1f}{of} MB"))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, right: Collection[str] = ()) -> None:
    """Print ``rows`` to standard output, every cell to the letter, below ``headings`` if there are any.

    Columns whose heading is in ``right`` are flush right. Long cells are folded to the width of the terminal.
    """
    table = Table(box=None, pad_edge=False, show_header=bool(headings))
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(visible, row))
    width = shutil.get_terminal_size((160, 24)).columns
    Console(file=_own(sys.stdout), highlight=False, markup=False, emoji=False, width=width).print(table)


def _own(stream: TextIO) -> TextIO:
    """Return the stream below a `Screen`, for what has made its text visible."""
    return stream.stream if isinstance(stream, Screen) else stream


def _plain(text: str) -> str:
    """Return text for a column that reads markup."""
    return escape(visible(text, lines=False))


class Screen:
    """A stream of text that shows, and does not do, what foreign text says: see `emwheels.errors.visible`.

    Everything else is the stream's own. What has to move a cursor, as the board, writes to the stream itself.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write ``text``, and tell that all of it was."""
        self.stream.write(visible(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        """Return what is the stream's own."""
        return getattr(self.stream, name)
