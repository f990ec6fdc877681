import json
from dataclasses import replace

import pytest
from packed import tar_gz
from sample_target import TARGET

from emwheels.errors import FetchError, ImageError
from emwheels.fetch.fetcher import Fetcher
from emwheels.image.model import Image
from emwheels.image.toolchain import emsdk, toolchain_key
from emwheels.image.toolchain.crossenv import INSIDE
from emwheels.store import Store, sha256_of
from emwheels.target import EmsdkPins, Pin

RELEASE = "0123456789abcdef0123456789abcdef01234567"
NODE = "node-v24.7.0-linux-x64.tar.xz"
NODE_TOOL = {"id": "node", "version": "24.7.0", "bitness": 64, "arch": "x86_64", "linux_url": NODE}
MANIFEST = {
    "tools": [
        NODE_TOOL | {"arch": "arm64", "linux_url": "node-v24.7.0-linux-arm64.tar.xz"},
        NODE_TOOL,
        {"id": "releases", "version": "%releases-tag%", "bitness": 64},
    ],
    "sdks": [
        {"version": "main", "bitness": 64, "uses": ["python-3.13.3-64bit"], "os": "win"},
        {"version": "releases-%releases-tag%", "uses": ["node-24.7.0-64bit", "releases-%releases-tag%-64bit"]},
    ],
}


def write_emsdk(path, *, recorded="", release=RELEASE, manifest=MANIFEST):
    revisions = f'EMSCRIPTEN_TAGS = {{\n   "5.0.3": struct(\n        hash = "{release}",\n'
    revisions += f'        sha_linux = "{recorded}",\n    ),\n}}\n'
    members = {
        "emscripten-releases-tags.json": json.dumps({"releases": {"5.0.3": release}}),
        "emsdk_manifest.json": json.dumps(manifest),
        "bazel/revisions.bzl": revisions,
    }
    path.write_bytes(tar_gz({f"emsdk-5.0.3/{name}": text for name, text in members.items()}))


@pytest.fixture
def archives(tmp_path, monkeypatch):
    folder = tmp_path / "archives"
    folder.mkdir()
    (folder / "xbuildenv-314.0.7.tar.bz2").write_bytes(b"crossenv")
    (folder / "wasm-binaries.tar.xz").write_bytes(b"binaries")
    (folder / NODE).write_bytes(b"node")
    write_emsdk(folder / "5.0.3.tar.gz")
    monkeypatch.setenv("EMWHEELS_EMSDK_ARCHIVES", str(folder))
    return folder


@pytest.fixture
def fetcher(tmp_path):
    return Fetcher(Store(tmp_path / "store"), attempts=1, pause=lambda _: None)


def test_pins_are_proposed_from_what_emsdk_says(archives, fetcher):
    pins = emsdk.propose_pins(TARGET, fetcher)
    assert pins.complete
    assert pins.crossenv.sha256 == sha256_of(archives / "xbuildenv-314.0.7.tar.bz2")
    assert pins.binaries.url.endswith(f"/linux/{RELEASE}/wasm-binaries.tar.xz")
    assert pins.binaries.sha256 == sha256_of(archives / "wasm-binaries.tar.xz")
    assert pins.node.url.endswith(f"/deps/{NODE}")


def test_binaries_have_to_be_the_ones_that_emsdk_records(archives, fetcher):
    write_emsdk(archives / "5.0.3.tar.gz", recorded="1" * 64)
    with pytest.raises(FetchError, match=f"expected sha256 {'1' * 64}"):
        emsdk.propose_pins(TARGET, fetcher)


def test_a_pin_decides(archives, fetcher):
    target = replace(TARGET, emsdk=EmsdkPins(crossenv=Pin(sha256="2" * 64)))
    with pytest.raises(FetchError, match="expected sha256 2222"):
        emsdk.propose_pins(target, fetcher)
    assert archives.is_dir()


def test_a_missing_archive_names_the_file_and_the_other_toolchain(archives, fetcher):
    (archives / NODE).unlink()
    with pytest.raises(FetchError, match="does not exist") as caught:
        emsdk.propose_pins(TARGET, fetcher)
    assert NODE in caught.value.hint
    assert "--toolchain debian" in caught.value.hint


def test_offline_names_the_other_toolchain(tmp_path):
    with pytest.raises(FetchError, match="offline") as caught:
        emsdk.propose_pins(TARGET, Fetcher(Store(tmp_path / "empty"), offline=True))
    assert "--toolchain debian" in caught.value.hint


