"""The ways into the image: what a command line of each lets through, and what it keeps out."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emwheels.errors import ImageError
from emwheels.image.model import Call, Mount
from emwheels.image.oci import OciImage
from emwheels.image.rootfs import METHODS, RootFs, usable_method
from emwheels.target.limits import Limits

ARGV = ["emcc", "-o", "a file.o", "--", "$HOME"]
REFERENCE = "registry.example.org/image@sha256:" + "1" * 64


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Put programs of our own on the path, and nothing else: ``tools(podman="exit 1")``."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr("emwheels.image.identity.as_root", lambda: False)

    def add(**scripts):
        for name, script in scripts.items():
            (folder / name).write_text(f"#!/bin/sh\n{script}\n")
            (folder / name).chmod(0o755)
        return folder

    return add


@pytest.fixture
def places(tmp_path):
    """Mounts of a folder and of a file, and one that a link of the host leads to."""
    work, source, target = tmp_path / "work", tmp_path / "source.c", tmp_path / "target"
    work.mkdir()
    target.mkdir()
    source.write_text("int x;\n")
    (tmp_path / "link").symlink_to(target)
    return (
        Mount(host=work, inside="/mnt/work", writable=True),
        Mount(host=source, inside="/mnt/source.c"),
        Mount(host=tmp_path / "link", inside="/mnt/linked"),
    )


def call(mounts=(), *, network=False, env=None, cwd="/mnt/work"):
    return Call(argv=ARGV, mounts=mounts, env={"HOME": "/tmp"} if env is None else env, cwd=cwd, network=network)


def way(method, tmp_path, **more):
    return RootFs(root=tmp_path / "root", digest="sha256:1", method=method, **more)


def pairs(command, option):
    """Return the two words after each ``option``."""
    return [tuple(command[at + 1 : at + 3]) for at, word in enumerate(command) if word == option]


def values(command, option):
    return [command[at + 1] for at, word in enumerate(command) if word == option]


# bubblewrap.


def test_bwrap_shows_the_image_and_its_mounts_and_nothing_else_of_the_host(tmp_path, places):
    command = way("bwrap", tmp_path).command(call(places))
    shown = [pair for pair in pairs(command, "--ro-bind") if not pair[1].startswith(("/proc/", "/etc/"))]
    assert shown == [
        (str(tmp_path / "root"), "/"),
        (str(tmp_path / "source.c"), "/mnt/source.c"),
        (str(tmp_path / "target"), "/mnt/linked"),
    ]
    assert pairs(command, "--bind") == [(str(tmp_path / "work"), "/mnt/work")]
    assert values(command, "--tmpfs") == ["/dev/shm", "/tmp", "/mnt"]
    assert values(command, "--remount-ro") == ["/mnt", "/dev"], "nothing can be laid out beside the mounts"
    assert command.index("--tmpfs") < command.index("--bind"), "a later mount covers an earlier one"


def test_bwrap_takes_everything_from_the_host_away(tmp_path, monkeypatch):
    monkeypatch.setattr("emwheels.image.rootfs.os.path.exists", lambda path: path != "/proc/scsi")
    command = way("bwrap", tmp_path).command(call())
    assert {"--unshare-all", "--unshare-user", "--disable-userns"} < set(command)
    assert {"--die-with-parent", "--new-session", "--clearenv"} < set(command)
    assert values(command, "--cap-drop") == ["ALL"]
    binds = pairs(command, "--ro-bind")
    assert ("/proc/sys", "/proc/sys") in binds
    assert ("/dev/null", "/proc/kcore") in binds
    assert ("/proc/scsi", "/proc/scsi") not in binds, "this kernel has none"
    assert command.index("--proc") < command.index("/proc/sys"), "a later mount covers an earlier one"
    assert "--share-net" not in command
    assert not any("resolv.conf" in word for word in command)


def test_bwrap_with_network_can_resolve_names(tmp_path):
    command = way("bwrap", tmp_path).command(call(network=True))
    assert "--share-net" in command
    assert ("/etc/resolv.conf", "/etc/resolv.conf") in pairs(command, "--ro-bind")
    assert command.index("--unshare-all") < command.index("--share-net"), "the later one counts"


def test_bwrap_is_whom_it_is_told_to_be(tmp_path):
    command = way("bwrap", tmp_path).command(replace(call(), user=2000))
    assert (values(command, "--uid"), values(command, "--gid")) == (["2000"], ["2000"])
    command = way("bwrap", tmp_path).command(call())
    assert (values(command, "--uid"), values(command, "--gid")) == (["1000"], ["1000"])
    assert "--uid" not in way("bwrap", tmp_path, writable=True).command(call()), "an image is made by root"


def test_bwrap_of_root_goes_to_a_user_namespace_and_leaves_root_behind(tmp_path):
    command = way("bwrap", tmp_path).command(replace(call(), users=7, filter=8, user=2000))
    assert (values(command, "--userns2"), values(command, "--seccomp")) == (["7"], ["8"])
    assert "--unshare-user" not in command, "its own would know root of the host"
    assert {"--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-net"} < set(command)
    started = command[command.index("--") + 1 :]
    assert started[:4] == ["/bin/bash", "-c", 'exec "$@" 7>&-', "bash"], "the descriptor is closed"
    started = started[4:]
    assert started[:5] == ["/usr/bin/setpriv", "--reuid", "2000", "--regid", "2000"]
    assert {"--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"} < set(started)


def test_the_ways_that_can_be_another_user(tmp_path):
    assert [way(method, tmp_path).takes_user for method in METHODS] == [method == "bwrap" for method in METHODS]


@pytest.mark.parametrize("method", ["bwrap", "chroot"])
def test_what_enters_has_nothing_of_the_caller_s_environment(tmp_path, tools, monkeypatch, method):
    log = tmp_path / "log"
    script = f"/usr/bin/env > {log}"
    tools(bwrap=script, unshare=script)
    monkeypatch.setenv("TOKEN", "a secret")
    image = way(method, tmp_path)
    assert image.run(["true"]).status == 0
    with image.start(["true"]) as process:
        process.communicate()
    assert "TOKEN" not in log.read_text()


def test_bwrap_runs_the_command_as_it_is(tmp_path):
    command = way("bwrap", tmp_path).command(call(env={"A": "1", "B": "x y"}))
    assert pairs(command, "--setenv") == [("A", "1"), ("B", "x y")]
    assert command.index("--clearenv") < command.index("--setenv")
    assert command[command.index("--chdir") :][:4] == ["--chdir", "/mnt/work", "--", "/usr/bin/prlimit"]
    assert command[-len(ARGV) - 1 :] == ["--", *ARGV]


def test_the_kernel_holds_the_limits_that_it_can(tmp_path):
    limits = Limits(processes=100, files=50, disk=1 << 30, scratch=1 << 20)
    command = way("bwrap", tmp_path).command(replace(call(), limits=limits))
    assert {"--nproc=100:100", "--nofile=50:50", f"--fsize={1 << 30}:{1 << 30}", "--core=0:0"} < set(command)
    assert values(command, "--size") == [str(1 << 20)] * 3
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    command = way("bwrap", tmp_path).command(replace(call(), limits=Limits(processes=0)))
    own = [] if hard == resource.RLIM_INFINITY else [f"--nproc={hard}:{hard}"]
    assert [word for word in command if word.startswith("--nproc")] == own


def test_only_an_image_that_is_being_made_can_be_written(tmp_path):
    root = str(tmp_path / "root")
    made = {method: way(method, tmp_path, writable=True).command(call()) for method in METHODS}
    kept = {method: way(method, tmp_path).command(call()) for method in METHODS}
    assert (root, "/") in pairs(made["bwrap"], "--bind")
    assert (root, "/") not in pairs(kept["bwrap"], "--bind")
    assert values(made["podman"], "--rootfs") == [root]
    assert values(kept["podman"], "--rootfs") == [f"{root}:O"], "an overlay: as root, --read-only is not enough"
    assert ("--read-only" in made["podman"], "--read-only" in kept["podman"]) == (False, True)
    assert (pairs(made["chroot"], "sh")[1], pairs(kept["chroot"], "sh")[1]) == ((root, "yes"), (root, "no"))


# podman and docker.


def test_podman_shows_its_mounts(tmp_path, places, tools):
    tools(crun="")
    command = way("podman", tmp_path).command(call(places, env={"A": "1", "B": "x y"}))
    assert values(command, "--volume") == [
        f"{tmp_path}/work:/mnt/work:rw",
        f"{tmp_path}/source.c:/mnt/source.c:ro",
        f"{tmp_path}/target:/mnt/linked:ro",
    ]
    assert values(command, "--env") == ["A=1", "B=x y"]
    assert command[:4] == ["podman", "run", "--rm", "--interactive"]
    assert [each.partition(":")[0] for each in values(command, "--tmpfs")] == ["/tmp", "/mnt"]
    assert all("exec" in each for each in values(command, "--tmpfs")), "configure scripts run what they compile there"
    assert command[command.index("--workdir") :] == [
        *("--workdir", "/mnt/work", "--rootfs", f"{tmp_path}/root:O"),
        *ARGV,
    ]


@pytest.mark.parametrize(("network", "given"), [(False, "none"), (True, "host")])
def test_an_engine_gives_the_host_s_network_or_none(tmp_path, network, given):
    image = OciImage(reference=REFERENCE, engine="docker", digest="sha256:1")
    for each in (way("podman", tmp_path), image):
        assert values(each.command(call(network=network)), "--network") == [given]


def test_an_image_of_an_engine_is_named_and_cannot_be_written(places):
    command = OciImage(reference=REFERENCE, engine="docker", digest="sha256:1").command(call(places))
    assert command[:2] == ["docker", "run"]
    assert "--read-only" in command
    assert "--rootfs" not in command
    assert command[-len(ARGV) - 1 :] == [REFERENCE, *ARGV]


@pytest.mark.parametrize(
    ("engine", "there", "runtime"),
    [("podman", ["runc"], ["runc"]), ("podman", ["runc", "crun"], []), ("podman", [], []), ("docker", ["runc"], [])],
)
def test_the_runtime_is_chosen_where_podman_would_choose_one_that_is_not_there(tools, engine, there, runtime):
    tools(**dict.fromkeys(there, ""))
    command = OciImage(reference=REFERENCE, engine=engine, digest="sha256:1").command(call())
    assert values(command, "--runtime") == runtime
    if runtime:
        assert command.index("--runtime") < command.index("run"), "an option of podman, not of run"


@pytest.mark.parametrize(
    ("hard", "given"),
    [
        ({"nofile": 1024, "nproc": 4096}, ["nproc=4096:4096", "nofile=1024:1024"]),
        ({"nofile": 1 << 20, "nproc": 1 << 20}, ["nproc=32768:32768", "nofile=100000:100000"]),
        ({"nofile": resource.RLIM_INFINITY, "nproc": 5}, ["nproc=5:5", "nofile=100000:100000"]),
    ],
)
def test_limits_of_a_container_are_not_above_those_of_this_process(monkeypatch, hard, given):
    names = {resource.RLIMIT_NOFILE: "nofile", resource.RLIMIT_NPROC: "nproc"}
    monkeypatch.setattr(
        "emwheels.image.rootfs.resource.getrlimit", lambda kind: (10, hard.get(names.get(kind), resource.RLIM_INFINITY))
    )
    image = OciImage(reference=REFERENCE, engine="docker", digest="sha256:1")
    command = image.command(replace(call(), limits=Limits(processes=100_000, files=100_000, disk=0)))
    assert values(command, "--ulimit") == given


# chroot.


def test_chroot_has_a_network_of_its_own_unless_it_is_given_one(tmp_path):
    alone, shared = (way("chroot", tmp_path).command(call(network=network)) for network in (False, True))
    assert "--net" in alone
    assert "--net" not in shared
    assert {"--mount", "--pid", "--ipc", "--fork", "--kill-child"} < set(alone) & set(shared)


@pytest.fixture
def chroot(tmp_path, tools, monkeypatch):
    """A root file system whose way in is the real script, with tools that note what they are to do in its lines.

    Nothing is mounted or entered: the command is run here, in the environment that it would have.
    """
    path = os.environ["PATH"]
    log = tmp_path / "mounts"
    folder = tools(
        unshare='while [ "$1" != sh ]; do shift; done\nexec "$@"',
        mount=f'echo "$@" >> {log}',
        chroot='shift\nexec "$@"',
    )
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin:{path}")
    root = tmp_path / "root"
    for name in ("proc", "dev", "tmp", "mnt"):
        (root / name).mkdir(parents=True)

    def mounted():
        return log.read_text().replace(str(root), "ROOT").replace(str(tmp_path), "HOST").splitlines()

    return RootFs(root=root, digest="", method="chroot"), mounted


def test_chroot_mounts_what_is_given_and_the_rest_can_be_read_only(chroot, places):
    image, mounted = chroot
    proc = [name for name in ("sys", "irq", "bus", "fs", "scsi", "acpi") if Path("/proc", name).exists()]
    env, limits = {"PATH": "/usr/bin:/bin"}, Limits(scratch=4096)
    assert image.run(["true"], mounts=places, network=True, env=env, limits=limits).status == 0
    assert mounted() == [
        "--make-rprivate /",
        "--bind ROOT ROOT",
        "-o remount,bind,ro ROOT",
        "-t proc proc ROOT/proc",
        *(f"--rbind -o ro ROOT/proc/{name} ROOT/proc/{name}" for name in proc),
        "-t tmpfs -o mode=755,size=1m tmpfs ROOT/dev",
        "-t tmpfs -o mode=1777 tmpfs ROOT/dev/shm",
        *(f"--bind /dev/{name} ROOT/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty")),
        "-t tmpfs -o mode=1777,size=4096 tmpfs ROOT/tmp",
        "-t tmpfs -o mode=755,size=1m tmpfs ROOT/mnt",
        "--bind HOST/work ROOT/mnt/work",
        "--bind HOST/source.c ROOT/mnt/source.c",
        "-o remount,bind,ro ROOT/mnt/source.c",
        "--bind HOST/target ROOT/mnt/linked",
        "-o remount,bind,ro ROOT/mnt/linked",
    ]
    assert (image.root / "mnt" / "source.c").is_file(), "a mount point of the kind that is mounted"
    assert (image.root / "mnt" / "work").is_dir()


def test_chroot_that_is_being_made_can_be_written(chroot):
    image, mounted = chroot
    replace(image, writable=True).run(["true"], network=True, env={"PATH": "/usr/bin:/bin"})
    assert "-o remount,bind,ro ROOT" not in mounted()


WORDS = ["plain", "two words", "$HOME", "it's", 'a "b"', "--", "*", "-n", "back\\slash", "ümlaut", ""]
PRINT = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]))"


def test_chroot_hands_every_word_on_and_has_no_other_environment(chroot, tmp_path):
    image, _ = chroot
    argv = [sys.executable, "-I", "-c", PRINT, *WORDS]
    with (tmp_path / "output").open("w+b") as output:
        done = image.run(argv, env={"A": "x y $B", "LC_ALL": "C.UTF-8"}, cwd=str(tmp_path), network=True, output=output)
        output.seek(0)
        said = output.read().decode()
    assert done.status == 0, said
    words, environment, cwd = json.loads(said)
    assert words == WORDS
    assert {name: value for name, value in environment.items() if name not in ("PWD", "OLDPWD", "SHLVL", "_")} == {
        "A": "x y $B",
        "LC_ALL": "C.UTF-8",
    }
    assert cwd == str(tmp_path)


def test_a_mount_that_fails_ends_the_way_in(chroot, tools, tmp_path):
    image, _ = chroot
    tools(mount="exit 32")
    ran = tmp_path / "ran"
    assert image.run(["touch", str(ran)], network=True, env={"PATH": "/usr/bin:/bin"}).status == 32
    assert not ran.exists()


def test_without_network_loopback_is_brought_up_before_the_command(tmp_path):
    """In the namespace of its own that it would have; the part that needs one is what is looked at here."""
    command = way("chroot", tmp_path).command(call())
    script = command[command.index("-c", command.index("python3")) + 1]
    changed = re.sub(r"fcntl\.ioctl\([^;]*;", "print(struct.pack('16sh',b'lo',0x49)[:2],flush=True);", script)
    assert changed != script
    argv = [sys.executable, "-c", changed, str(tmp_path), "/bin/sh", "-c", 'pwd; echo "$1"', "sh", "a b"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout == f"b'lo'\n{tmp_path}\na b\n"


# All of them.


def test_a_mount_that_is_not_there_is_told_before_anything_runs(tmp_path, tools):
    tools(bwrap="exit 0")
    missing = Mount(host=tmp_path / "missing", inside="/mnt/x")
    for use in ("run", "start"):
        with pytest.raises(ImageError, match=r"cannot mount .*missing in the sandbox: it does not exist"):
            getattr(way("bwrap", tmp_path), use)(["true"], mounts=[missing])


def test_the_environment_of_the_image_comes_first(tmp_path, tools):
    log = tmp_path / "log"
    tools(bwrap=f'for word; do echo "$word"; done > {log}')
    image = way("bwrap", tmp_path, environment=(("PATH", "/bin"), ("HOME", "/tmp")))
    assert image.run(["true"], env={"HOME": "/mnt/home"}).status == 0
    assert pairs(log.read_text().splitlines(), "--setenv") == [("PATH", "/bin"), ("HOME", "/mnt/home")]


@settings(max_examples=50)
@given(
    argv=st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1),
    method=st.sampled_from([*METHODS, "docker"]),
    network=st.booleans(),
)
def test_the_last_words_are_the_command_s_own(argv, method, network):
    asked = Call(argv=argv, mounts=(), env={}, cwd="/", network=network)
    image = (
        OciImage(reference=REFERENCE, engine="docker", digest="")
        if method == "docker"
        else RootFs(root=Path("root"), digest="", method=method)
    )
    assert image.command(asked)[-len(argv) :] == argv


# Which of them works here.


@pytest.mark.parametrize(
    ("works", "there", "uid", "found"),
    [
        (["bwrap", "podman", "unshare"], ["bwrap", "podman", "unshare"], 0, "bwrap"),
        (["podman", "unshare"], ["bwrap", "podman", "unshare"], 0, "podman"),
        (["unshare"], ["bwrap", "podman", "unshare"], 0, "chroot"),
        (["podman"], ["podman"], 1000, "podman"),
        (["unshare"], ["unshare"], 1000, None),
        ([], ["bwrap", "podman", "unshare"], 0, None),
        ([], [], 0, None),
    ],
)
def test_the_first_way_that_works_is_taken(tmp_path, tools, monkeypatch, works, there, uid, found):  # noqa: PLR0917
    monkeypatch.setattr("emwheels.image.rootfs.os.geteuid", lambda: uid)
    tools(**{name: f"exit {0 if name in works else 1}" for name in there})
    if found is None:
        with pytest.raises(ImageError, match="no way into an image") as caught:
            usable_method(tmp_path)
        assert "apt-get install bubblewrap" in caught.value.hint
    else:
        assert usable_method(tmp_path) == found


def test_by_engine_is_whose_processes_are_no_children(tmp_path):
    assert {method: way(method, tmp_path).by_engine for method in METHODS} == {
        "bwrap": False,
        "podman": True,
        "chroot": False,
    }
    assert OciImage(reference=REFERENCE, engine="docker", digest="").by_engine
