"""Crates by this machine's configuration: sparse registries, local ones, and folders; each by its sha256."""

from __future__ import annotations

import socket

import pytest
from crate_registry import SparseRegistry, crate_file
from loopback import free_port, serving_folder

from emwheels.errors import FetchError
from emwheels.fetch.cargo_lock import Crate
from emwheels.fetch.crates import FOLDER, crates_place
from emwheels.fetch.fetcher import Fetcher
from emwheels.pipeline.crates import crate_notes, fetch_crates
from emwheels.store import Store

DATA = crate_file("three", "1.2.0", {"src/lib.rs": "pub fn three() -> u32 { 3 }\n"}, 'license = "MIT/Apache-2.0"\n')


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A registry with one crate, which cargo's configuration names."""
    monkeypatch.delenv(FOLDER, raising=False)
    monkeypatch.setenv("CARGO_HOME", str(tmp_path / "cargo"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving_folder(tmp_path) as address:
        registry = SparseRegistry(tmp_path / "registry", f"{address}/registry")
        registry.add("three", "1.2.0", DATA)
        registry.configure(tmp_path / "cargo")
        yield registry


def fetcher(tmp_path, **options):
    return Fetcher(Store(tmp_path / "store"), attempts=1, **options)


def crate_of(registry, **changes):
    given = {"name": "three", "version": "1.2.0", "sha256": registry.sums["three", "1.2.0"]}
    return Crate(**(given | changes))


def test_a_crate_of_a_sparse_registry_and_then_offline(registry, tmp_path, monkeypatch):
    ((_, online),) = fetch_crates(fetcher(tmp_path), [crate_of(registry)], "demo: Cargo.lock")
    assert online.path.read_bytes() == DATA
    assert online.filename == "three-1.2.0.crate"
    monkeypatch.setattr(socket.socket, "connect", None)
    assert fetch_crates(fetcher(tmp_path, offline=True), [crate_of(registry)], "x") == [(crate_of(registry), online)]


def test_what_a_crate_says_of_its_licence(registry, tmp_path):
    (note,) = crate_notes(fetch_crates(fetcher(tmp_path), [crate_of(registry)], "x"))
    assert (note.name, note.version, note.licence) == ("three", "1.2.0", "MIT OR Apache-2.0")
    assert note.sha256 == registry.sums["three", "1.2.0"]


def test_one_digit_of_a_checksum_is_refused_by_name(registry, tmp_path):
    sha256 = registry.sums["three", "1.2.0"]
    wrong = ("1" if sha256[0] == "0" else "0") + sha256[1:]
    with pytest.raises(FetchError) as caught:
        fetch_crates(fetcher(tmp_path), [crate_of(registry, sha256=wrong)], "demo: Cargo.lock")
    assert caught.value.message == f"three-1.2.0.crate: expected sha256 {wrong}, got {sha256}"
    assert not list((tmp_path / "store").rglob("*.part*"))


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("{root}/plain", "plain/three/1.2.0/download"),
        ("{root}/by/{{prefix}}/{{crate}}/{{version}}/{{sha256-checksum}}", "by/th/re/three/1.2.0/{sha256}"),
        ("{root}/{{lowerprefix}}/{{crate}}.crate", "th/re/three.crate"),
    ],
)
def test_templates_of_addresses(registry, tmp_path, template, path):
    sha256 = registry.sums["three", "1.2.0"]
    (registry.folder / "index" / "config.json").write_text(f'{{"dl": "{template.format(root=registry.address)}"}}')
    file = registry.folder / path.format(sha256=sha256)
    file.parent.mkdir(parents=True)
    file.write_bytes(DATA)
    ((_, fetched),) = fetch_crates(fetcher(tmp_path), [crate_of(registry)], "x")
    assert fetched.sha256 == sha256


@pytest.mark.parametrize("served", [False, True])
def test_a_folder_of_files_goes_first(registry, tmp_path, monkeypatch, served):
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "three-1.2.0.crate").write_bytes(DATA)
    (registry.folder / "index" / "config.json").unlink()
    address = registry.address.rpartition("/")[0]
    monkeypatch.setenv(FOLDER, f"{address}/own" if served else str(folder))
    ((_, fetched),) = fetch_crates(fetcher(tmp_path), [crate_of(registry)], "x")
    assert fetched.path.read_bytes() == DATA


