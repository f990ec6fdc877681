from __future__ import annotations

import ast
import textwrap

import pytest
import yaml

from emwheels.author import importing
from emwheels.author.importing import foreign_recipes, import_recipes, write_imported
from emwheels.author.importing_scripts import Changes, flags, script
from emwheels.author.importing_tests import plain_tests
from emwheels.errors import UsageError
from emwheels.recipe.load import load_recipe, load_recipes

SHA = "0" * 64
SDIST = "https://files.example.org/packages/ab/cd/0123/{name}-{version}.tar.gz"


@pytest.fixture
def upstream(tmp_path):
    """Write a recipe of the foreign format and return its folder."""

    def write(name, text="", *, version='"1.0"', url="", source="", files=None):
        folder = tmp_path / "upstream" / "packages" / name
        folder.mkdir(parents=True)
        url = url or SDIST.format(name=name.replace("-", "_"), version="1.0")
        given = source or f"  url: {url}\n  sha256: {SHA}\n"
        (folder / "meta.yaml").write_text(
            f"package:\n  name: {name}\n  version: {version}\nsource:\n{given}{textwrap.dedent(text)}"
        )
        for file, content in (files or {}).items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(textwrap.dedent(content))
        return folder

    return write


@pytest.fixture
def known(tmp_path):
    """Recipes that are there already: a package, and a library that says what it is asked for by."""
    for name, text in {
        "spam": "",
        "zed": "build:\n  type: static_library\n  script: make\nextra:\n  emwheels:\n    provides:\n"
        "      libraries: [z, zee]\n      pkg-config: [zed-config]\n",
    }.items():
        folder = tmp_path / "known" / name
        folder.mkdir(parents=True)
        (folder / "meta.yaml").write_text(
            f"package:\n  name: {name}\n  version: '2.0'\nsource:\n  url: pkg:pypi/{name}@2.0\n  sha256: {SHA}\n{text}"
        )
    return load_recipes(tmp_path / "known")


def taken(tmp_path, *names, known=None, own=()):
    folders = foreign_recipes(tmp_path / "upstream")
    return {each.name: each for each in import_recipes(folders, names, known or {}, own)}


def meta(each):
    return yaml.safe_load(each.files["meta.yaml"])


EVERY_KEY = """\
  extract_dir: eggs-1.0
  patches: [patches/0001-fix.patch, patches/second.patch]
  extras: [[extras/make.inc, make.inc]]
build:
  exports: [PyInit_eggs, eggs_init]
  backend-flags: a=1
  cflags: -O2 -s USE_ZEE=1
  cxxflags: --use-port=zee
  ldflags: -L/src/packages/.libs/lib
  type: package
  script: |
    # curl is only named here
    rustup target add wasm32
    embuilder build --pic zee libdlmalloc
    export EGGS=/src/packages/.libs/include
  cross-script: export HAM=1
  post: |
    rm -r eggs/big
  unvendor-tests: true
  _retain-test-patterns: ["*_page_test.py"]
  vendor-sharedlib: false
  cross-build-env: true
  cross-build-files: [eggs/eggs.h]
  _cross-build-env-skip-install: false
  skip_host: false
requirements:
  run: [spam, libeggs]
  host: [spam]
  build-extras: ["cython<4"]
  executable: [rustup, cargo, cmake]
  constraint: ["setuptools < 82"]
test:
  imports: [eggs]
about:
  home: https://example.org
  PyPI: https://example.org/eggs
  summary: Eggs
  license: MIT  # as it says
extra:
  recipe-maintainers: [alex]
"""


