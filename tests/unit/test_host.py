"""emwheels.build.libraries: which packages a build is compiled against, and what it gets of them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from packed import tar_gz

from emwheels.build.cross_packages import CrossPackage, add_cross_packages, check_native_packages
from emwheels.build.libraries import unpack_libraries
from emwheels.errors import RecipeError
from emwheels.fetch.fetcher import Fetched
from emwheels.recipe.graph import cross_requirements, pinned_to_recipes
from emwheels.recipe.model import Build, Package, Recipe, Requirements, Source

HEADER = "numpy/_core/include/numpy/_numpyconfig.h"
NUMPY = Recipe(
    folder=Path("recipes/numpy"),
    package=Package(name="numpy", version="2.5.5"),
    source=Source(),
    build=Build(cross_build_env=True, cross_build_files=(HEADER,)),
)
LIBRARY = Recipe(
    folder=Path("recipes/zlib"),
    package=Package(name="zlib", version="1.3"),
    source=Source(),
    build=Build(type="static_library"),
)
USER = Recipe(
    folder=Path("recipes/user"),
    package=Package(name="user", version="1"),
    source=Source(),
    requirements=Requirements(host=("zlib", "numpy")),
)


def wheel(filename):
    return Fetched(path=Path("x"), sha256="0" * 64, filename=filename, url="")


def test_packages_to_compile_against_are_those_marked_so():
    recipes = {recipe.name: recipe for recipe in (NUMPY, LIBRARY, USER)}
    assert cross_requirements(USER, recipes) == [NUMPY]
    assert cross_requirements(NUMPY, recipes) == []


@pytest.mark.parametrize(
    ("given", "pinned"),
    [
        ([], ["numpy==2.5.5"]),
        (["setuptools", "numpy"], ["setuptools", "numpy==2.5.5"]),
        (["numpy<2; python_version<'3.9'", "NumPy==2.3.2; python_version>='3.9'"], ["numpy==2.5.5"]),
        (["numpy-stubs>1"], ["numpy-stubs>1", "numpy==2.5.5"]),
    ],
)
def test_version_of_the_recipe_takes_the_place_of_what_a_source_asks_for(given, pinned):
    assert pinned_to_recipes(given, [NUMPY]) == pinned


def test_nothing_to_compile_against_changes_nothing():
    assert pinned_to_recipes(["numpy>1", "cmake<4"], []) == ["numpy>1", "cmake<4"]


@pytest.mark.parametrize(
    ("filenames", "said"),
    [
        (["setuptools-80.0-py3-none-any.whl"], "does not pin numpy"),
        (["numpy-2.5.4-cp314-cp314-manylinux_2_28_x86_64.whl"], "pins numpy 2.5.4"),
        (["odd.whl"], "does not pin numpy"),
    ],
)
def test_native_package_of_another_version(filenames, said):
    with pytest.raises(RecipeError, match=said) as caught:
        check_native_packages(USER, [NUMPY], [wheel(name) for name in filenames])
    assert "has 2.5.5" in caught.value.message
    assert caught.value.hint == "lock again: emwheels lock user"


def test_native_package_of_the_same_version():
    check_native_packages(USER, [NUMPY], [wheel("numpy-2.5.5-cp314-cp314-manylinux_2_28_x86_64.whl")])
    check_native_packages(USER, [], [])


@pytest.fixture
def crossenv(tmp_path):
    (tmp_path / "env" / "xbuildenv" / "site-packages-extras").mkdir(parents=True)
    return tmp_path / "env"


def built(folder, members):
    path = folder / "numpy.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return CrossPackage(recipe=NUMPY, wheel=path)


def test_platform_files_of_the_wheel_are_added(crossenv, tmp_path):
    add_cross_packages([built(tmp_path, {HEADER: "32 bits", "numpy/other.h": "x"})], crossenv)
    assert (crossenv / "xbuildenv" / "requirements.txt").read_text() == "numpy==2.5.5\n"
    extras = crossenv / "xbuildenv" / "site-packages-extras"
    assert {str(path.relative_to(extras)): path.read_text() for path in extras.rglob("*.h")} == {HEADER: "32 bits"}


def test_platform_file_that_the_wheel_does_not_have(crossenv, tmp_path):
    with pytest.raises(RecipeError, match=f"cross-build-files: the wheel has no {HEADER}"):
        add_cross_packages([built(tmp_path, {"numpy/other.h": "x"})], crossenv)


def test_libraries_share_a_prefix(tmp_path):
    archives = []
    for name in ("a", "b"):
        path = tmp_path / f"{name}.tar.gz"
        path.write_bytes(tar_gz({f"lib/lib{name}.a": name}))
        archives.append(path)
    libs = tmp_path / "libs"
    assert unpack_libraries(archives, libs) == {"lib/liba.a", "lib/libb.a"}
    assert (libs / "lib" / "libb.a").read_text() == "b"
