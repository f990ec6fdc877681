"""emwheels.build.compile with an image that only pretends: what it is given to do, and what is made of its answer."""

from __future__ import annotations

import json
import tarfile
import zipfile
from dataclasses import dataclass, field, replace
from textwrap import dedent

import pytest
from packed import tar_gz
from sample_target import TARGET

from emwheels.build.cmake import PRELUDE
from emwheels.build.compile import BuildInputs, build
from emwheels.build.compiler_cache import Hits
from emwheels.build.cross_packages import CrossPackage
from emwheels.build.source import plain_recipe, prepare_source
from emwheels.errors import BuildError, RecipeError
from emwheels.fetch.fetcher import Fetched
from emwheels.image.places import WORK
from emwheels.image.processes import Completed
from emwheels.image.toolchain import Toolchain
from emwheels.recipe.load import load_recipe

SHA256 = "0123456789abcdef" * 4


@dataclass
class Pretended:
    """An image whose commands do ``act(work folder)`` and end with ``status``."""

    act: object = None
    status: int = 0
    said: bytes = b""
    digest: str = "sha256:0"
    environment: tuple = (("PATH", "/usr/bin:/bin"),)
    runs: list = field(default_factory=list)

    def run(self, argv, *, mounts=(), env=None, cwd="/", network=False, output=None, limits=None, user=None):
        self.runs.append({"argv": argv, "mounts": mounts, "env": env, "network": network, "user": user})
        if self.act:
            self.act(mounts[0].host)
        if output:
            output.write(self.said)
            output.flush()
        return Completed(argv=tuple(argv), status=self.status, seconds=2.5, peak_kib=1000)


@pytest.fixture
def given(tmp_path):
    """A function that makes the inputs of a build from the rest of a meta.yaml."""

    def make(meta="", libraries=(), patch="", extras=""):
        folder = tmp_path / "recipes" / "demo"
        folder.mkdir(parents=True)
        head = (
            f"package:\n  name: demo\n  version: 1.0\nsource:\n  url: pkg:pypi/demo@1.0\n  sha256: {SHA256}\n{extras}"
        )
        (folder / "meta.yaml").write_text(head + dedent(meta))
        (folder / "extra.h").write_text("extra\n")
        if patch:
            (tmp_path / "patches" / "demo").mkdir(parents=True)
            (tmp_path / "patches" / "demo" / "0001-x.patch").write_text(patch)
        stored = tmp_path / SHA256
        stored.write_bytes(tar_gz({"demo-1.0/setup.py": "pass\n"}))
        wheel = tmp_path / "wheel"
        wheel.write_bytes(b"wheel")
        return BuildInputs(
            recipe=load_recipe(folder, patches=tmp_path / "patches"),
            target=TARGET,
            profile="speed",
            source=Fetched(path=stored, sha256=SHA256, filename="demo-1.0.tar.gz", url=""),
            requirements=[Fetched(path=wheel, sha256=SHA256, filename="tool-1-py3-none-any.whl", url="")],
            libraries=libraries,
        )

    return make


@pytest.fixture
def start(tmp_path):
    def start(inputs, image, **options):
        work = tmp_path / "work"
        work.mkdir(exist_ok=True)
        envs = tmp_path / "shared" / "xbuildenv" / "pyodide-root" / "Makefile.envs"
        envs.parent.mkdir(parents=True, exist_ok=True)
        envs.write_text("export CFLAGS_BASE=-fPIC\nexport PYTHONINCLUDE=/include\nexport LDFLAGS_BASE=-sX\n")
        toolchain = Toolchain(crossenv=tmp_path / "shared", key="")
        return build(inputs, image=image, toolchain=toolchain, work=work, log=tmp_path / "logs" / "demo.log", **options)

    return start


def wheels(*names):
    def act(work):
        dist = work / "packages" / "demo" / "dist"
        dist.mkdir()
        for name in names:
            (dist / name).write_bytes(b"made")

    return act


def test_recipe_as_pyodide_build_sees_it(given):
    meta = """
        requirements:
          run: [other]
          host: [lib]
          executable: [make]
        extra:
          recipe-maintainers: [somebody]
    """
    recipe = given(meta).recipe
    plain = plain_recipe(recipe, "/mnt/work/source")
    assert plain == {
        "package": {"name": "demo", "version": "1.0"},
        "source": {"path": "/mnt/work/source"},
        "build": {"script": PRELUDE},
        "requirements": {"executable": ["make"]},
    }
    assert recipe.document["requirements"]["run"] == ["other"], "the recipe itself is left alone"
    assert recipe.document["source"]["sha256"] == SHA256


