"""The embedded image as it is made and loaded, with a script of the shell in place of mmdebstrap."""

from __future__ import annotations

import pytest
from small_debs import make_deb
from synthetic_wheels import make_wheel

from emwheels.errors import ImageError
from emwheels.fetch.fetcher import Fetched
from emwheels.image import debian
from emwheels.image.debs import DebSet
from emwheels.image.making import make_image
from emwheels.image.processes import Completed
from emwheels.image.supply import Place, Supply
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
    names = ("emscripten", "6.0~rc1+dfsg-1"), ("clang-21", "1:21.1")
    suite = DebSet(installed=tuple(make_deb(tmp_path / "suite", name, version) for name, version in names))

    def run(image, argv, *, mounts, env, output):
        calls.append(
            (image, list(argv), {mount.inside: mount.host.read_bytes() for mount in mounts if mount.host.is_file()})
        )
        output.write(b"provisioning\n")
        return Completed(argv=tuple(argv), status=make.status, seconds=0.0)

    def make(script=f"printf '{OFFERED}' > $root/opt/emwheels/packages", status=0):
        make.status, make.said = status, []
        root = 'while [ $# -gt 2 ]; do shift; done; root=$1; mkdir -p "$root/opt/emwheels" "$root/etc"'
        make.asked = tools(mmdebstrap=f"echo unpacking\n{root}\n{script}")
        return make_image(
            tmp_path / "cache",
            PINS,
            suite,
            Supply([Place(address=str(tmp_path / "suite"), kind="the suite")]),
            Wheels(tmp_path / "wheels"),
            say=make.said.append,
            log=tmp_path / "logs" / "image.log",
        )

    make.calls = calls
    monkeypatch.setattr("emwheels.image.making.require_host_tools", lambda say: None)
    monkeypatch.setattr("emwheels.image.making.debian_mirror", lambda: "")
    monkeypatch.setattr("emwheels.image.making.os.geteuid", lambda: 0)
    monkeypatch.setattr("emwheels.image.making.usable_method", lambda root: "chroot")
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
    assert "--include=clang-21,emscripten" in asked
    root = make.calls[0][0].root
    assert f" sid {root} deb [trusted=yes] copy:{root.with_name('debs')} ./" in " ".join(make.asked("mmdebstrap"))


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
