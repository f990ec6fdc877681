"""Which files a resolver is shown."""

from __future__ import annotations

import zipfile

import pytest
from packaging.tags import Tag

from emwheels.errors import FetchError
from emwheels.fetch.index_pages import Offer, Resource
from emwheels.fetch.lock_selection import Selection, read_metadata

OURS = frozenset({Tag("cp314", "cp314", "pyemscripten_2026_0_wasm32"), Tag("py3", "none", "any")})
NATIVE = frozenset({Tag("cp314", "cp314", "manylinux_2_17_x86_64"), Tag("py3", "none", "any")})
PURE, LINUX = "py3-none-any.whl", "cp314-cp314-manylinux_2_17_x86_64.whl"
WASM = "cp314-cp314-pyemscripten_2026_0_wasm32.whl"


def offers(*names):
    found = []
    for name in names:
        version = name.removesuffix(".tar.gz").split("-")[1]
        resource = Resource(url=f"https://files.example/{name}", filename=name, sha256="a" * 64)
        found.append(Offer(resource=resource, version=version))
    return found


@pytest.mark.parametrize(
    ("files", "shown"),
    [
        ([f"a-2.0-{PURE}", f"a-1.0-{PURE}"], [f"a-2.0-{PURE}", f"a-1.0-{PURE}"]),
        ([f"a-2.0-{LINUX}", f"a-1.0-{PURE}"], []),  # the pure one is of another time
        ([f"a-2.0-{LINUX}", f"a-2.0-{PURE}"], [f"a-2.0-{PURE}"]),
        ([f"a-2.0-{LINUX}", f"a-2.0-{WASM}"], ["a-2.0-1-py3-none-any.whl"]),
        ([f"a-2.0-{LINUX}", f"a-1.0-{WASM}", f"a-0.1-{PURE}"], ["a-1.0-1-py3-none-any.whl"]),
        ([f"a-2.0rc1-{LINUX}", f"a-1.0-{PURE}"], [f"a-1.0-{PURE}"]),
        (["a-2.0.tar.gz", f"a-1.0-{PURE}"], []),
        (["a-1.0.tar.gz"], []),
        (["a-nonsense.whl"], []),
    ],
)
def test_what_can_be_installed_in_pyodide(files, shown):
    assert [name for _, name in Selection(tags=OURS).choose("a", offers(*files))] == shown


def test_of_recipes_every_wheel_counts():
    found = Selection(tags=OURS, aside={"a": True}).choose("a", offers(f"a-2.0-{LINUX}", "a-2.0.tar.gz"))
    assert found == [(0, "a-2.0-0-py3-none-any.whl")]


def test_by_default_all_wheels_are_shown():
    assert Selection().choose("a", offers(f"a-2.0-{LINUX}", "a-2.0.tar.gz")) == [(0, f"a-2.0-{LINUX}")]


@pytest.mark.parametrize(
    ("files", "shown"),
    [
        (["a-2.0.tar.gz", "a-1.0.tar.gz"], ["a-2.0-0-py3-none-any.whl", "a-1.0-1-py3-none-any.whl"]),
        (["a-2.0.tar.gz", f"a-1.0-{LINUX}"], [f"a-1.0-{LINUX}"]),
        ([f"a-1.0-{WASM}"], [f"a-1.0-{WASM}"]),
    ],
)
def test_a_tool_without_any_wheel_is_built(files, shown):
    selection = Selection(build=lambda _name, _offer: None, native=NATIVE)
    assert [name for _, name in selection.choose("a", offers(*files))] == shown


def test_metadata_of_a_wheel(tmp_path):
    wheel = tmp_path / "a-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("a-1.0.dist-info/METADATA", "Name: a\n")
    assert read_metadata(wheel) == b"Name: a\n"
    wheel.write_bytes(b"no archive")
    with pytest.raises(FetchError, match=r"a-1\.0-py3-none-any\.whl: it has no metadata"):
        read_metadata(wheel)
