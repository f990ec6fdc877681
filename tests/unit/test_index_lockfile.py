from __future__ import annotations

import json

import pytest
from packaging.tags import parse_tag
from sample_target import TARGET
from synthetic_wheels import OLD_WASM, WASM, make_wheel

from emwheels import index
from emwheels.errors import IndexingError
from emwheels.index.lockfile import Release, dump_release, load_release, merge, read_release
from emwheels.index.model import File, Project

CDN = "https://packages.example.org/v1/full/"


def entry(name, version, depends=(), **more):
    return {"name": name, "version": version, "file_name": f"{name}-{version}.whl", "depends": list(depends), **more}


def release(*entries):
    return Release(
        name="314.0.7",
        python="3.14.2",
        platform_tag="pyemscripten_2026_0_wasm32",
        packages_url=CDN,
        lock={"info": {"platform": "emscripten_5_0_3"}, "packages": {e["name"]: e for e in entries}},
    )


def project(name, *versions, requires=(), tag=WASM, **more):
    made = Project(name=name)
    return made.with_files(
        File(
            filename=f"{name.replace('-', '_')}-{version}-{tag}.whl",
            sha256="0" * 64,
            size=1,
            uploaded="",
            metadata_sha256="",
            requires=tuple(requires),
            **{"imports": (name,), **more},
        )
        for version in versions
    )


def packages(lock):
    return lock.document["packages"]


def test_ours_go_before_pyodides_of_the_same_name():
    lock = merge(release(entry("numpy", "2.4.6"), entry("pandas", "3.0", ["numpy"])), [project("numpy", "2.5.5")])
    assert packages(lock)["numpy"]["file_name"] == f"wheels/numpy-2.5.5-{WASM}.whl"
    assert packages(lock)["numpy"]["imports"] == ["numpy"]
    assert packages(lock)["pandas"]["file_name"] == f"{CDN}pandas-3.0.whl"
    assert packages(lock)["pandas"]["depends"] == ["numpy"]


def test_tests_that_were_taken_out_of_a_package_go_with_it():
    base = release(entry("numpy", "2.4.6", unvendored_tests=True), entry("numpy-tests", "2.4.6", ["numpy"]))
    assert set(packages(merge(base, [project("numpy", "2.5.5")]))) == {"numpy"}


def test_a_module_of_several_packages_is_loaded_from_the_first_of_ours():
    base = release(entry("numpy", "2.4.6"), *(entry(name, "4.12", imports=["cv2", name]) for name in ("a-cv", "z-cv")))
    both = [
        project("opencv-python-headless", "5.0", imports=("cv2", "own")),
        project("opencv-python", "4.14", imports=("cv2",)),
    ]
    found = packages(merge(base, both))
    assert {name: found[name]["imports"] for name in found} == {
        "a-cv": ["a-cv"],
        "numpy": [],
        "opencv-python": ["cv2"],
        "opencv-python-headless": ["own"],
        "z-cv": ["z-cv"],
    }
    without = packages(merge(base, []))
    assert [without[name]["imports"] for name in ("a-cv", "z-cv")] == [["cv2", "a-cv"], ["cv2", "z-cv"]]


def test_the_newest_that_fits_and_is_not_yanked():
    numpy = project("numpy", "1.9", "1.10", "2.0rc1").with_files(
        [*project("numpy", "3.0", tag=OLD_WASM).files, *project("numpy", "1.11", yanked="bad").files]
    )
    assert packages(merge(release(), [numpy]))["numpy"]["version"] == "1.10"


def test_a_pre_release_where_there_is_nothing_else():
    assert packages(merge(release(), [project("numpy", "2.0rc1")]))["numpy"]["version"] == "2.0rc1"


def test_requirements_by_marker_and_extra():
    ours = [
        project(
            "app",
            "1.0",
            requires=[
                "lib[fast]>=1",
                'winonly; sys_platform == "win32"',
                'wasm-only; sys_platform == "emscripten"',
                'old; python_version < "3.14"',
                'docs; extra == "docs"',
            ],
        ),
        project("lib", "1.2", requires=['speed; extra == "fast"', 'slow; extra == "slow"']),
        project("speed", "1.0"),
        project("wasm-only", "1.0"),
    ]
    lock = merge(release(), ours)
    assert packages(lock)["app"]["depends"] == ["lib", "speed", "wasm-only"]
    assert packages(lock)["lib"]["depends"] == []
    assert not lock.left_out


def test_what_needs_something_missing_is_left_out_and_so_is_what_needs_that():
    ours = [project("a", "1.0", requires=["b"]), project("b", "1.0", requires=["c>=1"]), project("d", "1.0")]
    lock = merge(release(), ours)
    assert set(packages(lock)) == {"d"}
    assert lock.left_out["b"] == "needs c>=1, which is neither in this index nor in Pyodide's lock"
    assert lock.left_out["a"] == "needs b, which is neither in this index nor in Pyodide's lock"


