"""Publishing by rsync to a real sshd, and to a real S3 server (SeaweedFS); what arrives is followed link by link."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from datetime import timedelta
from pathlib import Path

import httpx
import obstore
import pytest
from index_reader import problems
from loopback import free_port
from ssh_server import ROOT, USER, ssh_server
from synthetic_wheels import WASM, make_wheel

from emwheels import index
from emwheels.cli.index import object_headers
from emwheels.errors import IndexingError
from emwheels.image.host_tools import install_on_host
from emwheels.index.places.folder import Folder
from emwheels.index.places.objects import Bucket
from emwheels.index.places.rsync import Rsync
from emwheels.index.publishing import place_of, publish_to
from emwheels.index.update import read_catalogue, write, yank
from emwheels.outputs.latest import latest_key
from emwheels.status import publish_status, refresh_status, write_status
from emwheels.store import Store, sha256_of

pytestmark = [pytest.mark.image, pytest.mark.timeout(300)]

BASE = "https://wheels.example.org/"
ON_HOST = {"rsync": "rsync", "ssh": "openssh-client", "ssh-keygen": "openssh-client"}
"""What publishing by rsync needs on this machine -> the package that has it."""


def wait_for(port, process):
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None, "the server ended"
        time.sleep(0.1)
    pytest.fail("the server does not listen")


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The folder that the ssh server shows."""
    return tmp_path_factory.mktemp("www")


@pytest.fixture(scope="module")
def ssh(service_image, published, tmp_path_factory):
    """What RSYNC_RSH has to be."""
    install_on_host(sorted({package for tool, package in ON_HOST.items() if not shutil.which(tool)}), print)
    with ssh_server(service_image, tmp_path_factory.mktemp("ssh"), published) as running:
        yield running


