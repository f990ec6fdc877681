from __future__ import annotations

import contextlib
import json
import os
import string
from pathlib import Path
from textwrap import dedent

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from emwheels.errors import RecipeError
from emwheels.recipe.document import Problem
from emwheels.recipe.load import RecipeProblems, load_recipe
from emwheels.recipe.model import Requirements

SHA256 = "0123456789abcdef" * 4
PATCH = "Needed because of this.\nReported as issue 1.\n\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"
PLAIN = f"""\
package:
  name: demo
  version: 1.2.3
source:
  url: pkg:pypi/demo@1.2.3
  sha256: {SHA256}
"""
FULL = f"""\
package:
  name: demo
  version: "1.10"
  top-level: [demo, demo_extra]
  tag:
    - core
  _disabled: true
  pinned: true
source:
  url: https://example.org/demo-1.10.tar.gz
  extract_dir: demo-1.10
  sha256: {SHA256}
  patches: [local/fix.patch]
  extras:
    - [extra.txt, src/extra.txt]
build:
  exports: [first, second]
  backend-flags: -a
  cflags: -b
  cxxflags: -c
  ldflags: -d
  type: package
  cross-script: one
  script: two
  post: three
  unvendor-tests: true
  _retain-test-patterns: ["*x*"]
  vendor-sharedlib: false
  cross-build-env: true
  _cross-build-env-skip-install: true
  cross-build-files: [demo/x.h]
requirements:
  run: [numpy]
  host: [libz]
  build-extras: ["foo>=1"]
  executable: [rustc]
  constraint: ["cmake<4"]
test:
  imports: [demo]
about:
  home: https://example.org
  PyPI: somewhere
  summary: A demo
  license: MIT
extra:
  recipe-maintainers: [someone]
  anything: {{deep: [1, 2.5, null, yes, 2024-01-01]}}
"""


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "recipes" / "demo"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def patches(tmp_path):
    path = tmp_path / "patches"
    path.mkdir()
    return path


