"""What ``emwheels doctor`` looks at, each thing shown in the states that it has words for."""

from __future__ import annotations

import lzma
import os
import socket
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from sample_run import make_environment
from sample_target import TARGET

from emwheels.errors import FetchError, ImageError
from emwheels.fetch.index_pages import Offer, Resource
from emwheels.image import debian
from emwheels.image.control_group import ControlGroup
from emwheels.image.debian import ImageRecord
from emwheels.pipeline import doctor
from emwheels.pipeline.doctor import images, machine, network, sandbox
from emwheels.pipeline.doctor.model import fault, observed
from emwheels.target import BuildImagePins
from emwheels.target.limits import Limits

PINS = BuildImagePins(
    part="build",
    suite="sid",
    packages={},
    emscripten="6.0",
    llvm="21",
    pythons=("3.14",),
    pyodide_build="0.39",
    accepted=">=6,<7",
)
LIMITS = Limits(memory=8 << 30, processes=4096)
NONE = ControlGroup(version=0)


# All of it


def test_checks_run_at_the_same_time_and_are_told_in_order():
    def slow():
        time.sleep(0.3)
        return [observed("first", "")]

    started = time.monotonic()
    found = doctor.run_checks([("first", 5, slow), ("second", 5, lambda: [observed("second", "")]), ("third", 5, slow)])
    assert [each.name for each in found] == ["first", "second", "first"]
    assert time.monotonic() - started < 0.55


def test_a_check_that_hangs_or_fails_is_a_warning_and_the_others_go_on():
    def broken():
        raise ValueError("https://user:secret@example.org")

    found = doctor.run_checks(
        [("hangs", 0.2, lambda: time.sleep(5)), ("fails", 5, broken), ("works", 5, lambda: [observed("works", "")])]
    )
    assert [(each.state, each.name) for each in found] == [("warning", "hangs"), ("warning", "fails"), ("ok", "works")]
    assert found[0].detail == "no answer in 0.2 s"
    assert "secret" not in found[1].detail


def test_offline_asks_no_registry_and_says_so(tmp_path, monkeypatch):
    environment = make_environment(tmp_path)
    environment.offline = True
    monkeypatch.setattr(doctor, "_remote", lambda environment: pytest.fail("it was asked"))
    monkeypatch.setattr(doctor.sandbox, "ways_in", lambda root, chosen: observed("sandbox", "works"))
    found = doctor.examine(environment)
    assert found[-1].detail == "not looked at: --offline"
    names = [each.name for each in found]
    assert {"emwheels", "Python", "system", "user namespaces", "libseccomp", "sandbox", "memory", "limits"} <= set(
        names
    )
    assert {"clock", "loopback", "cache", "project", "temporary files", "tools", "build image", "test image"} <= set(
        names
    )


def test_a_report_asks_no_environment_for_what_it_would_make(tmp_path, monkeypatch):
    environment = make_environment(tmp_path)
    for name in ("image", "image_digest", "test_image", "test_image_digest", "toolchain", "runtime"):
        vars(environment)[name] = None
    monkeypatch.setattr(doctor.registries, "npm_registry", lambda image: pytest.fail("there is no image"))
    with pytest.raises(doctor.EmwheelsError, match="there is no image"):
        doctor._image(environment)
    assert doctor._mirror_of_image(environment) == ""


# The machine


def test_versions_name_what_a_report_needs(tmp_path):
    found = {each.name: each.detail for each in machine.versions(tmp_path)}
    assert list(found) == ["emwheels", "Python", "system"]
    assert os.uname().release in found["system"]


@pytest.mark.parametrize(
    ("kernel", "processor", "state"),
    [("Linux", "x86_64", "ok"), ("Linux", "aarch64", "warning"), ("Darwin", "x86_64", "no")],
)
def test_systems(kernel, processor, state):
    assert machine.system("Any", kernel, "1", processor).state == state


def statvfs(free, inodes, *, files=10**6, flag=0):
    return lambda path: SimpleNamespace(f_bavail=free, f_frsize=1, f_favail=inodes, f_files=files, f_flag=flag)


@pytest.mark.parametrize(
    ("use", "free", "state"),
    [
        ("images", (5e9, 10**6), "ok"),
        ("images", (3e9, 10**6), "warning"),
        ("images", (1e9, 10**6), "no"),
        ("images", (5e9, 1000), "no"),
        ("builds", (3e9, 60_000), "ok"),
        ("builds", (3e9, 20_000), "warning"),
        ("files", (0, 10**6), "no"),
    ],
)
def test_room(tmp_path, monkeypatch, use, free, state):
    monkeypatch.setattr(machine.os, "statvfs", statvfs(*free))
    found = machine.room("cache", tmp_path / "to" / "come", use)
    assert found.state == state
    assert ("EMWHEELS_CACHE" in found.hint) == (state != "ok")


