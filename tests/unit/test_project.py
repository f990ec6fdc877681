from __future__ import annotations

import pytest

from emwheels.checkout import find_project
from emwheels.errors import UsageError


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    root = tmp_path / "checkout"
    (root / "recipes" / "demo").mkdir(parents=True)
    (root / "targets.toml").write_text("")
    monkeypatch.setenv("EMWHEELS_CACHE", str(tmp_path / "cache"))
    return root


def test_found_from_a_folder_below(checkout):
    project = find_project(checkout / "recipes" / "demo")
    assert project.root == checkout.resolve()
    assert project.targets_file == project.root / "targets.toml"
    assert (project.recipes, project.patches, project.dist) == tuple(
        project.root / name for name in ("recipes", "patches", "dist")
    )


def test_found_from_the_working_folder(checkout, monkeypatch):
    monkeypatch.chdir(checkout / "recipes")
    assert find_project().root == checkout.resolve()


def test_cache_is_where_the_environment_says(checkout, tmp_path, monkeypatch):
    assert find_project(checkout).cache == (tmp_path / "cache").resolve()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMWHEELS_CACHE", "here")
    assert find_project(checkout).cache == (tmp_path / "here").resolve(), "absolute, whatever was given"


@pytest.mark.parametrize("value", ["", None])
def test_cache_is_the_users_otherwise(checkout, tmp_path, monkeypatch, value):
    if value is None:
        monkeypatch.delenv("EMWHEELS_CACHE")
    else:
        monkeypatch.setenv("EMWHEELS_CACHE", value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert find_project(checkout).cache.name == "emwheels"


def test_outside_of_a_checkout(tmp_path):
    with pytest.raises(UsageError) as caught:
        find_project(tmp_path)
    assert str(tmp_path.resolve()) in caught.value.message
    assert "--project" in caught.value.hint


def test_a_folder_with_only_one_of_the_two_is_none(tmp_path):
    (tmp_path / "targets.toml").write_text("")
    with pytest.raises(UsageError):
        find_project(tmp_path)
