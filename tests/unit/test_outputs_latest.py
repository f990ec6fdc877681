from __future__ import annotations

import itertools

import pytest

from emwheels.outputs.latest import latest_build, latest_key
from emwheels.store import Store


def test_the_last_build_is_found_by_name_target_and_profile(tmp_path):
    store = Store(tmp_path)
    for number, (name, profile) in enumerate(itertools.product(("a", "b"), ("speed", "size"))):
        store.add_record("latest", latest_key(name, "314.0.7", profile), {"number": number})
    assert latest_build(store, "a", "314.0.7", "size") == {"number": 1}
    assert latest_build(store, "b", "314.0.7", "speed") == {"number": 2}
    assert latest_build(store, "a", "315.0.0", "size") is None
    assert latest_build(store, "c", "314.0.7", "size") is None


def test_a_later_build_takes_the_place_of_the_one_before(tmp_path):
    store, key = Store(tmp_path), latest_key("a", "314.0.7", "speed")
    for number in (1, 2):
        store.add_record("latest", key, {"number": number})
    assert latest_build(store, "a", "314.0.7", "speed") == {"number": 2}


@pytest.mark.parametrize(("one", "other"), [(("a", "bc", "d"), ("ab", "c", "d")), (("a", "bc", "d"), ("a", "b", "cd"))])
def test_parts_do_not_run_into_each_other(one, other):
    assert latest_key(*one) == latest_key(*one)
    assert latest_key(*one) != latest_key(*other)
