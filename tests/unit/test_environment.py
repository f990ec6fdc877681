"""What the work on packages stands on: which image and fetcher an environment takes, and where its parts are kept."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import threading
from pathlib import Path

import pytest
from packed import tar_gz
from sample_run import Lines, make_environment
from synthetic_wheels import make_wheel

from emwheels.build.complete import add_documents
from emwheels.build.libraries import files_below, licences_of
from emwheels.build.workplace import Workplace
from emwheels.checkout import find_project
from emwheels.errors import BuildError, EmwheelsError, ImageError, StoppedError, UsageError
from emwheels.image.debian import ImageRecord
from emwheels.image.debs import DebSet
from emwheels.image.offer import Choice
from emwheels.image.processes import Completed
from emwheels.image.rootfs import RootFs
from emwheels.pipeline.environment import Environment, environment_here, environment_of

DIGEST = "sha256:" + "7" * 64
REFERENCE = f"registry.example.org/image@{DIGEST}"
RECORD = ImageRecord(key="k", digest="sha256:" + "8" * 64, suite="sid", packages={})


@pytest.fixture
def given(tmp_path):
    """One that has its parts by hand."""
    return make_environment(tmp_path)


@pytest.fixture
def environment(given, monkeypatch):
    """One that has to find its parts; nothing is configured and no image is there."""
    for name in ("EMWHEELS_IMAGE", "EMWHEELS_TEST_IMAGE", "EMWHEELS_ENTER", "EMWHEELS_IMAGE_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(
        "emwheels.pipeline.environment.choose",
        lambda pins, debs, *_: Choice(pins=pins, debs=debs or DebSet(installed=())),
    )
    return Environment(given.project, given.targets, given.target, board=Lines())


def test_the_environment_of_a_project_is_for_a_target_of_its_own():
    project = find_project(Path(__file__))
    found = environment_of(project)
    assert (found.project, found.target.name) == (project, found.targets.default)
    other = next(name for name in found.targets.targets if name != found.targets.default)
    assert environment_of(project, other).target.name == other
    assert environment_here(Path(__file__).parent, other).project == project
    with pytest.raises(UsageError, match=r"9\.9"):
        environment_of(project, "9.9")


# The image.


def test_a_published_image_is_known_by_its_reference_and_not_pulled_for_that(environment, monkeypatch):
    monkeypatch.setattr("emwheels.image.published.Published.open", lambda *_, **__: pytest.fail("it was pulled"))
    monkeypatch.setenv("EMWHEELS_IMAGE", REFERENCE)
    assert environment.image_digest == DIGEST
    assert environment.board.lines == []


def test_a_published_image_is_opened_to_enter_it(environment, monkeypatch):
    opened = []
    monkeypatch.setattr("emwheels.image.published.holds", lambda engine, reference: engine == "docker")
    monkeypatch.setattr(
        "emwheels.image.oci.OciImage.open", lambda reference, **options: opened.append((reference, options))
    )
    environment.offline = True
    monkeypatch.setenv("EMWHEELS_IMAGE", REFERENCE)
    _ = environment.image
    ((reference, options),) = opened
    assert (reference, options["part"], options["engine"], options["offline"]) == (REFERENCE, "build", "docker", True)
    assert dict(options["environment"])["EM_FROZEN_CACHE"] == "1"


def test_an_image_that_is_there_is_not_made(environment, monkeypatch):
    monkeypatch.setattr("emwheels.image.debian.read_record", lambda folder: RECORD)
    monkeypatch.setattr("emwheels.pipeline.environment.make_image", lambda *_, **__: pytest.fail("it was made"))
    assert environment.image_digest == RECORD.digest


def test_offline_an_image_that_is_missing_is_not_made(environment, monkeypatch):
    monkeypatch.setattr("emwheels.pipeline.environment.make_image", lambda *_, **__: pytest.fail("it was made"))
    environment.offline = True
    with pytest.raises(ImageError, match="the test image is not on this machine, and this is offline") as caught:
        _ = environment.test_image_digest
    assert "emwheels image load FILE" in caught.value.hint
    assert "without --offline" in caught.value.hint
    monkeypatch.setattr("emwheels.image.debian.read_record", lambda folder: RECORD)
    assert environment.test_image_digest == RECORD.digest


def test_an_image_that_is_missing_is_made_and_that_is_said(environment, monkeypatch):
    made = []

    def make_image(cache, pins, debs, supply, fetcher, *, say, log, proof, stopping):
        made.append((cache, pins, log))
        say("downloading")
        return RECORD

    monkeypatch.setattr("emwheels.pipeline.environment.make_image", make_image)
    vars(environment)["fetcher"] = None
    assert environment.image_digest == environment.image_digest == RECORD.digest
    assert made == [(environment.project.cache, environment.targets.image, environment.logs / "image-build.log")], (
        "once"
    )
    assert environment.board.lines[0].startswith("build image: made once (about 4 minutes")
    assert environment.board.lines[1] == "build image: downloading"


def test_each_image_is_another_one(environment, monkeypatch):
    made = []

    def make_image(cache, pins, debs, supply, fetcher, *, say, log, proof, stopping):
        made.append((pins.part, log.name))
        return dataclasses.replace(RECORD, digest=f"sha256:{pins.part}")

    monkeypatch.setattr("emwheels.pipeline.environment.make_image", make_image)
    vars(environment)["fetcher"] = None
    assert environment.test_image_digest == "sha256:test"
    assert made == [("test", "image-test.log")], "that which compiles is not needed for it"
    assert environment.image_digest == "sha256:build"
    assert [line.partition(" (")[0] for line in environment.board.lines] == [
        "test image: made once",
        "build image: made once",
    ]


def test_both_images_are_made_at_the_same_time(environment, monkeypatch):
    meeting = threading.Barrier(2, timeout=20)

    def make_image(cache, pins, debs, supply, fetcher, *, say, log, proof, stopping):
        meeting.wait()
        return dataclasses.replace(RECORD, digest=f"sha256:{pins.part}")

    monkeypatch.setattr("emwheels.pipeline.environment.make_image", make_image)
    vars(environment)["fetcher"] = None
    environment.make_images()
    assert environment.image_digest == "sha256:build"


def test_an_image_that_cannot_be_made_ends_the_making_of_the_other(environment, monkeypatch):
    ended = []

    def make_image(cache, pins, debs, supply, fetcher, *, say, log, proof, stopping):
        if pins.part == "build":
            raise ImageError("there is no compiler")
        ended.append(stopping.wait(20))
        raise StoppedError

    monkeypatch.setattr("emwheels.pipeline.environment.make_image", make_image)
    vars(environment)["fetcher"] = None
    with pytest.raises(ImageError, match="there is no compiler"):
        environment.make_images()
    assert ended == [True]


def test_each_published_image_has_a_variable(environment, monkeypatch):
    monkeypatch.setattr("emwheels.image.debian.read_record", lambda folder: RECORD)
    monkeypatch.setenv("EMWHEELS_TEST_IMAGE", REFERENCE)
    assert (environment.test_image_digest, environment.image_digest) == (DIGEST, RECORD.digest)


def test_the_way_into_the_image_can_be_chosen(environment, monkeypatch):
    asked = []

    def load_image(cache, pins, *, method):
        asked.append(method)
        return RootFs(root=Path("root"), digest=RECORD.digest, method=method or "bwrap"), RECORD

    monkeypatch.setattr("emwheels.image.debian.read_record", lambda folder: RECORD)
    monkeypatch.setattr("emwheels.image.debian.load_image", load_image)
    assert environment.image.method == "bwrap"
    monkeypatch.setenv("EMWHEELS_ENTER", "chroot")
    assert environment.with_project(environment.project).image.method == "chroot"
    monkeypatch.setenv("EMWHEELS_ENTER", "")
    assert environment.with_project(environment.project).image.method == "bwrap"
    assert asked == [None, "chroot", None]
    monkeypatch.setenv("EMWHEELS_ENTER", "docker")
    with pytest.raises(ImageError, match="EMWHEELS_ENTER is 'docker'"):
        _ = environment.with_project(environment.project).image


def test_an_image_that_is_removed_in_the_meantime_is_a_message(environment, monkeypatch):
    vars(environment)["image_digest"] = RECORD.digest
    with pytest.raises(EmwheelsError, match=f"the image {RECORD.digest} vanished") as caught:
        _ = environment.image
    assert caught.value.hint == "run the command again"


def test_an_image_that_is_replaced_in_the_meantime_is_a_message(environment, monkeypatch):
    other = RootFs(root=Path("root"), digest="sha256:other", method="bwrap")
    monkeypatch.setattr("emwheels.image.debian.load_image", lambda *_, **__: (other, RECORD))
    vars(environment)["image_digest"] = RECORD.digest
    with pytest.raises(EmwheelsError, match=f"the image {RECORD.digest} vanished"):
        _ = environment.image


# Everything else.


def test_the_same_for_another_project(environment, tmp_path):
    environment.offline, environment.toolchain_name = True, "emsdk"
    other = environment.with_project(find(tmp_path / "other"))
    assert other.project.root == tmp_path / "other"
    for name in ("asked", "target", "board", "offline", "toolchain_name"):
        assert getattr(other, name) is getattr(environment, name)


def find(root):
    (root / "recipes").mkdir(parents=True)
    (root / "targets.toml").touch()
    return find_project(root)


@pytest.mark.parametrize("offline", [True, False])
def test_registries_are_those_of_the_image_where_the_machine_has_none(environment, monkeypatch, offline):
    made = []
    monkeypatch.setattr("emwheels.fetch.fetcher.Fetcher", lambda *given, **options: made.append((given, options)))
    monkeypatch.setattr("emwheels.image.registries.npm_registry", lambda image: f"npm of {image}")
    monkeypatch.setattr("emwheels.image.registries.debian_mirror", lambda image: f"Debian of {image}")
    environment.offline = offline
    _ = environment.fetcher
    ((given, options),) = made
    assert given == (environment.store,)
    assert options["offline"] is offline
    vars(environment)["image"] = "the image"
    assert options["npm_registry"]() == "npm of the image", "asked only when it is needed"
    assert options["debian_mirror"]() == "Debian of the image"


def test_pure_wheels_have_their_own_names(given, tmp_path):
    lock = tmp_path / "requirements.txt"
    lock.write_text("six==1.16\n")
    wheel = make_wheel(tmp_path / "made", "six")
    given.fetcher.give(lock, (wheel.name, wheel.read_bytes()))
    (path,) = given.pure_wheels(lock)
    assert path.name == wheel.name
    assert path.read_bytes() == wheel.read_bytes()
    assert given.fetcher.asked[-1].endswith("3.14 any"), "for the target's Python, and no platform"
    assert given.pure_wheels(lock) == (path,)
    lock.write_text("six==1.17\n")
    given.fetcher.give(lock, (wheel.name, wheel.read_bytes()))
    assert given.pure_wheels(lock)[0].parent != path.parent, "each lock has a folder"


@pytest.mark.parametrize(("profile", "folder"), [("speed", "dist"), ("size", "dist/size")])
def test_each_profile_is_published_in_a_folder_of_its_own(given, profile, folder):
    assert given.dist(profile) == given.project.root / folder


# Where a project is.


def test_a_project_is_found_from_any_folder_in_it(tmp_path, monkeypatch):
    find(tmp_path / "project")
    below = tmp_path / "project" / "recipes" / "deep" / "er"
    below.mkdir(parents=True)
    monkeypatch.setenv("EMWHEELS_CACHE", str(tmp_path / "mine"))
    for start in (below, tmp_path / "project"):
        project = find_project(start)
        assert (project.root, project.cache) == (tmp_path / "project", tmp_path / "mine")
    monkeypatch.chdir(below)
    assert find_project().root == tmp_path / "project"


def test_the_cache_is_the_user_s_unless_another_is_given(tmp_path, monkeypatch):
    monkeypatch.setattr("emwheels.checkout.platformdirs.user_cache_dir", lambda name: str(tmp_path / "user" / name))
    monkeypatch.setenv("EMWHEELS_CACHE", "")
    assert find(tmp_path / "project").cache == tmp_path / "user" / "emwheels"


@pytest.mark.parametrize("there", [["targets.toml"], ["recipes/"], []])
def test_a_folder_that_is_no_project(tmp_path, there):
    for name in there:
        (tmp_path / name).mkdir() if name.endswith("/") else (tmp_path / name).touch()
    with pytest.raises(UsageError, match="is not inside a project") as caught:
        find_project(tmp_path)
    assert "--project" in caught.value.hint


# Small parts of a build.


def test_an_npm_package_is_unpacked_once(given):
    archive = tar_gz({"package/index.js": "1;"})
    given.fetcher.give("pkg:npm/tiny@1", ("tiny-1.tgz", archive))
    sha256 = hashlib.sha256(archive).hexdigest()
    folder = given.npm_package("pkg:npm/tiny@1", sha256)
    assert (folder / "index.js").read_bytes() == b"1;"
    asked = len(given.fetcher.asked)
    assert given.npm_package("pkg:npm/tiny@1", sha256) == folder
    assert len(given.fetcher.asked) == asked


def test_an_npm_package_that_does_not_unpack_leaves_nothing(given):
    given.fetcher.give("pkg:npm/tiny@1", ("tiny-1.tgz", gzip.compress(b"no tar")))
    with pytest.raises(EmwheelsError):
        given.npm_package("pkg:npm/tiny@1", "a" * 64)
    assert not any((given.project.cache / "npm").glob("a*"))


def test_licences_of_libraries_go_into_wheels_by_library(tmp_path):
    assert licences_of(tmp_path) == {}
    for name in ("zlib/LICENSE", "png/docs/COPYING", "stray"):
        path = tmp_path / "share" / "licenses" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "share" / "licenses" / "zlib" / "link").symlink_to("LICENSE")
    assert licences_of(tmp_path) == {
        "licenses/png/docs/COPYING": b"png/docs/COPYING",
        "licenses/zlib/LICENSE": b"zlib/LICENSE",
    }
    assert "share/licenses/zlib/link" in files_below(tmp_path)


class Adder:
    """Stands for the image: runs nothing, and says what it was to run."""

    def __init__(self, status=0):
        self.status = status

    def run(self, argv, *, mounts, output):
        self.argv, self.mounts = argv, {mount.inside: mount for mount in mounts}
        members = self.mounts["/mnt/members"].host
        self.members = {path.name: path.read_bytes() for path in members.rglob("*") if path.is_file()}
        (mounts[0].host / argv[5].rpartition("/")[2]).write_bytes(b"with documents")
        output.write(b"MemoryError\n")
        return Completed(argv=tuple(argv), status=self.status, seconds=0.0)


@pytest.mark.parametrize("stored", [True, False])
def test_documents_are_added_in_the_image(tmp_path, stored):
    image = Adder()
    wheel = make_wheel(tmp_path / "dist", "tiny")
    place = Workplace(tmp_path / "work")
    out = add_documents(wheel, {"sboms/a.json": b"{}", "b.json": b"[]"}, place, image, stored=stored)
    assert (out.name, out.read_bytes()) == (wheel.name, b"with documents")
    assert image.members == {"a.json": b"{}", "b.json": b"[]"}
    inside = [f"/mnt/taken/{wheel.name}", "/mnt/members", f"/mnt/out/{wheel.name}"]
    assert image.argv == ["/usr/bin/python3", "-I", "/mnt/add_members.py", *inside, *(["stored"] if stored else [])]
    assert [inside for inside, mount in image.mounts.items() if mount.writable] == ["/mnt/out"]
    assert not out.is_relative_to(image.mounts["/mnt/out"].host), "taken out of what could be written"
    assert image.mounts["/mnt/add_members.py"].host.is_file()


def test_documents_that_cannot_be_added_are_told_with_the_reason(tmp_path):
    wheel = make_wheel(tmp_path / "dist", "tiny")
    with pytest.raises(BuildError, match=f"{wheel.name}: its build report could not be added:\nMemoryError"):
        add_documents(wheel, {"a.json": b"{}"}, Workplace(tmp_path / "work"), Adder(status=1), stored=False)


def test_an_image_error_is_one_that_a_user_can_mend(environment, monkeypatch):
    monkeypatch.setenv("EMWHEELS_IMAGE", "registry.example.org/image:latest")
    with pytest.raises(ImageError, match="does not name an image by digest"):
        _ = environment.image_digest