def problems_of(folder: Path, text: str | bytes) -> tuple[Problem, ...]:
    (folder / "meta.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RecipeProblems) as caught:
        load_recipe(folder, patches=folder.parent.parent / "patches")
    return caught.value.problems


def places(problems: tuple[Problem, ...]) -> list[tuple[int, str]]:
    return [(problem.line, problem.key) for problem in problems]


def only_problem(folder: Path, text: str | bytes) -> Problem:
    (problem,) = problems_of(folder, text)
    assert problem.file == folder / "meta.yaml"
    assert len(str(problem).splitlines()) == 1
    return problem


# What is right


def test_plain_recipe(folder, patches):
    (folder / "meta.yaml").write_text(PLAIN)
    recipe = load_recipe(folder, patches=patches)
    assert (recipe.name, recipe.version) == ("demo", "1.2.3")
    assert recipe.source.purl is not None
    assert recipe.source.purl.name == "demo"
    assert recipe.build.type == "package"
    assert not recipe.build.unvendor_tests
    assert recipe.patches == recipe.tests == ()
    assert recipe.build_lock is None
    assert recipe.document == yaml.safe_load(PLAIN)
    assert isinstance(hash(recipe), int)


def test_every_key(folder, patches):
    (folder / "local").mkdir()
    (folder / "local/fix.patch").write_text(PATCH)
    (folder / "extra.txt").write_text("")
    (folder / "meta.yaml").write_text(FULL)
    recipe = load_recipe(folder, patches=patches)
    assert recipe.package.version == "1.10"
    assert recipe.package.top_level == ("demo", "demo_extra")
    assert recipe.package.tag == ("core",)
    assert recipe.package.disabled
    assert recipe.package.pinned
    assert recipe.source.extras == (("extra.txt", "src/extra.txt"),)
    assert recipe.source.extract_dir == "demo-1.10"
    assert recipe.source.purl is None
    build = recipe.build
    assert build.exports == ("first", "second")
    assert (build.backend_flags, build.cflags, build.cxxflags, build.ldflags) == ("-a", "-b", "-c", "-d")
    assert (build.cross_script, build.script, build.post) == ("one", "two", "three")
    assert (build.unvendor_tests, build.vendor_sharedlib) == (True, False)
    assert (build.cross_build_env, build.cross_build_env_skip_install) == (True, True)
    assert (build.retain_test_patterns, build.cross_build_files) == (("*x*",), ("demo/x.h",))
    assert recipe.requirements == Requirements(
        run=("numpy",), host=("libz",), build_extras=("foo>=1",), executable=("rustc",), constraint=("cmake<4",)
    )
    assert recipe.test.imports == ("demo",)
    assert recipe.about.pypi == "somewhere"
    assert recipe.extra["anything"] == {"deep": [1, 2.5, None, "yes", "2024-01-01"]}
    assert recipe.patches == (folder / "local/fix.patch",)


def test_names_are_read_in_any_spelling_and_known_in_one(tmp_path):
    folder = tmp_path / "Demo.Pkg"
    folder.mkdir()
    source = "source: {path: .}\nrequirements: {run: [Py_YAML, numpy], host: [LibZ]}\n"
    (folder / "meta.yaml").write_text(f"package: {{name: Demo.Pkg, version: '1'}}\n{source}")
    recipe = load_recipe(folder, patches=tmp_path)
    assert (recipe.name, recipe.spelling) == ("demo-pkg", "Demo.Pkg")
    assert (recipe.requirements.run, recipe.requirements.host) == (("py-yaml", "numpy"), ("libz",))
    assert recipe.document["package"]["name"] == "Demo.Pkg"
    assert recipe.document["requirements"]["run"] == ["Py_YAML", "numpy"]


def test_files_beside_meta_yaml(folder, patches):
    (folder / "local.patch").write_text(PATCH)
    for name in ("test_b.py", "test_a.py", "conftest.py", "requirements.build.txt"):
        (folder / name).write_text("")
    (patches / "demo").mkdir()
    for name in ("0002-second.patch", "0001-first.patch", "README.md"):
        (patches / "demo" / name).write_text(PATCH)
    (folder / "meta.yaml").write_text(PLAIN + "  patches: [local.patch]\n")
    recipe = load_recipe(folder, patches=patches)
    assert [patch.name for patch in recipe.patches] == ["0001-first.patch", "0002-second.patch", "local.patch"]
    assert recipe.tests == (folder / "test_a.py", folder / "test_b.py")
    assert recipe.build_lock == folder / "requirements.build.txt"


def test_source_in_tree(folder, patches):
    (folder / "src").mkdir()
    (folder / "meta.yaml").write_text("package: {name: demo, version: 1.0.0}\nsource: {path: src}\n")
    assert load_recipe(folder, patches=patches).source.path == "src"


@pytest.mark.parametrize("version", ["4.2", "7", "1.2.3", "'1.10'", "2026.1.1"])
def test_version_that_yaml_keeps(folder, patches, version):
    (folder / "meta.yaml").write_text(PLAIN.replace("version: 1.2.3", f"version: {version}"))
    assert load_recipe(folder, patches=patches).version == version.strip("'")


@pytest.mark.parametrize(
    "url",
    [
        "pkg:deb/debian/geos@3.13.1",
        "pkg:deb/debian/x@1:2.0~rc1+dfsg-1",
        "pkg:npm/%40scope/x@1.0.0",
        "pkg:npm/x@1.0.0",
        "http://example.org/x.zip",
    ],
)
def test_urls(folder, patches, url):
    (folder / "meta.yaml").write_text(PLAIN.replace("pkg:pypi/demo@1.2.3", url))
    assert load_recipe(folder, patches=patches).source.url == url


def test_aliases_are_expanded_without_sharing(folder, patches):
    (folder / "meta.yaml").write_text(PLAIN + "test: {imports: &names [demo]}\nextra: {again: *names}\n")
    recipe = load_recipe(folder, patches=patches)
    assert recipe.extra["again"] == ["demo"]
    assert recipe.extra["again"] is not recipe.document["test"]["imports"]


@pytest.mark.parametrize("build", ["type: static_library\n  script: make\n  cflags: ''", "type: static_library"])
def test_library(folder, patches, build):
    (folder / "meta.yaml").write_text(PLAIN + f"build:\n  {build}\n")
    assert load_recipe(folder, patches=patches).build.type.endswith("_library")


# What is wrong with the file as a whole


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "must be a mapping"),
        ("- a\n- b\n", 1, "must be a mapping"),
        ("just text", 1, "must be a mapping"),
        ("a: 1\nb: [1, 2\nc: 3\n", 3, "malformed YAML at column 2"),
        ("a: 1\n\tb: 2\n", 2, "malformed YAML at column 1"),
        ("a: 1\n---\nb: 2\n", 2, "malformed YAML"),
        ("a: *missing\n", 1, "malformed YAML at column 4"),
        ('a: 1\nb: "\\UFFFFFFFF"\n', 1, "malformed YAML"),
        ("%YAML " + "9" * 5000 + ".1\n---\na: 1\n", 1, "malformed YAML"),
        ("a: 1\nb: \x07\n", 2, "malformed YAML: special characters"),
        (b"a: 1\nb: \xff\n", 2, "not UTF-8"),
        (b"\x00" * 4, 1, "malformed YAML"),
        (b"#" * (1 << 20) + b"\n", 1, "larger than"),
        ("a: " + "[" * 5000, 1, "nested too deeply"),
        ("a:\n  &a [*a]\n", 2, "nested too deeply"),
    ],
)
def test_file_that_makes_no_sense(folder, text, line, message):
    problem = only_problem(folder, text)
    assert (problem.line, problem.key) == (line, "")
    assert message in problem.message


