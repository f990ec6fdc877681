"""Pyodide's own files in a published index."""

from __future__ import annotations

import hashlib
import json

import brotli
import pytest
from sample_run import RELEASE
from synthetic_wheels import WASM, make_wheel

from emwheels import index
from emwheels.errors import IndexingError
from emwheels.index.places.folder import Folder
from emwheels.index.publishing import publish_to
from emwheels.index.rebuild import rebuild
from emwheels.index.runtime import RUNTIME, read_runtime
from emwheels.index.update import read_catalogue
from emwheels.serve.rules import FOREVER, REVALIDATE, rule_of

FULL = "pyodide/v314.0.2/full"


@pytest.fixture
def package(tmp_path):
    """An npm package with the names of pyodide's."""
    folder = tmp_path / "npm"
    folder.mkdir()
    for name in (*RUNTIME, "pyodide.js"):
        (folder / name).write_text(f"{name} " * 2000)
    (folder / "python_stdlib.zip").write_bytes(hashlib.shake_256(b"packed").digest(1 << 14))
    return folder


@pytest.fixture
def dist(tmp_path):
    wheel = make_wheel(tmp_path / "made", "app", tag=WASM)
    index.publish(tmp_path / "dist", wheel, wheel.name)
    return Folder(tmp_path / "dist")


def test_a_release_lies_beside_the_wheels_with_its_lock(package, dist, tmp_path):
    www = Folder(tmp_path / "www")
    runtime = read_runtime("314.0.2", RELEASE, package, tmp_path / "cache")
    publish_to(dist, www, runtimes=[runtime])
    for name in (*RUNTIME, "pyodide.js"):
        assert www.read(f"{FULL}/{name}") == (package / name).read_bytes()
    assert brotli.decompress(www.read(f"{FULL}/pyodide.asm.wasm.br")) == (package / "pyodide.asm.wasm").read_bytes()
    assert www.read(f"{FULL}/python_stdlib.zip.br") is None, "it does not get smaller"
    lock = json.loads(www.read(f"{FULL}/pyodide-lock.json"))
    address = lock["packages"]["app"]["file_name"]
    assert (www.root / FULL / address).resolve() == www.root / f"wheels/app-1.0-{WASM}.whl"
    assert json.loads(www.read("pyodide-lock.json"))["packages"]["app"]["file_name"] == f"wheels/app-1.0-{WASM}.whl"


def test_its_lock_follows_every_change(package, dist, tmp_path):
    www = Folder(tmp_path / "www")
    publish_to(dist, www, runtimes=[read_runtime("314.0.2", RELEASE, package, tmp_path / "cache")])
    wheel = make_wheel(tmp_path / "made", "more", tag=WASM)
    index.publish(dist.root, wheel, wheel.name)
    publish_to(dist, www)
    assert set(json.loads(www.read(f"{FULL}/pyodide-lock.json"))["packages"]) == {"app", "more"}
    with www.changing():
        rebuild(www)
    assert read_catalogue(www).runtimes == {"314.0.2": RELEASE.name}
    assert set(json.loads(www.read(f"{FULL}/pyodide-lock.json"))["packages"]) == {"app", "more"}


def test_what_is_there_is_not_sent_again(package, dist, tmp_path):
    www = Folder(tmp_path / "www")
    runtime = read_runtime("314.0.2", RELEASE, package, tmp_path / "cache")
    publish_to(dist, www, runtimes=[runtime])
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*")}
    _, changed = publish_to(dist, www, runtimes=[read_runtime("314.0.2", RELEASE, package, tmp_path / "cache")])
    assert changed is None
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_what_is_no_runtime_is_refused(package, tmp_path):
    (package / "pyodide.asm.wasm").unlink()
    with pytest.raises(IndexingError, match=r"has no pyodide\.asm\.wasm"):
        read_runtime("314.0.2", RELEASE, package, tmp_path / "cache")


def test_a_record_with_a_name_that_leads_elsewhere_is_damaged(package, dist):
    record = json.loads(dist.read("packages.json"))
    record["runtimes"] = {"../../etc": "314.0.7"}
    (dist.root / "packages.json").write_text(json.dumps(record))
    with pytest.raises(IndexingError, match="is damaged"):
        read_catalogue(dist)


def test_the_runtime_is_kept_for_ever_and_its_lock_is_not():
    for prefix in ("", "/team"):
        for name in (*RUNTIME, "pyodide.js"):
            rule = rule_of(f"{prefix}/{FULL}/{name}")
            assert (rule.cache, rule.precompressed) == (FOREVER, True)
        assert rule_of(f"{prefix}/{FULL}/pyodide-lock.json").cache == REVALIDATE
    assert rule_of(f"/{FULL}/pyodide.asm.wasm").media_type == "application/wasm"
    assert rule_of(f"/{FULL}/pyodide.mjs").media_type.startswith("text/javascript")
    assert rule_of("/app/full/page.mjs").cache == REVALIDATE, "somebody's own folder"