def test_a_file_system_without_a_number_of_inodes_has_enough(tmp_path, monkeypatch):
    monkeypatch.setattr(machine.os, "statvfs", statvfs(5e9, 0, files=0))
    found = machine.room("cache", tmp_path, "images")
    assert found.state == "ok"
    assert "inodes" not in found.detail


def test_a_place_for_no_programs_or_for_nobody_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(machine.os, "statvfs", statvfs(5e9, 10**6, flag=os.ST_NOEXEC))
    assert machine.room("cache", tmp_path, "images").state == "no"
    monkeypatch.setattr(machine.os, "access", lambda path, mode: False)
    assert "cannot be written" in machine.room("project", tmp_path, "files").detail


def test_memory():
    assert (
        machine.memory(LIMITS, 16 << 30, 8 << 30, 4).detail == "4 cores, 17.2 GB, 8.6 GB of it free; a build may use 8G"
    )
    assert machine.memory(LIMITS, 2 << 30, 1 << 30, 1).state == "warning"


def test_limits_are_held_by_the_kernel_or_by_emwheels_and_none_is_above_the_control_group(monkeypatch):
    monkeypatch.setattr(machine.resource, "getrlimit", lambda kind: (1024, 100_000))
    assert "processes 4096 and files 65536 by prlimit; memory 8G" in machine.limits_held(LIMITS, NONE).detail
    assert machine.limits_held(LIMITS, NONE).detail.endswith("; no control group")
    own = ControlGroup(version=2, delegated=True, memory=20_000_000_000)
    assert machine.limits_held(LIMITS, own).detail.endswith(
        "; control group version 2, delegated: each build gets its own, with memory 20.0 GB"
    )
    narrow = machine.limits_held(LIMITS, ControlGroup(version=2, memory=2 << 30))
    assert (narrow.state, narrow.hint) == ("warning", "tell builds of it: emwheels build NAME --limit memory=1.8G")
    few = machine.limits_held(LIMITS, ControlGroup(version=2, processes=100))
    assert few.hint.endswith("--limit processes=90")
    assert machine.limits_held(LIMITS, ControlGroup(version=2, memory=9 << 30, processes=5000)).state == "ok"
    monkeypatch.setattr(machine.resource, "getrlimit", lambda kind: (1024, 1024))
    assert "ulimit -n" in machine.limits_held(LIMITS, NONE).hint


def test_clock():
    assert machine.clock(1_800_000_000, 1_790_000_000).detail == "2027-01-15 08:00:00 UTC"
    assert machine.clock(0, 1_790_000_000).state == "warning"


def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert machine.loopback(port).detail == f"port {port} is taken"
    assert machine.loopback(port).state == "ok"


def test_no_loopback(monkeypatch):
    def refuse(address):
        raise OSError(99, "Cannot assign requested address")

    monkeypatch.setattr(machine.socket, "create_server", refuse)
    assert machine.loopback().hint == "bring it up: ip link set lo up"


def test_tools():
    assert machine.tools([], needed=True, installs=False).state == "ok"
    assert machine.tools(["uidmap"], needed=True, installs=True).hint == "the first run installs them"
    assert machine.tools(["uidmap"], needed=False, installs=False).state == "warning"
    missing = machine.tools(["mmdebstrap", "uidmap"], needed=True, installs=False)
    assert missing.state == "no"
    assert missing.hint.endswith("install -y --no-install-recommends mmdebstrap uidmap")


# The sandbox


@pytest.mark.parametrize(
    ("file", "value", "root", "state"),
    [
        ("kernel/apparmor_restrict_unprivileged_userns", "1", False, "warning"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1", True, "ok"),
        ("kernel/apparmor_restrict_unprivileged_userns", "0", False, "ok"),
        ("kernel/unprivileged_userns_clone", "0", False, "warning"),
        ("user/max_user_namespaces", "0", True, "warning"),
    ],
)
def test_settings_of_the_kernel(tmp_path, file, value, root, state):
    (tmp_path / file).parent.mkdir()
    (tmp_path / file).write_text(f"{value}\n")
    found = sandbox.user_namespaces(tmp_path, root=root)
    assert found.state == state
    assert ("sysctl" in found.hint) == (state != "ok")


@pytest.mark.parametrize(("bwrap", "state"), [("/usr/bin/bwrap", "no"), (None, "warning")])
def test_the_library_of_the_filter(monkeypatch, bwrap, state):
    def missing():
        raise ImageError("no library", hint="apt-get install libseccomp2")

    monkeypatch.setattr(sandbox, "filter_program", lambda: b"x" * 80)
    assert sandbox.call_filter().detail == "makes a filter of 10 instructions"
    monkeypatch.setattr(sandbox, "filter_program", missing)
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: bwrap)
    found = sandbox.call_filter()
    assert (found.state, found.hint) == (state, "apt-get install libseccomp2")