def test_alias_bomb(folder):
    rows = "\n".join(f"  {b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    problem = only_problem(folder, PLAIN + "extra:\n  a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]\n" + rows + "\n")
    assert "aliases" in problem.message


def test_missing_file(folder):
    with pytest.raises(RecipeProblems, match=r"meta\.yaml:1: there is no such file"):
        load_recipe(folder, patches=folder)


def test_file_that_is_a_folder(folder):
    (folder / "meta.yaml").mkdir()
    with pytest.raises(RecipeProblems, match="cannot be read"):
        load_recipe(folder, patches=folder)


# What is wrong with one key


@pytest.mark.parametrize(
    ("text", "line", "key", "message"),
    [
        ("build:\n  cflag: -x", 8, "build.cflag", "unknown key; did you mean cflags?"),
        ("build:\n  zzzzzzzz: -x", 8, "build.zzzzzzzz", "unknown key"),
        ("biuld:\n  cflags: -x", 7, "biuld", "unknown key; did you mean build?"),
        ("about: {pypi: x}", 7, "about.pypi", "did you mean PyPI?"),
        ("test: {<<: {imports: []}}", 7, "test.<<", "unknown key"),
        ("build:\n  cflags: 3", 8, "build.cflags", "must be text, not a number"),
        ("build:\n  cflags:", 8, "build.cflags", "must be text, not nothing"),
        ("build:\n  cflags: {a: b}", 8, "build.cflags", "must be text, not a mapping"),
        ("build:\n  cross-build-env: yes", 8, "build.cross-build-env", "must be true or false, not text"),
        ("build:\n  post: [a]", 8, "build.post", "must be text"),
        ("build:\n  script: true", 8, "build.script", "must be text, not true or false"),
        ("test:\n  imports: demo", 8, "test.imports", "must be a list of texts, not text"),
        ("test:\n  imports:\n  - demo\n  - 3.1", 10, "test.imports[1]", "must be text, not a number"),
        ("build:", 7, "build", "must be a mapping, not nothing"),
        ("extra: []", 7, "extra", "must be a mapping, not a list"),
        ("extra: {recipe-maintainers: me}", 7, "extra.recipe-maintainers", "must be a list of texts"),
        ("build:\n  type: packge", 8, "build.type", "did you mean package?"),
        ("build:\n  exports: pyinti", 8, "build.exports", "did you mean pyinit?"),
        ("build:\n  exports: {a: b}", 8, "build.exports", "must be a list of texts"),
        ("build:\n  type: static_library\n  cflags: -x", 9, "build.cflags", "not allowed for a static_library"),
        ("build:\n  type: shared_library", 8, "build.type", "write static_library"),
        ("build:\n  type: cpython_module", 8, "build.type", "write package"),
        ("build:\n  post: x\n  type: static_library", 8, "build.post", "not allowed for a static_library"),
        ("build:\n  _cross-build-env-skip-install: false", 8, "build._cross-build-env-skip-install", "leave it out"),
        ("requirements:\n  executable: [a/b]", 8, "requirements.executable[0]", "is not the name of a program"),
        ("extra: {emwheels: []}", 7, "extra.emwheels", "must be a mapping"),
        ("extra:\n  emwheels:\n    limit: {}", 9, "extra.emwheels.limit", "unknown key; did you mean limits?"),
        ("build:\n  cxxflags: a\n\n  cxxflags: b", 10, "build.cxxflags", "on line 10; the first is on line 8"),
        ("package: {}", 7, "package", "on line 7; the first is on line 1"),
        ("extra:\n  a:\n    b: 1\n    b: 2", 10, "extra.a.b", "the first is on line 9"),
        ("extra:\n  ? [a]\n  : b", 8, "extra", "a key must be text"),
        ("extra:\n  a: !!python/object:os.system x", 8, "extra.a", "tag"),
        ("build:\n  cflags: !!python/name:os.system", 8, "build.cflags", "tag"),
        ("build: !own {}", 7, "build", "the YAML tag !own is not allowed"),
        ("extra: {a: !!set {b}}", 7, "extra.a", "tag"),
        ("extra: {a: !!str [b]}", 7, "extra.a", "tag"),
        ("extra: {a: !!int b}", 7, "extra.a", "not of the YAML type int"),
        ("test:\n  imports: [a, !own b]", 8, "test.imports[1]", "tag"),
        ("requirements:\n  run:\n    - ok\n    - 'a b'", 10, "requirements.run[1]", "not a package name"),
        ("requirements:\n  host: ['a>=1']", 8, "requirements.host[0]", "nothing but the name"),
        ("requirements:\n  constraint: ['a>>1']", 8, "requirements.constraint[0]", "not a requirement"),
        ("requirements:\n  build-extras: ['']", 8, "requirements.build-extras[0]", "not a requirement"),
        ("  patches: [no.patch]", 7, "source.patches[0]", "there is no no.patch"),
        ("  patches:\n  - ../x.patch", 8, "source.patches[0]", "leads out"),
        ("  patches: ['']", 7, "source.patches[0]", "there is no"),
        (f"  patches: [{'x' * 5000}]", 7, "source.patches[0]", "there is no xxx"),
        ('  patches: ["a\\0b"]', 7, "source.patches[0]", "there is no a"),
        ("  extract_dir: ../x", 7, "source.extract_dir", "leads out"),
        ("  extract_dir: /x", 7, "source.extract_dir", "leads out"),
        ("  extract_dir: 'C:x'", 7, "source.extract_dir", "leads out"),
        ("build:\n  cross-build-files: [../a.h]", 8, "build.cross-build-files[0]", "leads out"),
        ("  extras:\n  - [../a, b]", 8, "source.extras[0][0]", "leads out"),
        ("  extras:\n  - [meta.yaml, a/../../b]", 8, "source.extras[0][1]", "leads out"),
        ("  extras:\n  - [none, b]", 8, "source.extras[0][0]", "there is no none"),
        ("  extras:\n  - [meta.yaml]", 7, "source.extras", "a list of pairs"),
        ("  extras: meta.yaml", 7, "source.extras", "a list of pairs"),
    ],
)
def test_added_key(folder, text, line, key, message):
    problem = only_problem(folder, PLAIN + text + "\n")
    assert (problem.line, problem.key) == (line, key)
    assert message in problem.message


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "message"),
    [
        ("  name: demo\n", "", 1, "package.name", "is missing"),
        ("  version: 1.2.3\n", "", 1, "package.version", "is missing"),
        ("name: demo", "name: Demo", 2, "package.name", "but the folder is demo"),
        ("name: demo", "name: '-demo'", 2, "package.name", "not a package name"),
        ("1.2.3\nsource", "1.2.x\nsource", 3, "package.version", "not a version"),
        ("version: 1.2.3", "version: 1.10", 3, "package.version", "quotes"),
        ("version: 1.2.3", "version: 1e3", 3, "package.version", "quotes"),
        ("version: 1.2.3", f"version: '{'9' * 5000}'", 3, "package.version", "not a version"),
        ("version: 1.2.3", "version: [1]", 3, "package.version", "must be text"),
        (f"  sha256: {SHA256}\n", "", 4, "source.sha256", "is missing"),
        (SHA256, "null", 6, "source.sha256", "is missing"),
        (SHA256, SHA256.upper(), 6, "source.sha256", "lower case"),
        (SHA256, SHA256[1:], 6, "source.sha256", "64"),
        (SHA256, "12e4", 6, "source.sha256", "quotes"),
        ("pkg:pypi/demo@1.2.3", "pkg:pypi/demo", 5, "source.url", "no version"),
        ("pkg:pypi/demo@1.2.3", "pkg:pypi/demo@latest", 5, "source.url", "not a version"),
        ("pkg:pypi/demo@1.2.3", "pkg:pypi", 5, "source.url", "not a package URL"),
        ("pkg:pypi/demo@1.2.3", "pkg:cargo/x@1", 5, "source.url", "types are pypi, deb, npm"),
        ("pkg:pypi/demo@1.2.3", "pkg:deb/geos@1", 5, "source.url", "pkg:deb/debian/NAME@VERSION"),
        ("pkg:pypi/demo@1.2.3", "pkg:pypi/a/b@1", 5, "source.url", "pkg:pypi/NAME@VERSION"),
        ("pkg:pypi/demo@1.2.3", "pkg:npm/scope/b@1", 5, "source.url", "%40SCOPE"),
        ("pkg:pypi/demo@1.2.3", "pkg:npm/..@1", 5, "source.url", "a character"),
        ("pkg:pypi/demo@1.2.3", "pkg:npm/a@1%2F..%2F2", 5, "source.url", "a character"),
        ("pkg:pypi/demo@1.2.3", "ftp://example.org/x", 5, "source.url", "neither an http(s) address"),
        ("pkg:pypi/demo@1.2.3", "https:///x", 5, "source.url", "neither"),
        ("pkg:pypi/demo@1.2.3", "'https://[x'", 5, "source.url", "neither"),
        ("pkg:pypi/demo@1.2.3", "https://example.org/a b", 5, "source.url", "neither"),
        ("pkg:pypi/demo@1.2.3", "[x]", 5, "source.url", "must be text"),
        ("url: pkg:pypi/demo@1.2.3", "", 4, "source.url", "needs a url or a path"),
        ("url: pkg:pypi/demo@1.2.3", "path: none", 5, "source.path", "there is no folder none"),
        ("url: pkg:pypi/demo@1.2.3", "path: ..", 5, "source.path", "is no Python project"),
        ("url: pkg:pypi/demo@1.2.3", "path: 'a\\b'", 5, "source.path", "there is no folder"),
        ("url: pkg:", "path: .\n  url: pkg:", 5, "source.path", "exclude each other"),
    ],
)
def test_changed_key(folder, old, new, line, key, message):  # noqa: PLR0917 - pytest passes them by name
    assert old in PLAIN
    problem = only_problem(folder, PLAIN.replace(old, new))
    assert (problem.line, problem.key) == (line, key)
    assert message in problem.message