@pytest.mark.parametrize(
    ("release", "manifest", "message"),
    [
        ("../../etc", MANIFEST, "is no revision"),
        (RELEASE, {"tools": [], "sdks": []}, "which Node"),
        (RELEASE, {"tools": MANIFEST["tools"][2:], "sdks": MANIFEST["sdks"]}, "which Node"),
        (RELEASE, {"tools": [MANIFEST["tools"][1] | {"linux_url": "a b"}], "sdks": MANIFEST["sdks"]}, "'a b'"),
    ],
)
def test_an_emsdk_of_another_shape_is_refused(archives, fetcher, release, manifest, message):
    write_emsdk(archives / "5.0.3.tar.gz", release=release, manifest=manifest)
    with pytest.raises(ImageError, match=message):
        emsdk.propose_pins(TARGET, fetcher)


def test_an_unknown_version_is_refused(archives, fetcher):
    (archives / "9.9.9.tar.gz").write_bytes((archives / "5.0.3.tar.gz").read_bytes())
    with pytest.raises(ImageError, match=r"does not know Emscripten 9\.9\.9"):
        emsdk.propose_pins(replace(TARGET, emscripten="9.9.9"), fetcher)


def test_key_needs_every_pin_and_follows_each(archives, fetcher):
    with pytest.raises(ImageError, match="does not pin the emsdk toolchain of 314") as caught:
        toolchain_key(TARGET, "sha256:1", name="emsdk")
    assert "--toolchain emsdk --target 314.0.7" in caught.value.hint
    pins = emsdk.propose_pins(TARGET, fetcher)
    key = toolchain_key(replace(TARGET, emsdk=pins), "sha256:1", name="emsdk")
    other = replace(pins, node=Pin(url=pins.node.url, sha256="3" * 64))
    assert toolchain_key(replace(TARGET, emsdk=other), "sha256:1", name="emsdk") != key
    assert toolchain_key(replace(TARGET, emsdk=pins), "sha256:2", name="emsdk") != key
    assert archives.is_dir()


def test_emsdk_pins_leave_the_other_toolchain_alone(archives, fetcher):
    pinned = replace(TARGET, emsdk=emsdk.propose_pins(TARGET, fetcher))
    assert toolchain_key(pinned, "sha256:1") == toolchain_key(TARGET, "sha256:1")
    assert pinned.identity() == TARGET.identity()
    assert archives.is_dir()


@pytest.mark.parametrize(
    ("tags", "manifest", "message"),
    [
        ("[]", json.dumps(MANIFEST), "does not know Emscripten"),
        ('{"releases": []}', json.dumps(MANIFEST), "does not know Emscripten"),
        ("[" * 100_000, json.dumps(MANIFEST), "does not know Emscripten"),
        (None, "[]", "which Node"),
        (None, '{"tools": null, "sdks": [1]}', "which Node"),
        (None, '{"tools": ["node"], "sdks": null}', "which Node"),
        (None, json.dumps(MANIFEST | {"tools": [NODE_TOOL | {"linux_url": "x/.."}]}), r"Node archive '\.\.'"),
        (None, json.dumps(MANIFEST | {"tools": [NODE_TOOL | {"linux_url": "x/-rf"}]}), "Node archive '-rf'"),
        (None, json.dumps(MANIFEST | {"tools": [NODE_TOOL | {"linux_url": None}]}), "which Node"),
    ],
    ids=["list", "no releases", "deep", "manifest", "numbers", "names", "dots", "option", "no address"],
)
def test_files_of_emsdk_that_are_none(archives, fetcher, tags, manifest, message):
    members = {
        "emsdk-5.0.3/emscripten-releases-tags.json": tags or json.dumps({"releases": {"5.0.3": RELEASE}}),
        "emsdk-5.0.3/emsdk_manifest.json": manifest,
    }
    (archives / "5.0.3.tar.gz").write_bytes(tar_gz(members))
    with pytest.raises(ImageError, match=message):
        emsdk.propose_pins(TARGET, fetcher)


# Installing it.


class Shell(Image):
    """Runs a script of this machine in place of each command; ``calls`` are the commands, ``seen`` what it mounted."""

    def __init__(self, script):
        super().__init__(digest="sha256:1")
        vars(self).update(script=script, calls=[], seen={})

    @property
    def outside(self):
        return None

    @property
    def by_engine(self):
        return False

    def command(self, call):
        self.calls.append(call)
        given, destination = (
            next(mount.host for mount in call.mounts if mount.inside == inside) for inside in ("/mnt/given", INSIDE)
        )
        self.seen.update({path.name: path.read_bytes() for path in given.rglob("*") if path.is_file()})
        return ["sh", "-c", self.script, "sh", str(destination)]


