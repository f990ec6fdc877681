"""Published images: what an engine is asked."""

from __future__ import annotations

import pytest

from emwheels.errors import ImageError
from emwheels.image import oci

REFERENCE = "registry.example.org/image@sha256:" + "1" * 64


def test_an_image_that_the_engine_has_is_not_pulled(tools):
    asked = tools(podman="exit 0")
    image = oci.OciImage.open(REFERENCE, part="build", engine="podman", environment=(("A", "1"),), offline=True)
    assert (image.engine, image.digest, image.by_engine) == ("podman", "sha256:" + "1" * 64, True)
    assert asked("podman") == [f"image inspect {REFERENCE}"]


@pytest.mark.parametrize(("host", "more"), [("registry.example.org", ""), ("localhost:5000", "--tls-verify=false ")])
def test_an_image_is_pulled_by_its_digest(tools, host, more):
    reference = REFERENCE.replace("registry.example.org", host)
    asked = tools(podman='[ "$1" = pull ]')
    oci.OciImage.open(reference, part="build", engine="podman", environment=())
    assert asked("podman")[1] == f"pull {more}{reference}"


def test_an_image_that_cannot_be_pulled_is_told_with_what_the_engine_said(tools):
    tools(podman="echo 'manifest unknown' >&2; exit 125")
    with pytest.raises(ImageError, match=f"podman could not pull {REFERENCE}:\nmanifest unknown") as caught:
        oci.OciImage.open(REFERENCE, part="test", engine="podman", environment=())
    assert "podman info" in caught.value.hint
    assert "EMWHEELS_TEST_IMAGE=embedded" in caught.value.hint


def test_offline_nothing_is_pulled(tools):
    asked = tools(podman="echo 'no such image' >&2; exit 1")
    with pytest.raises(ImageError, match=r"podman does not have .* this is offline:\nno such image") as caught:
        oci.OciImage.open(REFERENCE, part="test", engine="podman", environment=(), offline=True)
    assert asked("podman") == [f"image inspect {REFERENCE}"]
    assert "without --offline" in caught.value.hint
    assert "EMWHEELS_TEST_IMAGE=embedded" in caught.value.hint