def test_symlink_out_of_the_recipe(folder, tmp_path):
    (tmp_path / "outside.patch").write_text(PATCH)
    (folder / "inside.patch").symlink_to(tmp_path / "outside.patch")
    (folder / "ring.patch").symlink_to("ring.patch")
    problems = problems_of(folder, PLAIN + "  patches: [inside.patch, ring.patch]\n")
    assert places(problems) == [(7, "source.patches[0]"), (7, "source.patches[1]")]


def test_all_problems_at_once_by_line(folder):
    problems = problems_of(
        folder,
        dedent("""\
        package:
          nmae: demo
          version: x
        source:
          url: pkg:pypi/demo
        build:
          type: static_library
          cflag: -x
          ldflags: 3
        requirements:
          run: [a, "b c"]
        nonsense: 1
        """),
    )
    assert places(problems) == [
        (1, "package.name"),
        (2, "package.nmae"),
        (3, "package.version"),
        (4, "source.sha256"),
        (5, "source.url"),
        (8, "build.cflag"),
        (9, "build.ldflags"),
        (11, "requirements.run[1]"),
        (12, "nonsense"),
    ]


def test_message_has_every_problem_and_a_hint(folder):
    (folder / "meta.yaml").write_text(PLAIN + "build:\n  cflag: -x\n  b: 1\n")
    with pytest.raises(RecipeProblems) as caught:
        load_recipe(folder, patches=folder)
    assert str(caught.value).splitlines() == [str(problem) for problem in caught.value.problems]
    assert caught.value.hint
    assert caught.value.exit_code == 3