def test_every_key_of_the_format(upstream, known, tmp_path):
    upstream(
        "eggs",
        version="1.10  # not 1.1",
        source=f"  url: {SDIST.format(name='eggs', version='1.10')}\n  sha256: {SHA}\n{EVERY_KEY}",
        files={
            "patches/0001-fix.patch": "From me\nSubject: it\n\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-1\n+2\n",
            "patches/second.patch": "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-2\n+3\n",
            "extras/make.inc": "X=1\n",
            "test_data/some.bin": "data",
            "README.md": "about it",
            "test_eggs.py": """
                from pytest_pyodide import run_in_pyodide

                @run_in_pyodide(packages=["eggs"])
                def test_eggs(selenium):
                    import eggs
                    assert eggs
            """,
        },
    )
    text = (tmp_path / "upstream" / "packages" / "eggs" / "meta.yaml").read_text()
    tagged = text.replace("package:\n", "package:\n  _tag: [core]\n  top-level: [eggs]\n  pinned: true\n")
    (tmp_path / "upstream" / "packages" / "eggs" / "meta.yaml").write_text(tagged)
    upstream("libeggs", "build:\n  sharedlibrary: true\n  script: make\n", url=f"https://example.org/l.tar.gz#{SHA}")
    found = taken(tmp_path, known=known)
    eggs = found["eggs"]
    assert (eggs.state, eggs.left) == (importing.IMPORTED, [])
    assert sorted(eggs.files) == [
        "extras/make.inc",
        "meta.yaml",
        "patches/0001-fix.patch",
        "patches/second.patch",
        "test_data/some.bin",
        "test_eggs.py",
    ]
    folder = write_imported(eggs, tmp_path)
    recipe = load_recipe(folder)
    assert recipe.version == "1.10"
    assert recipe.package.tag == ("core",)
    assert recipe.source.url == "pkg:pypi/eggs@1.10"
    assert [path.name for path in recipe.patches] == ["0001-fix.patch", "second.patch"]
    assert recipe.requirements.run == ("spam",)
    assert recipe.requirements.host == ("spam", "libeggs", "zed")
    assert recipe.requirements.executable == ("cargo", "cmake")
    assert recipe.build.cflags.split() == ["-O2"]
    assert recipe.build.cxxflags == ""
    assert recipe.build.ldflags == "-L${WASM_LIBRARY_DIR}/lib"
    assert recipe.build.script == "# curl is only named here\nexport EGGS=${WASM_LIBRARY_DIR}/include\n"
    assert recipe.build.unvendor_tests
    assert recipe.build.cross_build_env
    assert recipe.build.exports == ("PyInit_eggs", "eggs_init")
    assert "MIT  # as it says" in (folder / "meta.yaml").read_text(), "comments stay"
    library = found["libeggs"]
    assert meta(library)["build"] == {"type": "static_library", "script": "make"}
    assert "build.skip_host is left out: a build for the host is never made here" in eggs.done
    assert any("requirements.run: libeggs: linked" in note for note in eggs.done)


def test_a_recipe_without_anything_to_change_is_the_same(upstream, tmp_path):
    folder = upstream("eggs", "about:\n  license: MIT\n", url="https://example.org/archive/v1.0.tar.gz")
    each = taken(tmp_path)["eggs"]
    assert (each.done, each.left) == ([], [])
    assert each.files["meta.yaml"] == (folder / "meta.yaml").read_bytes()


@pytest.mark.parametrize(
    ("text", "source", "said"),
    [
        ("", f"  url: https://x.org/eggs-1.0-py3-none-any.whl\n  sha256: {SHA}\n", ("pure Python", "a pure wheel")),
        (
            "",
            f"  url: https://x.org/e-1.0-cp39-abi3-y_1_wasm32.whl\n  sha256: {SHA}\n",
            ("impossible", "a built wheel"),
        ),
        ("", f"  url: https://x.org/nonsense.whl\n  sha256: {SHA}\n", ("impossible", "a built wheel")),
        ("", "  path: ../numpy/build\n", ("impossible", "source.path: ../numpy/build is no folder of the recipe")),
        ("build:\n  type: cpython_module\n", "  path: .\n", ("impossible", "modules of the standard library")),
        ("", f"  url: https://x.org/e.tar.gz\n  sha256: {SHA}\n  patches: [no.patch]\n", ("wrong", "no no.patch")),
        ("build:\n  scirpt: x\n", "", ("wrong", "did you mean script?")),
        ("build: [\n", "", ("wrong", "eggs/meta.yaml:")),
        ("build:\n  script: a\n  script: b\n", "", ("wrong", "duplicate key")),
        ("build:\n  script: !!python/object:os.system x\n", "", ("wrong", "eggs/meta.yaml:")),
        ("", "  md5: x\n", ("wrong", "a source needs a url or a path")),
    ],
)
def test_what_is_no_recipe_here_costs_only_itself(upstream, tmp_path, text, source, said):
    state, words = said
    upstream("eggs", text, source=source)
    upstream("ham")
    found = taken(tmp_path)
    assert found["eggs"].state == state
    assert words in " ".join(found["eggs"].left)
    assert found["eggs"].files == {}
    assert found["ham"].state == "imported"


