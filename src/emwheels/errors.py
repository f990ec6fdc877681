"""Every failure that a user can cause or mend, each with an exit status and what to do about it."""

from __future__ import annotations

import errno
import unicodedata
from functools import lru_cache


class EmwheelsError(Exception):
    """A failure to be shown as a message, never as a traceback.

    ``hint`` says what to do, in a sentence; ``exit_code`` is the status of the process.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(EmwheelsError):
    """The command line or the configuration asks for something that does not exist."""

    exit_code = 2


class RecipeError(EmwheelsError):
    """A recipe, its patches or its lock file is wrong."""

    exit_code = 3


class FetchError(EmwheelsError):
    """A source or a build requirement could not be had, or is not the one that was asked for."""

    exit_code = 4


class ImageError(EmwheelsError):
    """An image could not be made, found or entered."""

    exit_code = 5


class BuildError(EmwheelsError):
    """A package did not compile."""

    exit_code = 6


class AuditError(EmwheelsError):
    """A wheel was built that must not be published."""

    exit_code = 7


class HarnessError(EmwheelsError):
    """A wheel's tests failed, or could not be run."""

    exit_code = 8


class StoreError(EmwheelsError):
    """An entry of the store is missing or damaged, so that it has to be made or fetched again."""

    exit_code = 9


class IndexingError(EmwheelsError):
    """Something must not, or cannot, be in an index, or an index could not be written."""

    exit_code = 10


class StoppedError(EmwheelsError):
    """You stopped the run. What was finished is kept, and the same command goes on from there."""

    exit_code = 130

    def __init__(self) -> None:
        super().__init__("stopped")


def of_os_error(error: OSError) -> EmwheelsError:
    """Return a failure of the operating system, such as a full disk, as a message."""
    hint = "free some space, then run the same command again" if error.errno == errno.ENOSPC else ""
    return EmwheelsError(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "), hint=hint)


def visible(text: str, *, lines: bool = True) -> str:
    """Return ``text`` of anybody's as it may go to a terminal: what would act there, or not be seen, is spelled out.

    That is every control and format character of Unicode, among them escapes, bidirectional marks and characters
    without width, and half a surrogate pair. Tabs stay, and with ``lines`` the ends of lines.
    """
    if text.isascii() and text.isprintable():
        return text
    kept = "\t\n" if lines else "\t"
    return "".join(char if char in kept else _spelled(char) for char in text)


_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@lru_cache(maxsize=4096)
def _spelled(char: str) -> str:
    if unicodedata.category(char) not in _UNSEEN:
        return char
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")