def test_problem_as_text():
    problem = Problem(file=Path("recipes/x/meta.yaml"), line=7, key="build.cflag", message="unknown key")
    assert str(problem) == "recipes/x/meta.yaml:7: build.cflag: unknown key"
    assert str(Problem(file=Path("x"), line=1, key="", message="is bad")) == "x:1: is bad"


def test_many_unknown_keys_are_counted(folder):
    problems = problems_of(folder, PLAIN + "build:\n" + "".join(f"  key{i}: 1\n" for i in range(25)))
    assert len(problems) == 21
    assert any(problem.message == "5 more unknown keys" for problem in problems)


def test_unprintable_key_is_shown_on_one_line(folder):
    problem = only_problem(folder, PLAIN + 'build: {"a\\nb\\ud800": 1}\n')
    assert str(problem).isprintable()
    assert str(problem).encode()


def test_wheel_as_source(folder):
    text = PLAIN.replace("pkg:pypi/demo@1.2.3", "https://example.org/demo-1.2.3-py3-none-any.whl")
    problem = only_problem(folder, text)
    assert (problem.line, problem.key) == (5, "source.url")
    assert "give the source archive" in problem.message
    named = PLAIN.replace("pkg:pypi/demo@1.2.3", "pkg:pypi/demo@1.2.3?file_name=demo-1.2.3-py3-none-any.whl")
    assert only_problem(folder, named) == problem


