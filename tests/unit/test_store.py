from __future__ import annotations

import hashlib
import io
import logging
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from emwheels.store import Store, StoreError

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = b"wheel" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def leftovers(store: Store) -> list[Path]:
    return list(store.root.rglob(".new-*"))


def test_a_file_is_kept_under_its_hash_and_read_only(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "a.whl"
    source.write_bytes(CONTENT)
    assert not store.has("wheels", DIGEST)
    assert store.put_file("wheels", source) == DIGEST
    path = store.get("wheels", DIGEST)
    assert path == store.path_of("wheels", DIGEST)
    assert path.read_bytes() == CONTENT
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert source.exists()
    assert not store.has("sources", DIGEST)
    assert not leftovers(store)


def test_a_stream_can_be_put_twice(store: Store) -> None:
    assert store.put_file("sources", io.BytesIO(CONTENT)) == store.put_file("sources", io.BytesIO(CONTENT)) == DIGEST


def test_a_missing_entry(store: Store) -> None:
    for verify in (True, False):
        with pytest.raises(StoreError, match="has no wheels entry"):
            store.get("wheels", DIGEST, verify=verify)


def test_a_damaged_entry_is_moved_aside_and_can_be_replaced(store: Store) -> None:
    store.put_file("sources", io.BytesIO(CONTENT))
    path = store.path_of("sources", DIGEST)
    path.chmod(0o644)
    path.write_bytes(b"bit rot")
    assert store.get("sources", DIGEST, verify=False) == path
    with pytest.raises(StoreError, match="damaged") as caught:
        store.get("sources", DIGEST)
    assert not store.has("sources", DIGEST)
    (aside,) = (store.root / "damaged").glob("*/*")
    assert str(aside) in caught.value.hint
    assert aside.read_bytes() == b"bit rot"
    store.put_file("sources", io.BytesIO(CONTENT))
    assert store.get("sources", DIGEST).read_bytes() == CONTENT


def test_a_failed_write_leaves_nothing(store: Store) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError("disk on fire")

    with pytest.raises(OSError, match="fire"):
        store.put_file("sources", Broken())
    assert [p for p in (store.root / "files").rglob("*") if p.is_file()] == []


def test_records_are_replaced_whole(store: Store) -> None:
    assert store.get_record("builds", "key-1") is None
    store.add_record("builds", "key-1", {"wheel": DIGEST, "seconds": 1.5})
    store.add_record("builds", "key-1", {"wheel": DIGEST, "seconds": 2})
    assert store.get_record("builds", "key-1") == {"wheel": DIGEST, "seconds": 2}
    assert not leftovers(store)


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff"])
def test_a_damaged_record_counts_as_none(store: Store, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    store.add_record("builds", "k", {})
    path = store.root / "records" / "builds" / "k.json"
    path.chmod(0o644)
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert store.get_record("builds", "k") is None
    assert "damaged" in caplog.text
    assert not path.exists()


@pytest.mark.parametrize("name", ["", "../x", "a/b", "/etc", ".hidden"])
def test_names_cannot_leave_the_store(store: Store, name: str) -> None:
    for action in (
        lambda: store.path_of(name, DIGEST),
        lambda: store.path_of("wheels", name),
        lambda: store.add_record("builds", name, {}),
        lambda: store.get_record(name, "k"),
        lambda: store.partial(name),
        lambda: store.lock(name).__enter__(),
    ):
        with pytest.raises(ValueError):
            action()


PUT_MANY = """
import io, sys
from pathlib import Path
from emwheels.store import Store
store = Store(Path(sys.argv[1]))
for number in range(30):
    store.put_file("sources", io.BytesIO(b"%d" % number * 1000))
    store.add_record("builds", f"k{number}", {"n": number})
    with store.lock("one"):
        partial = store.partial("counter")
        partial.write_text(str(int(partial.read_text()) + 1) if partial.exists() else "1")
"""


def test_two_processes_share_a_store(store: Store) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", PUT_MANY, str(store.root)]) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert store.partial("counter").read_text() == "60"
    assert store.get_record("builds", "k29") == {"n": 29}
    for number in range(30):
        store.get("sources", hashlib.sha256(b"%d" % number * 1000).hexdigest())
    assert not leftovers(store)