@pytest.fixture
def remote(ssh, monkeypatch):
    """The rsync address of an empty folder on the ssh server, with a blank in its name."""
    monkeypatch.setenv("RSYNC_RSH", ssh)
    return f"{USER}@127.0.0.1:{ROOT}/{time.time_ns()} of a team"


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    """The address of a SeaweedFS with a bucket called ``wheels``."""
    folder = tmp_path_factory.mktemp("s3")
    ports = {name: free_port() for name in ("master", "volume", "filer", "s3")}
    (folder / "s3.json").write_text(
        '{"identities":[{"name":"test","credentials":[{"accessKey":"key","secretKey":"secret"}],'
        '"actions":["Admin","Read","Write","List","Tagging"]}]}'
    )
    weed = shutil.which("weed", path=f"{Path(os.sys.executable).parent}:{os.environ['PATH']}")
    argv = [weed, "server", "-ip=127.0.0.1", f"-dir={folder}", "-s3", f"-s3.config={folder}/s3.json"]
    argv += [f"-master.port={ports['master']}", f"-volume.port={ports['volume']}", f"-filer.port={ports['filer']}"]
    argv += [f"-s3.port={ports['s3']}", "-volume.max=20", "-master.volumeSizeLimitMB=64"]
    argv += [f"-{part}.port.grpc={free_port()}" for part in ("master", "volume", "filer", "s3")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=folder)
    try:
        wait_for(ports["s3"], process)
        yield f"http://127.0.0.1:{ports['s3']}"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def bucket(s3, monkeypatch):
    """The URL of an empty folder of a bucket, and the environment that leads there."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    store = obstore.store.S3Store("wheels", client_options={"allow_http": True})
    signed = obstore.sign(store, "PUT", "", expires_in=timedelta(minutes=5))
    for _ in range(100):  # the volume server registers a moment after the port is open
        if httpx.put(signed).status_code in (200, 409):
            break
        time.sleep(0.2)
    else:
        pytest.fail("no bucket can be made")
    return f"s3://wheels/{time.time_ns()}"


@pytest.fixture
def source(tmp_path):
    folder = Folder(tmp_path / "dist")
    for name in ("alpha", "beta"):
        wheel = make_wheel(tmp_path / "made", name, files={f"{name}.py": "x = 1\n" * 500})
        index.publish(folder.root, wheel, wheel.name)
    return folder


@pytest.fixture(params=["remote", "bucket"])
def place(request):
    """An empty place on each kind of server."""
    return place_of(request.getfixturevalue(request.param), object_headers)


def again(place):
    """Return the place as a new process would see it."""
    return place_of(place.where, object_headers)


def test_everything_arrives_and_a_second_time_sends_nothing(source, place):
    _, changed = publish_to(source, place, base_url=BASE)
    assert changed.sent >= 4 + 4 + 2 + 1
    assert problems(again(place).read, BASE) == []
    assert read_catalogue(again(place)).projects == read_catalogue(source).projects
    plan, changed = publish_to(source, again(place))
    assert (plan.wheels, changed) == ((), None)


def test_an_interrupted_publish_goes_on(source, place, tmp_path, monkeypatch):
    kind = type(place)
    original = kind.send

    def stop_at_pages(self, files):
        if any(name.startswith("simple/") for name in files):
            raise KeyboardInterrupt
        return original(self, files)

    monkeypatch.setattr(kind, "send", stop_at_pages)
    with pytest.raises(KeyboardInterrupt):
        publish_to(source, place, base_url=BASE)
    monkeypatch.setattr(kind, "send", original)
    assert problems(again(place).read, BASE) == []
    sent = []
    monkeypatch.setattr(kind, "send", lambda self, files: sent.extend(files) or original(self, files))
    publish_to(source, again(place), base_url=BASE)
    assert not [name for name in sent if name.endswith(".whl")], "the wheels were there"
    assert problems(again(place).read, BASE) == []
    assert b"alpha" in again(place).read("simple/index.html")


def test_other_bytes_are_refused_and_a_version_can_be_removed(source, place, tmp_path):
    publish_to(source, place, base_url=BASE)
    wheel = make_wheel(tmp_path / "other", "alpha", files={"alpha.py": "y = 2\n"})
    index.publish(source.root, wheel, wheel.name)
    with pytest.raises(IndexingError, match="a published file never changes"):
        publish_to(source, again(place))
    there = again(place)
    catalogue = read_catalogue(there)
    gone = catalogue.project("alpha")
    catalogue.put(gone.without([wheel.name]))
    write(there, catalogue, changed=["alpha"], gone=[f"wheels/{wheel.name}", f"wheels/{wheel.name}.metadata"])
    assert again(place).read(f"wheels/{wheel.name}") is None
    assert again(place).read("simple/alpha/index.html") is None
    publish_to(source, again(place))
    assert again(place).read(f"wheels/{wheel.name}") == wheel.read_bytes()
    assert problems(again(place).read, BASE) == []


def test_the_status_page_goes_along_and_follows_the_index(source, place, tmp_path, targets):
    chosen = list(targets.targets.values())
    store = Store(tmp_path / "store")
    wheel = make_wheel(tmp_path / "made", "built", tag=WASM)
    index.publish(source.root, wheel, wheel.name)
    log = tmp_path / "log"
    log.write_text("compiled\n")
    output = {"filename": wheel.name, "sha256": sha256_of(wheel), "seconds": 7.5}
    record = {"output": output, "log": store.put_file("logs", log)}
    store.add_record("latest", latest_key("built", targets.default, "speed"), record)
    write_status(source.root, store, chosen, profile="speed")
    publish_to(source, place, base_url=BASE)
    assert publish_status(source, again(place), chosen) == 3
    assert again(place).read("index.html") == source.read("index.html")
    assert again(place).read(f"reports/built/{targets.default}/build.log") == b"compiled\n"
    assert publish_status(source, again(place), chosen) == 0
    there = again(place)
    catalogue = read_catalogue(there)
    catalogue.put(catalogue.project("built").without([wheel.name]))
    write(there, catalogue, changed=["built"], gone=[f"wheels/{wheel.name}", f"wheels/{wheel.name}.metadata"])
    refresh_status(again(place), chosen)
    assert b"alpha" in again(place).read("index.html")
    assert wheel.name.encode() not in again(place).read("index.html")
    assert again(place).read(f"reports/built/{targets.default}/build.log") is None


def test_objects_have_the_headers_of_the_web_servers(source, bucket):
    place = place_of(bucket, object_headers)
    publish_to(source, place, base_url=BASE)
    expected = {
        "wheels/alpha-1.0-py3-none-any.whl": ("application/zip", "public, max-age=31536000, immutable"),
        "simple/alpha/index.html": ("text/html; charset=utf-8", "no-cache"),
        "simple/alpha/index.json": ("application/vnd.pypi.simple.v1+json", "no-cache"),
        "packages.json": ("application/json", "no-cache"),
    }
    for name, headers in expected.items():
        attributes = dict(obstore.get(place._store, name).attributes)
        assert (attributes["Content-Type"], attributes["Cache-Control"]) == headers, name


def test_two_that_publish_to_one_bucket_at_a_time(source, bucket):
    publish_to(source, Bucket(bucket))
    slow = Bucket(bucket)
    catalogue = read_catalogue(slow)
    quick = Bucket(bucket)
    other = read_catalogue(quick)
    other.put(yank(other.project("alpha"), "1.0", "first"))
    write(quick, other, changed=["alpha"])
    catalogue.put(yank(catalogue.project("beta"), "1.0", "second"))
    with pytest.raises(IndexingError, match="somebody else published"):
        write(slow, catalogue, changed=["beta"])
    assert problems(Bucket(bucket).read) == []
    assert b"first" in Bucket(bucket).read("simple/alpha/index.html")


def test_a_bucket_that_is_not_there(bucket, source):
    with pytest.raises(IndexingError, match="missing-bucket"):
        publish_to(source, Bucket("s3://missing-bucket/x"))


def test_what_rsync_sent_is_there_as_anybody_may_read_it(source, remote, published):
    _, changed = publish_to(source, place_of(remote))
    folder = published / remote.rpartition("/")[2]
    sent = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert len(sent) == changed.sent - 1, "the record is written twice"
    assert not any(part.startswith(".") for name in sent for part in name.split("/")), "a part was left"
    for path in folder.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path


def test_the_command_publishes_over_ssh(source, remote, tiny_project):
    shutil.copytree(source.root, tiny_project.dist)
    env = tiny_project.env | {"RSYNC_RSH": os.environ["RSYNC_RSH"]}
    tiny_project.env = env
    done = tiny_project.run("publish", remote, "--base-url", BASE)
    assert done.status == 0, done.err
    assert "2 wheels" in done.out
    assert "has everything already" in tiny_project.run("publish", remote).out
    yanked = tiny_project.run("index", "yank", "alpha", "1.0", "--why", "wrong <sums>", "--at", remote)
    assert yanked.status == 0, yanked.err
    assert b"wrong &lt;sums&gt;" in place_of(remote).read("simple/alpha/index.html")
    assert problems(place_of(remote).read, BASE) == []


ENDED_IN_THE_MIDDLE = """\
#!/bin/sh
case " $* " in
*" --mkpath "*) ;;
*) exec {rsync} "$@" ;;
esac
{rsync} --bwlimit=200 "$@" &
while kill -0 $! 2>/dev/null; do
    if find "{published}" -name "*big*" -size +100k | grep -q .; then
        kill $!
        break
    fi
    sleep 0.05
