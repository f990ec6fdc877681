"""The embedded image as it is made and loaded, with scripts of the shell in place of Debian's tools."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic_wheels import make_wheel

from emwheels.errors import ImageError
from emwheels.fetch.fetcher import Fetched
from emwheels.image import debian, oci
from emwheels.image.processes import Completed
from emwheels.image.rootfs import RootFs
from emwheels.target import BuildImagePins

PINS = BuildImagePins(
    part="build",
    suite="sid",
    packages={"emscripten": "the compiler", "clang-21": "likewise"},
    emscripten="6.0",
    llvm="21",
    pythons=("3.14",),
    pyodide_build="0.39",
)
OFFERED = "emscripten\\t6.0~rc1+dfsg-1\\nclang-21\\t1:21.1\\npython3.14:amd64\\t3.14.0\\n"
REFERENCE = "registry.example.org/image@sha256:" + "1" * 64


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Put programs of our own before those of the machine: ``tools(podman="exit 1")``; return what each was asked."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def add(**scripts):
        for name, script in scripts.items():
            path = folder / name.replace("_", "-")
            path.write_text(f'#!/bin/sh\necho "$@" >> {path}.log\n{script}\n')
            path.chmod(0o755)
        return lambda name: Path(f"{folder / name}.log").read_text().splitlines()

    return add


class Wheels:
    """Stands for a fetcher that has pyodide-build."""

    def __init__(self, folder):
        self.wheel = make_wheel(folder, "pyodide_build", "0.39")

    def fetch_requirements(self, lock, *, python):
        assert "pyodide-build" in lock.read_text()
        return (Fetched(path=self.wheel, sha256="0" * 64, filename=self.wheel.name, url=""),)


@pytest.fixture
def make(tmp_path, tools, monkeypatch):
    """Make the image; mmdebstrap does ``script`` with the root file system as ``$root``. Returns the record."""
    calls = []

    def run(image, argv, *, mounts, env, output):
        calls.append(
            (image, list(argv), {mount.inside: mount.host.read_bytes() for mount in mounts if mount.host.is_file()})
        )
        output.write(b"provisioning\n")
        return Completed(argv=tuple(argv), status=make.status, seconds=0.0)

    def make(script=f"printf '{OFFERED}' > $root/opt/emwheels/packages", status=0):
        make.status, make.said = status, []
        root = 'for root; do :; done; mkdir -p "$root/opt/emwheels"'
        make.asked = tools(mmdebstrap=f"echo unpacking\n{root}\n{script}")
        return debian.make_image(
            tmp_path / "cache",
            PINS,
            Wheels(tmp_path / "wheels"),
            say=make.said.append,
            log=tmp_path / "logs" / "image.log",
        )

    make.calls = calls
    monkeypatch.setattr("emwheels.image.debian.require_host_tools", lambda say: None)
    monkeypatch.setattr("emwheels.image.debian.debian_mirror", lambda: "")
    monkeypatch.setattr("emwheels.image.debian.os.geteuid", lambda: 0)
    monkeypatch.setattr("emwheels.image.debian.usable_method", lambda root: "chroot")
    monkeypatch.setattr("emwheels.image.rootfs.RootFs.run", run)
    return make


def kept(tmp_path):
    return sorted(path.name for path in (tmp_path / "cache" / "images").iterdir() if path.is_dir())


def test_an_image_is_made_and_found(make, tmp_path):
    record = make()
    assert record.packages == {"emscripten": "6.0~rc1+dfsg-1", "clang-21": "1:21.1", "python3.14": "3.14.0"}
    image, found = debian.load_image(tmp_path / "cache", PINS, method="chroot")
    assert (found, image.digest, image.method) == (record, record.digest, "chroot")
    assert not image.writable
    assert kept(tmp_path) == [debian.image_key(PINS)[:16]], "nothing of the making is left"
    assert (tmp_path / "logs" / "image.log").read_text() == "unpacking\nprovisioning\n"


def test_an_image_is_provisioned_from_what_was_fetched_while_it_can_be_written(make):
    make()
    ((image, argv, files),) = make.calls
    assert image.writable
    assert argv == ["sh", "/mnt/provision.sh", "3.14"]
    assert b"LLVM_VERSION" not in files["/mnt/provision.sh"]
    assert b"pyodide-build" in files["/mnt/requirements.txt"]


def test_an_image_is_of_the_suite_and_packages_of_the_pins(make):
    make()
    (asked,) = [line for line in make.asked("mmdebstrap") if "--mode=root" in line]
    assert "--include=emscripten,clang-21" in asked
    assert f" sid {make.calls[0][0].root}" in " ".join(make.asked("mmdebstrap"))


def test_a_damaged_image_that_somebody_is_in_is_not_replaced(make, tmp_path):
    make()
    folder = debian.image_folder(tmp_path / "cache", PINS)
    image, _ = debian.load_image(tmp_path / "cache", PINS, method="chroot")
    (folder / "image.json").unlink()
    with pytest.raises(ImageError, match="is in use and is not replaced"):
        make()
    assert image.root.is_dir()
    make.calls.clear()
    del image
    make()
    assert debian.read_record(folder) is not None


def test_an_image_that_is_there_is_kept(make):
    record = make()
    assert make("exit 1") == record
    assert make.said == []


@pytest.mark.parametrize(
    ("script", "status", "words"),
    [
        ("echo 'E: no such suite'; exit 100", 0, "mmdebstrap could not put the root file system together:\n"),
        ("printf 'emscripten\\t7.0\\n' > $root/opt/emwheels/packages", 0, "Emscripten 7.0 instead of 6.0"),
        (f"printf '{OFFERED}' > $root/opt/emwheels/packages", 1, "the image could not be provisioned:\n"),
    ],
)
def test_a_making_that_fails_is_told_and_gives_no_image(make, tmp_path, script, status, words):
    with pytest.raises(ImageError) as caught:
        make(script, status)
    assert words in caught.value.message
    assert debian.load_image(tmp_path / "cache", PINS, method="chroot") is None
    if "suite" in script:
        assert caught.value.message.endswith("unpacking\nE: no such suite")
        assert str(tmp_path / "logs" / "image.log") in caught.value.hint
    make()  # what is left of it is in no way


RUN_HOOKS = """
mkdir -p "$root/etc/apt"
for argument; do case "$argument" in
    https:*) echo "Get:1 $argument sid InRelease"; echo "deb $argument sid main" > "$root/etc/apt/sources.list" ;;