def test_a_local_registry(registry, tmp_path):
    (tmp_path / "cargo" / "config.toml").write_text(
        '[source.crates-io]\nreplace-with = "here"\n[source.here]\nlocal-registry = "registry/crates"\n'
    )
    ((_, fetched),) = fetch_crates(fetcher(tmp_path), [crate_of(registry)], "x")
    assert fetched.path.read_bytes() == DATA


def test_a_replacement_by_way_of_another_and_of_the_table_of_registries(registry, tmp_path):
    address = f"sparse+{registry.address}/index"
    (tmp_path / "cargo" / "config.toml").write_text(
        '[source.crates-io]\nreplace-with = "one"\n[source.one]\nreplace-with = "two"\n'
        f'[registries.two]\nindex = "{address}"\n'
    )
    assert crates_place().registry == f"{registry.address}/index/"


def test_without_configuration_what_the_image_says(registry, tmp_path):
    (tmp_path / "cargo" / "config.toml").write_text("[net]\nretry = 2\n")
    fetching = fetcher(tmp_path, crates=lambda: f"sparse+{registry.address}/index/")
    ((_, fetched),) = fetch_crates(fetching, [crate_of(registry)], "x")
    assert fetched.path.read_bytes() == DATA


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[source.crates-io]\nreplace-with = "a"\n[source.a]\nreplace-with = "crates-io"\n', "replaced in a ring"),
        ('[source.crates-io]\nreplace-with = "a"\n[source.a]\ndirectory = "/x"\n', "directory of unpacked crates"),
        ('[source.crates-io]\nreplace-with = "a"\n[source.a]\nregistry = "https://example.org/i"\n', "no sparse"),
        ('[source.crates-io]\nreplace-with = "a"\n', "source.a is no sparse registry"),
        ("[source", "config.toml"),
        ("", "cargo's own default is no sparse registry"),
    ],
)
def test_a_configuration_that_cannot_be_followed(registry, tmp_path, text, words):
    (tmp_path / "cargo" / "config.toml").write_text(text)
    with pytest.raises(FetchError) as caught:
        crates_place()
    assert words in caught.value.message
    assert caught.value.hint


def test_a_folder_that_is_not_there(registry, monkeypatch):
    monkeypatch.setenv(FOLDER, "/nowhere/crates")
    with pytest.raises(FetchError, match="EMWHEELS_CRATES names /nowhere/crates, which is no folder"):
        crates_place()


def test_no_registry_that_answers_is_one_line_with_four_ways(registry, tmp_path):
    (tmp_path / "cargo" / "config.toml").write_text("")
    fetching = fetcher(tmp_path, crates=lambda: f"sparse+http://127.0.0.1:{free_port()}/")
    with pytest.raises(FetchError) as caught:
        fetch_crates(fetching, [crate_of(registry)], "demo: Cargo.lock of its source")
    start = "demo: Cargo.lock of its source needs the crate three 1.2.0, which cannot be had"
    assert caught.value.message.startswith(start)
    for way in ("$CARGO_HOME/config.toml", FOLDER, "cargo vendor", "copy a store"):
        assert way in caught.value.hint


def test_a_crate_that_the_registry_does_not_have(registry, tmp_path):
    with pytest.raises(FetchError, match=r"needs the crate four 2\.0\.0, which cannot be had"):
        fetch_crates(fetcher(tmp_path), [crate_of(registry, name="four", version="2.0.0")], "demo: Cargo.lock")


@pytest.mark.parametrize("answer", ["", "{}", "[]", '{"dl": "ftp://example.org"}', "x" * (2 << 20)])
def test_a_registry_that_is_none(registry, tmp_path, answer):
    (registry.folder / "index" / "config.json").write_text(answer)
    with pytest.raises(FetchError, match=r"config\.json"):
        fetch_crates(fetcher(tmp_path), [crate_of(registry)], "x")


@pytest.mark.parametrize(
    "url", ["pkg:cargo/three", "pkg:cargo/..%2Fx@1.0.0", "pkg:cargo/three@x%2Fy", "pkg:cargo/a/b@1.0.0"]
)
def test_what_is_no_crate(registry, tmp_path, url):
    with pytest.raises(FetchError):
        fetcher(tmp_path).fetch(url, "0" * 64)


def test_a_crate_without_a_hash(registry, tmp_path):
    with pytest.raises(FetchError, match="a crate needs a sha256"):
        fetcher(tmp_path).fetch("pkg:cargo/three@1.2.0", None)
