"""What the options that verbs share come to: an environment, and the builds that are known."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest
from sample_run import make_environment
from small_project import CHECKOUT

from emwheels.cli.opening import local_path, open_builds, open_environment
from emwheels.errors import UsageError
from emwheels.outputs.remote.folder import HttpFolder, LocalFolder
from emwheels.target import load_targets


@pytest.fixture
def environment(tmp_path):
    return make_environment(tmp_path)


def given(**more):
    defaults = {"target": None, "offline": False, "toolchain": "debian", "remote": "", "push": False}
    return argparse.Namespace(**defaults | more)


def test_the_environment_is_as_the_options_say(environment):
    targets = load_targets(CHECKOUT / "targets.toml")
    usual = open_environment(given(), environment.project, targets)
    assert (usual.target.name, usual.offline, usual.toolchain_name) == (targets.default, False, "debian")
    other = next(name for name in targets.targets if name != targets.default)
    chosen = open_environment(given(target=other, offline=True, toolchain="emsdk"), environment.project, targets)
    assert (chosen.target.name, chosen.offline, chosen.toolchain_name) == (other, True, "emsdk")
    assert chosen.store.root == environment.project.cache / "store"


def test_a_target_that_there_is_not_is_told_with_those_there_are(environment):
    targets = load_targets(CHECKOUT / "targets.toml")
    with pytest.raises(UsageError, match="there is no target '1'") as caught:
        open_environment(given(target="1"), environment.project, targets)
    assert targets.default in caught.value.message + caught.value.hint


@pytest.fixture
def opened(monkeypatch, tmp_path):
    """The remote stores that are opened, by address."""
    there = {
        "oci://host/writable": LocalFolder(tmp_path / "remote"),
        "https://host/folder": HttpFolder("https://host/folder", None, label="https://host/folder"),
    }
    asked = []
    monkeypatch.setattr("emwheels.outputs.remote.open.open_remote", lambda it: asked.append(it) or there[it])
    return asked


@pytest.mark.parametrize(
    ("options", "remote", "push"),
    [
        ({}, [], False),
        ({"push": True}, [], False),
        ({"remote": "oci://host/writable"}, ["oci://host/writable"], False),
        ({"remote": "oci://host/writable", "push": True}, ["oci://host/writable"], True),
        ({"remote": "https://host/folder"}, ["https://host/folder"], False),
        ({"remote": "oci://host/writable", "push": True, "offline": True}, [], True),
    ],
)
def test_builds_are_backed_by_the_remote_store(environment, opened, options, remote, push):
    builds = open_builds(given(**options), environment)
    assert opened == remote
    assert (builds._remote is not None, builds._push) == (bool(remote), push)


def test_a_verb_without_these_options_has_the_local_store(environment, opened):
    arguments = given()
    del arguments.remote, arguments.push
    assert open_builds(arguments, environment)._remote is None


def test_offline_is_said_where_a_remote_store_was_asked_for(environment, opened):
    open_builds(given(offline=True), environment)
    assert environment.board.lines == []
    open_builds(given(offline=True, remote="oci://host/writable"), environment)
    assert environment.board.lines == ["store: offline: the remote store is not asked"]


def test_what_the_store_has_to_say_is_said_by_the_board(environment, opened):
    open_builds(given(), environment)._say("an entry is damaged")
    assert environment.board.lines == ["store: an entry is damaged"]


def test_a_folder_that_can_only_be_read_is_no_place_to_push_to(environment, opened):
    with pytest.raises(UsageError, match="https://host/folder is read-only") as caught:
        open_builds(given(remote="https://host/folder", push=True), environment)
    assert "oci://HOST/NAME" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://me:secret-word@example.org/builds", "https://example.org/builds is an address"),
        ("file:///tmp/builds", "file:///tmp/builds is an address"),
        ("", "it is empty"),
    ],
)
def test_a_path_is_no_address(text, words):
    with pytest.raises(argparse.ArgumentTypeError, match=re.escape(words)) as caught:
        local_path(text)
    assert "secret-word" not in str(caught.value)
    assert local_path("a:b.tar.gz") == Path("a:b.tar.gz")
