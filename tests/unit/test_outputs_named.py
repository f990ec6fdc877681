from __future__ import annotations

from dataclasses import replace

import pytest
from synthetic_wheels import make_wheel

from emwheels.outputs.builds import Output
from emwheels.outputs.named import content, named_wheel
from emwheels.store import Store, StoreError
from emwheels.wheel import content_of


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def put(store, tmp_path):
    def put(text="VALUE = 1\n", kind="wheels"):
        wheel = make_wheel(tmp_path / "made", "tiny", files={"tiny.py": text})
        sha256 = store.put_file(kind, wheel)
        size = wheel.stat().st_size
        return Output(name="tiny", kind=kind, filename=wheel.name, sha256=sha256, size=size, seconds=1, key="0" * 64)

    return put


def test_a_wheel_has_its_own_name_and_its_own_bytes(put, store, tmp_path):
    output = put()
    path = named_wheel(output, store, tmp_path / "named")
    assert path.name == "tiny-1.0-py3-none-any.whl"
    assert path.read_bytes() == store.get("wheels", output.sha256).read_bytes()


def test_two_builds_of_one_name_do_not_take_each_others_place(put, store, tmp_path):
    one, other = put(), put("VALUE = 2\n")
    paths = [named_wheel(output, store, tmp_path / "named") for output in (one, other, one)]
    assert paths[0] == paths[2] != paths[1]
    assert paths[0].read_bytes() != paths[1].read_bytes()


def test_what_is_named_already_is_not_asked_of_the_store(put, store, tmp_path):
    output = put()
    path = named_wheel(output, store, tmp_path / "named")
    store.path_of("wheels", output.sha256).unlink()
    assert named_wheel(output, store, tmp_path / "named") == path


def test_what_is_not_in_the_store_has_no_name(put, store, tmp_path):
    with pytest.raises(StoreError, match="no wheels entry"):
        named_wheel(replace(put(), sha256="0" * 64), store, tmp_path / "named")
    assert not list((tmp_path / "named").rglob("*.whl"))


def test_the_content_of_a_wheel_is_read_once(put, store):
    output = put()
    path = store.path_of("wheels", output.sha256)
    expected = content_of(path)
    assert content(output, store) == expected != output.sha256
    path.unlink()
    assert content(output, store) == expected


def test_the_content_of_a_library_is_its_bytes(put, store):
    output = put(kind="libraries")
    assert content(output, store) == output.sha256
