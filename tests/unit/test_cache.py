from __future__ import annotations

import json
import os
import time

import pytest
from fake_builds import WHEEL, flipped, make_build

from emwheels.cli.main import main
from emwheels.outputs.builds import KIND
from emwheels.store import Store


@pytest.fixture
def cache(plain_project, monkeypatch, capsys):
    """A function that runs ``emwheels cache`` on a store with one build; it returns the status and the JSON."""
    monkeypatch.setenv("EMWHEELS_CACHE", str(plain_project.cache))
    store = Store(plain_project.cache / "store")
    key, record = make_build(store)
    store.add_record(KIND, key, record)

    def run(*arguments):
        status = main(["--project", str(plain_project.root), "cache", *arguments, "--json"])
        return status, json.loads(capsys.readouterr().out)

    run.store, run.key, run.record = store, key, record
    return run


def test_info(cache):
    status, found = cache("info")
    assert status == 0
    assert found["store"]["wheels"] == {"entries": 1, "bytes": len(WHEEL)}
    assert found["store"]["records"]["entries"] == 1


def test_verify_ends_with_9_for_damage(cache):
    assert cache("verify")[0] == 0
    path = cache.store.path_of("wheels", cache.record["output"]["sha256"])
    path.chmod(0o644)
    path.write_bytes(flipped(WHEEL))
    status, found = cache("verify")
    assert status == 9
    assert [row["path"] for row in found["damaged"]] == [str(path)]
    status, found = cache("verify")
    assert (status, found["damaged"]) == (0, [])
    assert found["incomplete"][0]["missing"] == f"wheels/{cache.record['output']['sha256']}"


def test_gc(cache):
    for lease in (cache.store.root / "leases").glob("*.lease"):
        lease.unlink()
    for path in cache.store.root.rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - 40 * 86400,) * 2)
    assert cache("gc", "--older-than", "6w")[1]["freed"] == 0
    status, dry = cache("gc", "--older-than", "30d", "--dry-run")
    assert (status, dry["removed"]["wheels"]) == (0, {"entries": 1, "bytes": len(WHEEL)})
    assert cache("gc", "--max-size", "0G")[1]["removed"] == dry["removed"]
    assert cache("info")[1]["store"] == {}


def test_gc_of_projects_without_recipes(cache, plain_project):
    for name, age in (("old", 40), ("new", 1)):
        file = plain_project.cache / "own" / name / "314.0.7" / "own.json"
        file.parent.mkdir(parents=True)
        file.write_text("{}")
        os.utime(file, (time.time() - age * 86400,) * 2)
    assert cache("gc", "--older-than", "30d", "--dry-run")[1]["removed"]["projects"]["entries"] == 1
    assert cache("gc", "--older-than", "30d")[1]["removed"]["projects"]["entries"] == 1
    assert [path.parts[-3] for path in plain_project.cache.glob("own/*/*/own.json")] == ["new"]


def test_gc_of_the_compiler_cache(cache, plain_project):
    folder = plain_project.cache / "ccache" / "demo" / "a" / "b"
    folder.mkdir(parents=True)
    for name, age in (("old", 40), ("new", 1)):
        (folder / name).write_bytes(b"object")
        os.utime(folder / name, (time.time() - age * 86400,) * 2)
    assert cache("gc", "--older-than", "30d", "--dry-run")[1]["removed"]["ccache"] == {"entries": 1, "bytes": 6}
    assert (folder / "old").is_file()
    assert "ccache" not in cache("gc", "--max-size", "5G")[1]["removed"]
    assert cache("gc", "--older-than", "30d")[1]["removed"]["ccache"] == {"entries": 1, "bytes": 6}
    assert [path.name for path in folder.iterdir()] == ["new"]


def test_export(cache, tmp_path):
    status, found = cache("export", str(tmp_path / "www"))
    assert (status, found["builds"]) == (0, [cache.key])
    digest = cache.record["output"]["sha256"]
    assert (tmp_path / "www" / "blobs" / "sha256" / digest).read_bytes() == WHEEL
    assert (tmp_path / "www" / "manifests" / cache.key).is_file()


@pytest.mark.parametrize("arguments", [["gc", "--older-than", "soon"], ["gc", "--max-size", "-1"], ["shrink"]])
def test_wrong_usage(cache, arguments):
    with pytest.raises(SystemExit) as caught:
        cache(*arguments)
    assert caught.value.code == 2
