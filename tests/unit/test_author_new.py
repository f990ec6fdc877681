"""Recipes that write themselves: what sources look for, remedies, first tests, and the loop that uses them."""

from __future__ import annotations

import pytest
from packed import tar_gz
from sample_run import LIBRARY, add_recipe, make_environment
from synthetic_wheels import make_wheel

from emwheels.author.edit import Edit
from emwheels.author.fix import remedies
from emwheels.author.new_build import ROUNDS, Attempt, bring_up
from emwheels.author.new_debian import DebianSource, DebianSources, _patterns, _source
from emwheels.author.new_library import library_recipes, plain_version, provided
from emwheels.author.new_source import Look, examine_source
from emwheels.author.new_tests import first_test, read_contents
from emwheels.errors import AuditError, BuildError
from emwheels.recipe.load import load_recipe, load_recipes

PROVIDES = LIBRARY + "extra: {emwheels: {provides: {headers: [zlib.h], libraries: [z], pkg-config: [zlib]}}}\n"
WASM = "cp314-cp314-pyemscripten_2026_0_wasm32"
SUFFIX = "cpython-314-wasm32-emscripten.so"


@pytest.fixture
def environment(tmp_path):
    environment = make_environment(tmp_path)
    add_recipe(environment, "tiny")
    add_recipe(environment, "zlib", PROVIDES)
    add_recipe(environment, "numpy", "build:\n  cross-build-env: true\n  cross-build-files: [numpy/core.h]\n")
    return environment


def recipes_of(environment):
    return load_recipes(environment.project.recipes, patches=environment.project.patches)


@pytest.mark.parametrize(
    ("file", "text", "look"),
    [
        ("setup.py", "Extension('x', libraries=['netcdf', 'm'])", ("libraries", "netcdf")),
        ("setup.py", "os.popen('pkg-config --cflags sndfile')", ("pkg-config", "sndfile")),
        ("setup.py", "extra_link_args=['-lhdf5']", ("libraries", "hdf5")),
        ("meson.build", "d = dependency('gmp', required: true)", ("pkg-config", "gmp")),
        ("meson.build", "l = cc.find_library('ppl')", ("libraries", "ppl")),
        ("CMakeLists.txt", "find_package(ZLIB REQUIRED)", ("cmake", "ZLIB")),
        ("CMakeLists.txt", "pkg_check_modules(A REQUIRED IMPORTED_TARGET flac>=1.2)", ("pkg-config", "flac")),
        ("src/a.c", "#include <zlib.h>", ("headers", "zlib.h")),
        ("src/a.pyx", 'cdef extern from "gmp.h":', ("headers", "gmp.h")),
    ],
)
def test_what_a_source_looks_for(tmp_path, file, text, look):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(f"{text}\n")
    assert look in [(each.kind, each.name) for each in examine_source(tmp_path, "x", ()).looks]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("setup.py", "# libraries=['netcdf']"),
        ("tests/setup.py", "libraries=['netcdf']"),
        ("third_party/a.c", "#include <zlib.h>"),
    ],
)
def test_what_a_source_does_not_need(tmp_path, file, text):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(f"{text}\n")
    assert examine_source(tmp_path, "x", ()).looks == ()


def test_a_header_of_its_own_is_not_looked_for(tmp_path):
    (tmp_path / "own.h").write_text("")
    (tmp_path / "a.c").write_text('#include "own.h"\n')
    assert examine_source(tmp_path, "x", ()).looks == ()