@pytest.mark.parametrize("key", ["tag", "_tag"])
def test_a_package_that_tests_pyodide_itself(upstream, tmp_path, key):
    folder = upstream("eggs")
    text = (folder / "meta.yaml").read_text()
    (folder / "meta.yaml").write_text(text.replace("package:\n", f"package:\n  {key}: [pyodide.test]\n"))
    assert taken(tmp_path)["eggs"].state == "for tests"


def test_what_needs_a_hand_is_disabled_and_says_what(upstream, tmp_path):
    upstream(
        "eggs",
        """
        build:
          script: |
            wget https://example.org/data.tar.gz
            embuilder build --pic ogg
            export A=$(em-config CACHE)/sysroot
            export B=/src/emsdk/x $PYODIDE_ROOT/y
        requirements:
          host: [libnone, ham]
        """,
    )
    upstream("ham", "build:\n  type: static_library\n  script: make\n")
    each = taken(tmp_path, "eggs")["eggs"]
    assert each.state == "to finish"
    text = each.files["meta.yaml"].decode()
    assert text.startswith("# To do, before package._disabled can go:\n# * ")
    assert meta(each)["package"]["_disabled"] is True
    said = "\n".join(each.left)
    for words in (
        "wget https://example.org/data.tar.gz: a build has no network",
        "embuilder build --pic ogg: a port is downloaded. Write a recipe for ogg",
        "libraries are below ${WASM_LIBRARY_DIR}",
        "/src/emsdk/x is a folder of Pyodide's own tree",
        "there is no recipe libnone",
        "there is no recipe ham: emwheels import … ham",
    ):
        assert words in said
    assert load_recipe(write_imported(each, tmp_path)).package.disabled
    assert taken(tmp_path)["ham"].state == "imported"


def test_flags_of_a_library_are_named(upstream, tmp_path):
    upstream("eggs", "build:\n  type: shared_library\n  script: make\n  cflags: -O2\n")
    each = taken(tmp_path)["eggs"]
    assert each.left == ["build.cflags: -O2: for a library, say this in build.script"]
    assert "cflags" not in meta(each)["build"]


def test_a_tool_under_host_goes_to_the_build_requirements(upstream, tmp_path):
    upstream("tool", source=f"  url: https://x.org/tool-1.0-py3-none-any.whl\n  sha256: {SHA}\n")
    upstream("eggs", "requirements:\n  host: [tool]\n")
    assert meta(taken(tmp_path)["eggs"])["requirements"] == {"build-extras": ["tool"]}


def test_what_is_there_stays(upstream, known, tmp_path):
    upstream("spam")
    upstream("mine")
    found = taken(tmp_path, known=known, own={"mine"})
    assert (found["spam"].state, found["spam"].version) == ("there already", "2.0")
    assert found["mine"].left == ["the project has a recipe of this name"]
    assert taken(tmp_path, "spam", known=known)["spam"].state == "imported", "it was named"
    assert taken(tmp_path, "mine", own={"mine"})["mine"].state == "there already"


def test_links_are_not_followed(upstream, tmp_path):
    folder = upstream("eggs")
    (folder / "secret").symlink_to("/etc/passwd")
    each = taken(tmp_path)["eggs"]
    assert "secret" not in each.files
    assert each.left == ["secret is a link; copy what it leads to"]


def test_a_fifo_is_not_waited_for(upstream, tmp_path):
    import os

    os.mkfifo(upstream("eggs") / "pipe")
    assert "is no regular file" in taken(tmp_path)["eggs"].left[0]


def test_nothing_acts_in_the_terminal(upstream, tmp_path):
    upstream("eggs", 'build:\n  script: "wget \\e[31mx"\n')
    each = taken(tmp_path)["eggs"]
    assert "\x1b" not in each.files["meta.yaml"].decode().partition("package:")[0]


