"""What a registry says of an image, parsed: both kinds of documents, and those that are refused."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emwheels.errors import ImageError
from emwheels.image.manifest import DOCUMENT_LIMIT, Descriptor, ImageManifest, read_diff_ids, read_manifest

OCI, DOCKER = "application/vnd.oci.image", "application/vnd.docker"
DIGESTS = [f"sha256:{digit * 64}" for digit in "0123"]


def described(kind, digest, size=10, **more):
    return {"mediaType": kind, "digest": digest, "size": size, **more}


CONFIG = described(f"{OCI}.config.v1+json", DIGESTS[0])
LAYER = described(f"{OCI}.layer.v1.tar+gzip", DIGESTS[1])
MANIFEST = {"schemaVersion": 2, "config": CONFIG, "layers": [LAYER]}
CONFIGURATION = {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": [DIGESTS[2]]}}


def index(*platforms, kind="manifest.v1+json"):
    entries = [
        described(f"{OCI}.{kind}", DIGESTS[number], platform={"os": system, "architecture": architecture})
        for number, (system, architecture) in enumerate(platforms)
    ]
    return {"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": entries}


def read(document, machine="x86_64"):
    return read_manifest(json.dumps(document).encode(), machine)


def test_an_image():
    found = read(MANIFEST)
    assert isinstance(found, ImageManifest)
    assert (found.config.digest, [layer.digest for layer in found.layers]) == (DIGESTS[0], [DIGESTS[1]])


@pytest.mark.parametrize("layer", ["tar.gzip", "tar"])
def test_an_image_of_docker(layer):
    config = described(f"{DOCKER}.container.image.v1+json", DIGESTS[0])
    layers = [described(f"{DOCKER}.image.rootfs.diff.{layer}", DIGESTS[1])]
    kind = f"{DOCKER}.distribution.manifest.v2+json"
    found = read({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers})
    assert isinstance(found, ImageManifest)


@pytest.mark.parametrize(("machine", "number"), [("x86_64", 1), ("aarch64", 2), ("s390x", 3)])
def test_of_an_index_the_image_for_this_machine(machine, number):
    platforms = [("windows", "amd64"), ("linux", "amd64"), ("linux", "arm64"), ("linux", "s390x")]
    found = read(index(*platforms), machine)
    assert isinstance(found, Descriptor)
    assert found.digest == DIGESTS[number]


def test_an_index_without_this_machine_says_which_it_has():
    with pytest.raises(ImageError, match="none of its images is for linux/riscv64, but for linux/amd64, linux/arm64"):
        read(index(("linux", "arm64"), ("linux", "amd64")), "riscv64")
    with pytest.raises(ImageError, match="but for nothing"):
        read(index())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schemaVersion": 1}, "neither an index nor an image"),
        ({"manifests": []}, "neither an index nor an image"),
        ({"mediaType": "text/html"}, "its media type is 'text/html'"),
        ({"layers": []}, "it has 0 layers"),
        ({"layers": [LAYER] * 129}, "it has 129 layers"),
        ({"layers": [{**LAYER, "size": 9 << 30}] * 2}, "16 GiB are allowed"),
        ({"layers": [{**LAYER, "size": -1}]}, "has -1 bytes"),
        ({"layers": [{**LAYER, "size": True}]}, "has True bytes"),
        ({"layers": [{**LAYER, "digest": "sha256:../../x"}]}, "is not a sha256 digest"),
        ({"layers": [{**LAYER, "digest": "sha512:" + "0" * 128}]}, "is not a sha256 digest"),
        ({"layers": [{**LAYER, "mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip"}]}, "not an archive"),
        ({"layers": [{"digest": 1}]}, "damaged"),
        ({"layers": None}, "damaged"),
        ({"config": {**CONFIG, "size": DOCUMENT_LIMIT + 1}}, "are allowed"),
        ({"config": {**CONFIG, "mediaType": "application/vnd.oci.empty.v1+json"}}, "it is no image"),
        ({"config": {**CONFIG, "mediaType": 1}}, "the media type 1"),
    ],
)
def test_manifests_that_are_refused(change, words):
    with pytest.raises(ImageError, match=words) as caught:
        read(MANIFEST | change)
    assert "ci/image/build.sh" in caught.value.hint


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"null", b"[" * 200_000, b'{"schemaVersion": 2, "layers": 1}'])
def test_what_is_no_manifest(data):
    with pytest.raises(ImageError, match="its manifest"):
        read_manifest(data, "x86_64")


def test_the_configuration_has_the_digests_of_the_unpacked_layers():
    manifest = read(MANIFEST)
    assert read_diff_ids(json.dumps(CONFIGURATION).encode(), manifest, "x86_64") == (DIGESTS[2],)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"architecture": "arm64"}, "it is for 'linux' on 'arm64', and this machine is linux on x86_64"),
        ({"os": "windows"}, "it is for 'windows'"),
        ({"rootfs": {"type": "snapshot", "diff_ids": []}}, "not made of layers"),
        ({"rootfs": {"type": "layers", "diff_ids": []}}, "it lists 0 layers, its manifest 1"),
        ({"rootfs": {"type": "layers", "diff_ids": ["x"]}}, "is not a sha256 digest"),
        ({"rootfs": 1}, "damaged"),
    ],
)
def test_configurations_that_are_refused(change, words):
    with pytest.raises(ImageError, match=words):
        read_diff_ids(json.dumps(CONFIGURATION | change).encode(), read(MANIFEST), "x86_64")


KEYS = st.sampled_from([*MANIFEST, *LAYER])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
)


@given(key=st.sampled_from(["config", "layers", "manifests", "mediaType"]), value=JSON)
def test_nothing_in_a_manifest_is_a_traceback(key, value):
    document = {name: content for name, content in MANIFEST.items() if key != "manifests" or name != "layers"}
    with contextlib.suppress(ImageError):
        read(document | {key: value})


def test_no_message_is_longer_than_a_person_reads():
    with pytest.raises(ImageError) as caught:
        read(MANIFEST | {"mediaType": "x" * 100_000})
    assert len(caught.value.message) < 300