def test_source_in_tree_takes_no_patches(folder, patches):
    (patches / "demo").mkdir()
    (patches / "demo/0001-x.patch").write_text(PATCH)
    problem = only_problem(folder, "package: {name: demo, version: 1.0.0}\nsource: {path: .}\n")
    assert problem.key == "source.path"


@pytest.mark.parametrize("text", ["", "\n \n", "--- a/x\n+++ b/x\n", "\n\ndiff --git a/x b/x\nlater text\n"])
def test_patch_without_header(folder, patches, text):
    (patches / "demo").mkdir()
    (patches / "demo/0001-x.patch").write_text(text)
    (problem,) = problems_of(folder, PLAIN)
    assert problem.file == patches / "demo/0001-x.patch"
    assert str(problem).startswith(f"{problem.file.as_posix()}:1: has no header")


@pytest.mark.parametrize(
    "name", ["fix.patch", "01-fix.patch", "0001-Fix.patch", "0001-fix.diff", "0001-fix.PATCH", "0001-a b.patch"]
)
def test_patch_with_a_wrong_name(folder, patches, name):
    (patches / "demo").mkdir()
    (patches / "demo" / name).write_text(PATCH)
    (problem,) = problems_of(folder, PLAIN)
    assert (problem.file.name, "NNNN" in problem.message) == (name, True)


def test_patch_in_a_folder_of_its_own(folder, patches):
    (patches / "demo/1.2.3").mkdir(parents=True)
    (patches / "demo/1.2.3/0001-x.patch").write_text(PATCH)
    (problem,) = problems_of(folder, PLAIN)
    assert str(problem) == f"{patches}/demo/1.2.3/0001-x.patch:1: would not be applied; move it to {patches}/demo"