def test_a_version_that_does_not_fit_is_left_out_and_pyodides_own_stays():
    base = release(entry("contourpy", "1.3", ["numpy"]), entry("numpy", "2.4.6"))
    lock = merge(base, [project("contourpy", "1.4", requires=["numpy>=2.5"])])
    assert packages(lock)["contourpy"]["version"] == "1.3"
    assert lock.left_out == {"contourpy": "needs numpy>=2.5, and 2.4.6 is what the lock has"}


def test_a_version_of_a_library_of_pyodide_is_not_one_of_python():
    """Pyodide 315.0.0-alpha.2 has libopenssl 1.1.1w."""
    base = load_release(dump_release(release(entry("libopenssl", "1.1.1w"))), "release.json")
    lock = merge(base, [project("a", "1.0", requires=["libopenssl"]), project("b", "1.0", requires=["libopenssl>1"])])
    assert packages(lock)["a"]["depends"] == ["libopenssl"]
    assert lock.left_out == {"b": "needs libopenssl>1, and 1.1.1w is what the lock has"}


@pytest.mark.parametrize("marker", ['platform_machine ~= "x"', '"x" in extras'])
def test_a_marker_that_cannot_be_evaluated_is_told(marker):
    lock = merge(release(entry("six", "1.0")), [project("a", "1.0", requires=[f"six; {marker}"]), project("b", "1.0")])
    assert "cannot be evaluated" in lock.left_out["a"]
    assert "b" in packages(lock)


def test_a_circle_is_opened_where_it_leads_back():
    lock = merge(release(), [project("a", "1.0", requires=["b"]), project("b", "1.0", requires=["a"])])
    assert packages(lock)["a"]["depends"] == ["b"]
    assert packages(lock)["b"]["depends"] == []
    assert lock.remarks == ("b needs a, which needs b: load a, which brings both",)


def test_a_circle_is_entered_where_others_enter_it():
    needs = {"a": ["c"], "b": ["a"], "c": ["b"], "user": ["b"]}
    lock = merge(release(), [project(name, "1.0", requires=requires) for name, requires in needs.items()])
    found = {name: entry["depends"] for name, entry in packages(lock).items()}
    assert found == {"a": ["c"], "b": ["a"], "c": [], "user": ["b"]}


