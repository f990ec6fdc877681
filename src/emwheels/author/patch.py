"""Two trees -> one patch, as bytes that patch(1) applies with -p1 --binary and without fuzz."""

from __future__ import annotations

import difflib
import re
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emwheels.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from emwheels.image.door import Door, Left

_LARGEST = 64 << 20
"""Bytes of a file that are compared."""
_CONTEXT = 3
_PLAIN = re.compile(rb"[A-Za-z0-9._/+@,=~-]+")
_HUNK = re.compile(r"@@ -(\d+)(,\d+)? \+(\d+)(,\d+)? @@")
_MARK = re.compile(r"^ \0\d+\0")
_SHOWN = 10
_OF_TOOLS = re.compile(r"(?:^|/)(?:\.git|\.hg|\.svn|__pycache__)/|\.(?:pyc|orig|rej)$|~$|(?:^|/)\.[^/]+\.sw[a-z]$")
"""What editors, patch, Python and version control leave in a tree: no part of a change."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What differs in one file. None is a file that is not there."""

    path: str
    before: bytes | None
    after: bytes | None
    was_executable: bool = False
    is_executable: bool = False


def changes(before: Door, after: Door, *, own: Collection[str] = ()) -> list[Change]:
    """Return what differs between two trees, by path. ``own`` are files of the recipe that lie in both.

    Raises `RecipeError` with all that a patch cannot say: binary files, links, names that act on a terminal, and
    changes of the recipe's own files.
    """
    old, new = ({left.path: left for left in tree.files()} for tree in (before, after))
    found, refused = [], []
    for path in sorted(old.keys() | new.keys()):
        if path not in old and _OF_TOOLS.search(path):
            continue
        try:
            change = _change(path, old.get(path), new.get(path), before, after)
        except RecipeError as error:
            refused.append(error.message)
            continue
        if change is not None and path in own:
            refused.append(f"{path!r} is a file of the recipe itself (source.extras): change that one")
        elif change is not None:
            found.append(change)
    if refused:
        more = f"\n  and {len(refused) - _SHOWN} more" if len(refused) > _SHOWN else ""
        raise RecipeError(
            "a patch cannot say this:\n  " + "\n  ".join(refused[:_SHOWN]) + more,
            hint="undo it, or remove the files that a build made there; then run the same command again",
        )
    return found


def _change(path: str, old: Left | None, new: Left | None, before: Door, after: Door) -> Change | None:
    if (old and old.link) != (new and new.link):
        raise RecipeError(f"{path!r} is a symbolic link, or was one: links stay as the source has them")
    if (old and old.link is not None) or (new and new.link is not None):
        return None
    modes = bool(old and old.executable), bool(new and new.executable)
    data = _content(before, old), _content(after, new)
    if data[0] == data[1] and modes[0] == modes[1]:
        return None
    if not path.isprintable():
        raise RecipeError(f"{path!r} has a name with characters that cannot be printed")
    if any(content and b"\0" in content for content in data):
        raise RecipeError(f"{path!r} is binary")
    return Change(path=path, before=data[0], after=data[1], was_executable=modes[0], is_executable=modes[1])


def _content(tree: Door, left: Left | None) -> bytes | None:
    return None if left is None else tree.read(left.path, limit=_LARGEST)


def patch_of(found: Collection[Change]) -> bytes:
    """Return the patch that makes the changes.

    Where one needs git's headers, all have them: patch 2.8 takes lines that follow a header without lines for its own.
    """
    by_git = any(list(_modes(change)) for change in found)
    return b"".join(_section(change, by_git=by_git) for change in found)


def _section(change: Change, *, by_git: bool) -> bytes:
    name = change.path.encode("utf-8", "surrogateescape")
    old, new = _quoted(b"a/" + name), _quoted(b"b/" + name)
    head = [b"diff --git %s %s" % (old, new), *_modes(change)] if by_git else []
    hunks = b"".join(_hunks(change.before or b"", change.after or b""))
    if hunks:
        head.append(b"--- " + (b"/dev/null" if change.before is None else old))
        head.append(b"+++ " + (b"/dev/null" if change.after is None else new))
    return b"".join(line + b"\n" for line in head) + hunks