@pytest.mark.parametrize(
    ("log", "identity", "edit"),
    [
        (
            "ERROR: No matching distribution found for cython>=3.0.2\n",
            "build-extra cython",
            Edit(key="requirements.build-extras", value="cython>=3.0.2", adds=True),
        ),
        (
            "ModuleNotFoundError: No module named 'skbuild'\n",
            "build-extra scikit-build",
            Edit(key="requirements.build-extras", value="scikit-build", adds=True),
        ),
        (
            "ModuleNotFoundError: No module named 'numpy'\n",
            "cross numpy",
            Edit(key="requirements.host", value="numpy", adds=True),
        ),
        (
            "CMake Error: Compatibility with CMake < 3.5 has been removed from CMake.\n",
            "cmake-policy",
            Edit(key="build.script", value="export CMAKE_POLICY_VERSION_MINIMUM=3.5\n"),
        ),
        (
            "src/a.c:1:10: fatal error: 'zlib.h' file not found\n",
            "host zlib",
            Edit(key="requirements.host", value="zlib", adds=True),
        ),
        (
            "wasm-ld: error: unable to find library -lz\n",
            "host zlib",
            Edit(key="build.ldflags", value="-L$(WASM_LIBRARY_DIR)/lib"),
        ),
        (
            "openmp requires threads and is not supported\n",
            "flag -fopenmp",
            Edit(
                key="build.script",
                value="grep -rlIe '-fopenmp' --include='setup.py' --include='CMakeLists.txt' --include='*.cmake' "
                "--include='meson.build' --include='setup.cfg' --include='Makefile' --include='*.mk' "
                "--include='*.pyx' . | xargs -r sed -i -E 's/-fopenmp(=[[:alnum:]]+)?//g'\n",
            ),
        ),
        (
            "tiny.whl must not be published:\n  plugin: tiny-plugin: pytest loads it (pytest11) into every run\n",
            "plugin tiny-plugin",
            Edit(
                key="extra.emwheels.accepted",
                value={
                    "rule": "plugin",
                    "what": "tiny-plugin",
                    "reason": "the package's own, as in its wheels for other platforms",
                },
                adds=True,
            ),
        ),
        (
            "  build-path: tiny/a.cpython-314-wasm32-emscripten.so: names /mnt/xbuildenv of the build machine\n",
            "build path /mnt/xbuildenv",
            Edit(key="build.cflags", value="-ffile-prefix-map=/mnt/xbuildenv/="),
        ),
    ],
)
def test_a_failure_and_its_remedy(environment, log, identity, edit):
    recipes = recipes_of(environment)
    found = {remedy.identity: remedy for remedy in remedies(log, recipes["tiny"], recipes)}
    assert edit in found[identity].edits


@pytest.mark.parametrize(
    ("log", "identity", "edit"),
    [
        ("Error: unknown symbol 'have_aes'\n", "exports", Edit(key="build.exports", value="whole_archive")),
        (
            "ModuleNotFoundError: No module named 'six'\n",
            "run six",
            Edit(key="requirements.run", value="six", adds=True),
        ),
    ],
)
def test_a_failure_of_tests_and_its_remedy(environment, log, identity, edit):
    recipes = recipes_of(environment)
    (remedy,) = remedies(log, recipes["tiny"], recipes, tests=True)
    assert (remedy.identity, remedy.edits) == (identity, (edit,))


def test_a_failure_that_is_not_known_has_no_remedy(environment):
    recipes = recipes_of(environment)
    assert remedies("Segmentation fault\n", recipes["tiny"], recipes) == []


def test_a_plugin_of_another_name_is_not_accepted(environment):
    recipes = recipes_of(environment)
    assert remedies("  plugin: cov: pytest loads it (pytest11) into every run\n", recipes["tiny"], recipes) == []


def test_what_a_build_said_is_no_fault_where_the_audit_found_one(environment):
    said = "ERROR: No matching distribution found for cython\n"
    error = AuditError("tiny.whl must not be published:\n  plugin: tiny: pytest loads it (pytest11)")
    shop = Shop(environment, [Attempt(error=error, log=said)] * 2 + [Attempt()] * 9)
    result = bring_up("tiny", environment.project.recipes / "tiny", shop, environment.target)
    assert [words.partition(":")[0] for words in result.mended] == ["the wheel has a plugin of pytest of its own, tiny"]


def test_a_library_that_no_recipe_has_is_wanted(environment):
    recipes = recipes_of(environment)
    (remedy,) = remedies("fatal error: 'taglib/tag.h' file not found\n", recipes["tiny"], recipes)
    assert remedy.wanted == Look(kind="headers", name="taglib/tag.h", file="")


def test_a_requirement_that_is_there_is_not_added_again(environment):
    add_recipe(environment, "tiny", "requirements:\n  build-extras: [cython]\n")
    recipes = recipes_of(environment)
    assert remedies("No matching distribution found for cython\n", recipes["tiny"], recipes) == []


