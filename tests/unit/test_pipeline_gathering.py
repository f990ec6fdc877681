from __future__ import annotations

import json
import tarfile
from dataclasses import replace

import pytest
from sample_run import LIBRARY, add_recipe, keep, make_environment, wheel_of

from emwheels.errors import RecipeError
from emwheels.pipeline.gathering import compiler_cache_folder, gather
from emwheels.pipeline.known import key_of
from emwheels.pipeline.model import Options
from emwheels.pipeline.run import make_run
from emwheels.schedule import JobServer
from emwheels.wheel import REPORT, SBOM

CROSS = "build:\n  cross-build-env: true\n  cross-build-files: [base.py]\n"
USER = "requirements:\n  host: [ZLib, base, blas]\n  run: [base]\n"


@pytest.fixture
def environment(tmp_path):
    environment = make_environment(tmp_path)
    for name in ("blas", "zlib"):
        add_recipe(environment, name, f"{LIBRARY}about:\n  license: Zlib\n")
    add_recipe(environment, "base", CROSS, version="2.5")
    user = add_recipe(environment, "user", USER)
    environment.fetcher.give(
        user / "requirements.build.txt",
        ("setuptools-80.0-py3-none-any.whl", b"setuptools"),
        ("base-2.5-cp314-cp314-manylinux_2_28_x86_64.whl", b"base"),
    )
    return environment


@pytest.fixture
def run(environment):
    return make_run(environment, [])


@pytest.fixture
def outputs(run, tmp_path):
    found = {}
    for name in ("blas", "zlib"):
        (tmp_path / name).write_bytes(name.encode())
        found[name] = keep(run, name, file=tmp_path / name)
    return found | {"base": keep(run, "base", file=wheel_of(run, "base"))}


def gathered(run, outputs, name="user"):
    recipe = run.recipes[name]
    return gather(run, recipe, key_of(run, recipe, outputs), outputs)


def test_libraries_come_in_the_order_of_the_recipe(run, outputs):
    assert [path.read_bytes() for path in gathered(run, outputs).libraries] == [b"zlib", b"blas"]


def test_packages_to_compile_against_come_as_named_wheels(run, outputs):
    (cross,) = gathered(run, outputs).cross_packages
    assert cross.recipe is run.recipes["base"]
    assert cross.wheel.name == "base-2.5-py3-none-any.whl"
    assert cross.files == ("base.py",)


def test_source_and_build_requirements_are_fetched(run, outputs, environment):
    inputs = gathered(run, outputs)
    assert environment.fetcher.asked == ["pkg:pypi/user@1.0", "user/requirements.build.txt 3.14 native"]
    assert inputs.source.path.read_bytes() == b"pkg:pypi/user@1.0"
    assert [wheel.path.read_bytes() for wheel in inputs.requirements] == [b"setuptools", b"base"]


def test_downloads_are_fetched_by_their_hash_and_are_in_what_a_wheel_carries(environment):
    sha256 = "ab" * 32
    entry = f"{{name: fmt, url: 'pkg:deb/debian/fmtlib@10.1.1', sha256: {sha256}}}"
    add_recipe(environment, "parts", f"extra:\n  emwheels:\n    downloads: [{entry}]\n")
    inputs = gathered(make_run(environment, ["parts"]), {}, "parts")
    ((download, fetched),) = inputs.downloads
    assert (download.name, download.sha256) == ("fmt", sha256)
    assert fetched.path.read_bytes() == b"pkg:deb/debian/fmtlib@10.1.1"
    assert "emscripten_log" in inputs.runtime_names
    report = json.loads(inputs.documents[REPORT])
    assert report["inputs"]["downloads"] == {"fmt": ["pkg:deb/debian/fmtlib@10.1.1", sha256, True]}
    components = json.loads(inputs.documents[SBOM])["components"]
    assert [component["name"] for component in components] == ["fmt"]


def test_a_library_without_a_lock_needs_its_source_alone(environment):
    add_recipe(environment, "unlocked", LIBRARY, locked=False)
    inputs = gathered(make_run(environment, ["unlocked"]), {}, "unlocked")
    assert (inputs.requirements, inputs.libraries, inputs.cross_packages) == ((), [], [])
    assert environment.fetcher.asked == ["pkg:pypi/unlocked@1.0"]


