from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.tags import Tag, compatible_tags, cpython_tags, parse_tag
from sample_target import TARGET

from emwheels.errors import UsageError
from emwheels.target import load_targets
from emwheels.target.tags import Policy, fits, fitting_tags

GOOD = """\
default = "1.2.3"
[image]
suite = "forky"
[image.build]
emscripten = "6.0.5"
llvm = "21"
pythons = ["3.14", "3.15"]
pyodide_build = "0.39.2"
[image.build.packages]
make = "a tool"
[image.test.packages]
nodejs = "an engine"
[image.service.packages]
nginx = "a server"
[harness]
playwright_core = "pkg:npm/playwright-core@1.65.1"
playwright_core_sha256 = "00"
[target."1.2.3"]
python = "3.15.0rc1"
abi = "pyemscripten_2026_5"
emscripten = "6.0.5"
runtime = "pkg:npm/pyodide@1.2.3"
runtime_sha256 = "00"
cflags = ["-fPIC"]
ldflags = []
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "targets.toml"
    path.write_text(GOOD)
    return path


def test_a_target_and_what_follows_from_it(file):
    targets = load_targets(file)
    target = targets.get(None)
    assert target is targets.get("1.2.3")
    assert (target.name, target.python_minor, target.python_tag) == ("1.2.3", "3.15", "cp315")
    assert target.platform_tag == "pyemscripten_2026_5_wasm32"
    assert target.cflags == ("-fPIC",)
    assert targets.image.pythons == ("3.14", "3.15")
    assert (targets.image.packages, targets.image.suite) == ({"make": "a tool"}, "forky")
    for part, pins in (("build", targets.image), ("test", targets.test_image), ("service", targets.service_image)):
        assert (pins.part, pins.suite, pins.oci_reference) == (part, "forky", "")
    hash(target)


def test_how_wheels_are_packed_is_no_matter_of_the_toolchain(file):
    plain = load_targets(file).get(None)
    file.write_text(file.read_text().replace("ldflags = []", "ldflags = []\nstored = true"))
    stored = load_targets(file).get(None)
    assert (plain.stored, stored.stored) == (False, True)
    assert stored.identity() == plain.identity()


def test_what_is_published_beside_wheels_is_in_no_key(targets):
    target = targets.get("314.0.7")
    assert replace(target, runtimes={}).identity() == target.identity()
    packages = target.packages_of_runtimes()
    assert list(packages) == ["314.0.7", "314.0.0", "314.0.2", "314.0.6"]
    assert packages["314.0.0"] == ("pkg:npm/pyodide@314.0.0", target.runtimes["314.0.0"])


def test_the_file_of_the_project():
    targets = load_targets(Path(__file__).parents[2] / "targets.toml")
    assert targets.get(None).name == targets.default
    assert {target.python_minor for target in targets.targets.values()} <= set(targets.image.pythons)
    for target in targets.targets.values():
        assert "-fwasm-exceptions" in target.cflags, "a wheel must have the exceptions that the runtime has"
        assert len(target.runtime_sha256) == 64


def test_unknown_target_names_those_that_exist(file):
    with pytest.raises(UsageError) as caught:
        load_targets(file).get("9.9")
    assert "'9.9'" in caught.value.message
    assert "1.2.3" in caught.value.hint
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ('default = "1.2.3"', 'default = "', "targets.toml"),
        ('default = "1.2.3"', 'default = "4.5.6"', "4.5.6"),
        ('default = "1.2.3"\n', "", "default"),
        ('abi = "pyemscripten_2026_5"\n', "", "abi"),
        ('llvm = "21"\n', "", "llvm"),
        ('suite = "forky"', 'suite = "forky"\nsweet = 1', "sweet"),
        ('make = "a tool"', "make = 1", "image.build.packages must be a table of texts"),
        ('make = "a tool"', '"-o" = "a tool"', "'-o' is not the name of a Debian package"),
        ('make = "a tool"', '"a,b" = "a tool"', "'a,b' is not the name of a Debian package"),
        ("[image.test.packages]\n", "[image.tests.packages]\n", "image.tests is no key; image has suite"),
        ("[image.service", '[image.engine]\nx = ""\n[image.service', "image.engine is no key"),
        ("[image.test.packages]\n", '[image.test]\nllvm = "21"\n[image.test.packages]\n', "image.test.llvm is no key"),
        ("[image.build]\n", "", "image.emscripten is no key"),
        ('pythons = ["3.14", "3.15"]', 'pythons = "3.14"', "image.build.pythons must be a list of texts"),
        ('suite = "forky"', "suite = 1", "image.suite must be text"),
        ('suite = "forky"', "", "image.suite is missing"),
        ('abi = "pyemscripten_2026_5"', "abi = 5", 'target."1.2.3".abi must be text'),
        ("ldflags = []", "ldflags = []\nemsdk = 1", 'target."1.2.3".emsdk must be a table'),
        ("ldflags = []", "ldflags = []\nruntimes = 1", 'target."1.2.3".runtimes must be a table of texts'),
        (
            "ldflags = []",
            'ldflags = []\nruntimes = {"1.2.2" = "00"}',
            "runtimes.'1.2.2' must be a release",
        ),
        ("ldflags = []", f'ldflags = []\nruntimes = {{"../x" = "{"0" * 64}"}}', "runtimes.'../x' must be a release"),
        ("ldflags = []", 'ldflags = []\n[target."1.2.3".emsdk.nodes]', "emsdk.nodes is no file; there are crossenv"),
        ("ldflags = []", 'ldflags = []\n[target."1.2.3".emsdk.node]\nuri = "x"', "emsdk.node.uri is no key"),
        (
            "[image.service",
            '[image.service]\noci_reference = ""\n[image.service',
            "image.service.oci_reference is no key",
        ),
        ('python = "3.15.0rc1"', 'python = "three"', 'target."1.2.3".python must be a full version, such as 3.14.2'),
        ('python = "3.15.0rc1"', 'python = "3.15"', "not '3.15'"),
        ('python = "3.15.0rc1"', f'python = "3.{"9" * 5000}.1"', 'target."1.2.3".python must be'),
        ('python = "3.15.0rc1"', 'python = "3.\u0661.1"', 'target."1.2.3".python must be'),
        ('emscripten = "6.0.5"\nllvm', 'emscripten = "six"\nllvm', "image.build.emscripten must be a full version"),
        ('emscripten = "6.0.5"\nruntime', 'emscripten = ""\nruntime', 'target."1.2.3".emscripten must be'),
        ('llvm = "21"', 'llvm = "21.1"', "image.build.llvm must be a major version"),
        ('"0.39.2"', '"-r x"', "image.build.pyodide_build must be a full version"),
        ('"3.14", "3.15"', '"3.14", "-c"', "image.build.pythons must be minor versions, such as 3.14, not '-c'"),
        ('abi = "pyemscripten_2026_5"', 'abi = "a-b"', 'target."1.2.3".abi must be a platform tag'),
        ('suite = "forky"', 'suite = "--x"', "image.suite must be the name of a Debian release"),
        ('suite = "forky"', 'suite = ""', "image.suite must be the name of a Debian release"),
        ('suite = "forky"', 'suite = "for ky"', "not 'for ky'"),
        ('suite = "forky"', 'suite = "for\\u0000ky"', "image.suite has a control character"),
        ('make = "a tool"', 'make = "a\\u0000tool"', "image.build.packages has a control character"),
        ('["-fPIC"]', '["-fPIC", "a\\u0000"]', 'target."1.2.3".cflags has a control character'),
        ('[target."1.2.3"]', '[target."../x"]', "target.'../x' is no name of a release"),
        ("llvm = ", f"deep = {'[' * 3000}\nllvm = ", "lie too deep in each other"),
        ("llvm = ", f"huge = {'1' * 5000}\nllvm = ", "targets.toml: "),
        ("cflags = ", "cxxflags = ", "cxxflags"),
        ("[harness]", "[harness2]", "harness"),
        ('[target."1.2.3"]', '[traget."1.2.3"]', "target"),
        ('[target."1.2.3"]', "[target]", "targets.toml"),
        ("ldflags = []", 'ldflags = []\nstored = "yes"', "stored"),
    ],
)
def test_what_is_wrong_is_named(file, old, new, word):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(UsageError) as caught:
        load_targets(file)
    assert word in caught.value.message


def test_no_file_and_no_text(tmp_path):
    with pytest.raises(UsageError, match=r"targets\.toml"):
        load_targets(tmp_path / "targets.toml")
    (tmp_path / "targets.toml").write_bytes(b"default = '\xff'")
    with pytest.raises(UsageError, match=r"targets\.toml"):
        load_targets(tmp_path / "targets.toml")


C, O, P, M, I = Policy.COMPILED, Policy.OPENED, Policy.PURE, Policy.MICROPIP, Policy.PIP  # noqa: E741


@pytest.mark.parametrize(
    ("tag", "policies"),
    [
        ("cp314-cp314-pyemscripten_2026_0_wasm32", {C, O, M, I}),
        ("cp314-cp314-pyodide_2026_0_wasm32", {M}),
        ("cp39-abi3-pyemscripten_2026_0_wasm32", {C, O, M, I}),
        ("cp39-abi3-pyodide_2026_0_wasm32", {M}),
        ("cp315-abi3-pyemscripten_2026_0_wasm32", set()),
        ("cp314-none-pyemscripten_2026_0_wasm32", {O, M, I}),
        ("py3-none-pyemscripten_2026_0_wasm32", {O, M, I}),
        ("cp313-cp313-pyemscripten_2026_0_wasm32", set()),
        ("cp314-cp314t-pyemscripten_2026_0_wasm32", set()),
        ("cp314-cp314-pyemscripten_2025_0_wasm32", set()),
        ("cp314-cp314-manylinux_2_28_x86_64", set()),
        ("py3-none-any", {P, M, I}),
        ("py2.py3-none-any", {P, M, I}),
        ("cp314-none-any", {M, I}),
        ("cp314.cp313-cp314-pyemscripten_2026_0_wasm32.manylinux_2_28_x86_64", {C, O, M, I}),
        ("py314-none-any", {M, I}),
        ("py2-none-any", set()),
        ("py315-none-any", set()),
        ("pp310-none-any", set()),
        ("cp314-abi3-any", set()),
    ],
)
def test_whose_rule_takes_which_tag(tag, policies):
    assert {policy for policy in Policy if fits(parse_tag(tag), TARGET, policy)} == policies


_TAGS = st.builds(
    Tag,
    st.sampled_from(
        [*(f"{kind}3{minor}" for kind in ("cp", "py") for minor in range(20)), "py2", "py3", "cp3", "pp310"]
    ),
    st.sampled_from(["none", "abi3", *(f"cp3{minor}" for minor in range(12, 17)), "cp314t"]),
    st.sampled_from(
        ["any", "linux_x86_64", "emscripten_4_0_9_wasm32"]
        + [f"{name}_202{year}_0_wasm32" for name in ("pyodide", "pyemscripten") for year in (5, 6)]
    ),
)


@given(tags=st.frozensets(_TAGS, max_size=4))
def test_rules_agree_where_they_have_to(tags):
    taken = {policy for policy in Policy if fits(tags, TARGET, policy)}
    assert taken == {policy for policy in Policy if any(fits([tag], TARGET, policy) for tag in tags)}
    assert taken == {policy for policy in Policy if tags & set(fitting_tags(TARGET, policy))}
    assert M in taken or not taken, "what is published, and what pip takes, micropip can install"
    assert I in taken or not taken & {C, O, P}, "what is published, pip takes"
    assert O in taken or C not in taken, "what one Python imports, it can open as well"
    of_today = {Tag(tag.interpreter, tag.abi, tag.platform.replace("pyodide_", "pyemscripten_")) for tag in tags}
    assert (M in taken) is fits(of_today, TARGET, I), "micropip differs from pip by the platform's older name"


@pytest.mark.parametrize("python", ["3.9.1", "3.14.2", "3.15.0a2", "3.103.0"])
def test_installers_prefer_what_packaging_says(python):
    target = replace(TARGET, python=python)
    version = (3, int(python.split(".")[1]))
    platforms = ["pyemscripten_2026_0_wasm32"]
    native = cpython_tags(version, abis=[target.python_tag], platforms=platforms)
    pure = compatible_tags(version, interpreter=target.python_tag, platforms=platforms)
    assert fitting_tags(target, I) == (*native, *pure)
    assert fitting_tags(target, C)[0] == Tag(target.python_tag, target.python_tag, *platforms)
    older = [tag for tag in fitting_tags(target, M) if tag.platform.startswith("pyodide_")]
    assert [tag for tag in fitting_tags(target, M) if tag not in older] == list(fitting_tags(target, I))
    assert len(older) == sum(tag.platform != "any" for tag in fitting_tags(target, I))
