"""Where an index is kept: what is written and what is not, what a killed run leaves, what is said when it fails.

A bucket is a small S3 in this process, rsync a small program in its place; the real ones are in
tests/integration/test_publish_places.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from tiny_s3 import tiny_s3

from emwheels.errors import IndexingError
from emwheels.index.places.folder import Folder
from emwheels.index.places.objects import Bucket
from emwheels.index.places.place import RECORD
from emwheels.index.places.rsync import Rsync

MANY = {f"wheels/{number}.whl": b"%d" % number for number in range(40)}


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "www")


def below(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


# A folder.


@pytest.mark.parametrize("files", [{"simple/a/index.html": b"page", RECORD: b"{}"}, MANY], ids=["few", "many"])
def test_files_are_written_whole_and_once(folder, files):
    with folder.changing():
        assert folder.send(files) == len(files)
    assert below(folder.root) == files
    assert {path.stat().st_mode & 0o777 for path in folder.root.rglob("*") if path.is_file()} == {0o644}
    numbers = {path: path.stat().st_ino for path in folder.root.rglob("*")}
    with folder.changing():
        assert folder.send(files) == 0
    assert {path: path.stat().st_ino for path in folder.root.rglob("*")} == numbers


def test_a_file_of_another_place_is_compared_by_what_is_in_it(folder, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"one")
    assert folder.send({"a": source}) == 1
    source.write_bytes(b"two")
    assert folder.send({"a": source}) == 1
    assert folder.send({"a": source}) == 0
    assert folder.read("a") == b"two"


def test_a_source_that_is_gone_changes_nothing(folder, tmp_path):
    folder.send({"a": b"before"})
    with pytest.raises(FileNotFoundError):
        folder.send({"a": b"after", "b": tmp_path / "gone"})
    assert below(folder.root) == {"a": b"before"}


def test_what_a_killed_run_left_is_removed_and_seen_by_no_reader(folder):
    (folder.root / ".part-").mkdir(parents=True)
    (folder.root / ".part-" / "0").write_bytes(b"half")
    with folder.changing():
        assert not (folder.root / ".part-").exists()
        assert folder.send({"a": b"whole"}) == 1
    assert below(folder.root) == {"a": b"whole"}


HOLD = """
import sys
from pathlib import Path
from emwheels.index.places.folder import Folder
with Folder(Path(sys.argv[1])).changing():
    print("held", flush=True)
    sys.stdin.read()
    Folder(Path(sys.argv[1])).send({"a": b"of the first"})