def test_what_the_sandbox_is_given(given, start, tmp_path):
    image = Pretended(act=wheels("demo-1.0.whl"))
    built = start(given(), image)
    assert (built.file.name, built.seconds, built.peak_kib) == ("demo-1.0.whl", 2.5, 1000)
    (run,) = image.runs
    assert not run["network"]
    mounts = {mount.inside: mount for mount in run["mounts"]}
    assert {inside for inside, mount in mounts.items() if mount.writable} == {WORK, "/mnt/ccache"}
    names = ("wheels", "python", "programs", "launchers", "cmake", "downloads", "answers")
    given_to_read = {f"{WORK}/{name}" for name in names}
    assert {inside for inside, mount in mounts.items() if not mount.writable} == {"/mnt/xbuildenv", *given_to_read}
    work, ccache = (mount.host for mount in run["mounts"] if mount.writable)
    assert not ccache.is_relative_to(work), "what is mounted by itself is no part of what is"
    assert ccache.is_relative_to(tmp_path / "work"), "an empty cache of this build's own"
    assert built.ccache == Hits()
    assert not built.file.is_relative_to(work), "taken out of what the build could write"
    assert (work / "source" / "setup.py").read_text() == "pass\n"
    wheels_inside = mounts[f"{WORK}/wheels"].host
    assert (wheels_inside / "tool-1-py3-none-any.whl").read_bytes() == b"wheel"
    assert (mounts[f"{WORK}/programs"].host / "uname").stat().st_mode & 0o100
    assert json.loads((work / "packages" / "demo" / "meta.yaml").read_text())["source"] == {"path": f"{WORK}/source"}
    env = run["env"]
    assert env["PATH"] == f"{WORK}/programs:/opt/emwheels/python3.14/bin:/usr/bin:/bin"
    assert env["SIDE_MODULE_CFLAGS"] == "-fPIC -I/include -O3 -msimd128 -ffile-prefix-map=/mnt/work/="
    assert env["SIDE_MODULE_CXXFLAGS"] == env["SIDE_MODULE_CFLAGS"]
    assert env["SIDE_MODULE_LDFLAGS"] == "-sX -s SIDE_MODULE=1 -Wl,--experimental-pic -Wl,-Bsymbolic -O3 -msimd128"
    assert "-Oz" not in "".join(env.values())
    assert (env["PIP_NO_INDEX"], env["SOURCE_DATE_EPOCH"], env["PYTHONHASHSEED"]) == ("1", "1704067200", "0")
    assert not [value for value in env.values() if str(work) in value], "no path of the machine gets in"


def test_packages_to_compile_against_are_added_to_an_environment_of_the_build_own(given, start, tmp_path):
    host = tmp_path / "host"
    host.mkdir()
    (host / "meta.yaml").write_text(
        f"package:\n  name: host\n  version: 2.0\nsource:\n  url: pkg:pypi/host@2.0\n  sha256: {SHA256}\n"
        "build:\n  cross-build-env: true\n  cross-build-files: [host/config.h]\n"
    )
    with zipfile.ZipFile(tmp_path / "host.whl", "w") as archive:
        archive.writestr("host/config.h", "wasm")
    package = CrossPackage(recipe=load_recipe(host, patches=tmp_path), wheel=tmp_path / "host.whl")
    image = Pretended(act=wheels("demo-1.0.whl"))
    start(replace(given(), cross_packages=[package]), image)
    shared, mount = (mount for mount in image.runs[0]["mounts"] if mount.inside.startswith("/mnt/xbuildenv"))
    assert (shared.inside, shared.writable) == ("/mnt/xbuildenv", False)
    assert (mount.inside, mount.writable) == ("/mnt/xbuildenv/xbuildenv", True)
    assert (mount.host / "site-packages-extras" / "host" / "config.h").read_text() == "wasm"
    assert (mount.host / "pyodide-root" / "Makefile.envs").is_file(), "with all that is shared"
    plain = json.loads((image.runs[0]["mounts"][0].host / "packages" / "demo" / "meta.yaml").read_text())
    assert plain["requirements"]["host"] == ["host"], "there when the build script starts"
    assert not (tmp_path / "shared" / "xbuildenv" / "requirements.txt").exists(), (
        "nothing is written into what is shared"
    )


def test_environment_of_a_profile(given, start):
    extra = """
        extra:
          emwheels:
            profiles:
              speed:
                environment: {SIMD: "yes", SOURCE_DATE_EPOCH: "1"}
    """
    image = Pretended(act=wheels("demo-1.0.whl"))
    start(given(extra), image)
    env = image.runs[0]["env"]
    assert (env["SIMD"], env["SOURCE_DATE_EPOCH"]) == ("yes", "1704067200")