def test_patch_that_cannot_be_read(folder, patches):
    (patches / "demo/0001-x.patch").mkdir(parents=True)
    (problem,) = problems_of(folder, PLAIN)
    assert problem.message == "is no regular file"


@pytest.mark.parametrize("name", ["requirements.build.txt", "requirements.run.txt", "test_x.py", "upstream.yaml"])
def test_a_file_of_a_recipe_is_a_regular_one_of_its_folder(folder, tmp_path, name):
    (tmp_path / "outside").write_text("secret")
    for target in (tmp_path / "outside", Path("/dev/zero"), tmp_path / "missing"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)
        (problem,) = problems_of(folder, PLAIN)
        assert (problem.file, "leads out" in problem.message) == (folder / name, True)
        assert "secret" not in problem.message
    (folder / name).unlink()
    os.mkfifo(folder / name)
    (problem,) = problems_of(folder, PLAIN)
    assert problem.message == "is no regular file"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://alice:sekrit@example.org/a.tar.gz", "~/.netrc"),
        ("https://alice@example.org/a.tar.gz", "~/.netrc"),
        ("https://example.org/a.tar.gz%00", "control character"),
        ("https://example.org/a%0d%0ab.tar.gz", "control character"),
    ],
)
def test_an_address_with_a_secret_or_a_control_character(folder, url, words):
    (problem,) = problems_of(folder, PLAIN.replace("pkg:pypi/demo@1.2.3", url))
    assert words in problem.message
    assert "sekrit" not in str(problem)


def test_header_need_not_be_utf8(folder, patches):
    (patches / "demo").mkdir()
    (patches / "demo/0001-x.patch").write_bytes(b"Andr\xe9 reported it\n" + PATCH.encode())
    (folder / "meta.yaml").write_text(PLAIN)
    assert load_recipe(folder, patches=patches).patches


# Properties


fuzz = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)


def load_anything(folder: Path, data: bytes) -> None:
    (folder / "meta.yaml").write_bytes(data)
    with contextlib.suppress(RecipeError):
        assert load_recipe(folder, patches=folder).name == folder.name


@fuzz
@given(st.binary(max_size=300))
def test_any_bytes(folder, data):
    load_anything(folder, data)


@fuzz
@given(st.text(max_size=300) | st.text(alphabet="ab:-?[]{},&*!|>'\"%@#\\x0u \n\t~<.", max_size=80))
@example("? \n")
@example("!<")
@example("%TAG ! tag:x\n---\n! a")
def test_any_text(folder, text):
    load_anything(folder, text.encode(errors="replace"))


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.dates()
key_names = st.sampled_from([
    "package", "source", "build", "requirements", "test", "about", "extra", "name", "version", "url", "sha256", "path",
    "patches", "extras", "run", "host", "type", "exports", "constraint", "imports",
])  # fmt: skip
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(key_names | scalars, inner, max_size=5),
    max_leaves=20,
)
sections = st.dictionaries(key_names, st.dictionaries(key_names, trees, max_size=5) | trees)


@fuzz
@given(sections | trees)
def test_any_nested_data(folder, data):
    load_anything(folder, yaml.dump(data, allow_unicode=False).encode())


@fuzz
@given(url=st.text(max_size=30).map("pkg:".__add__) | st.text(alphabet="pkg:/ypi@%#?=2e.", max_size=20), path=st.text())
def test_any_url_and_path(folder, url, path):
    source = {"url": url, "sha256": SHA256, "extract_dir": path, "extras": [[path, path]], "patches": [path]}
    load_anything(folder, json.dumps({"package": {"name": "demo", "version": "1"}, "source": source}).encode())


@fuzz
@given(st.lists(st.text(alphabet=string.printable, max_size=20) | st.just("a; " + "(" * 800), max_size=3))
def test_any_requirement(folder, texts):
    requirements = {"run": texts, "host": texts, "constraint": texts, "build-extras": texts}
    load_anything(folder, PLAIN.encode() + json.dumps({"requirements": requirements})[1:-1].encode())