def _modes(change: Change) -> Iterator[bytes]:
    """Yield what git says of a file beside its lines: all that is needed for empty files and executable bits."""
    if change.before is None and (change.is_executable or not change.after):
        yield b"new file mode 100755" if change.is_executable else b"new file mode 100644"
    elif change.after is None and not change.before:
        yield b"deleted file mode 100755" if change.was_executable else b"deleted file mode 100644"
        yield b"index e69de29..0000000"  # git's hash of no bytes: without it patch 2.8 skips this
    elif None not in (change.before, change.after) and change.was_executable != change.is_executable:
        yield b"old mode 100755" if change.was_executable else b"old mode 100644"
        yield b"new mode 100755" if change.is_executable else b"new mode 100644"


def _quoted(name: bytes) -> bytes:
    """Return a name as it stands in a patch: in quotes, with octal numbers, where it has more than plain characters."""
    if _PLAIN.fullmatch(name):
        return name
    shown = (bytes([byte]) if 32 <= byte < 127 and byte not in b'"\\' else b"\\%03o" % byte for byte in name)
    return b'"' + b"".join(shown) + b'"'


def _hunks(before: bytes, after: bytes) -> Iterator[bytes]:
    """Yield the hunks. Lines end with a line feed and nothing else; what they hold is taken for no characters."""
    old, new = _lines(before), _lines(after)
    start = _equal(old, new)
    end = _equal(old[start:][::-1], new[start:][::-1])
    first = max(0, start - _CONTEXT)
    parts = [_marked(lines[first:], start - first, max(0, end - _CONTEXT), min(end, _CONTEXT)) for lines in (old, new)]
    for number, line in enumerate(difflib.unified_diff(parts[0], parts[1], n=_CONTEXT)):
        if number < 2:  # the names
            continue
        whole = line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        if match := _HUNK.match(whole):
            whole = _moved(match, first) + whole[match.end() :]
        yield _MARK.sub(" ", whole, count=1).encode("latin-1")


def _marked(lines: list[str], head: int, cut: int, tail: int) -> list[str]:
    """Return lines without the last ``cut``, and a mark on each of the first and last that are equal in both files.

    With it they match nothing else, so that they stay the context before and behind what differs.
    """
    lines = lines[: len(lines) - cut]
    marked = [*range(head), *range(len(lines) - tail, len(lines))]
    for number, at in enumerate(marked):
        lines[at] = f"\0{number}\0{lines[at]}"
    return lines


def _moved(match: re.Match[str], by: int) -> str:
    return f"@@ -{int(match[1]) + by}{match[2] or ''} +{int(match[3]) + by}{match[4] or ''} @@"


def _lines(data: bytes) -> list[str]:
    lines = data.decode("latin-1").split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _equal(old: list[str], new: list[str]) -> int:
    """Return how many lines are equal at the start of both."""
    pairs = enumerate(zip(old, new, strict=False))
    return next((number for number, (one, other) in pairs if one != other), min(len(old), len(new)))


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a patch says of itself to the next reader."""

    title: str
    why: str
    """What is wrong, and why it matters for WebAssembly."""
    reported: str
    """An address, or words; empty if it is not."""
    until: str
    """When the patch can go; a clause, such as "upstream checks for the header"."""

    def text(self) -> str:
        """Return it as it stands above the first line that patch(1) reads."""
        reported = f"Reported: {self.reported}." if self.reported else "Not reported yet."
        until = f"It can go when {self.until}."
        lines = [self.title, "", *textwrap.wrap(self.why, _WIDTH), "", *textwrap.wrap(f"{reported} {until}", _WIDTH)]
        return "\n".join(lines) + "\n"


_WIDTH = 120