"""


def test_another_process_waits(folder):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        holder.stdin.close()
        with folder.changing():
            assert folder.read("a") == b"of the first"
    assert holder.returncode == 0


def test_what_is_removed_leaves_no_empty_folder(folder):
    folder.send({"simple/a/index.html": b"", "simple/b/index.html": b"", "top": b""})
    folder.remove(["simple/a/index.html", "simple/none/index.html", "none"])
    assert sorted(path.name for path in (folder.root / "simple").iterdir()) == ["b"]
    folder.remove(["simple/b/index.html", "top"])
    assert list(folder.root.iterdir()) == []


def test_a_folder_behind_a_link_stays(folder, tmp_path):
    """Wheels may be on another disk."""
    (tmp_path / "disk").mkdir()
    folder.root.mkdir()
    (folder.root / "wheels").symlink_to(tmp_path / "disk")
    folder.send({"wheels/a.whl": b"a"})
    folder.remove(["wheels/a.whl"])
    assert (folder.root / "wheels").is_symlink()
    assert list((tmp_path / "disk").iterdir()) == []


# A bucket.


@pytest.fixture
def s3(monkeypatch):
    with tiny_s3() as running:
        for name, value in {
            "AWS_ENDPOINT_URL": running.url,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "very-secret",
            "AWS_REGION": "us-east-1",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def bucket(s3):
    return Bucket("s3://bucket/team", lambda name: {"Cache-Control": "no-cache"} if name == RECORD else {})


def test_objects_are_put_once(bucket, s3, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"wheel")
    files = {"a/b.whl": source, RECORD: b"{}"}
    assert bucket.read(RECORD) is None
    assert bucket.send(files) == 2
    assert {name: data for name, (data, _) in s3.objects.items()} == {"team/a/b.whl": b"wheel", f"team/{RECORD}": b"{}"}
    assert s3.objects[f"team/{RECORD}"][1]["cache-control"] == "no-cache"
    s3.asked.clear()
    assert bucket.send(files) == 0
    assert {method for method, _ in s3.asked} == {"HEAD"}
    assert bucket.read("a/b.whl") == b"wheel"
    bucket.remove(["a/b.whl", "none"])
    assert bucket.read("a/b.whl") is None


def test_a_run_that_was_stopped_goes_on_where_it_was(bucket, s3):
    s3.faults["PUT"] = [403]
    with pytest.raises(IndexingError, match=r"s3://bucket/team: .*403") as caught:
        bucket.send(MANY)
    assert "what was sent stays" in caught.value.hint
    assert "very-secret" not in f"{caught.value.message} {caught.value.hint}"
    there = len(s3.objects)
    assert there < len(MANY)
    assert Bucket("s3://bucket/team").send(MANY) == len(MANY) - there
    assert {name.removeprefix("team/"): data for name, (data, _) in s3.objects.items()} == MANY


def test_a_connection_that_breaks_off_is_tried_again(bucket, s3):
    s3.faults["PUT"] = ["cut"]
    assert bucket.send({"a": b"whole"}) == 1
    assert s3.objects["team/a"][0] == b"whole"


def test_an_object_that_somebody_put_by_other_means_is_replaced(bucket, s3):
    s3.objects["team/a"] = (b"other", {})
    assert bucket.send({"a": b"ours"}) == 1
    assert bucket.read("a") == b"ours"


def test_the_record_of_somebody_who_was_faster_stays(bucket, s3):
    other = Bucket("s3://bucket/team")
    for one in (bucket, other):
        assert one.read(RECORD) is None
    assert other.send({RECORD: b"1"}) == 1
    with pytest.raises(IndexingError, match="somebody else published"):
        bucket.send({RECORD: b"2"})
    assert bucket.read(RECORD) == b"1"
    assert bucket.send({RECORD: b"3"}) == 1
    assert bucket.send({RECORD: b"4"}) == 1, "its own is not somebody else's"
    with pytest.raises(IndexingError, match="somebody else published"):
        other.send({RECORD: b"5"})
    assert s3.objects[f"team/{RECORD}"][0] == b"4"


def test_a_bucket_that_refuses(bucket, s3):
    s3.faults["GET"] = [403]
    with pytest.raises(IndexingError, match="s3://bucket/team: ") as caught:
        bucket.read(RECORD)
    assert "credentials" in caught.value.hint
    bucket.send({"a": b"", "b": b""})
    s3.locked = {"team/a"}
    with pytest.raises(IndexingError, match="locked"):
        bucket.remove(["a", "b"])
    s3.locked.clear()
    bucket.remove(["a", "b"])
    assert s3.objects == {}


def test_an_object_that_is_not_there_is_removed_without_a_word(tmp_path):
    """Of those of S3 no store says that; a folder does, as Google's store does."""
    place = Bucket(f"file://{tmp_path}")
    for name in ("a", "b"):
        (tmp_path / name).write_text("")
    place.remove(["none", "a"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b"]


# rsync.

RSYNC = """\
#!{python}
# Stands for rsync: notes its arguments and what it is given, and does what RSYNC_DOES says.
import json, os, shutil, sys
from pathlib import Path

words, given = sys.argv[1:], sys.stdin.read()
with open({log!r}, "a") as log:
    log.write(json.dumps([words, given]) + "\\n")
source, target = words[-2:]
does = os.environ.get("RSYNC_DOES", "")
if does:
    sys.stderr.write(does.partition(" ")[2] + "\\n")
    sys.exit(int(does.partition(" ")[0]))
there, root = target.partition(":")[2], Path(source)
if "--mkpath" in words:
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root)) + "/" * path.is_dir()
        print("sent", name)
        if path.is_file():
            copy = Path(there) / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
elif "--delete" not in words:
    file = Path(source.partition(":")[2])
    if not file.is_file():
        sys.stderr.write(f'rsync: [sender] link_stat "{{file}}" failed: No such file or directory (2)\\n')
        sys.exit(23)
    shutil.copyfile(file, target)
"""


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """A function that returns how rsync was called: its arguments and what it was given."""
    program, log = tmp_path / "bin" / "rsync", tmp_path / "log"
    program.parent.mkdir()
    program.write_text(RSYNC.format(python=sys.executable, log=str(log)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return lambda: [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


@pytest.fixture
def remote(calls, tmp_path):
    return Rsync(f"host:{tmp_path / 'there'}/")


def test_files_go_by_rsync_and_come_back(remote, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"wheel")
    assert remote.send({"wheels/a.whl": source, "simple/a/index.html": b"page"}) == 2
    assert below(tmp_path / "there") == {"wheels/a.whl": b"wheel", "simple/a/index.html": b"page"}
    assert remote.read("wheels/a.whl") == b"wheel"
    assert remote.read("wheels/b.whl") is None


def test_for_nothing_rsync_is_not_called(remote, calls):
    assert remote.send({}) == 0
    remote.remove([])
    assert calls() == []


def test_only_what_is_to_go_is_removed(remote, calls):
    remote.remove(["simple/a/index.html", "top"])
    ((words, given),) = calls()
    assert "--delete" in words
    assert given == "+ /simple/\n+ /simple/a/\n+ /simple/a/index.html\n+ /top\n- *\n"


@pytest.mark.parametrize("action", ["read", "send", "remove"])
@pytest.mark.parametrize("does", ["12 connection unexpectedly closed", "23 Permission denied (13)"])
def test_a_failure_is_said_in_words_of_rsync(remote, monkeypatch, action, does):
    """Also where the status is that of a file that is not there: an index that cannot be read is not an empty one."""
    monkeypatch.setenv("RSYNC_DOES", does)
    given = {"read": "a", "send": {"a": b"x"}, "remove": ["a"]}[action]
    with pytest.raises(IndexingError, match=r"rsync to host:.* failed with status") as caught:
        getattr(remote, action)(given)
    assert does.partition(" ")[2] in caught.value.message
    assert "run the same command again" in caught.value.hint


def test_without_rsync(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(IndexingError, match="rsync is not installed"):
        Rsync("host:folder")