@pytest.mark.parametrize(
    ("wrong", "state"),
    [
        ({"bwrap": "", "podman": "not installed", "chroot": "needs root"}, "ok"),
        ({"bwrap": "setting up uid map: Permission denied", "podman": sandbox.UNTRIED, "chroot": "x"}, "warning"),
        ({"bwrap": "Permission denied", "podman": "not installed", "chroot": "needs root"}, "no"),
    ],
)
def test_ways_in(tmp_path, wrong, state):
    found = sandbox.ways_in(tmp_path, attempt=lambda method, root: wrong[method])
    assert found.state == state
    assert found.detail == "; ".join(f"{method}: {what or 'works'}" for method, what in wrong.items())


def test_a_way_that_was_chosen_is_the_only_one(tmp_path):
    found = sandbox.ways_in(tmp_path, chosen="podman", attempt=lambda method, root: "not installed")
    assert (found.state, found.detail) == ("no", "podman: not installed")
    assert sandbox.ways_in(tmp_path, chosen="docker").hint == "set it to bwrap, podman, chroot, or unset it"


def test_what_is_wrong_with_a_way_is_in_its_own_words(tmp_path, monkeypatch):
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert sandbox.what_is_wrong("bwrap", tmp_path) == "bwrap: No permissions to create new namespace"
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None)
    assert sandbox.what_is_wrong("bwrap", None) == "not installed"
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: name)
    assert sandbox.what_is_wrong("podman", None) == sandbox.UNTRIED
    monkeypatch.setattr(sandbox.os, "geteuid", lambda: 1000)
    assert sandbox.what_is_wrong("chroot", None) == "needs root"