def test_the_first_test_is_of_what_the_wheel_has(tmp_path):
    files = {f"two/_fast.{SUFFIX}": "", "two/__init__.py": "", f"_top.{SUFFIX}": "", "tests/test_a.py": ""}
    contents = read_contents(make_wheel(tmp_path, "two", tag=WASM, files=files, requires=["six"]))
    assert contents.top_level == ("_top", "two")
    assert contents.extensions == ("_top", "two._fast")
    assert [str(each) for each in contents.about.requires] == ["six"]
    text = first_test("two", contents)
    compile(text, "test_two.py", "exec")
    assert '    "two._fast",\n' in text


def test_a_damaged_wheel_is_said(tmp_path):
    (tmp_path / "a.whl").write_bytes(b"PK")
    with pytest.raises(BuildError, match="cannot be read"):
        read_contents(tmp_path / "a.whl")


class Shop:
    """Answers with attempts in their order, and notes what was said."""

    def __init__(self, environment, builds, test=None):
        self.environment, self.builds, self.said = environment, list(builds), []
        self.outcome = test or Attempt(summary="node 1 passed")

    def recipes(self):
        return recipes_of(self.environment)

    def lock(self, name):
        return Attempt()

    def build(self, name):
        return self.builds.pop(0) if len(self.builds) > 1 else self.builds[0]

    def test(self, name):
        return self.outcome

    def find_library(self, look):
        return ""

    def say(self, name, text):
        self.said.append(text)


def failed(log):
    return Attempt(error=BuildError("it did not build"), log=log)


def test_it_mends_builds_again_and_writes_the_test(environment, tmp_path):
    wheel = make_wheel(tmp_path, "tiny", tag=WASM, files={f"tiny/_c.{SUFFIX}": "", "tiny/__init__.py": ""})
    shop = Shop(environment, [failed("No matching distribution found for cython\n"), Attempt(wheel=wheel)])
    folder = environment.project.recipes / "tiny"
    result = bring_up("tiny", folder, shop, environment.target)
    assert (result.error, result.summary) == (None, "node 1 passed")
    assert result.mended[0].startswith("the build asks for cython")
    recipe = load_recipe(folder, patches=environment.project.patches)
    assert recipe.requirements.build_extras == ("cython",)
    assert recipe.test.imports == ("tiny", "tiny._c")
    assert [test.name for test in recipe.tests] == ["test_tiny.py"]


def test_a_remedy_that_did_not_help_is_not_tried_for_ever(environment):
    shop = Shop(environment, [failed("fatal error: 'zlib.h' file not found\n")])
    result = bring_up("tiny", environment.project.recipes / "tiny", shop, environment.target)
    assert isinstance(result.error, BuildError)
    assert len(result.mended) == 1


def test_it_ends(environment):
    attempts = [failed(f"No matching distribution found for need{n}\n") for n in range(3 * ROUNDS)]
    shop = Shop(environment, attempts)
    result = bring_up("tiny", environment.project.recipes / "tiny", shop, environment.target)
    assert result.error is not None
    assert len(result.mended) <= ROUNDS + 1


RECORD = """\
Package: libsndfile
Binary: libsndfile1-dev, libsndfile1
Version: 1:1.2.2+ds-4
Checksums-Sha256:
 582a7b9cd2f7c0ada8bbbf9787e8f11d2e5778d065bb1c13644e44cdd878af83 2484 libsndfile_1.2.2+ds-4.dsc
 ffe12ef8add3eaca876f04087734e6e8e029350082f3251f565fa9da55b52121 684875 libsndfile_1.2.2+ds.orig.tar.gz
Homepage: https://example.org/
"""


def test_a_record_of_debians_sources():
    assert _source(RECORD) == DebianSource(
        name="libsndfile",
        version="1.2.2+ds",
        filename="libsndfile_1.2.2+ds.orig.tar.gz",
        sha256="ffe12ef8add3eaca876f04087734e6e8e029350082f3251f565fa9da55b52121",
        home="https://example.org/",
    )
    assert _source("Package: native\nVersion: 1\n") is None


APT = """\
#!/bin/sh
for word; do case $word in Dir::Etc::sourcelist=*) list=${word#*=};; esac; done
read -r kind signed mirror suite rest < "$list"
echo "$0 $suite" | sed 's|.*/||' >> LOG
case "$0-$suite" in
*apt-get-oldstable) echo 'E: no such suite' >&2; exit 100;;
*apt-cache-forky) sed 's/1[.]2[.]2/1.4/' RECORD;;
*apt-cache-*) cat RECORD;;
esac
"""


