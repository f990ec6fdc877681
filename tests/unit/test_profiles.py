"""emwheels.target.profiles: the profiles of emwheels, and those of a project."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sample_target import TARGET

from emwheels.errors import UsageError
from emwheels.target.profiles import PROFILES, OwnProfile, flags_of, lineage, own_profiles, profile_names


def test_flags_come_after_those_of_the_base():
    own = own_profiles(
        {"small-debug": {"based-on": "size", "flags": ["-g"]}, "more": {"based-on": "small-debug", "flags": ["-O1"]}}
    )
    target = replace(TARGET, profiles=own)
    assert flags_of("more", own) == ("-Oz", "-g", "-O1")
    assert flags_of("speed", own) == ("-O3", "-msimd128")
    assert profile_names(own) == ["speed", "size", "debug", "small-debug", "more"]
    assert lineage("more", own) == ["size", "small-debug", "more"]
    assert own_profiles({"mine": {"flags": ["-O2"]}}) == {"mine": OwnProfile(based_on="speed", flags=("-O2",))}
    assert target.identity() == TARGET.identity(), "they are in the keys of what is built with them alone"


@pytest.mark.parametrize("name", ["none", "../speed", ""])
def test_a_profile_that_there_is_not(name):
    with pytest.raises(UsageError, match="there is no profile") as error:
        flags_of(name, TARGET.profiles)
    assert "speed, size, debug" in error.value.hint


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"Big": {"flags": ["-g"]}}, "'profiles.Big': a profile's name has a-z"),
        ({"../x": {"flags": ["-g"]}}, "a profile's name has a-z"),
        ({"speed": {"flags": ["-g"]}}, "profiles.speed: this name is taken"),
        ({"wheels": {"flags": ["-g"]}}, "profiles.wheels: this name is taken"),
        ({"x": "-g"}, "profiles.x must be a table"),
        ({"x": {}}, "profiles.x.flags must be a list of texts"),
        ({"x": {"flags": "-g"}}, "profiles.x.flags must be a list of texts"),
        ({"x": {"flags": ["-g -O1"]}}, "profiles.x.flags: '-g -O1' is no flag"),
        ({"x": {"flags": ["O2"]}}, "'O2' is no flag"),
        ({"x": {"flags": ["-D$(id)"]}}, "is no flag"),
        ({"x": {"flag": ["-g"]}}, "profiles.x.flag is no key; a profile has based-on, flags"),
        ({"x": {"flags": ["-g"], "based-on": "y"}}, "profiles.x.based-on: there is no profile 'y'; there are speed"),
        ({"x": {"flags": ["-g"], "based-on": 1}}, "profiles.x.based-on must be text"),
        (
            {"x": {"flags": ["-g"], "based-on": "y"}, "y": {"flags": ["-g"], "based-on": "x"}},
            "profiles.x.based-on: x -> y -> x leads back to itself",
        ),
    ],
)
def test_mistakes_are_named(table, words):
    with pytest.raises(ValueError) as error:
        own_profiles(table)
    assert words in str(error.value)


def test_built_in_profiles_are_what_build_keys_have():
    assert PROFILES["speed"] == ("-O3", "-msimd128")
    assert PROFILES["size"] == ("-Oz",)