def test_every_recipe_has_a_compiler_cache_unless_there_is_to_be_none(run, outputs, environment):
    key = key_of(run, run.recipes["user"], outputs)
    folder = compiler_cache_folder(run, "user", key)
    assert folder.is_relative_to(environment.project.cache)
    assert folder != compiler_cache_folder(run, "base", key)
    assert gathered(run, outputs).compiler_cache.folder == folder
    assert gathered(replace(run, options=Options(ccache=False)), outputs).compiler_cache is None


def test_the_cores_are_shared_by_the_run_s_jobserver(run, outputs, tmp_path):
    assert gathered(run, outputs).jobserver is None
    server = JobServer(tmp_path / "jobs", cores=2, inside="/mnt/jobserver")
    try:
        assert gathered(replace(run, jobserver=server), outputs).jobserver is server
    finally:
        server.close()


def test_target_and_profile_are_the_run_s(run, outputs, environment):
    inputs = gathered(replace(run, options=Options(profile="size")), outputs)
    assert (inputs.target, inputs.profile) == (environment.target, "size")


def test_the_report_names_key_tools_and_build_requirements(run, outputs):
    report = json.loads(gathered(run, outputs).documents[REPORT])
    assert report["key"] == key_of(run, run.recipes["user"], outputs).digest
    assert report["build requirements"] == [
        "base-2.5-cp314-cp314-manylinux_2_28_x86_64.whl",
        "setuptools-80.0-py3-none-any.whl",
    ]
    assert report["tools"] == {"emscripten": "6.0", "llvm": "21", "pyodide-build": "0.39", "python": "3.14.2"}


def test_upstream_s_toolchain_has_the_target_s_emscripten(run, outputs, environment):
    recipe = run.recipes["user"]
    key = key_of(run, recipe, outputs)  # the other one's needs pins
    environment.toolchain_name = "emsdk"
    tools = json.loads(gather(run, recipe, key, outputs).documents[REPORT])["tools"]
    assert (tools["emscripten"], tools["llvm"]) == ("5.0.3", "of Emscripten")


def test_the_sbom_lists_the_libraries_and_not_the_packages(run, outputs):
    parts = json.loads(gathered(run, outputs).documents[SBOM])["components"]
    assert {part["name"]: part["hashes"][0]["content"] for part in parts} == {
        name: outputs[name].sha256 for name in ("blas", "zlib")
    }


def test_another_native_package_than_the_recipe_s_is_refused(run, outputs, environment):
    lock = run.recipes["user"].build_lock
    environment.fetcher.give(lock, ("base-2.4-cp314-cp314-manylinux_2_28_x86_64.whl", b"base"))
    with pytest.raises(RecipeError, match=r"pins base 2\.4") as caught:
        gathered(run, outputs)
    assert str(lock) in caught.value.message


def test_a_recipe_without_a_lock_is_not_fetched(environment):
    folder = add_recipe(environment, "unlocked", locked=False)
    with pytest.raises(RecipeError, match=r"there is no requirements\.build\.txt") as caught:
        gathered(make_run(environment, ["unlocked"]), {}, "unlocked")
    assert str(folder) in caught.value.message
    assert environment.fetcher.asked == []


def test_a_source_that_is_a_folder_is_packed_as_it_is_now(environment):
    source = environment.project.recipes / "local" / "src"
    source.mkdir(parents=True)
    (source / "setup.py").write_text("one")
    folder = add_recipe(environment, "local", source="path: src")
    run = make_run(environment, ["local"])
    key = key_of(run, run.recipes["local"], {})
    inputs = gather(run, run.recipes["local"], key, {})
    assert inputs.source.sha256 == key.inputs["recipe"]["source"]["path"]
    with tarfile.open(inputs.source.path) as tar:
        assert tar.getnames() == ["local-1.0/setup.py"]
    (source / "setup.py").write_text("two")
    with pytest.raises(RecipeError, match=r"source\.path: files changed since this run began") as caught:
        gather(run, run.recipes["local"], key, {})
    assert str(folder / "meta.yaml") in caught.value.message


def test_a_program_that_the_image_lacks_is_said_before_anything_is_fetched(environment):
    vars(environment)["programs"] = frozenset()
    folder = add_recipe(environment, "swigged", "requirements:\n  executable: [swig, bison]\n")
    with pytest.raises(RecipeError) as caught:
        gathered(make_run(environment, ["swigged"]), {}, "swigged")
    assert caught.value.message.startswith(
        f"{folder / 'meta.yaml'}: requirements.executable: swig, bison are not in the build image"
    )
    assert environment.fetcher.asked == []
