"""The table of keys that the reference is made from says what the code reads."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml

from emwheels.profile import profile_environment
from emwheels.recipe import document, downloads, examine, own_tests
from emwheels.recipe.accepted import Accepted, accepted_findings
from emwheels.recipe.keys import KEYS
from emwheels.recipe.load import load_recipe
from emwheels.recipe.provides import KINDS as KINDS_PROVIDED
from emwheels.target.limits import LIMITS
from emwheels.target.profiles import PROFILES

META = """\
package: {name: demo, version: '1.0'}
source: {url: 'pkg:pypi/demo@1.0', sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}
"""
OWN = "extra.emwheels."
TEST = f"{OWN}test."
KINDS = {document.as_flag: "true or false", document.as_texts: "a list of ", document.as_pairs: "a list of pairs "}


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Return what `examine` asks of a recipe: dotted key -> how it reads the value, and its default."""
    found = {}

    class Recording(document.Section):
        def get(self, key, read, default):
            found[f"{self.name}.{key}"] = (read, default)
            return super().get(key, read, default)

    monkeypatch.setattr(examine, "Section", Recording)
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "meta.yaml").write_text(META)
    _, findings = examine.examine(tmp_path / "demo", tmp_path / "patches")
    assert findings.problems == []
    return found


def test_every_key_that_is_read_and_no_other(asked):
    assert set(asked) == {key for key in KEYS if not key.startswith(OWN)}


def test_defaults_and_kinds(asked):
    for name, (read, default) in asked.items():
        key = KEYS[name]
        if not key.required:
            assert key.default == default, name
        assert key.kind.startswith(KINDS.get(read, "")), name
        assert read in KINDS or not key.kind.startswith(tuple(KINDS.values())), name


def test_required_keys():
    assert {name for name, key in KEYS.items() if key.required} == {"package.name", "package.version"}


def with_example(name, example):
    """Return a meta.yaml with one key more."""
    tree = yaml.safe_load(META)
    *above, last = name.split(".")
    inner = tree
    for part in above:
        inner = inner.setdefault(part, {})
    inner[last] = yaml.safe_load(example)
    return tree


@pytest.mark.parametrize("name", [name for name in KEYS if not name.startswith((OWN, "package.", "source."))])
def test_examples_are_right(tmp_path, name):
    folder = tmp_path / "demo"
    folder.mkdir()
    tree = with_example(name, KEYS[name].example)
    if name == "build.type":
        tree["build"]["script"] = "make"
    (folder / "meta.yaml").write_text(yaml.safe_dump(tree))
    load_recipe(folder, patches=tmp_path / "patches")


def test_what_is_under_extra(tmp_path):
    folder = tmp_path / "demo"
    folder.mkdir()
    entry = {name: KEYS[f"{OWN}accepted[].{name}"].example.strip('"') for name in ("rule", "what", "reason")}
    variable = KEYS[f"{OWN}profiles.PROFILE.environment.NAME"].example.strip('"')
    profile = next(iter(PROFILES))
    tests = {}
    for key in own_tests.KEYS:
        name = next(name for name in KEYS if name.startswith(TEST + key))
        inner = yaml.safe_load(KEYS[name].example)
        for part in reversed(name.removeprefix(TEST).replace("ENGINE", "node").split(".")[1:]):
            inner = {part: inner}
        tests[key] = inner
    download = {name: yaml.safe_load(KEYS[f"{OWN}downloads[].{name}"].example) for name in downloads.KEYS}
    own = {"accepted": [entry], "profiles": {profile: {"environment": {"NAME": variable}}}, "test": tests}
    own["downloads"] = [download]
    (folder / "meta.yaml").write_text(META + yaml.safe_dump({"extra": {"emwheels": own}}))
    recipe = load_recipe(folder, patches=tmp_path / "patches")
    assert accepted_findings(recipe) == (Accepted(**entry),)
    assert recipe.downloads == (downloads.Download(**download),)
    assert recipe.own_tests.expected_of("node") == {"TEST": tests["expected-failures"]["node"]["TEST"]}
    assert profile_environment(recipe, [profile], PROFILES) == {"NAME": variable}


def test_every_key_under_extra():
    accepted = {f"{OWN}accepted[].{field.name}" for field in dataclasses.fields(Accepted)}
    accepted |= {f"{OWN}lint[].{name}" for name in ("rule", "reason")}
    others = {f"{OWN}profiles.PROFILE.environment.NAME", f"{OWN}limits.LIMIT", f"{OWN}provides.KIND"}
    others |= {f"{OWN}overrides[].target", f"{OWN}overrides[].SECTION.KEY"}
    others |= {f"{OWN}downloads[].{name}" for name in downloads.KEYS}
    assert {key for key in KEYS if key.startswith(OWN) and not key.startswith(TEST)} == accepted | others
    assert {key.removeprefix(TEST).partition(".")[0] for key in KEYS if key.startswith(TEST)} == set(own_tests.KEYS)
    assert all(name in KEYS[f"{OWN}limits.LIMIT"].kind for name in LIMITS)
    assert all(name in KEYS[f"{OWN}provides.KIND"].kind for name in KINDS_PROVIDED)
    source = "".join(path.read_text() for path in (Path(__file__).parents[2] / "src").rglob("*.py"))
    readers = source.count('extra.get("emwheels"'), source.count(".own.get(")
    assert readers == (2, 5), "another reader of extra.emwheels: add its keys to the table"
    assert source.count('("emwheels", "profiles", profile, "environment")') == 1


@pytest.mark.parametrize("name", KEYS)
def test_texts_are_sentences(name):
    assert KEYS[name].means.endswith(".")
    assert all(len(sentence.split()) <= 25 for sentence in KEYS[name].means.split(". "))