def test_where_recipes_may_be(upstream, tmp_path):
    folder = upstream("eggs")
    for place in (tmp_path / "upstream", folder.parent, folder):
        assert [*foreign_recipes(place)] == ["eggs"]
    with pytest.raises(UsageError, match="has no recipe"):
        foreign_recipes(tmp_path)


def test_a_folder_that_is_there_is_not_written_over(upstream, tmp_path):
    upstream("eggs")
    each = taken(tmp_path)["eggs"]
    write_imported(each, tmp_path / "into")
    with pytest.raises(UsageError, match="is there already"):
        write_imported(each, tmp_path / "into")


@pytest.mark.parametrize(
    ("before", "after", "hosts"),
    [
        ("emcc -sUSE_ZEE=1 x.c\n", "emcc  x.c\n", ["zed"]),
        ('CFLAGS="-O2 -s USE_ZEE=1"\n', 'CFLAGS="-O2 "\n', ["zed"]),
        ("export A=--use-port=zee\n", "export A=\n", ["zed"]),
        ('emcc "--use-port=zee:formats=a,b" x.c\n', "emcc  x.c\n", ["zed"]),
        ("embuilder build --pic zee-legacysjlj\n", "", ["zed"]),
        ("embuilder build libc++-legacyexcept\n", "", []),
        ('. "$HOME/.cargo/env"\n', "", []),
        ("embuilder build zee && make\n", "embuilder build zee && make\n", []),
    ],
)
def test_ports_become_recipes(before, after, hosts):
    changes = Changes()
    assert script(before, "build.script", lambda port: ["zed"] if port == "zee" else [], changes) == after
    assert changes.hosts == hosts


def test_a_port_that_no_recipe_has_stays_and_is_named():
    changes = Changes()
    assert flags("-sUSE_SDL=2 -O2", "build.cflags", lambda port: [], changes) == "-sUSE_SDL=2 -O2"
    assert changes.left == ["build.cflags: -sUSE_SDL=2 downloads a port. Write a recipe for sdl"]


TESTS = '''
import pytest
from pytest_pyodide import run_in_pyodide
from pytest_pyodide.decorator import copy_files_to_pyodide

NUMBERS = [1, 2]


@pytest.mark.driver_timeout(60)
@run_in_pyodide(packages=["eggs"])
def test_plain(selenium):
    """Says so."""
    import eggs

    assert eggs.one() == 1


@pytest.mark.xfail_browsers(node="no")
@pytest.mark.parametrize("number", NUMBERS)
@run_in_pyodide(packages=["eggs"])
def test_with_values(selenium_standalone, number):
    assert number


@run_in_pyodide
async def test_waits(selenium):
    await nothing()


def helper(selenium):
    return selenium.run("1")


def test_by_helper(selenium):
    helper(selenium)


def test_of_its_own():
    assert NUMBERS
'''


def test_tests_become_plain_tests():
    text, lost = plain_tests(TESTS)
    assert lost == ["test_waits", "helper", "test_by_helper"]
    assert "selenium" not in text
    assert "pytest_pyodide" not in text
    names = [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    assert names == ["test_plain", "test_with_values", "test_of_its_own"]
    scope = {}
    exec(compile(text, "test_eggs.py", "exec"), scope)
    scope["test_of_its_own"]()
    scope["test_with_values"](2)
    assert scope["test_plain"].__doc__ == "Says so."


def test_plain_tests_stay_as_they_are():
    text = "# a comment\nimport eggs\n\n\ndef test_it():\n    assert eggs  # really\n"
    assert plain_tests(text) == (text, [])


def test_a_file_without_tests_that_are_left():
    assert plain_tests("def test_it(selenium):\n    selenium.run('1')\n") == ("", ["test_it"])


def test_tests_that_are_no_python_are_said(upstream, tmp_path):
    upstream("eggs", files={"test_eggs.py": "def test(:\n"})
    each = taken(tmp_path)["eggs"]
    assert "test_eggs.py" not in each.files
    assert "it is no Python" in each.done[-1]
