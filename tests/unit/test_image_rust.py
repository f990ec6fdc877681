"""The Rust layer: its digest before it is made, what it is made of, and its making as far as no image is needed."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, replace
from types import SimpleNamespace

import pytest

from emwheels.errors import ImageError, UsageError
from emwheels.image.archives import load_images, save_images
from emwheels.image.debian import MARK, PACKAGES, RECORD, image_folder, record_of
from emwheels.image.debs import Deb, DebSet, pinned
from emwheels.image.offer import accepted, beyond, taken_packages
from emwheels.image.rust import check_version, layer_digest, load_layer, make_layer, packages_of
from emwheels.pipeline.rust import Rust
from emwheels.progress import Board

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="packages are pinned for this machine alone")


def deb(name, version="1.0"):
    return Deb(name=name, version=version, path=f"pool/main/{name}.deb", size=1, sha256="0" * 64)


@pytest.fixture
def pins(targets):
    return targets.rust


@pytest.fixture
def debs(pins):
    return pinned(pins, platform.machine())


def put(cache, pins, debs):
    folder = image_folder(cache, pins)
    record = record_of(pins, packages_of(debs))
    (folder / "rootfs" / MARK).parent.mkdir(parents=True)
    (folder / "rootfs" / MARK).write_text(record.digest)
    lines = "".join(f"{name}\t{version}\n" for name, version in record.packages.items())
    (folder / "rootfs" / PACKAGES).write_text(lines)
    (folder / RECORD).write_text(json.dumps(asdict(record)))
    return record


def test_its_packages_are_pinned_and_lie_beyond_the_build_image(targets, pins, debs):
    assert debs is not None
    assert {"rustc", "cargo"} <= debs.versions.keys()
    assert [each.name for each in debs.taken] == taken_packages(pins) == ["rust-src"]
    assert not debs.versions.keys() & pinned(targets.image, platform.machine()).versions.keys()
    check_version(debs, pins)


def test_its_digest_is_known_before_it_is_made(tmp_path, pins, debs):
    before = layer_digest(tmp_path, pins)
    assert load_layer(tmp_path, pins) is None
    put(tmp_path, pins, debs)
    assert layer_digest(tmp_path, pins) == before == load_layer(tmp_path, pins).digest
    assert load_layer(tmp_path, pins).mount().inside == "/mnt/rust"


def test_other_packages_are_another_layer(tmp_path, pins, debs):
    other = replace(debs, taken=(replace(debs.taken[0], version="9"),))
    put(tmp_path, pins, other)
    assert layer_digest(tmp_path, pins) != record_of(pins, packages_of(debs)).digest
    assert layer_digest(tmp_path, replace(pins, suite="trixie")) == ""


def test_another_rust_is_refused_before_anything_is_fetched(tmp_path, pins, debs):
    newer = replace(debs, installed=(deb("rustc", "1.99.0+dfsg1-1"),))
    for refuse in (
        lambda: check_version(newer, pins),
        lambda: accepted(pins, newer),
        lambda: make_layer(tmp_path, pins, newer, None, None, say=print, log=tmp_path / "log"),
    ):
        with pytest.raises(ImageError, match=r"have rustc 1\.99\.0 instead of 1\.97\.1"):
            refuse()
    with pytest.raises(ImageError):
        check_version(replace(debs, taken=()), pins)
    assert not list(tmp_path.iterdir())


def test_what_a_suite_has_beyond_an_image(targets, pins):
    asked = []

    def ask(given):
        asked.append(sorted(given.packages))
        more = (deb("rustc"), deb("libllvm22")) if "rustc" in given.packages else ()
        return DebSet(installed=(deb("libc6"), *more), taken=(deb("rust-src"),) if more else ())

    found = beyond(pins, targets.image, ask)
    assert [each.name for each in found] == ["rustc", "libllvm22", "rust-src"]
    assert asked[1] == sorted(targets.image.packages)


def test_it_is_saved_and_loaded_as_images_are(tmp_path, pins, debs):
    record = put(tmp_path / "here", pins, debs)
    save_images(tmp_path / "here", [pins], tmp_path / "layer.tar.gz")
    (loaded,) = load_images(tmp_path / "there", [pins], tmp_path / "layer.tar.gz")
    assert loaded.record == record
    assert load_layer(tmp_path / "there", pins).digest == record.digest
    with pytest.raises(ImageError, match="other pins"):
        load_images(tmp_path / "third", [replace(pins, rust="1.98.0")], tmp_path / "layer.tar.gz")


@pytest.fixture
def maker(tmp_path, targets):
    class Nothing:
        places = ()

    return SimpleNamespace(
        project=SimpleNamespace(cache=tmp_path), targets=targets, offline=True, supply=Nothing, board=Board()
    )


def test_offline_there_is_no_making_and_the_digest_is_known(maker, tmp_path, pins, debs):
    assert Rust(maker).digest == layer_digest(tmp_path, pins)
    with pytest.raises(ImageError, match="the Rust layer is not on this machine, and this is offline"):
        _ = Rust(maker).layer
    put(tmp_path, pins, debs)
    assert Rust(maker).layer.digest == Rust(maker).digest


def test_a_layer_that_turned_out_otherwise_is_another_key(maker, tmp_path, pins, debs):
    rust = Rust(maker)
    assert rust.digest
    put(tmp_path, pins, replace(debs, taken=(replace(debs.taken[0], version="9"),)))
    with pytest.raises(ImageError, match="made of other packages than the pinned ones"):
        _ = rust.layer


def test_a_targets_toml_without_the_table_says_what_to_add(maker, targets):
    maker.targets = replace(targets, rust=None)
    with pytest.raises(UsageError, match=r"no table image\.rust"):
        _ = Rust(maker).pins


def test_a_making_that_fails_leaves_no_layer(tmp_path, pins, debs):
    class Supply:
        def gather(self, _debs, folder, _say):
            folder.mkdir()

    class Image:
        def run(self, argv, *, mounts, output):
            assert argv[:3] == ["sh", "/mnt/rust.sh", f"/mnt/debs/{debs.taken[0].path}"]
            assert [mount.inside for mount in mounts if mount.writable] == ["/mnt/rust", "/mnt/making"]
            output.write(b"error: no space left\n")
            output.flush()

            class Done:
                status, reached = 1, ""

            return Done()

    with pytest.raises(ImageError) as caught:
        make_layer(tmp_path, pins, debs, Supply(), Image(), say=lambda _: None, log=tmp_path / "logs" / "rust.log")
    assert "no space left" in caught.value.message
    assert load_layer(tmp_path, pins) is None
