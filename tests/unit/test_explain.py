from __future__ import annotations

import pytest
from packaging.requirements import Requirement
from synthetic_wheels import OLD_WASM, WASM

from emwheels.fetch.index_pages import Offer, Resource
from emwheels.index.explain import explain
from emwheels.index.lockfile import Release
from emwheels.index.model import File, Project

LINUX = "cp314-cp314-manylinux_2_28_x86_64"


def offer(filename, **more):
    version = filename.split("-")[1].removesuffix(".tar.gz")
    return Offer(resource=Resource(url="", filename=filename), version=version, **more)


def ask(text, *, ours=(), locked=None, pypi=(), recipes=None):
    lock = {"packages": {"demo": {"version": locked, "file_name": f"demo-{locked}.whl"}} if locked else {}}
    release = Release(
        name="314.0.7", python="3.14.2", platform_tag="pyemscripten_2026_0_wasm32", packages_url="", lock=lock
    )
    files = [
        File(filename=name, sha256="", size=1, uploaded="", metadata_sha256="", yanked=yanked) for name, yanked in ours
    ]
    project = Project(name="demo").with_files(files) if files else None
    return explain(Requirement(text), release, project=project, pypi=pypi, recipes=recipes or {})


def taken(explanation):
    return [candidate and candidate.filename for candidate in explanation.chosen.values()]


@pytest.mark.parametrize(
    ("filename", "why"),
    [
        (f"demo-1.0-{LINUX}.whl", "machine code for Linux"),
        ("demo-1.0-cp314-cp314-macosx_11_0_arm64.whl", "machine code for macOS"),
        ("demo-1.0-cp314-cp314-win_amd64.whl", "machine code for Windows"),
        (f"demo-1.0-{OLD_WASM}.whl", "for Pyodide's ABI 2025_0, Pyodide 314.0.7 has 2026_0"),
        (
            "demo-1.0-cp313-cp313-pyemscripten_2026_0_wasm32.whl",
            "for the interpreter cp313-cp313, Pyodide 314.0.7 is cp314",
        ),
        ("demo-1.0.tar.gz", "a source distribution, which would have to be built"),
        (f"demo-0.9-{WASM}.whl", "0.9 is not >=1.0"),
        (f"demo-2.0rc1-{WASM}.whl", "2.0rc1 is a pre-release, and none was asked for"),
    ],
)
def test_reasons(filename, why):
    (candidate,) = ask("demo>=1.0", pypi=[offer(filename)]).candidates
    assert candidate.reasons == (why,)


def test_our_index_then_the_lock_then_pypi():
    wheel = f"demo-1.0-{WASM}.whl"
    found = ask("demo", ours=[(wheel, None)], locked="0.9", pypi=[offer("demo-2.0-py3-none-any.whl")])
    assert taken(found) == [wheel, "demo-0.9.whl", wheel, "demo-0.9.whl"]
    assert not found.advice


def test_a_yanked_file_is_the_last_resort():
    bad, good = f"demo-2.0-{WASM}.whl", f"demo-1.0-{WASM}.whl"
    assert taken(ask("demo", ours=[(bad, "wrong"), (good, None)]))[0] == good
    assert taken(ask("demo", ours=[(bad, "wrong")]))[0] == bad


def test_a_lock_of_another_version_is_passed_over():
    found = ask("demo>=2", locked="1.0", pypi=[offer("demo-2.0-py3-none-any.whl")])
    assert taken(found) == [None, "demo-2.0-py3-none-any.whl", None, None]


@pytest.mark.parametrize(
    ("pypi", "recipes", "words"),
    [
        ([offer(f"demo-1.0-{LINUX}.whl"), offer("demo-1.0.tar.gz")], {}, "write a recipe"),
        ([offer(f"demo-1.0-{LINUX}.whl")], {"demo": "1.0"}, "emwheels build demo"),
        ([offer(f"demo-1.0-{LINUX}.whl")], {"demo": "0.5"}, "change its version"),
        ([offer("demo-1.0.tar.gz")], {}, "only source distributions"),
        ([offer(f"demo-1.0-{OLD_WASM}.whl")], {}, "other releases of Pyodide"),
        ([offer("demo-1.0-py3-none-any.whl")], {}, "it needs no recipe"),
        ([], {}, "PyPI has no project demo"),
        (None, {}, "PyPI was not asked"),
    ],
)
def test_advice(pypi, recipes, words):
    assert words in ask("demo>=1.0", pypi=pypi, recipes=recipes).advice


def test_names_that_are_no_version_do_no_harm():
    found = ask(
        "demo", pypi=[offer("demo-latest.zip"), offer("demo-x-py3-none-any.whl"), offer("demo-1.0-py3-none-any.whl")]
    )
    assert taken(found)[1] == "demo-1.0-py3-none-any.whl"
    assert [candidate.kind for candidate in found.candidates].count("source") == 2