def test_an_engine_for_a_published_image_or_none(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert sandbox.for_published(None).state == "no"
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\necho 'is the daemon running?' >&2\nexit 1\n")
    program.chmod(0o755)
    found = sandbox.for_published(None)
    assert "docker: is the daemon running?; emwheels pulls the image itself: bwrap: not installed" in found.detail
    program.write_text("#!/bin/sh\n")
    assert sandbox.for_published(None).detail == "docker works"
    assert "docker" not in sandbox.for_published(None, chosen="bwrap").detail


# Images


def test_images_that_are_missing_here_or_published(tmp_path, monkeypatch):
    for name in ("EMWHEELS_IMAGE", "EMWHEELS_TEST_IMAGE"):
        monkeypatch.delenv(name, raising=False)
    environment = make_environment(tmp_path)
    targets, cache = environment.targets, environment.project.cache
    assert images.missing_parts(cache, targets) == ["build", "test"]
    assert images.any_root(cache, targets) is None
    assert images.image(cache, targets.image).hint.endswith("emwheels image --part build")
    record = ImageRecord(key="k", digest="sha256:1", suite="sid", packages={"zlib1g": "1"})
    folder = debian.image_folder(cache, targets.image)
    monkeypatch.setattr(debian, "read_record", lambda each: record if each == folder else None)
    assert images.missing_parts(cache, targets) == ["test"]
    assert images.any_root(cache, targets) == folder / "rootfs"
    assert images.image(cache, targets.image).detail == f"sha256:1, 1 packages of Debian sid, {folder}"
    monkeypatch.setenv("EMWHEELS_IMAGE", "registry.example.org/image:latest")
    assert images.image(cache, targets.image).state == "no"
    monkeypatch.setenv("EMWHEELS_IMAGE", f"registry.example.org/image@sha256:{'1' * 64}")
    assert images.image(cache, targets.image).state == "ok"


# Registries


class Asked:
    """Stands for `Registries`."""

    def __init__(self, *versions, error=None):
        self.versions, self.error = versions, error

    def offers(self, name):
        if self.error:
            raise self.error
        return [Offer(resource=Resource(url="", filename=""), version=version) for version in self.versions]

    def candidates(self, purl, sha256):
        if self.error:
            raise self.error
        return [Resource(url="https://me:secret@npm.example.org/pyodide.tgz", filename="pyodide.tgz")]


@pytest.fixture
def _configured(monkeypatch):
    addresses = ("https://me:secret@index.example.org/simple/",)
    monkeypatch.setattr(network, "pip_configuration", lambda: SimpleNamespace(index_urls=addresses))


@pytest.mark.usefixtures("_configured")
def test_the_package_index():
    found = network.package_index(Asked("0.38", "0.39"), "0.39", needed=True)
    assert (found.state, found.detail) == ("ok", "https://index.example.org/simple/ has pyodide-build 0.39")
    assert network.package_index(Asked("0.38"), "0.39", needed=True).state == "no"
    assert network.package_index(Asked("0.38"), "0.39", needed=False).state == "warning"
    failed = network.package_index(Asked(error=FetchError("no answer")), "0.39", needed=True)
    assert (failed.state, failed.detail) == ("no", "no answer")
    assert "PIP_INDEX_URL" in failed.hint


def test_the_npm_registry():
    found = network.npm(Asked(), TARGET, needed=True)
    assert found.detail == f"https://npm.example.org/pyodide.tgz for Pyodide {TARGET.name}"
    failed = network.npm(
        Asked(error=FetchError("no npm registry", hint="set npm_config_registry")), TARGET, needed=False
    )
    assert (failed.state, failed.hint) == ("warning", "set npm_config_registry")


RELEASE = b"Origin: Debian\nSuite: testing\nDate: Fri, 30 Oct 2026 08:08:01 UTC\n"
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def packages(emscripten="6.0~rc1-1", llvm="21"):
    return lzma.compress(
        f"Package: emscripten\nVersion: {emscripten}\nDepends: ccache, clang-{llvm}, python3:any\nDescription: x\n\n"
        f"Package: clang-{llvm}\nVersion: 1:{llvm}.1\n\nPackage: clang-22\nVersion: 1:22.0\n\n"
        "Package: python3.14\nVersion: 3.14.2-1\nDescription: y\n more\n\nPackage: zlib1g\nVersion: 1\n".encode()
    )


def suite(mirror="https://me:secret@deb.example.org/debian/", *, needed=True, now=NOW, **answer):
    asked = []

    def get(url):
        asked.append(url)
        if "error" in answer:
            raise answer["error"]
        return RELEASE if url.endswith("InRelease") else packages(**answer)

    return list(network.debian_suite(mirror, PINS, get, needed=needed, now=now)), asked


def test_the_suite_offers_what_is_pinned():
    (found,), asked = suite()
    assert found.state == "ok"
    assert found.detail == (
        "https://deb.example.org/debian/, list of 2026-10-30: "
        "clang-21 1:21.1, emscripten 6.0~rc1-1, python3.14 3.14.2-1"
    )
    assert asked[0] == "https://me:secret@deb.example.org/debian/dists/sid/InRelease"


@pytest.mark.parametrize(("needed", "state"), [(True, "no"), (False, "warning")])
def test_the_suite_has_moved_on_too_far(needed, state):
    (found,), _ = suite(emscripten="7.0-1", llvm="23", needed=needed)
    assert found.state == state
    assert "Debian sid has Emscripten 7.0, and image.build.accepted of targets.toml is >=6,<7" in found.detail
    assert "EMWHEELS_DEBIAN_SNAPSHOT" in found.hint


def test_a_newer_compiler_of_the_suite_is_one_to_prove():
    (found,), _ = suite(emscripten="6.1-1")
    assert found.state == "warning"
    assert found.detail.endswith("Emscripten 6.1 with LLVM 21 instead of 6.0 with 21")
    assert "emwheels image try" in found.hint


def test_a_mirror_that_does_not_answer_or_is_not_known():
    (found,), _ = suite(error=FetchError("deb.example.org: the server answered 404"))
    assert (found.state, "secret" in found.detail) == ("no", False)
    (unknown,), asked = suite("")
    assert (unknown.state, asked) == ("warning", [])


def test_a_list_of_tomorrow_is_a_fault_of_the_clock():
    found, _ = suite(now=datetime(2026, 10, 1, tzinfo=UTC))
    assert [(each.name, each.state) for each in found] == [("clock", "warning"), ("Debian sid", "ok")]


def test_a_mirror_may_be_a_folder(tmp_path):
    (tmp_path / "a b").write_bytes(b"x")
    assert network.read_address(f"file://{tmp_path}/a%20b", downloader=None) == b"x"
    assert network.read_address(f"copy:{tmp_path}/a%20b", downloader=None) == b"x"


def test_what_stops_a_build_is_no_warning():
    assert fault("x", "", "", stops=True).state == "no"
    assert fault("x", "", "").state == "warning"