esac; done
for argument; do case "$argument" in
    --customize-hook=find*) sh -c "${argument#--customize-hook=}" exec "$root" ;;
esac; done
"""
"""What mmdebstrap does with the address of a mirror, and with the hook that comes last."""


@pytest.mark.parametrize("fails", [False, True])
def test_the_password_of_the_mirror_is_not_in_an_image_nor_its_log(make, tmp_path, monkeypatch, fails):
    mirror = "https://jane:P4ss%40w%2Frd@deb.example.org/debian"
    monkeypatch.setattr("emwheels.image.debian.debian_mirror", lambda: mirror)
    root = 'for root; do case "$root" in */rootfs) break ;; esac; done; mkdir -p "$root/opt/emwheels"'
    script = f"{root}\n{RUN_HOOKS}\nprintf '{OFFERED}' > $root/opt/emwheels/packages"
    if fails:
        with pytest.raises(ImageError) as caught:
            make(f"{script}\necho 'E: 401, you sent amFuZTpQNHNzQHcvcmQ= or P4ss@w/rd'; exit 100")
        assert caught.value.message.endswith("E: 401, you sent *** or ***")
    else:
        make(script)
        sources = debian.image_folder(tmp_path / "cache", PINS) / "rootfs" / "etc" / "apt" / "sources.list"
        assert sources.read_text() == "deb https://deb.example.org/debian sid main\n"
    log = (tmp_path / "logs" / "image.log").read_text()
    assert "Get:1 https://deb.example.org/debian sid InRelease" in log
    assert "P4ss" not in log


# What the host needs.


def test_what_the_machine_lacks_is_told_with_the_line_to_run(monkeypatch):
    monkeypatch.setattr("emwheels.image.debian.shutil.which", lambda tool: None)
    monkeypatch.setattr("emwheels.image.debian.os.geteuid", lambda: 1000)
    with pytest.raises(ImageError, match="this machine lacks mmdebstrap, bubblewrap, dpkg, uidmap") as caught:
        debian.require_host_tools(lambda text: None)
    assert "apt-get update && apt-get install -y --no-install-recommends mmdebstrap" in caught.value.hint


def test_nothing_is_installed_where_nothing_lacks(monkeypatch):
    monkeypatch.setattr("emwheels.image.debian.subprocess.run", lambda *_, **__: pytest.fail("it ran"))
    debian.install_on_host([], pytest.fail)


@pytest.mark.parametrize(("status", "fails"), [(0, False), (100, True)])
def test_root_has_it_installed(tools, monkeypatch, status, fails):
    monkeypatch.setattr("emwheels.image.debian.os.geteuid", lambda: 0)
    asked = tools(apt_get=f"echo 'E: broken' >&2\nexit {status}")
    said = []
    if fails:
        with pytest.raises(ImageError, match="apt-get update failed:\nE: broken"):
            debian.install_on_host(["bubblewrap"], said.append)
        return
    debian.install_on_host(["bubblewrap"], said.append)
    assert said == ["installing bubblewrap"]
    assert asked("apt-get") == ["update", "install -y --no-install-recommends bubblewrap"]


@pytest.mark.parametrize(
    ("listed", "mirror"),
    [
        (
            "https://a.example.org/debian-security Debian\\nhttps://b.example.org/debian Debian\\n",
            "https://b.example.org/debian",
        ),
        ("https://a.example.org/other Other\\n", ""),
        ("", ""),
    ],
)
def test_the_mirror_is_that_of_this_machine_s_apt(tools, monkeypatch, listed, mirror):
    monkeypatch.delenv("EMWHEELS_DEBIAN_MIRROR", raising=False)
    tools(apt_get=f"printf '{listed}'")
    assert debian.debian_mirror() == mirror


# A published image.


def test_an_image_that_the_engine_has_is_not_pulled(tools):
    asked = tools(podman="exit 0")
    image = oci.OciImage.open(REFERENCE, part="build", environment=(("A", "1"),), offline=True)
    assert (image.engine, image.digest, image.by_engine) == ("podman", "sha256:" + "1" * 64, True)
    assert asked("podman") == [f"image inspect {REFERENCE}"]


@pytest.mark.parametrize(("host", "more"), [("registry.example.org", ""), ("localhost:5000", "--tls-verify=false ")])
def test_an_image_is_pulled_by_its_digest(tools, host, more):
    reference = REFERENCE.replace("registry.example.org", host)
    asked = tools(podman='[ "$1" = pull ]')
    oci.OciImage.open(reference, part="build", environment=())
    assert asked("podman")[1] == f"pull {more}{reference}"


def test_an_image_that_cannot_be_pulled_is_told_with_what_the_engine_said(tools):
    tools(podman="echo 'manifest unknown' >&2; exit 125")
    with pytest.raises(ImageError, match=f"podman could not pull {REFERENCE}:\nmanifest unknown") as caught:
        oci.OciImage.open(REFERENCE, part="test", environment=())
    assert "podman info" in caught.value.hint
    assert "EMWHEELS_TEST_IMAGE=embedded" in caught.value.hint


def test_offline_nothing_is_pulled(tools):
    asked = tools(podman="echo 'no such image' >&2; exit 1")
    with pytest.raises(ImageError, match=r"podman does not have .* this is offline:\nno such image") as caught:
        oci.OciImage.open(REFERENCE, part="test", environment=(), offline=True)
    assert asked("podman") == [f"image inspect {REFERENCE}"]
    assert "without --offline" in caught.value.hint
    assert "EMWHEELS_TEST_IMAGE=embedded" in caught.value.hint


@pytest.mark.parametrize(("part", "variable"), [("build", "EMWHEELS_IMAGE"), ("test", "EMWHEELS_TEST_IMAGE")])
def test_without_an_engine_it_is_said_what_to_do(monkeypatch, part, variable):
    monkeypatch.setattr("emwheels.image.oci.shutil.which", lambda name: None)
    with pytest.raises(ImageError, match="needs podman or docker") as caught:
        oci.OciImage.open(REFERENCE, part=part, environment=())
    assert f"{variable}=embedded" in caught.value.hint


def test_headers_of_the_embedded_image_are_where_they_are(tmp_path):
    image = RootFs(root=tmp_path, digest="", method="chroot")
    with oci.headers(image, tmp_path, tmp_path / "cache") as root:
        assert root == tmp_path
    assert not (tmp_path / "cache").exists()


def test_headers_of_a_published_image_are_copied_out_of_it(tools, tmp_path):
    script = 'for word; do case "$word" in *:/mnt/out:rw) echo ok > "${word%%:*}/copied";; esac; done'
    tools(podman=script)
    image = oci.OciImage(reference=REFERENCE, engine="podman", digest="")
    with oci.headers(image, tmp_path, tmp_path / "cache") as root:
        assert (root / "opt" / "emwheels" / "copied").read_text() == "ok\n"
    assert list((tmp_path / "cache").iterdir()) == []
    tools(podman="echo 'no such file' >&2; exit 1")
    with pytest.raises(ImageError, match="could not be read:\nno such file"), oci.headers(image, tmp_path, tmp_path):
        pass
