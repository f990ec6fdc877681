"""The doorway's contract, for every way in that this machine has."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time

import pytest

from emwheels.image import identity
from emwheels.image.model import Call, Mount
from emwheels.image.registries import debian_mirror, npm_registry
from emwheels.image.rootfs import METHODS, RootFs

pytestmark = pytest.mark.image

NO_NETWORK = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=5)"
LOOPBACK = (
    "import socket; s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname()).close()"
)


@pytest.fixture(params=METHODS)
def way(request, image):
    if not isinstance(image, RootFs):
        pytest.skip("the image is a published one")
    if not shutil.which("unshare" if request.param == "chroot" else request.param):
        pytest.skip(f"{request.param} is not installed")
    if request.param == "chroot" and os.geteuid() != 0:
        pytest.skip("chroot needs root")
    way = RootFs(root=image.root, digest=image.digest, method=request.param, environment=image.environment)
    if way.run(["true"], seconds=60).status:
        pytest.skip(f"{request.param} does not work on this machine")
    return way


def said(way, *argv, **options):
    with tempfile.TemporaryFile() as output:
        done = way.run(argv, output=output, seconds=60, **options)
        output.seek(0)
        return done.status, output.read().decode()


def test_the_exit_status_and_the_output_come_out(way):
    assert said(way, "sh", "-c", "echo out; echo err >&2; exit 7") == (7, "out\nerr\n")


def test_only_the_given_environment_is_seen(way, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_HOST", "x")
    _, text = said(way, "env", env={"GIVEN": "yes"})
    assert "GIVEN=yes" in text
    assert "SECRET_OF_THE_HOST" not in text


def test_the_image_cannot_be_written_and_tmp_is_fresh(way):
    status, text = said(way, "touch", "/usr/bin/mine")
    assert status != 0
    assert "Read-only" in text
    assert said(way, "sh", "-c", "echo x > /tmp/mine && ls /tmp") == (0, "mine\n")
    assert said(way, "ls", "/tmp") == (0, "")


def test_mounts_are_seen_and_only_writable_ones_can_be_written(way, tmp_path):
    (tmp_path / "file").write_text("hello\n")
    read_only = Mount(host=tmp_path, inside="/mnt/there")
    assert said(way, "cat", "file", mounts=[read_only], cwd="/mnt/there") == (0, "hello\n")
    assert said(way, "touch", "/mnt/there/new", mounts=[read_only])[0] != 0
    writable = Mount(host=tmp_path, inside="/mnt/there", writable=True)
    assert said(way, "touch", "/mnt/there/new", mounts=[writable])[0] == 0
    assert (tmp_path / "new").exists()


def test_there_is_loopback_and_no_other_network(way):
    assert said(way, "python3", "-c", LOOPBACK)[0] == 0
    status, text = said(way, "python3", "-c", NO_NETWORK)
    assert status != 0
    assert "unreachable" in text


def test_a_time_limit_ends_everything_below(way):
    mark = f"{time.time_ns()}"
    done = way.run(["sh", "-c", f"sleep 3{mark} & sleep 4{mark}"], seconds=3)
    assert done.reached == "time"
    assert_nothing_runs(mark)


def test_killing_what_was_started_ends_everything_below(way):
    mark = f"{time.time_ns()}"
    process = way.start(["sh", "-c", f"sleep 5{mark} & echo up; sleep 6{mark}"])
    with process:
        assert process.stdout.readline() == b"up\n"
        process.kill()
    assert_nothing_runs(mark)


def assert_nothing_runs(mark):
    for _ in range(50):
        running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        if mark not in running:
            return
        time.sleep(0.2)
    pytest.fail("something below the command is still running")


ESCAPES = """
import ctypes, glob, os

libc = ctypes.CDLL(None, use_errno=True)
for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sysrq-trigger", "/usr/bin/hostile"):
    try:
        os.close(os.open(path, os.O_WRONLY | (os.O_CREAT if "hostile" in path else 0)))
        print("can write", path)
    except OSError:
        pass
if not libc.mount(None, b"/", None, 32 | 4096 | 2 | 4 | 1 << 21, None):  # MS_REMOUNT, MS_BIND, nosuid, nodev, relatime
    print("can remount")
if not libc.unshare(0x10000000):  # CLONE_NEWUSER
    print("can make a user namespace")
for name in ("CapEff", "CapPrm", "CapBnd"):
    if int(next(line for line in open("/proc/self/status") if line.startswith(name)).split()[1], 16):
        print("has", name)
for path in glob.glob("/proc/[0-9]*/environ"):
    try:
        if b"SECRET_OF_THE_HOST" in open(path, "rb").read():
            print("can read", path)
    except OSError:
        pass
"""


def test_a_command_cannot_become_root_of_the_machine(way, monkeypatch):
    """As root too."""
    if way.method != "bwrap":
        pytest.skip("only bubblewrap is made this tight")
    monkeypatch.setenv("SECRET_OF_THE_HOST", "x")
    assert said(way, "python3", "-c", ESCAPES) == (0, "")


def test_a_command_is_the_user_that_it_is_told_to_be(way, tmp_path):
    if not way.takes_user:
        pytest.skip("only by bubblewrap a command can be another user")
    mount = Mount(host=tmp_path, inside="/mnt/there", writable=True)
    status, text = said(way, "sh", "-c", "id -u; touch /mnt/there/new", mounts=[mount], user=2000)
    assert (status, text) == (0, "2000\n")
    owner = os.getuid() or identity.FIRST + 2000
    assert (tmp_path / "new").stat().st_uid == owner, "root's commands are users of the sandbox"


def test_an_ordinary_user_can_enter_by_bubblewrap(image, tmp_path):
    if not isinstance(image, RootFs) or os.geteuid() != 0 or not shutil.which("bwrap"):
        pytest.skip("needs root, to become somebody else, and bubblewrap")
    way = RootFs(root=image.root, digest="", method="bwrap", environment=image.environment)
    command = way.command(Call(argv=["id", "-u"], mounts=(), env=dict(way.environment), cwd="/", network=False))
    reachable = subprocess.run(
        ["setpriv", "--reuid=65534", "--clear-groups", "test", "-x", str(image.root)], check=False
    )
    if reachable.returncode:
        # The cache is in root's home: give the user a view of it that does not lead through that folder.
        script = 'mount --make-rprivate / && mount --bind "$1" "$2" && shift 2 && exec "$@"'
        view = tmp_path / "root"
        view.mkdir()
        for folder in (tmp_path, *tmp_path.parents):
            if folder.stat().st_uid == os.geteuid() and folder.is_relative_to(tempfile.gettempdir()):
                folder.chmod(folder.stat().st_mode | 0o055)
        command[command.index(str(image.root))] = str(view)
        command = ["setpriv", "--reuid=65534", "--clear-groups", *command]
        command = ["unshare", "--mount", "sh", "-c", script, "sh", str(image.root), str(view), *command]
    else:
        command = ["setpriv", "--reuid=65534", "--clear-groups", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"{identity.USER}\n"), done.stderr


def test_the_image_knows_registries(image):
    assert npm_registry(image).startswith("http")
    assert debian_mirror(image).startswith(("http", "file:", "copy:"))
