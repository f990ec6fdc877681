from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import time

import pytest

from emwheels.store import Store
from emwheels.store.upkeep import collect, sizes, verify

DAY = 86400
OLD = 100 * DAY


def files_of(kind, record):
    return [tuple(name) for name in record.get("files", [])]


def put(store, kind, content, age=0):
    sha256 = store.put_file(kind, io.BytesIO(content))
    used(store.path_of(kind, sha256), age)
    return sha256


def record(store, key, files, age=0):
    store.add_record("builds", key, {"files": files})
    path = store.root / "records" / "builds" / f"{key}.json"
    used(path, age)
    return path


def used(path, age):
    os.utime(path, (time.time() - age,) * 2)


def in_another(store, script):
    """Run a script with the store at argv[1] in a process of its own, and return what it printed as JSON."""
    done = subprocess.run([sys.executable, "-c", script, str(store.root)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def kept(tmp_path):
    """A store that nobody uses now: what this test put there belongs to no living process any more."""
    folder = tmp_path / "kept"

    class Made:
        root = folder

        def __enter__(self):
            return Store(folder)

        def __exit__(self, *_arguments):
            for lease in (folder / "leases").glob("*.lease"):
                lease.unlink()

    return Made()


def test_sizes_by_kind(store):
    put(store, "wheels", b"12345")
    put(store, "wheels", b"123")
    put(store, "sources", b"1")
    found = sizes(store)
    assert {kind: (size.entries, size.bytes) for kind, size in found.items()} == {"sources": (1, 1), "wheels": (2, 8)}


def test_by_age_with_its_record_and_only_leftovers_without_an_age(kept):
    with kept as store:
        old, new = put(store, "wheels", b"old", OLD), put(store, "wheels", b"new!")
        record(store, "a", [("wheels", old)], OLD)
        record(store, "b", [("wheels", new)])
    store = Store(kept.root)
    assert collect(store, files_of).freed == 0
    dry = collect(store, files_of, older_than=30 * DAY, dry_run=True)
    assert store.path_of("wheels", old).exists()
    done = collect(store, files_of, older_than=30 * DAY)
    assert done.removed == dry.removed
    assert {kind: size.entries for kind, size in done.removed.items()} == {"records": 1, "wheels": 1}
    assert not store.path_of("wheels", old).exists()
    assert store.path_of("wheels", new).exists()
    assert [path.stem for path in (store.root / "records" / "builds").glob("*")] == ["b"]


def test_a_file_is_as_young_as_the_youngest_record_that_names_it(kept):
    with kept as store:
        shared = put(store, "logs", b"log", OLD)
        record(store, "a", [("logs", shared)], OLD)
        record(store, "b", [("logs", shared)])
    store = Store(kept.root)
    collect(store, files_of, older_than=30 * DAY)
    assert store.path_of("logs", shared).exists()


def test_by_size_the_least_recently_used_goes_first(kept):
    with kept as store:
        made = [put(store, "sources", bytes([number]) * 1000, age=number * DAY) for number in range(10)]
    store = Store(kept.root)
    done = collect(store, files_of, max_bytes=4500)
    assert [store.path_of("sources", sha256).exists() for sha256 in made] == [True] * 4 + [False] * 6
    assert (done.freed, done.kept.bytes) == (6000, 4000)


def test_a_record_without_its_file_goes(kept):
    with kept as store:
        path = record(store, "a", [("wheels", "0" * 64)])
    collect(Store(kept.root), files_of)
    assert not path.exists()


def test_leftovers_of_a_killed_process_go_and_those_of_a_living_one_stay(store):
    script = """
import io, os, sys
from pathlib import Path
from emwheels.store import Store
class Stopped(io.BytesIO):
    def read(self, size=-1):
        print("writing", flush=True)
        sys.stdin.read()
Store(Path(sys.argv[1])).put_file("wheels", Stopped())
"""
    writer = subprocess.Popen(
        [sys.executable, "-c", script, str(store.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert writer.stdout.readline() == b"writing\n"
    collect(store, files_of, older_than=0, max_bytes=0)
    assert len(list(store.root.rglob(".new-*"))) == 1
    writer.kill()
    writer.communicate()
    done = collect(store, files_of)
    assert done.removed["unfinished"].entries == 1
    assert not list(store.root.rglob(".new-*"))


def test_a_collection_leaves_alone_what_another_process_uses(kept):
    """One process has looked at a build; another collects everything it may; the first still finds all of it."""
    with kept as store:
        wheel, log, other = (put(store, kind, kind.encode(), OLD) for kind in ("wheels", "logs", "sources"))
        record(store, "used", [("wheels", wheel), ("logs", log)], OLD)
        record(store, "unused", [("sources", other)], OLD)
    script = """
import sys
from pathlib import Path
from emwheels.store import Store
store = Store(Path(sys.argv[1]))
assert store.get_record("builds", "used")
print("looked", flush=True)
sys.stdin.readline()
found = store.get_record("builds", "used")
print([store.get(kind, sha256).read_text() for kind, sha256 in found["files"]])
"""
    command = [sys.executable, "-c", script, str(kept.root)]
    user = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert user.stdout.readline() == "looked\n"
    collecting = """
import json, sys
from pathlib import Path
from emwheels.store import Store
from emwheels.store.upkeep import collect
done = collect(Store(Path(sys.argv[1])), lambda kind, record: [tuple(f) for f in record["files"]], max_bytes=0)
print(json.dumps({"in use": done.in_use.entries, "removed": {k: v.entries for k, v in done.removed.items()}}))
"""
    result = in_another(kept, collecting)
    assert result == {"in use": 3, "removed": {"records": 1, "sources": 1}}
    out, _ = user.communicate("\n")
    assert user.returncode == 0
    assert out == "['wheels', 'logs']\n"
    assert in_another(kept, collecting) == {"in use": 0, "removed": {"records": 1, "wheels": 1, "logs": 1}}


def test_many_writers_and_collectors_lose_nothing(store):
    """Processes put, and get again, while others collect with no mercy: what a process put is there while it lives."""
    script = """
import io, sys
from pathlib import Path
from emwheels.store import Store
store = Store(Path(sys.argv[1]))
for number in range(40):
    sha256 = store.put_file("wheels", io.BytesIO(b"%d" % (number % 15)))
    store.add_record("builds", f"k{number % 15}", {"files": [["wheels", sha256]]})
    again = store.get_record("builds", f"k{number % 15}")
    store.get("wheels", again["files"][0][1])
print("[]")
"""
    writers = [
        subprocess.Popen([sys.executable, "-c", script, str(store.root)], stdout=subprocess.PIPE) for _ in range(2)
    ]
    rounds = 0
    while any(writer.poll() is None for writer in writers):
        collect(store, files_of, older_than=0, max_bytes=0)
        rounds += 1
    assert [writer.wait() for writer in writers] == [0, 0]
    assert rounds > 3
    for writer in writers:
        writer.stdout.close()
    collect(store, files_of, older_than=-DAY, max_bytes=0)
    assert sizes(store) == {}


def test_what_an_index_publishes_stays(kept, tmp_path):
    wheels = tmp_path / "dist" / "wheels"
    wheels.mkdir(parents=True)
    (wheels / "a.whl").write_bytes(b"published")
    with kept as store:
        store.add_root(wheels)
        published, gone = put(store, "wheels", b"published", OLD), put(store, "wheels", b"gone", OLD)
        log = put(store, "logs", b"log", OLD)
        record(store, "a", [("wheels", published), ("logs", log)], OLD)
        record(store, "b", [("wheels", gone)], OLD)
    store = Store(kept.root)
    done = collect(store, files_of, older_than=DAY, max_bytes=0)
    assert store.path_of("wheels", published).exists()
    assert store.path_of("logs", log).exists()
    assert not store.path_of("wheels", gone).exists()
    assert done.in_use.entries == 3
    (wheels / "a.whl").unlink()
    wheels.rmdir()
    collect(store, files_of, older_than=DAY)
    assert sizes(store) == {}
    assert not list((store.root / "records" / "roots").glob("*"))


def test_named_copies_go_with_their_file(kept, tmp_path):
    with kept as store:
        one, two = put(store, "wheels", b"one", OLD), put(store, "wheels", b"two")
    copies = tmp_path / "named"
    for sha256 in (one, two):
        (copies / sha256[:24]).mkdir(parents=True)
        (copies / sha256[:24] / "a.whl").write_bytes(b"12")
    done = collect(Store(kept.root), files_of, older_than=DAY, copies=copies)
    assert [path.name for path in copies.iterdir()] == [two[:24]]
    assert done.removed["copies"].bytes == 2


def test_an_unfinished_download_stays_while_it_is_locked(kept):
    with kept as store:
        store.partial("x").write_bytes(b"half")
        used(store.partial("x"), OLD)
    store, path = Store(kept.root), kept.root / "partial" / "x"
    with store.lock("x"):
        collect(store, files_of, older_than=DAY)
        assert path.exists()
    collect(store, files_of, older_than=DAY)
    assert not path.exists()
    store.partial("y").write_bytes(b"half")
    used(store.partial("y"), OLD)
    collect(store, files_of, older_than=DAY)
    assert store.partial("y").exists(), "this process uses it"


def test_verify_moves_damage_aside_and_names_what_is_incomplete(store):
    whole, flipped = put(store, "wheels", b"whole"), put(store, "wheels", b"flipped")
    record(store, "a", [("wheels", whole)])
    broken = record(store, "b", [("wheels", "0" * 64)])
    torn = record(store, "c", [])
    for path, content in ((store.path_of("wheels", flipped), b"flippes"), (torn, b'{"files": [1]}')):
        path.chmod(0o644)
        path.write_bytes(content)
    changed = record(store, "d", [("wheels", whole)])
    changed.chmod(0o644)
    changed.write_text(changed.read_text().replace('"wheels"', '"whoels"'))
    (store.root / "records" / "builds" / "c.json").write_bytes(b"{")
    seen = []
    found = verify(store, files_of, progress=lambda done, total: seen.append((done, total)))
    assert {path.name for path, _ in found.damaged} == {flipped, "c.json", "d.json"}
    assert all(aside.is_file() for _, aside in found.damaged)
    assert found.incomplete == [(broken, f"wheels/{'0' * 64}")]
    assert (found.files, found.records) == (2, 4)
    assert seen[-1] == (12, 12)
    again = verify(store, files_of)
    assert not again.damaged
    assert again.files == 1


def test_a_flipped_byte_of_a_record_is_noticed_wherever_it_is(store):
    path = record(store, "a", [("wheels", hashlib.sha256(b"x").hexdigest())])
    content = path.read_bytes()
    expected = store.get_record("builds", "a")
    noticed = 0
    for position in range(len(content)):
        path.unlink(missing_ok=True)
        path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        found = store.get_record("builds", "a")
        assert found is None or found["files"] == expected["files"], position
        noticed += found is None
    assert len(content) - noticed <= len("checksum")
