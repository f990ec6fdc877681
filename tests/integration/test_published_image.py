"""A published image on a machine without Debian's tools and container engines; Debian's docker-registry serves it."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import platform
import re
import shutil
import tarfile
import tempfile
from contextlib import nullcontext
from pathlib import Path

import pytest
from image_registry import MACHINE, OCI, archive, digest_of, folder, link, member
from registry import PASSWORD, USER, LocalRegistry

from emwheels.image.published import Published
from emwheels.image.pull import pulled_folder
from emwheels.outputs.remote.open import open_remote

pytestmark = pytest.mark.image

PROGRAMS = ("bash", "cat", "env", "prlimit", "setpriv", "sh", "touch", "true")
TOOLS = ("bwrap", "cat", "chown", "du", "unshare")
"""What of this machine emwheels may use: what any Linux has, and bubblewrap."""
MERGED = {"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64"}
PYTHON = "opt/emwheels/headers/usr/include"


@pytest.fixture(scope="session")
def layers(image, environment):
    """The smallest image that commands start in, with Python's headers: copies of files of the real one."""
    with tempfile.TemporaryFile() as output:
        assert image.run(["ldd", *(f"/usr/bin/{name}" for name in PROGRAMS)], output=output).status == 0
        output.seek(0)
        libraries = set(re.findall(r"(?:=> |^\t)(/\S+) \(", output.read().decode(), re.MULTILINE))
    wanted = [f"usr/bin/{name}" for name in PROGRAMS]
    wanted += [f"usr/{path.removeprefix('/usr/').lstrip('/')}" for path in libraries]
    python = f"python{environment.target.python_minor}"
    wanted += [f"{PYTHON}/{python}", f"{PYTHON}/{platform.machine()}-linux-gnu/{python}"]
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, target in MERGED.items():
            tar.addfile(link(name, target)[0])
        for path in wanted:
            tar.add(os.path.realpath(image.root / path) if path.startswith("usr/") else image.root / path, path)
        tar.addfile(*_stream(member("opt/old", b"old")))
    upper = archive(folder("opt"), member("opt/.wh.old"), member("opt/hello", b"from the image\n"))
    return [raw.getvalue(), upper]


def _stream(made):
    info, content = made
    return info, io.BytesIO(content)


@pytest.fixture(scope="module")
def logged_in(tmp_path_factory):
    """What the user is logged in to: nothing yet."""
    with pytest.MonkeyPatch.context() as patched:
        file = tmp_path_factory.mktemp("login") / "auth.json"
        patched.setenv("REGISTRY_AUTH_FILE", str(file))
        patched.setenv("NO_PROXY", "127.0.0.1")
        yield file


@pytest.fixture(scope="module")
def reference(service_image, layers, logged_in, tmp_path_factory):
    """Push that image to a registry that wants a password, and give its reference."""
    auth = {"htpasswd": {"realm": "images", "path": "/mnt/registry/htpasswd"}}
    registry = LocalRegistry(service_image, tmp_path_factory.mktemp("registry"), auth=auth).start()
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    logged_in.write_text(json.dumps({"auths": {registry.host: {"auth": pair}}}))
    try:
        yield f"{registry.host}/team/builds@{_push(open_remote(registry.url), layers)}"
    finally:
        registry.kill()


def _push(remote, layers):
    """Push an image, and return the digest of its manifest."""
    described = {"os": "linux", "architecture": MACHINE}
    described["rootfs"] = {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]}
    blobs = [json.dumps(described).encode(), *(gzip.compress(layer, mtime=0) for layer in layers)]
    kinds = [f"{OCI}.config.v1+json", *([f"{OCI}.layer.v1.tar+gzip"] * len(layers))]
    for blob in blobs:
        remote.put_blob(digest_of(blob), blob)
    config, *rest = (
        {"mediaType": kind, "digest": digest_of(blob), "size": len(blob)}
        for kind, blob in zip(kinds, blobs, strict=True)
    )
    manifest = {"schemaVersion": 2, "mediaType": f"{OCI}.manifest.v1+json", "config": config, "layers": rest}
    data = json.dumps(manifest).encode()
    remote.put_manifest(digest_of(data).removeprefix("sha256:"), data)
    return digest_of(data)


@pytest.fixture
def other_machine(tmp_path, monkeypatch):
    """A PATH as on Fedora, Arch or in a container of CI."""
    place = tmp_path / "bin"
    place.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        if found is None:
            pytest.skip(f"{name} is not installed")
        (place / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(place))
    monkeypatch.delenv("EMWHEELS_ENTER", raising=False)
    for name in ("mmdebstrap", "apt-get", "dpkg-deb", "podman", "docker"):
        assert shutil.which(name) is None
    return str(place)


def said(image, *argv):
    with tempfile.TemporaryFile() as output:
        done = image.run(argv, output=output, seconds=60)
        output.seek(0)
        return done.status, output.read().decode()


def test_it_is_pulled_and_entered_by_bubblewrap(reference, other_machine, tmp_path):
    found = Published(reference=reference, part="build", cache=tmp_path / "cache")
    environment = (("PATH", "/usr/bin:/bin"),)
    image = found.open(environment, offline=False, phase=lambda text: nullcontext(), progress=lambda *_: None)
    assert (image.method, image.digest) == ("bwrap", reference.rpartition("@")[2])
    assert said(image, "cat", "/opt/hello") == (0, "from the image\n")
    assert said(image, "sh", "-c", "echo $((6 * 7)); exit 3") == (3, "42\n")
    assert said(image, "cat", "/opt/old")[0] == 1, "the second layer removes it"
    assert said(image, "touch", "/opt/mine")[0] == 1
    assert not (image.root / "opt/mine").exists()


def test_the_command_line_works_with_it_and_then_offline(reference, other_machine, plain_project, runtime):
    (plain_project.cache / "npm").symlink_to(runtime.parent)
    logins = os.environ["REGISTRY_AUTH_FILE"]
    plain_project.env |= {"PATH": other_machine, "EMWHEELS_IMAGE": reference, "REGISTRY_AUTH_FILE": logins}
    digest = reference.rpartition("@")[2]
    refused = plain_project.run("image", "--part", "build", "--offline")
    assert refused.status == 5, refused.err
    assert f"{reference} is not on this machine, and this is offline" in refused.err
    for more in ([], ["--offline"]):
        done = plain_project.run("image", "--part", "build", *more)
        assert done.status == 0, done.err
        assert f"digest     {digest}" in done.out
        assert ("pulling the build image, once" in done.err) is (not more)
        assert PASSWORD not in done.out + done.err
    crossenv = Path(re.search(r"toolchain  debian, (\S+)", done.out)[1])
    assert list(crossenv.rglob("Python.h"))
    assert {path.name for path in pulled_folder(plain_project.cache, digest).iterdir()} == {"pulled.json", "rootfs"}
    assert not [path for path in (plain_project.cache / "images").iterdir() if path.name.endswith(".making")]


def test_the_doctor_says_how_it_is_entered(reference, other_machine, plain_project):
    plain_project.env |= {"PATH": other_machine, "EMWHEELS_IMAGE": reference}
    done = plain_project.run("doctor", "--offline")
    assert "podman: not installed; docker: not installed; emwheels pulls the image itself: bwrap: works" in done.out
