"""Whose a wheel is, and what it reaches beyond its own modules."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import NormalizedName
from sample_target import TARGET
from synthetic_wheels import make_wheel

from emwheels.audit import Owner, Runtime, audit_wheel
from emwheels.audit.ownership import top_level
from emwheels.recipe.accepted import RULES

OWNER = Owner(name=NormalizedName("tiny"), version="1.0", modules=("tiny",), others={"numpy": "numpy", "cv2": "opencv"})
OWN = {"tiny/__init__.py": ""}


@pytest.fixture
def audited(tmp_path):
    """Audit a wheel with more files than its own module; return severity, rule and member of each finding."""

    def audited(files=None, *, name="tiny", owner=OWNER, accepted=(), **more):
        wheel = make_wheel(tmp_path / "dist", name, files=OWN | (files or {}), **more)
        runtime = Runtime(exports={}, javascript_names=frozenset())
        report = audit_wheel(wheel, target=TARGET, runtime=runtime, owner=owner, accepted=accepted)
        return [(finding.severity, finding.rule, finding.member) for finding in report.findings]

    return audited


def test_an_ordinary_wheel_has_no_finding(audited):
    files = {
        "tiny/_c.py": "", "tiny.libs/data.txt": "", "tiny-1.0.data/scripts/tiny-tool": "", "tiny/sub/numpy/x.py": "",
        "tiny-1.0.dist-info/entry_points.txt": "[console_scripts]\ntiny = tiny:main\n[tiny.plugins]\na = tiny\n",
    }  # fmt: skip
    assert audited(files, requires=["numpy>=2; python_version > '3'"]) == []


@pytest.mark.parametrize(("name", "version"), [("other", "1.0"), ("tiny", "1.1"), ("tiny-x", "1.0")])
def test_a_wheel_of_another_project_or_version(audited, name, version):
    findings = audited(name=name.replace("-", "_"), version=version)
    assert [(severity, rule) for severity, rule, _ in findings if rule == "identity"] == [("error", "identity")]


def test_the_spelling_of_a_version_does_not_matter(audited):
    assert audited(version="1.0.0") == []


@pytest.mark.parametrize(
    ("path", "severity", "rule", "member"),
    [
        ("numpy/__init__.py", "error", "namespace", "numpy"),
        ("numpy.py", "error", "namespace", "numpy"),
        ("cv2.cpython-314-wasm32-emscripten.so.py", "", "", ""),
        ("tiny-1.0.data/purelib/numpy/x.py", "error", "namespace", "numpy"),
        ("tiny-1.0.data/platlib/json.py", "error", "namespace", "json"),
        ("json/__init__.py", "error", "namespace", "json"),
        ("pip/__init__.py", "error", "namespace", "pip"),
        ("sitecustomize.py", "error", "namespace", "sitecustomize"),
        ("tests/test_a.py", "warning", "namespace", "tests"),
        ("else/data.txt", "warning", "namespace", "else"),
        ("tiny.pth", "error", "startup", "tiny.pth"),
        ("tiny-1.0.data/purelib/a.pth", "error", "startup", "tiny-1.0.data/purelib/a.pth"),
        ("tiny/data/a.pth", "", "", ""),
        ("tiny-1.0.data/scripts/python3", "error", "script", "tiny-1.0.data/scripts/python3"),
        ("tiny-1.0.data/scripts/pip3.14", "error", "script", "tiny-1.0.data/scripts/pip3.14"),
        ("tiny-1.0.data/data/bin/node", "error", "script", "tiny-1.0.data/data/bin/node"),
        ("TINY/__init__.py", "warning", "namespace", "TINY"),
        ("tiny/" + "d/" * 220 + "x.txt", "error", "names", ("tiny/" + "d/" * 220 + "x.txt")[:200]),
    ],
)
def test_what_is_not_its_own(audited, path, severity, rule, member):
    findings = [
        each for each in audited({path: ""}) if each[1] in RULES and (path != "TINY/__init__.py" or rule == each[1])
    ]
    assert findings == ([(severity, rule, member)] if rule else [])


def test_files_that_differ_by_case_only(audited):
    assert ("error", "names", "tiny/A.txt") in audited({"tiny/a.txt": "", "tiny/A.txt": ""})
    assert ("error", "names", "tiny/\u212b.txt") in audited({"tiny/\u00e5.txt": "", "tiny/\u212b.txt": ""})


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ("[pytest11]\nspy = tiny\n", [("error", "plugin", "spy")]),
        ("[console_scripts]\npython3 = tiny:main\n", [("error", "script", "python3")]),
        ("[gui_scripts]\nPip = tiny:main\n", [("error", "script", "Pip")]),
        ("no section\n", [("error", "record", "entry_points.txt")]),
        ("\ufeff[pytest11", [("error", "record", "entry_points.txt")]),
    ],
)
def test_entry_points(audited, text, findings):
    found = audited({"tiny-1.0.dist-info/entry_points.txt": text})
    assert [each for each in found if each in findings] == findings


def test_a_long_requirement_is_read_whole(audited):
    """The one that pandas has for its extra "all"."""
    extras = ",".join(f"extra-number-{number}" for number in range(40))
    assert audited(requires=[f'demo[{extras}]; extra == "all"']) == []


def test_a_requirement_with_an_address(audited):
    requires = ["spy @ https://example.org/spy-1.0.tar.gz", "what is this", "numpy"]
    assert [rule for _, rule, _ in audited(requires=requires)] == ["requirement"] * 2


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "split-type"])
def test_each_can_be_accepted(audited, rule):
    files = {
        "numpy/__init__.py": "", "a.pth": "", "tiny-1.0.data/scripts/pip": "", "tiny/x": "", "tiny/X": "",
        "tiny-1.0.dist-info/entry_points.txt": "[pytest11]\nspy = tiny\n",
    }  # fmt: skip
    requires = ["spy @ https://example.org/spy.whl"]
    every = audited(files, requires=requires)
    kept = audited(files, requires=requires, accepted=[(rule, "*")])
    assert rule in {each[1] for each in every}
    assert kept == [each for each in every if each[1] != rule]
    assert audited(files, requires=requires, accepted=[(rule, "no such member")]) == every


def test_without_an_owner_a_wheel_may_be_anybody_s(audited):
    assert audited({"else.py": ""}, name="whatever", owner=None) == []


@given(st.text(max_size=60))
def test_any_path_is_of_a_module_or_of_none(path):
    module = top_level(path)
    assert module == "" or (module.isidentifier() and fnmatchcase(path, f"*{module}*"))