@pytest.mark.parametrize("made", [(), ("a.whl", "b.whl")])
def test_not_one_wheel(given, start, made):
    with pytest.raises(BuildError, match=f"made {len(made)} wheels instead of one"):
        start(given(), Pretended(act=wheels(*made)))


def test_failure_shows_the_first_error_of_the_log_and_what_to_do(given, start, tmp_path):
    said = "".join(f"line {i}\n" for i in range(100)) + "a.c:1:10: fatal error: 'yaml.h' file not found\n"
    with pytest.raises(BuildError) as caught:
        start(given(), Pretended(status=1, said=said.encode()))
    assert caught.value.message == "demo did not build:\n  | a.c:1:10: fatal error: 'yaml.h' file not found"
    assert "The header yaml.h was not found" in caught.value.hint
    assert str(tmp_path / "logs" / "demo.log") in caught.value.hint


def test_failure_shows_the_reason_and_not_the_traceback_of_the_tool(given, start):
    said = "a.c:1:1: \x1b[31merror\x1b[0m: no\n\n\x1b[2mTraceback (most recent call last):\n" + "  in tool\n" * 40
    with pytest.raises(BuildError) as caught:
        start(given(), Pretended(status=1, said=said.encode()))
    assert caught.value.message == "demo did not build:\n  | a.c:1:1: error: no"


def test_failure_that_is_not_known(given, start, tmp_path):
    with pytest.raises(BuildError) as caught:
        start(given(), Pretended(status=1, said=b"odd \xff\n"))
    assert caught.value.hint == f"the whole log is {tmp_path / 'logs' / 'demo.log'}"


def test_extras_and_patches(given, tmp_path):
    inputs = given(
        extras="  extras:\n    - [extra.h, deep/inside/extra.h]\n", patch="Needed.\nReported.\n\n--- a/x\n+++ b/x\n"
    )
    image = Pretended()
    prepare_source(inputs.recipe, inputs.source, tmp_path / "tree", image)
    assert (tmp_path / "tree" / "deep" / "inside" / "extra.h").read_text() == "extra\n"
    (run,) = image.runs
    assert run["argv"][0] == "patch"
    assert [mount.writable for mount in run["mounts"]] == [True, False]


def test_patch_that_does_not_apply(given, tmp_path):
    inputs = given(patch="Needed.\nReported.\n\n--- a/x\n+++ b/x\n")
    with pytest.raises(RecipeError) as caught:
        prepare_source(
            inputs.recipe, inputs.source, tmp_path / "tree", Pretended(status=1, said=b"Hunk #1 FAILED at 1.\n")
        )
    assert "0001-x.patch" in caught.value.message
    assert "Hunk #1 FAILED at 1." in caught.value.message


LIBRARY = "build:\n  type: static_library\n"


def install(work):
    lib = work / "build" / ".libs" / "lib"
    lib.mkdir(parents=True, exist_ok=True)
    (lib / "libdemo.a").write_bytes(b"!<arch>\n")
    (lib / "libdemo.so").symlink_to("libdemo.a")
    (lib / "tool").write_bytes(b"")
    (lib / "tool").chmod(0o750)


def test_library_archive_holds_what_was_installed_and_not_what_was_given(given, start, tmp_path):
    before = tmp_path / "other.tar.gz"
    before.write_bytes(tar_gz({"lib/libother.a": "x", "include/other.h": "y"}))
    image = Pretended(act=install)
    built = start(given(LIBRARY, libraries=[before]), image)
    work = image.runs[0]["mounts"][0].host
    assert (work / "build" / ".libs" / "include" / "other.h").read_text() == "y"
    with tarfile.open(built.file) as tar:
        members = tar.getmembers()
    assert [member.name for member in members] == ["lib/libdemo.a", "lib/libdemo.so", "lib/tool"]
    assert {(member.uid, member.gid, member.uname, member.mtime) for member in members} == {(0, 0, "", 1704067200)}
    assert [oct(member.mode) for member in members if member.isfile()] == ["0o644", "0o755"]


def test_library_archive_has_the_same_bytes_again(given, start, tmp_path):
    inputs = given(LIBRARY)
    first = start(inputs, Pretended(act=install)).file.read_bytes()
    (tmp_path / "work").rename(tmp_path / "earlier")
    assert start(inputs, Pretended(act=install)).file.read_bytes() == first


def test_library_that_installs_nothing(given, start):
    with pytest.raises(BuildError, match=r"installed nothing into \$\{WASM_LIBRARY_DIR\}"):
        start(given(LIBRARY), Pretended())
