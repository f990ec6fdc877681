"""What is newer than a recipe, asked of an index and a Debian mirror on loopback."""

from __future__ import annotations

import pytest
from loopback import serving_folder
from small_index import SmallIndex

from emwheels.author.newer import Origin, asked_for, cleaned, origin, published, standings
from emwheels.fetch.download import Downloader
from emwheels.fetch.registries import Registries
from emwheels.recipe.load import load_recipes

LIBRARY = "build: {type: static_library, script: make}\n"


@pytest.fixture
def index(tmp_path, monkeypatch):
    with serving_folder(tmp_path / "served") as address:
        small = SmallIndex(folder=tmp_path / "served", address=address)
        small.use(monkeypatch)
        yield small


@pytest.fixture
def recipes(tmp_path):
    """Return a function that makes recipes: name -> version, url and the rest of meta.yaml."""

    def make(**given):
        for name, (version, url, more) in given.items():
            folder = tmp_path / "recipes" / name
            folder.mkdir(parents=True)
            source = f"url: '{url}', sha256: {'0' * 64}"
            (folder / "meta.yaml").write_text(
                f"package: {{name: {name}, version: '{version}'{more.get('package', '')}}}\n"
                f"source: {{{source}}}\n{more.get('rest', '')}about: {{license: MIT}}\n"
            )
        return load_recipes(tmp_path / "recipes", patches=tmp_path / "patches")

    return make


def one(name="tiny", version="1.0", url="pkg:pypi/tiny@1.0", **more):
    return {name: (version, url, more)}


def look(recipes):
    registries = Registries(Downloader(attempts=1, pause=lambda _seconds: None))
    return {each.name: each for each in standings(recipes.values(), registries, suite="forky", python="3.14.2")}


def test_the_newest_source_archive_that_may_be_used(index, recipes):
    for version in ("0.9", "1.0", "1.2"):
        index.add_source("tiny", version)
    index.add("tiny", "tiny-1.3-py3-none-any.whl")
    index.add("tiny", "tiny-1.4.tar.gz", yanked=True)
    index.add("tiny", "tiny-1.5.tar.gz", requires=">=3.15")
    index.add("tiny", "tiny-1.6rc1.tar.gz")
    standing = look(recipes(**one()))["tiny"]
    assert (standing.state, standing.newest, standing.note) == ("newer", "1.2", "")
    assert standing.origin == Origin(registry="PyPI", project="tiny", version="1.0")


def test_a_pre_release_for_who_has_one(index, recipes):
    index.add("tiny", "tiny-1.6rc1.tar.gz")
    assert look(recipes(**one(version="1.5b1", url="pkg:pypi/tiny@1.5b1")))["tiny"].newest == "1.6rc1"


def test_nothing_newer(index, recipes):
    index.add_source("tiny", "1.0.0")
    assert look(recipes(**one()))["tiny"].state == "newest"


def test_what_is_pinned_is_left_alone(index, recipes):
    index.add_source("tiny", "1.1")
    made = recipes(**one(package=", pinned: true"))
    assert (look(made)["tiny"].state, asked_for(made["tiny"], "1.1").state) == ("pinned", "pinned")


def test_debian(index, recipes):
    index.debian(("zlib", "1:1.3.dfsg+really1.3.2-3"), ("geos", "3.15.0-1"), ("geos", "3.14.0-2"))
    found = look(
        recipes(
            zlib=("1.3.2", "pkg:deb/debian/zlib@1.3.dfsg+really1.3.2", {"rest": LIBRARY}),
            geos=("3.13.1", "pkg:deb/debian/geos@3.13.1", {"rest": LIBRARY}),
            gone=("1", "pkg:deb/debian/gone@1", {"rest": LIBRARY}),
        )
    )
    assert [(name, each.state, each.newest) for name, each in found.items()] == [
        ("geos", "newer", "3.15.0"),
        ("gone", "unknown", ""),
        ("zlib", "newest", "1.3.dfsg+really1.3.2"),
    ]
    assert found["gone"].note == "Debian forky has no source package gone"


def test_a_version_that_debian_would_not_have(index, recipes):
    index.debian(("zlib", "1.3-1"))
    found = look(recipes(zlib=("1.2", "pkg:deb/debian/zlib@1_2", {"rest": LIBRARY})))["zlib"]
    assert (found.state, found.note) == ("unknown", "'1_2' is not a Debian version")


def test_a_registry_that_is_silent_costs_its_rows(index, recipes):
    index.add_source("tiny", "1.1")
    made = recipes(**one(), zlib=("1", "pkg:deb/debian/zlib@1", {"rest": LIBRARY}))
    found = look(made)
    assert (found["tiny"].state, found["zlib"].state) == ("newer", "failed")
    assert "no mirror has a list of the sources" in found["zlib"].note


def test_of_what_nobody_keeps_a_list(index, recipes):
    made = recipes(
        **one(url="https://files.example/archive/9.tar.gz"),
        other=("3.1", "pkg:pypi/otter@1.0", {}),
        absent=("1", "pkg:pypi/absent@1", {}),
    )
    index.add_source("otter", "1.1")
    found = look(made)
    assert found["tiny"].note == "no registry lists the versions of its source"
    assert found["other"].note == "its source is otter 1.0: change it by hand"
    assert (found["absent"].state, found["absent"].note) == ("unknown", "the index has no source archive of absent")


def test_an_address_with_the_version_is_asked_for_by_the_recipes_name(recipes):
    made = recipes(**one(url="https://files.example/tiny/v1.0.tar.gz"))
    assert origin(made["tiny"]) == Origin(registry="PyPI", project="tiny", version="1.0")


PLATFORM = "pyemscripten_2026_0_wasm32"


def test_wheels_that_upstream_publishes(index, recipes):
    index.add("tiny", f"tiny-1.1-cp314-cp314-{PLATFORM}.whl")
    index.add("tiny", f"tiny-1.2-cp312-abi3-{PLATFORM}.whl")
    index.add("tiny", f"tiny-1.3-cp315-cp315-{PLATFORM}.whl")
    index.add("tiny", "tiny-1.4-cp314-cp314-manylinux_2_28_x86_64.whl")
    index.add("tiny", "tiny-1.5-py3-none-any.whl")
    index.add("other", "other-1.5-py3-none-any.whl")
    made = recipes(**one(), other=("1", "pkg:pypi/other@1", {}), zlib=("1", "pkg:deb/debian/zlib@1", {"rest": LIBRARY}))
    registries = Registries(Downloader(attempts=1, pause=lambda _seconds: None))
    found = published(made.values(), registries, python="3.14.2", platforms=[PLATFORM])
    assert [(each.name, each.published) for each in found] == [("other", ""), ("tiny", "1.2")]


@pytest.mark.parametrize(
    ("version", "upstream"),
    [
        ("1.3.dfsg+really1.3.2", "1.3.2"),
        ("2.14.3+dfsg", "2.14.3"),
        ("2.2.0+repack", "2.2.0"),
        ("0.3.34+ds", "0.3.34"),
        ("1.0+dfsg1", "1.0"),
        ("1.0~dfsg.2", "1.0"),
        ("20240504", "20240504"),
        ("1.0+git2026", "1.0+git2026"),
    ],
)
def test_what_upstream_calls_it(version, upstream):
    assert cleaned(version) == upstream