def test_what_two_need_is_no_circle():
    needs = {"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}
    lock = merge(release(), [project(name, "1.0", requires=requires) for name, requires in needs.items()])
    assert {name: entry["depends"] for name, entry in packages(lock).items()} == needs
    assert lock.remarks == ()


def several(*filenames, **more):
    """A project that has these files, which an index may list in any order."""
    (name, *_) = {filename.partition("-")[0] for filename in filenames}
    facts = {"sha256": "0" * 64, "size": 1, "uploaded": "", "metadata_sha256": "", **more}
    return Project(name=name).with_files([File(filename=filename, **facts) for filename in filenames])


@pytest.mark.parametrize(
    ("filenames", "taken"),
    [
        ([f"a-1.0-{WASM}.whl", "a-1.0-py3-none-any.whl"], f"a-1.0-{WASM}.whl"),
        ([f"a-1.0-{WASM}.whl", "a-1.1-py3-none-any.whl"], "a-1.1-py3-none-any.whl"),
        ([f"a-1.0-2-{WASM}.whl", f"a-1.0-10-{WASM}.whl", f"a-1.0-{WASM}.whl"], f"a-1.0-10-{WASM}.whl"),
        (["a-1.0-9-py3-none-any.whl", f"a-1.0-{WASM}.whl"], f"a-1.0-{WASM}.whl"),
        (["a-1.0-cp312-abi3-pyemscripten_2026_0_wasm32.whl", f"a-1.0-{WASM}.whl"], f"a-1.0-{WASM}.whl"),
        (
            ["a-1.0-cp314-cp314-pyodide_2026_0_wasm32.whl", "a-1.0-py3-none-any.whl"],
            "a-1.0-cp314-cp314-pyodide_2026_0_wasm32.whl",
        ),
    ],
)
def test_of_one_version_the_wheel_that_micropip_takes(filenames, taken):
    lock = merge(release(), [several(*filenames)])
    assert packages(lock)["a"]["file_name"] == f"wheels/{taken}"


def test_a_page_lists_the_highest_build_first_as_micropip_takes_the_first():
    made = several(f"a-1.0-2-{WASM}.whl", f"a-1.0-10-{WASM}.whl", f"a-1.0-{WASM}.whl", f"a-0.9-{WASM}.whl")
    assert [file.filename.split("-")[1:3] for file in made.files] == [
        ["0.9", "cp314"],
        ["1.0", "10"],
        ["1.0", "2"],
        ["1.0", "cp314"],
    ]


def test_a_wheel_for_another_python_is_not_taken():
    newer = project("a", "2.0", tag="py3-none-any", requires_python=">=3.15")
    both = project("a", "1.0", tag="py3-none-any", requires_python=">=3.8").with_files(newer.files)
    assert packages(merge(release(), [both]))["a"]["version"] == "1.0"
    assert "a" not in packages(merge(release(), [newer]))


def test_a_shared_namespace_is_nobodys_and_what_lies_in_it_is():
    lock = merge(
        release(),
        [
            project("google-auth", "1.0", imports=("google", "google.auth")),
            project("protobuf", "1.0", imports=("google", "google.protobuf")),
            project("ruamel-yaml", "1.0", imports=("ruamel", "ruamel.yaml")),
        ],
    )
    assert {name: entry["imports"] for name, entry in packages(lock).items()} == {
        "google-auth": ["google.auth"],
        "protobuf": ["google.protobuf"],
        "ruamel-yaml": ["ruamel", "ruamel.yaml"],
    }


def test_a_closed_lock_has_nothing_of_pyodides_but_what_is_named():
    base = release(entry("ssl", "1", ["libssl"]), entry("libssl", "1.1.1w"), entry("numpy", "2.4.6"))
    ours = [project("app", "1.0"), project("maths", "1.0", requires=["numpy"])]
    lock = merge(base, ours, foreign=())
    assert set(packages(lock)) == {"app"}
    assert lock.left_out == {"maths": "needs numpy, which is not in this index"}
    assert set(packages(merge(base, ours, foreign=("ssl",)))) == {"app", "ssl", "libssl"}
    assert set(packages(merge(base, ours, foreign=("numpy", "nothing")))) == {"app", "maths", "numpy"}


def test_a_release_takes_what_micropip_takes():
    assert release().accepts(parse_tag("cp314-cp314-pyodide_2026_0_wasm32"))
    assert not release().accepts(parse_tag("cp314-cp314-pyodide_2025_0_wasm32"))


def runtime(folder, script, lock='{"info": {}, "packages": {}}'):
    folder.mkdir()
    (folder / "pyodide.mjs").write_text(script)
    (folder / "pyodide-lock.json").write_text(lock)
    return folder


def test_the_address_of_pyodides_packages_is_read_from_its_program(tmp_path, targets):
    script = 'var Y="1.2.3";function k(){}var U=Y;async function S(e){e.cdnUrl=e.x??`https://cdn.example/v${U}/full/`}'
    found = read_release(targets.get(None), runtime(tmp_path / "a", script))
    assert found.packages_url == "https://cdn.example/v1.2.3/full/"


@pytest.mark.parametrize("script", ["", "`https://cdn.example/v${U}/full/`", "var U=U;`https://cdn.example/v${U}/`"])
def test_a_program_that_does_not_tell(tmp_path, targets, script):
    with pytest.raises(IndexingError, match=r"pyodide\.mjs"):
        read_release(targets.get(None), runtime(tmp_path / "a", script))


def test_the_index_has_a_lock_of_each_release_and_the_first_by_the_short_name(tmp_path):
    wheel = make_wheel(tmp_path, "demo", tag=WASM)
    index.publish(tmp_path / "dist", wheel, wheel.name, release=release(entry("numpy", "2.4.6")))
    lock = json.loads((tmp_path / "dist/pyodide-lock.json").read_text())
    assert set(lock["packages"]) == {"demo", "numpy"}
    assert (tmp_path / "dist/pyodide-lock-314.0.7.json").read_text() == (
        tmp_path / "dist/pyodide-lock.json"
    ).read_text()
    (tmp_path / "dist/releases/314.0.7.json").unlink()
    other = make_wheel(tmp_path, "other")
    with pytest.raises(IndexingError, match=r"releases/314\.0\.7\.json is missing"):
        index.publish(tmp_path / "dist", other, other.name)


@pytest.mark.parametrize(
    "lock",
    [
        b'{"packages":' * 100_000,
        b'{"packages": []}',
        b'{"packages": {"a": {"version": "1.0"}}}',
        b'{"packages": {"a": {"version": 1, "file_name": "a.whl"}}}',
        b'{"packages": {"a": {"version": "1.0", "file_name": 1}}}',
        b'{"packages": {"a": {"version": "1.0", "file_name": "a", "imports": [1]}}}',
        b"[]",
    ],
    ids=range(7),
)
def test_a_lock_that_is_none_is_named(tmp_path, lock):
    (tmp_path / "pyodide-lock.json").write_bytes(lock)
    (tmp_path / "pyodide.mjs").write_text("")
    with pytest.raises(IndexingError, match=f"{tmp_path} is not an unpacked npm package of pyodide: "):
        read_release(TARGET, tmp_path)
    with pytest.raises(IndexingError, match=r"release\.json is damaged"):
        load_release(
            b'{"name": "x", "python": "3.14", "platform_tag": "x", "packages_url": "x", "lock": %s}' % lock,
            "release.json",
        )