done
wait $!
"""


def test_a_killed_rsync_leaves_what_a_reader_can_use(source, remote, published, tmp_path, monkeypatch):
    """rsync is ended in the middle of a large wheel: the next run has it whole, and nobody saw a part."""
    publish_to(source, place_of(remote), base_url=BASE)
    big = make_wheel(tmp_path / "big", "big", files={"big/data.bin": os.urandom(3_000_000)})
    index.publish(source.root, big, big.name)
    slow = tmp_path / "slow"
    slow.mkdir()
    (slow / "rsync").write_text(ENDED_IN_THE_MIDDLE.format(rsync=shutil.which("rsync"), published=published))
    (slow / "rsync").chmod(0o755)
    with monkeypatch.context() as during:
        during.setenv("PATH", f"{slow}:{os.environ['PATH']}")
        with pytest.raises(IndexingError, match="rsync to"):
            publish_to(source, place_of(remote))
    assert problems(place_of(remote).read, BASE) == []
    assert place_of(remote).read(f"wheels/{big.name}") is None
    publish_to(source, place_of(remote))
    assert place_of(remote).read(f"wheels/{big.name}") == big.read_bytes()
    assert problems(place_of(remote).read, BASE) == []


def test_nobody_answers(monkeypatch, source, ssh):
    monkeypatch.setenv("RSYNC_RSH", f"ssh -F none -p {free_port()} -o BatchMode=yes -o StrictHostKeyChecking=no")
    with pytest.raises(IndexingError, match="rsync to 127") as caught:
        publish_to(source, Rsync("127.0.0.1:/nowhere"))
    assert "run the same command again" in caught.value.hint
