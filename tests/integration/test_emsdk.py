"""The emsdk toolchain from local archives: pyodide-build installs both parts, and a package builds with it.

What stands in is emsdk itself and its binaries, which no package registry carries: a script that unpacks what it finds
in ``downloads/``, and an archive of wrappers around the image's own Emscripten. That is why the target is the one whose
Emscripten is the image's. pyodide-build, its version check, its patching, the fetching and the build are the real ones.
"""

from __future__ import annotations

import io
import json
import tarfile

import pytest

from emwheels.checkout import Checkout
from emwheels.pipeline.environment import Environment
from emwheels.progress import Board

pytestmark = [pytest.mark.image, pytest.mark.timeout(600)]

TARGET = "315.0.0-alpha.2"
RELEASE = "89abcdef0123456789abcdef0123456789abcdef"
NODE = "node-v24.7.0-linux-x64.tar.xz"
EMSDK = """#!/bin/sh
set -eu
cd "$(dirname "$0")"
case $1 in
install)
    tar -xf downloads/RELEASE-wasm-binaries.tar.xz
    mv install upstream
    mkdir node
    tar -xf downloads/NODE -C node
    ;;
activate) echo "LLVM_ROOT = '/usr/lib/llvm-21/bin'" > .emscripten ;;
esac
"""
WRAPPER = """#!/bin/sh
export EM_FROZEN_CACHE=1 EM_CACHE=/opt/emwheels/emscripten-cache
unset EM_CONFIG
exec /usr/share/emscripten/{tool} "$@"
"""
PATCH = """--- a/marker.txt
+++ b/marker.txt
@@ -1 +1 @@
-plain
+patched
"""
MANIFEST = {
    "tools": [{"id": "node", "version": "24.7.0", "bitness": 64, "arch": "x86_64", "linux_url": NODE}],
    "sdks": [{"version": "releases-%releases-tag%", "uses": ["node-24.7.0-64bit", "releases-%releases-tag%-64bit"]}],
}


def write(path, members):
    with tarfile.open(path, "w:xz") as tar:
        for name, text in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            info.mode = 0o755
            tar.addfile(info, io.BytesIO(text.encode()))


@pytest.fixture
def emsdk_project(tiny_project, targets, project_cache, tmp_path):
    """A project whose archives are here, whose targets.toml does not pin them yet."""
    target = targets.get(TARGET)
    crossenv = Environment(
        Checkout(root=tmp_path, cache=project_cache), targets, target, board=Board()
    ).toolchain.crossenv
    archives = tmp_path / "archives"
    archives.mkdir()
    with tarfile.open(archives / f"xbuildenv-{TARGET}.tar.bz2", "w:gz", compresslevel=1) as tar:

        def for_lld_21(info):
            return None if info.name.endswith("Makefile.envs") else info

        tar.add(crossenv / "xbuildenv", "xbuildenv", filter=for_lld_21)
        envs = (crossenv / "xbuildenv/pyodide-root/Makefile.envs").read_text()
        envs = envs.replace("LDFLAGS_BASE=", "LDFLAGS_BASE=-Wl,--experimental-pic ")
        for name, text in {"Makefile.envs": envs, "emsdk/patches/0001-marker.patch": PATCH}.items():
            info = tarfile.TarInfo(f"xbuildenv/pyodide-root/{name}")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    tools = ("emcc", "em++", "emar", "emranlib", "emcmake", "emconfigure", "embuilder", "emnm", "emstrip")
    binaries = {f"install/emscripten/{tool}": WRAPPER.format(tool=tool) for tool in tools}
    write(archives / "wasm-binaries.tar.xz", binaries | {"install/emscripten/marker.txt": "plain\n"})
    write(archives / NODE, {"node-v24.7.0-linux-x64/README.md": "no node: the image has one\n"})
    source = {
        "emsdk": EMSDK.replace("RELEASE", RELEASE).replace("NODE", NODE),
        "emscripten-releases-tags.json": json.dumps({"releases": {target.emscripten: RELEASE}}),
        "emsdk_manifest.json": json.dumps(MANIFEST),
    }
    write(
        archives / f"{target.emscripten}.tar.gz",
        {f"emsdk-{target.emscripten}/{name}": text for name, text in source.items()},
    )
    own = tiny_project.cache / "xbuildenvs"
    own.unlink()
    own.mkdir()
    tiny_project.env["EMWHEELS_EMSDK_ARCHIVES"] = str(archives)
    return tiny_project


def pin(project):
    """Do what the command says: write the lines that it prints into targets.toml."""
    shown = project.run("image", "--toolchain", "emsdk", "--target", TARGET)
    assert shown.status == 5, shown.err
    with (project.root / "targets.toml").open("a") as file:
        file.write(shown.out)


@pytest.fixture
def tiny(emsdk_project, extension, module):
    code = module("tiny", "static PyObject *same(PyObject *self, PyObject *v) { Py_INCREF(v); return v; }", "same")
    test = "import tiny\n\ndef test_same(): assert tiny.same(5) == 5\n"
    emsdk_project.recipe("tiny", extension("tiny", code), tests={"test_tiny.py": test})
    return emsdk_project


def test_a_package_builds_and_runs_with_it(tiny):
    pin(tiny)
    done = tiny.json(
        "build", "tiny", "--toolchain", "emsdk", "--target", TARGET, "--engine", "node", "--engine", "chromium-page"
    )
    assert done.json()["tiny"]["engines"] == {"node": "1 passed", "chromium-page": "1 passed"}
    (folder,) = (tiny.cache / "xbuildenvs").iterdir()
    assert (folder / "emsdk/upstream/emscripten/marker.txt").read_text() == "patched\n", "Pyodide's patches are applied"
    assert "-Oz" not in (folder / "flags.json").read_text()
    assert tiny.json("build", "tiny", "--toolchain", "emsdk", "--target", TARGET).states() == {"tiny": "reused"}
    (record,) = (tiny.cache / "store/records/builds").glob("*.json")
    assert json.loads(record.read_text())["inputs"]["toolchain"] == "emsdk"


def test_without_pins_nothing_is_used(tiny):
    done = tiny.refused(
        5,
        f"does not pin the emsdk toolchain of {TARGET}",
        "--toolchain debian",
        verb=("build", "--no-test", "--toolchain", "emsdk", "--target", TARGET),
    )
    assert "emwheels image --toolchain emsdk" in done.err
    assert not list((tiny.cache / "xbuildenvs").iterdir())


def test_another_archive_than_the_pinned_one_is_refused(tiny, tmp_path):
    pin(tiny)
    (tmp_path / "archives" / "wasm-binaries.tar.xz").write_bytes(b"something else")
    done = tiny.run("build", "tiny", "--no-test", "--toolchain", "emsdk", "--target", TARGET)
    assert done.status == 4
    assert "expected sha256" in done.err
    assert "--toolchain debian" in done.err
    assert not list((tiny.cache / "xbuildenvs").glob("[!.]*"))


def test_a_compiler_of_another_version_is_refused(tiny, tmp_path):
    archives = tmp_path / "archives"
    write(
        archives / "wasm-binaries.tar.xz",
        {
            "install/emscripten/emcc": "#!/bin/sh\necho 1.2.3\n",
            "install/emscripten/marker.txt": "plain\n",
        },
    )
    pin(tiny)
    done = tiny.run("build", "tiny", "--no-test", "--toolchain", "emsdk", "--target", TARGET)
    assert done.status == 5
    assert "installed Emscripten 1.2.3 instead of 6.0.5" in done.err
    assert not list((tiny.cache / "xbuildenvs").glob("[!.]*"))
