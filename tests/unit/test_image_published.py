"""Who holds and enters a published image: an engine that works, or emwheels itself."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from image_registry import BOOT, archive, image_registry, link, member

from emwheels.errors import ImageError
from emwheels.image.oci import OciImage
from emwheels.image.published import Published, headers
from emwheels.image.pull import pull_image, pulled_folder
from emwheels.image.rootfs import RootFs

DIGEST = "sha256:" + "1" * 64
REFERENCE = f"registry.example.org/image@{DIGEST}"
HEADERS = archive(
    member("opt/emwheels/headers/usr/include/python3.14/Python.h", b"header"),
    link("opt/emwheels/headers/usr/include/python3.14/secret.h", "/etc/passwd"),
)


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Have no programs but these: ``tools(podman="exit 1")``; return what each was asked."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def add(**scripts):
        for name, script in scripts.items():
            path = folder / name
            path.write_text(f'#!/bin/sh\necho "$@" >> {path}.log\n{script}\n')
            path.chmod(0o755)
        return lambda name: Path(f"{folder / name}.log").read_text().splitlines()

    return add


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A registry with an image, and its reference."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with image_registry() as registry:
        yield registry, registry.reference(registry.push([BOOT, HEADERS]))


def published(cache, reference=REFERENCE, **options):
    return Published(reference=reference, part="build", cache=cache, **options)


def opened(found, *, offline=False):
    """Open it, and return it with what was said to take long."""
    said = []

    @contextlib.contextmanager
    def phase(text):
        said.append(text)
        yield

    image = found.open((("A", "1"),), offline=offline, phase=phase, progress=lambda *_: None)
    return image, said


@pytest.mark.parametrize(
    ("scripts", "engine"),
    [
        ({}, None),
        ({"podman": "exit 1", "docker": "exit 1"}, None),
        ({"podman": '[ "$1" = info ]'}, "podman"),
        ({"podman": "exit 1", "docker": '[ "$1" = info ]'}, "docker"),
        ({"podman": '[ "$1" = info ]', "docker": "exit 0"}, "docker"),
    ],
)
def test_the_engine_is_one_that_has_the_image_or_else_works(tools, tmp_path, scripts, engine):
    tools(**scripts)
    assert published(tmp_path).engine() == engine
    assert published(tmp_path, method="podman").engine() == engine
    assert published(tmp_path, method="bwrap").engine() is None


def test_an_engine_that_works_pulls(tools, tmp_path):
    asked = tools(podman='[ "$1" != image ]')
    image, said = opened(published(tmp_path))
    assert isinstance(image, OciImage)
    assert (image.engine, image.digest, image.environment, said) == ("podman", DIGEST, (("A", "1"),), [])
    assert asked("podman")[-1] == f"pull {REFERENCE}"


def test_without_an_engine_emwheels_pulls_and_enters_it(tools, tmp_path, served):
    registry, reference = served
    tools(docker="echo 'is the daemon running?' >&2; exit 1")
    image, said = opened(published(tmp_path, reference, method="bwrap"))
    assert isinstance(image, RootFs)
    assert (image.method, image.digest) == ("bwrap", reference.rpartition("@")[2])
    assert said == ["pulling the build image, once"]
    asked = len(registry.asked)
    again, said = opened(published(tmp_path, reference, method="bwrap"), offline=True)
    assert (again.root, said, len(registry.asked)) == (image.root, [], asked)


def test_an_image_that_emwheels_has_is_not_pulled_once_more_by_an_engine(tools, tmp_path, served):
    _, reference = served
    pull_image(tmp_path, reference, progress=lambda *_: None)
    asked = tools(podman='[ "$1" != image ]')
    assert published(tmp_path, reference).engine() is None
    assert asked("podman") == [f"image inspect {reference}"]


@pytest.mark.parametrize("part", ["build", "test"])
def test_offline_it_is_said_what_to_do(tools, tmp_path, part):
    found = Published(reference=REFERENCE, part=part, cache=tmp_path)
    with pytest.raises(ImageError, match=f"{REFERENCE} is not on this machine, and this is offline") as caught:
        opened(found, offline=True)
    assert "without --offline" in caught.value.hint
    assert {"build": "EMWHEELS_IMAGE=embedded", "test": "EMWHEELS_TEST_IMAGE=embedded"}[part] in caught.value.hint


def test_a_reference_by_tag_is_refused_before_anybody_is_asked(tools, tmp_path):
    with pytest.raises(ImageError, match="does not name an image by digest"):
        opened(published(tmp_path, "registry.example.org/image:latest"))


def test_without_any_way_in_it_is_said_what_to_install(tools, tmp_path, served):
    with pytest.raises(ImageError, match="no way into an image") as caught:
        opened(published(tmp_path, served[1]))
    assert "bubblewrap" in caught.value.hint


# The headers, which the host reads.


def test_headers_of_the_embedded_image_are_where_they_are(tmp_path):
    image = RootFs(root=tmp_path, digest="", method="chroot")
    with headers(image, tmp_path, tmp_path / "cache") as root:
        assert root == tmp_path
    assert not (tmp_path / "cache").exists()


def test_headers_of_an_image_that_was_pulled_are_regular_files_only(tmp_path, served):
    _, reference = served
    pull_image(tmp_path, reference, progress=lambda *_: None)
    root = pulled_folder(tmp_path, reference.rpartition("@")[2]) / "rootfs"
    with headers(RootFs(root=root, digest="", method="bwrap"), tmp_path, tmp_path / "cache") as taken:
        files = [str(path.relative_to(taken)) for path in taken.rglob("*") if not path.is_dir()]
        assert files == ["opt/emwheels/headers/usr/include/python3.14/Python.h"]
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("above", ["opt", "opt/emwheels", "opt/emwheels/headers"])
def test_no_link_leads_the_host_out_of_an_image(tmp_path, above):
    outside, root = tmp_path / "outside", tmp_path / "rootfs"
    (outside / "emwheels/headers").mkdir(parents=True)
    (outside / "emwheels/headers/secret").write_text("of the host")
    (root / above).parent.mkdir(parents=True)
    (root / above).symlink_to(outside / above.removeprefix("opt").lstrip("/"))
    image = RootFs(root=root, digest="", method="bwrap")
    with (
        pytest.raises(ImageError, match="has no /opt/emwheels/headers"),
        headers(image, tmp_path, tmp_path / "cache"),
    ):
        pass


def test_headers_of_an_engine_s_image_are_copied_out_of_it_without_links(tools, tmp_path, monkeypatch):
    copies = '/bin/mkdir "${word%%:*}/headers"; echo ok > "${word%%:*}/headers/copied"'
    copies += '; /bin/ln -s /etc/passwd "${word%%:*}/headers/secret"'
    tools(podman=f'for word; do case "$word" in *:/mnt/out:rw) {copies};; esac; done')
    monkeypatch.setenv("PATH", f"{tmp_path / 'tools'}:/usr/bin:/bin")
    image = OciImage(reference=REFERENCE, engine="podman", digest="")
    with headers(image, tmp_path, tmp_path / "cache") as root:
        assert (root / "opt/emwheels/headers/copied").read_text() == "ok\n"
        assert not (root / "opt/emwheels/headers/secret").is_symlink()
    assert list((tmp_path / "cache").iterdir()) == []
    tools(podman="echo 'no such file' >&2; exit 1")
    with pytest.raises(ImageError, match="could not be read:\nno such file"), headers(image, tmp_path, tmp_path):
        pass
