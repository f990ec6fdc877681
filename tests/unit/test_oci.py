"""Published images: what an engine is asked."""

from __future__ import annotations

import pytest

from emwheels.errors import ImageError
from emwheels.image import oci
from emwheels.image.rootfs import RootFs

REFERENCE = "registry.example.org/image@sha256:" + "1" * 64


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