FLAGS = 'echo \'{"cflags": "-fPIC", "ldflags": "-sSIDE_MODULE=1"}\' > "$1/flags.json"'


@pytest.fixture
def pinned(archives, fetcher):
    return replace(TARGET, emsdk=emsdk.propose_pins(TARGET, fetcher))


@pytest.fixture
def install(pinned, fetcher, tmp_path):
    def install(script, target=pinned):
        image = Shell(script)
        log = tmp_path / "logs" / "emsdk.log"
        emsdk.make_emsdk(target, tmp_path / "installed", image=image, fetcher=fetcher, say=lambda _text: None, log=log)
        return image

    return install


def test_what_is_installed_is_given_every_file_and_no_network(install, tmp_path):
    image = install(f'{FLAGS}; ls "$1" > "$1/there"')
    ((call),) = image.calls
    assert call.argv == ["sh", "/mnt/given/emsdk.sh", "5.0.3"]
    assert not call.network
    assert image.seen[f"{RELEASE}-wasm-binaries.tar.xz"] == b"binaries"
    assert image.seen[NODE] == b"node"
    assert image.seen["xbuildenv.tar"] == b"crossenv"
    assert call.env["GIT_CONFIG_VALUE_0"] == "https://github.com/emscripten-core/emsdk.git"
    assert (tmp_path / "installed" / "there").read_text() == "flags.json\nthere\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archives", "installed", "logs", "store"], "all is gone"


def test_a_step_that_fails_is_said_with_its_last_lines(install, tmp_path):
    with pytest.raises(ImageError, match="could not be installed:\nline 5\n") as caught:
        install("for n in 1 2 3 4 5 6 7 8 9 10 11 12; do echo line $n; done; exit 3")
    assert caught.value.message.endswith("line 12")
    assert str(tmp_path / "logs" / "emsdk.log") in caught.value.hint
    assert "line 1\n" in (tmp_path / "logs" / "emsdk.log").read_text()


@pytest.mark.parametrize(
    "flags",
    ['{"cflags": "-O2", "ldflags": "-sSIDE_MODULE=1"}', '{"cflags": "-fPIC", "ldflags": ""}', "{}", "[]", "", "no"],
)
def test_flags_that_make_no_side_module_are_refused(install, flags):
    with pytest.raises(ImageError, match=r"314\.0\.7 gives flags that do not make a side module"):
        install(f"printf '%s' '{flags}' > \"$1/flags.json\"")


def test_a_script_that_leaves_no_flags_is_refused(install):
    with pytest.raises(ImageError, match="gives flags that do not make a side module"):
        install("true")


def test_another_file_than_the_pinned_one_is_not_installed(install, archives, pinned, tmp_path):
    (archives / NODE).write_bytes(b"another")
    wrong = replace(pinned, emsdk=replace(pinned.emsdk, node=replace(pinned.emsdk.node, sha256="4" * 64)))
    with pytest.raises(FetchError, match="expected sha256 4444"):
        install("true", wrong)
    assert not (tmp_path / "installed").exists()


def test_pins_that_emsdk_contradicts_are_refused(install, archives, fetcher, pinned):
    write_emsdk(archives / "5.0.3.tar.gz", recorded="1" * 64)
    source = Pin(url=pinned.emsdk.source.url, sha256=sha256_of(archives / "5.0.3.tar.gz"))
    with pytest.raises(FetchError, match=f"revisions.bzl says {'1' * 64}"):
        install("true", replace(pinned, emsdk=replace(pinned.emsdk, source=source)))


def test_without_pins_nothing_is_installed(install, tmp_path):
    with pytest.raises(ImageError, match="does not pin the emsdk toolchain"):
        install("true", TARGET)
    assert not (tmp_path / "installed").exists()


def test_archives_from_a_server(fetcher, archives, monkeypatch):
    asked = []

    def fetch(url, sha256):
        asked.append(url)
        return fetcher.take(archives / url.rpartition("/")[2], sha256)

    monkeypatch.setattr(fetcher, "fetch", fetch)
    monkeypatch.setenv("EMWHEELS_EMSDK_ARCHIVES", "https://mirror.example.org/emsdk/")
    assert emsdk.propose_pins(TARGET, fetcher).complete
    assert {url.rpartition("/")[0] for url in asked} == {"https://mirror.example.org/emsdk"}
