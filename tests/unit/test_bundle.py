from __future__ import annotations

import json
import sys

import pytest
from packaging.requirements import Requirement
from synthetic_wheels import WASM, make_wheel

from emwheels import index
from emwheels.bundle import make_bundle
from emwheels.errors import IndexingError, UsageError
from emwheels.fetch.index_pages import Offer, Resource
from emwheels.index.lockfile import Release
from emwheels.index.places.folder import Folder
from emwheels.index.resolve import Finder, resolve
from emwheels.index.update import read_catalogue

RELEASE = Release(
    name="314.0.7",
    python="3.14.2",
    platform_tag="pyemscripten_2026_0_wasm32",
    packages_url="https://packages.example.org/",
    lock={"info": {"python": "3.14.2"}, "packages": {"numpy": {"version": "2.4.6", "file_name": "numpy.whl"}}},
)


@pytest.fixture
def finder(tmp_path):
    """A function: wheels of our index and wheels of PyPI, each as arguments of `make_wheel` -> a finder."""

    def finder(ours=(), pypi=()):
        dist = tmp_path / "dist"
        for name, version, requires in ours:
            wheel = make_wheel(tmp_path / "made", name, version, tag=WASM, requires=requires)
            index.publish(dist, wheel, wheel.name)
        wheels = [make_wheel(tmp_path / "pypi", name, version, requires=needs) for name, version, needs in pypi]
        offers = [Offer(resource=Resource(url="", filename=w.name), version=w.name.split("-")[1]) for w in wheels]
        return Finder(
            release=RELEASE,
            catalogue=read_catalogue(Folder(dist)),
            dist=dist,
            offers=lambda name: [offer for offer in offers if offer.resource.filename.startswith(f"{name}-")],
            fetch=lambda offer: tmp_path / "pypi" / offer.resource.filename,
        )

    return finder


def found(finder, *texts):
    return [f"{w.name} {w.version} {w.source}" for w in resolve([Requirement(text) for text in texts], finder)]


def test_what_is_needed_comes_too_ours_first(finder):
    made = finder(
        ours=[("app", "1.0", ["lib>=1", 'win; sys_platform == "win32"']), ("lib", "1.5", [])],
        pypi=[("lib", "9.0", []), ("win", "1.0", [])],
    )
    assert found(made, "app") == ["app 1.0 index", "lib 1.5 index"]


def test_pypi_where_we_have_none_that_fits(finder):
    made = finder(ours=[("app", "1.0", ["lib>=2"]), ("lib", "1.5", [])], pypi=[("lib", "2.0", []), ("lib", "3.0", [])])
    assert found(made, "app", "lib<3") == ["app 1.0 index", "lib 2.0 pypi"]


def test_an_older_version_where_the_newest_does_not_go_together(finder):
    made = finder(
        ours=[("a", "2.0", ["c>=2"]), ("a", "1.0", ["c"]), ("b", "1.0", ["c<2"]), ("c", "1.0", []), ("c", "2.0", [])]
    )
    assert found(made, "a", "b") == ["a 1.0 index", "b 1.0 index", "c 1.0 index"]


def test_extras(finder):
    made = finder(ours=[("a", "1.0", ['fast; extra == "speed"', 'slow; extra == "other"']), ("fast", "1.0", [])])
    assert found(made, "a[speed]") == ["a 1.0 index", "fast 1.0 index"]
    assert found(made, "a") == ["a 1.0 index"]


def test_what_cannot_be_had_is_named_with_who_needs_it(finder):
    made = finder(ours=[("app", "1.0", ["nowhere>=3"])])
    with pytest.raises(IndexingError, match=r"nowhere>=3 \(of app 1\.0\)") as caught:
        found(made, "app")
    assert caught.value.hint == "see which wheels there are: emwheels explain nowhere"


@pytest.fixture
def runtime(tmp_path):
    folder = tmp_path / "runtime"
    folder.mkdir()
    for name in ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip"):
        (folder / name).write_text(name)
    return folder


def test_a_bundle(finder, runtime, tmp_path):
    made = finder(ours=[("app", "1.0", ["lib"])], pypi=[("lib", "2.0", [])])
    micropip = make_wheel(tmp_path / "extra", "micropip")
    bundle = make_bundle(
        tmp_path / "out", [Requirement("app")], runtime=runtime, release=RELEASE, finder=made, extra=[micropip]
    )
    lock = json.loads((tmp_path / "out/pyodide-lock.json").read_text())
    assert set(lock["packages"]) == {"app", "lib", "micropip"}, "nothing that is not in the folder"
    for entry in lock["packages"].values():
        assert (tmp_path / "out" / entry["file_name"]).is_file()
    assert (tmp_path / "out/pyodide/pyodide.asm.wasm").is_file()
    page = (tmp_path / "out/index.html").read_text()
    assert "https://" not in page
    assert '"app"' in page
    assert "import app" in (tmp_path / "out/main.py").read_text()
    assert bundle.size == sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file())


def test_a_folder_that_is_in_use_is_left_alone(finder, runtime, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(UsageError, match="is there already"):
        make_bundle(tmp_path / "out", [], runtime=runtime, release=RELEASE, finder=finder())


def test_nothing_is_left_of_a_bundle_that_failed(finder, runtime, tmp_path):
    (runtime / "pyodide.asm.wasm").unlink()
    made = finder(ours=[("app", "1.0", [])])
    with pytest.raises(IndexingError, match=r"no pyodide\.asm\.wasm"):
        make_bundle(tmp_path / "out", [Requirement("app")], runtime=runtime, release=RELEASE, finder=made)
    assert not [path for path in tmp_path.iterdir() if "out" in path.name]


def test_a_wheel_that_asks_for_an_address_is_refused(finder):
    made = finder(pypi=[("app", "1.0", ["evil @ https://example.org/evil.whl"])])
    with pytest.raises(IndexingError, match=r"app-1\.0-py3-none-any\.whl requires evil from an address"):
        found(made, "app")


def test_versions_without_end_are_not_all_fetched(finder, monkeypatch):
    monkeypatch.setattr(sys.modules["emwheels.index.resolve"], "_MOST_FETCHED", 3)
    monkeypatch.setattr(sys.modules["emwheels.index.resolve"], "_MOST_EACH", 3)
    made = finder(pypi=[("app", f"{number}.0", ["nowhere"]) for number in range(1, 6)])
    with pytest.raises(IndexingError, match="3 wheels were fetched without an end, the last of them app-2") as caught:
        found(made, "app")
    assert "pin the versions" in caught.value.hint


def test_a_long_list_of_reasons_is_cut(finder):
    made = finder(pypi=[("app", "1.0", [*(f"app>=0.{number}" for number in range(48)), "app>=9"])])
    with pytest.raises(IndexingError, match=r"and \d+ more$"):
        found(made, "app")
