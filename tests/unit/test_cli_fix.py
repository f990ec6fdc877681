"""``emwheels fix`` on logs of real tools: what it shows, what it writes, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from small_project import make_command

LOGS = Path(__file__).parent / "logs"
PYTHON_HEADERS = (
    'export CMAKE_ARGS="${CMAKE_ARGS:-} -DPython_INCLUDE_DIR=${PYTHONINCLUDE} -DPython3_INCLUDE_DIR=${PYTHONINCLUDE}"\n'
)
RECIPE = """\
package: {name: tiny, version: '1.0'}  # a comment that stays
source: {url: 'pkg:pypi/tiny@1.0', sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}
"""
LIBRARY = """\
package: {name: NAME, version: '1.3'}
source: {url: 'pkg:deb/debian/NAME@1.3', sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}
build: {type: static_library, script: make}
extra: {emwheels: {provides: PROVIDES}}
"""
NUMPY = """\
package: {name: numpy, version: '2.4'}
source: {url: 'pkg:pypi/numpy@2.4', sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}
build: {cross-build-env: true, cross-build-files: [numpy/core.h]}
"""


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    command = make_command(tmp_path / "project", monkeypatch, capsys)
    texts = {
        "tiny": RECIPE,
        "numpy": NUMPY,
        "zlib": LIBRARY.replace("NAME", "zlib").replace("PROVIDES", "{cmake: [ZLIB], headers: [zlib.h]}"),
        "sheenbidi": LIBRARY.replace("NAME", "sheenbidi").replace("PROVIDES", "{headers: [SheenBidi.h]}"),
        "qhull": LIBRARY.replace("NAME", "qhull").replace("PROVIDES", "{libraries: [qhull_r], pkg-config: [qhull_r]}"),
    }
    for name, text in texts.items():
        folder = command.project / "recipes" / name
        folder.mkdir()
        (folder / "meta.yaml").write_text(text)
    return command


def failed(command, package, text=""):
    """Have a build of tiny leave the log of ``package``, or ``text``."""
    log = command.project.parent / "cache" / "logs" / "tiny" / "314.0.7-speed.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    if not text:
        (path,) = LOGS.glob(f"*.{package}.txt")
        text = path.read_text().partition("\n")[2]
    log.write_text(text)


def recipe(command):
    return yaml.safe_load((command.project / "recipes" / "tiny" / "meta.yaml").read_text())


@pytest.mark.parametrize(
    ("package", "section", "key", "value"),
    [
        ("cmake-policy", "build", "script", "export CMAKE_POLICY_VERSION_MINIMUM=3.5\n"),
        (
            "cmake-python",
            "build",
            "script",
            PYTHON_HEADERS,
        ),
        ("late-requirement", "requirements", "build-extras", ["setuptools-scm>=8"]),
        ("module-cython", "requirements", "build-extras", ["cython"]),
        ("meson-cython", "requirements", "build-extras", ["cython"]),
        ("module-other", "requirements", "build-extras", ["pkgconfig"]),
        ("pkg-resources", "requirements", "build-extras", ["setuptools<81"]),
        ("scm", "build", "script", "export SETUPTOOLS_SCM_PRETEND_VERSION=1.0\n"),
        ("header-numpy", "requirements", "host", ["numpy"]),
        ("module-numpy", "requirements", "run", ["numpy"]),
        ("cython-type", "requirements", "host", ["numpy"]),
        ("cmake-package", "requirements", "host", ["zlib"]),
        ("make-many", "requirements", "host", ["zlib"]),
        ("header", "requirements", "host", ["sheenbidi"]),
        ("header", "build", "cflags", "-I$(WASM_LIBRARY_DIR)/include"),
        ("meson-library", "requirements", "host", ["qhull"]),
        ("meson-dependency", "requirements", "host", ["qhull"]),
        ("werror", "build", "cflags", "-Wno-error"),
        ("configure-missing", "build", "script", "autoreconf -fi\n"),
    ],
)
def test_a_remedy_is_shown_and_then_written(command, package, section, key, value):
    failed(command, package)
    shown = command("fix", "tiny")
    assert "+++ b/recipes/tiny/meta.yaml" in shown.out
    assert "emwheels fix tiny --apply" in shown.out
    assert (command.project / "recipes" / "tiny" / "meta.yaml").read_text() == RECIPE
    written = command("fix", "tiny", "--apply")
    assert "now: emwheels build tiny" in written.out
    assert recipe(command)[section][key] == value
    assert "# a comment that stays" in (command.project / "recipes" / "tiny" / "meta.yaml").read_text()


def test_all_that_a_backend_asks_for_is_named_at_once(command):
    """pip names only the first that it does not find."""
    (command.project / "recipes" / "tiny" / "requirements.build.txt").write_text("setuptools==80.0\n")
    failed(command, "late-requirement-backend")
    written = command("fix", "tiny", "--apply")
    assert "The build asks for setuptools-scm>=8 and cython." in written.out + written.err
    assert recipe(command)["requirements"]["build-extras"] == ["setuptools-scm>=8", "cython"]


def test_a_remedy_that_is_there_is_not_offered_again(command):
    failed(command, "cmake-policy")
    command("fix", "tiny", "--apply")
    said = command("fix", "tiny", status=6)
    assert "no change of meta.yaml is known" in said.err
    assert "CMAKE_POLICY_VERSION_MINIMUM" in said.out  # the advice is


def test_a_flag_of_another_processor_is_taken_out_of_the_build_files(command):
    failed(command, "mavx512")
    command("fix", "tiny", "--apply")
    assert "s/\\-mavx512f[[:alnum:]]*//g" in recipe(command)["build"]["script"]


def test_for_a_script(command):
    failed(command, "cmake-policy")
    said = command("fix", "tiny", "--json").json()
    assert said["kind"] == "cmake-policy"
    assert said["error"][1] == "  Compatibility with CMake < 3.5 has been removed from CMake."
    assert not said["applied"]
    assert "+  script: |" in said["change"]


def test_a_library_that_no_recipe_has_is_named(command):
    failed(command, "cmake-config-package")
    said = command("fix", "tiny", status=6)
    assert "it needs SheenBidi (cmake), which no recipe provides" in said.out


def test_what_the_tests_failed_at(command):
    failed(command, "", "Succeeded building package tiny in 1.0 seconds.\n")
    report = command.project / "dist" / "reports" / "tiny" / "314.0.7" / "node.log"
    report.parent.mkdir(parents=True)
    (path,) = LOGS.glob("*.test-symbol.txt")
    report.write_text(path.read_text())
    command("fix", "tiny", "--apply")
    assert recipe(command)["build"]["exports"] == "whole_archive"


def test_without_a_failure_there_is_nothing_to_mend(command):
    assert "no log of a failed build" in command("fix", "tiny", status=2).err
    failed(command, "", "Succeeded building package tiny in 1.0 seconds.\n")
    assert "no log of a failed build" in command("fix", "tiny", status=2).err


def test_a_log_that_is_a_link_is_not_read(command, tmp_path):
    log = command.project.parent / "cache" / "logs" / "tiny" / "314.0.7-speed.log"
    log.parent.mkdir(parents=True)
    (tmp_path / "other").write_text("Compatibility with CMake < 3.5 has been removed\n")
    log.symlink_to(tmp_path / "other")
    command("fix", "tiny", status=2)
