"""What was built, by build key: looked for in the local store, then in the remote one; kept in both."""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from emwheels.fetch.documents import is_modest
from emwheels.outputs.record import check_schema
from emwheels.outputs.remote.model import DamagedError, RemoteError
from emwheels.outputs.remote.transfer import pull, pull_record, push
from emwheels.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from emwheels.outputs.remote.model import Remote
    from emwheels.store import Store

KIND = "builds"
"""The kind of record that a build is kept as."""
TESTS_KIND = "wheels"
"""The kind of store entry that the wheel with a package's tests is kept as."""
_PUSHED = "pushed"
_PAUSE = 60.0
"""Seconds in which a remote store that failed is not asked again."""
_ARCHIVE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*\.tar\.gz")
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Output:
    """A package that is built: where it is and where it came from."""

    name: str
    kind: str
    """``wheels`` or ``libraries``: the kind of store entry."""
    filename: str
    sha256: str
    size: int
    seconds: float
    """Wall time of the compile phase when it was built."""
    key: str
    content: str = ""
    """Of a wheel: the hash of what the build of another package sees of it, which is never its own build report."""

    @property
    def identity(self) -> str:
        """The hash that stands for this output in the keys of what is compiled against it."""
        return self.content or self.sha256

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Output:
        """Return the output that the record of a build names."""
        return cls(**record["output"])


def files_of(kind: str, record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the kind and the sha256 of every file in the store that a record is of no use without."""
    try:
        match kind:
            case "builds":
                output = record["output"]
                tests = [(TESTS_KIND, record["tests"]["sha256"])] if "tests" in record else []
                return [(output["kind"], output["sha256"]), ("logs", record["log"]), *tests]
            case "fetched":
                return [("sources", record["sha256"])]
    except (KeyError, TypeError):  # of an earlier version of this program, which nothing reads any more
        pass
    return []


def check_record(key: str, record: Mapping[str, Any]) -> None:
    """Raise `DamagedError` unless ``record`` is of the build with this key, and names its output as a build would."""
    check_schema(record)
    try:
        inputs, output = record["inputs"], Output.of(record)
        if hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest() != key:
            raise DamagedError("its record is of another build: its inputs do not hash to the key")
        name = canonicalize_name(inputs["recipe"]["package"]["name"])
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedError(f"its record lacks something or is malformed: {error}") from error
    if output.name != name or output.key != key or not _is_right_name(output.kind, output.filename, name):
        raise DamagedError(f"its record names {output.filename!r} of {output.name!r} as output")
    if "tests" in record and not _is_right_name("wheels", record["tests"]["filename"], f"{name}-tests"):
        raise DamagedError(f"its record names {record['tests']['filename']!r} as the tests of {output.name!r}")


def _is_right_name(kind: str, filename: str, name: str) -> bool:
    if kind == "libraries":
        return _ARCHIVE.fullmatch(filename) is not None
    if not is_modest(filename):
        return False
    try:
        project, *_ = parse_wheel_filename(filename)
    except InvalidWheelFilename:
        return False
    return kind == "wheels" and "/" not in filename and project == name


class Builds:
    """Builds of the local store, backed by a remote one.

    A remote store that cannot be reached is a warning by ``say``, and is left alone for a minute: the build goes on
    with what is here. So is a damaged entry of it, which counts as none. With ``push``, what is built here, and what
    the remote store has not seen, is uploaded.
    """

    def __init__(
        self,
        store: Store,
        remote: Remote | None = None,
        *,
        push: bool = False,
        say: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._store = store
        self._remote = remote
        self._push = push
        self._say = say
        self._quiet_until = dict.fromkeys(("pull", "push"), 0.0)
        self._damaged: set[str] = set()

    def peek(self, key: str) -> tuple[dict[str, Any], str] | None:
        """Return the record of a build and where it is, ``store`` or ``remote``, without bringing its files here."""
        if record := self._local(key):
            return record, "store"
        answer = self._ask("pull", key, lambda remote: self._checked(remote, key))
        return (answer[0], "remote") if answer else None

    def get(self, key: str) -> tuple[dict[str, Any], str] | None:
        """Return the record of a build whose files are whole and in the local store, and where it was found."""
        if record := self._local(key):
            self._upload(key, record)
            return record, "store"
        record = self._ask("pull", key, lambda remote: self._pull(remote, key))
        return (record, "remote") if record else None

    def add(self, key: str, record: Mapping[str, Any]) -> None:
        """Keep a build whose files are in the local store, and push it."""
        self._store.add_record(KIND, key, record)
        self._upload(key, record)

    def shared(self, key: str) -> bool:
        """Tell whether a build has been pushed to the remote store, or came from there."""
        remote = self._remote
        return remote is not None and self._store.get_record(_PUSHED, self._pushed_key(remote, key)) is not None

    def _local(self, key: str) -> dict[str, Any] | None:
        record = self._store.get_record(KIND, key)
        if record is None:
            return None
        try:
            check_record(key, record)
            for kind, sha256 in files_of(KIND, record):
                self._store.get(kind, sha256)
        except (DamagedError, StoreError) as error:
            self._say(f"{error.message}; making it again")
            return None
        return record

    def _pull(self, remote: Remote, key: str) -> dict[str, Any] | None:
        answer = self._checked(remote, key)
        if answer is None:
            return None
        record, manifest = answer
        pull(remote, manifest, files_of(KIND, record), self._store)
        output = Output.of(record)
        if (size := self._store.get(output.kind, output.sha256).stat().st_size) != output.size:
            raise DamagedError(f"its output has {size:,} bytes, and its record says {output.size:,}")
        self._store.add_record(KIND, key, record)
        self._mark_pushed(remote, key)
        return record

    def _checked(self, remote: Remote, key: str) -> tuple[dict[str, Any], Any] | None:
        answer = pull_record(remote, key)
        if answer:
            check_record(key, answer[0])
        return answer

    def _upload(self, key: str, record: Mapping[str, Any]) -> None:
        remote = self._remote
        if remote is None or not self._push or self.shared(key):
            return

        def upload(remote: Remote) -> None:
            anew = key in self._damaged
            try:
                missing = remote.manifest(key) is None
            except (RemoteError, DamagedError):  # a registry answers 500 for a manifest that it cannot read any more
                missing = anew = True
            if missing or anew:
                push(remote, key, record, files_of(KIND, record), self._store, anew=anew)
            self._damaged.discard(key)
            self._mark_pushed(remote, key)

        self._ask("push", key, upload)

    def _ask(self, what: str, key: str, action: Callable[[Remote], _T]) -> _T | None:
        if self._remote is None or time.monotonic() < self._quiet_until[what]:
            return None
        try:
            return action(self._remote)
        except DamagedError as error:
            self._damaged.add(key)
            self._say(f"the remote store's entry {key[:12]} is damaged and is not used: {error.message}")
        except RemoteError as error:
            self._quiet_until[what] = time.monotonic() + _PAUSE
            hint = f" ({error.hint})" if error.hint else ""
            self._say(f"remote store unavailable, no {what} for {_PAUSE:.0f} s: {error.message}{hint}")
        return None

    def _mark_pushed(self, remote: Remote, key: str) -> None:
        self._store.add_record(_PUSHED, self._pushed_key(remote, key), {"to": remote.url})

    def _pushed_key(self, remote: Remote, key: str) -> str:
        return hashlib.sha256(f"{remote.url}\n{key}".encode()).hexdigest()