def test_sources_of_other_suites_follow_when_they_are_asked_for(tmp_path, monkeypatch):
    (tmp_path / "record").write_text(RECORD)
    for name in ("apt-get", "apt-cache"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(APT.replace("LOG", str(tmp_path / "log")).replace("RECORD", str(tmp_path / "record")))
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    sources = DebianSources(tmp_path / "debian", "forky", "https://mirror.example/debian").sources("libsndfile1-dev")
    assert next(sources).version == "1.4+ds"
    assert (tmp_path / "log").read_text().split() == ["apt-get", "forky", "apt-cache", "forky"]
    assert [source.version for source in sources] == ["1.2.2+ds"], "one of several suites with the same"
    assert not (tmp_path / "debian" / "oldstable" / "fetched").exists()


@pytest.mark.parametrize(
    ("kind", "name", "line"),
    [
        ("headers", "taglib/tag.h", "usr/include/taglib/tag.h  libdevel/libtag-dev"),
        ("pkg-config", "sndfile", "usr/lib/x86_64-linux-gnu/pkgconfig/sndfile.pc  libdevel/libsndfile1-dev"),
        ("libraries", "netcdf", "usr/lib/x86_64-linux-gnu/libnetcdf.a  libdevel/libnetcdf-dev"),
        ("cmake", "FLAC", "usr/lib/x86_64-linux-gnu/pkgconfig/flac.pc  libdevel/libflac-dev"),
    ],
)
def test_lines_of_debians_list_of_files(kind, name, line):
    pattern = _patterns(Look(kind=kind, name=name, file=""))
    assert pattern.match(line)
    assert not pattern.match(line.replace("usr/", "usr/share/doc/"))


@pytest.mark.parametrize(
    ("text", "plain"), [("1.2.2", "1.2.2"), ("2.15.4+dfsg", "2.15.4"), ("1.3.dfsg+really1.3.2", "1.3.2"), ("x", "0")]
)
def test_versions_of_debian(text, plain):
    assert plain_version(text) == plain


@pytest.mark.parametrize(
    ("files", "scripts"),
    [
        ({"CMakeLists.txt": "option(BUILD_EXAMPLES x ON)\noption(WITH_X x ON)\n"}, ["-DBUILD_EXAMPLES=OFF"]),
        ({"configure": "", "CMakeLists.txt": ""}, ["emcmake cmake", "emconfigure ./configure"]),
        ({"configure.ac": ""}, ["autoreconf --force"]),
        ({"Makefile": ""}, ["emmake make install CC=emcc"]),
        (
            {
                "meson.build": "",
                "meson_options.txt": "option('tests', type : 'boolean')\noption('gir', type: 'feature')\n",
            },
            ["-Dtests=false"],
        ),
        ({"lib/Makefile": "all: libx.a libx.so\nlibx.a: x.o\n", "lib/x.h": ""}, ["cd lib\n", "emmake make libx.a"]),
        ({"docs/Makefile": ""}, []),
    ],
)
def test_a_library_is_built_in_the_ways_its_source_offers(tmp_path, files, scripts):
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(tar_gz({f"lib-1/{name}": text for name, text in files.items()}))
    source = DebianSource(name="lib", version="1.0+ds", filename="lib_1.0+ds.orig.tar.gz", sha256="0" * 64)
    texts = library_recipes(source, "lib", archive, {})
    assert len(texts) == len(scripts)
    for number, (text, script) in enumerate(zip(texts, scripts, strict=True)):
        assert script in text
        assert "WITH_X" not in text
        folder = tmp_path / str(number) / "lib"
        folder.mkdir(parents=True)
        (folder / "meta.yaml").write_text(text)
        assert load_recipe(folder, patches=tmp_path / "patches").version == "1.0"


def test_what_a_built_library_provides(tmp_path):
    archive = tmp_path / "a.tar.gz"
    files = ["lib/liba.a", "lib/pkgconfig/a.pc", "lib/cmake/A/AConfig.cmake", "include/a.h", "share/licenses/a/COPYING"]
    archive.write_bytes(tar_gz(dict.fromkeys(files, "")))
    assert provided(archive) == {"pkg-config": ["a"], "cmake": ["A"], "headers": ["a.h"], "libraries": ["a"]}
