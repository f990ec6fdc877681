from __future__ import annotations

import time
from pathlib import Path

import pytest
from kinds_table import PAGE, page_with_table

from emwheels.author.fix import mended_kinds
from emwheels.build.diagnosis import (
    OF_TESTS,
    diagnose,
    diagnose_tests,
    first_error,
    kinds_of_builds,
)
from emwheels.build.diagnosis.cause import MOST_LINES, parts_of

OLDEST = (
    "Build dependency 'oldest-supported-numpy' is not supported. oldest-supported-numpy is deprecated since NumPy 2.0. "
    "Use a direct 'numpy' dependency instead."
)
LOGS = sorted((Path(__file__).parent / "logs").glob("*.txt"))
OF_ENGINES = [log for log in LOGS if log.name.startswith("test-")]
OF_BUILDS = [log for log in LOGS if log not in OF_ENGINES]


def log_of(path):
    origin, _, log = path.read_text(encoding="utf-8").partition("\n")
    assert origin.startswith("# ")
    return log


def kind_of(path):
    """A log is called KIND.PACKAGE.txt."""
    return path.name.partition(".")[0]


def log_named(package):
    (path,) = (path for path in LOGS if path.name.split(".")[1] == package)
    return log_of(path)


@pytest.mark.parametrize("path", OF_BUILDS, ids=lambda path: path.stem)
def test_the_kind_of_a_failed_build(path):
    found = diagnose(log_of(path))
    assert (found.kind.id if found else "unknown") == kind_of(path)


@pytest.mark.parametrize("path", OF_ENGINES, ids=lambda path: path.stem)
def test_the_kind_of_failed_tests(path):
    found = diagnose_tests(log_of(path))
    assert (found.kind.id if found else "unknown") == kind_of(path)


def test_every_kind_has_a_log():
    kinds = [kind.id for kind in (*kinds_of_builds(), *OF_TESTS)]
    assert len(kinds) == len(set(kinds))
    assert sorted(set(kinds) - {kind_of(path) for path in LOGS}) == []


@pytest.mark.parametrize("path", OF_BUILDS, ids=lambda path: path.stem)
def test_what_is_shown_is_short_and_the_packages_own(path):
    lines = first_error(log_of(path))
    shown = "\n".join(lines)
    assert 0 < len(lines) <= MOST_LINES
    for noise in ("build script", "Call Stack", "pyodide_build", "site-packages/build/", "Building package", "\x1b"):
        assert noise not in shown


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_advice_is_a_sentence_without_gaps(path):
    found = diagnose(log_of(path)) or diagnose_tests(log_of(path))
    if found is not None:
        assert "{" not in found.advice.replace("${", "")
        assert "  " not in found.advice
        assert found.advice.endswith(".")


@pytest.mark.parametrize(
    ("package", "lines", "advice"),
    [
        (
            "oldest-supported-numpy",
            [OLDEST],
            "name numpy under requirements.host",
        ),
        (
            "cmake-policy",
            [
                "CMake Error at CMakeLists.txt:1 (cmake_minimum_required):",
                "  Compatibility with CMake < 3.5 has been removed from CMake.",
            ],
            "export CMAKE_POLICY_VERSION_MINIMUM=3.5",
        ),
        (
            "cmake-check",
            ["CMake Error at CMakeLists.txt:7 (message):", "  Unable to find the nosuch library, which tiny needs"],
            "",
        ),
        (
            "cmake-python",
            [
                "CMake Error at CMakeLists.txt:3 (find_package):",
                "  Could NOT find Python (missing: Interpreter Development.Module)",
            ],
            "-DPython_INCLUDE_DIR=${PYTHONINCLUDE}",
        ),
        ("header", ["tiny.c:1:10: fatal error: 'SheenBidi.h' file not found"], "The header SheenBidi.h was not found"),
        ("patch-in-script", ["Hunk #1 FAILED at 1."], "emwheels create-patch NAME"),
        (
            "foreign-tag",
            [
                "RuntimeError: Found no wheel while building foreign-tag. Candidates:",
                "tiny-1.0-py3-none-manylinux_2_28_x86_64.whl",
            ],
            "bdist_wheel",
        ),
        (
            "meson-library",
            ["../meson.build:3:3: ERROR: C shared or static library 'qhull_r' not found"],
            "The library qhull_r is not there",
        ),
        ("late-requirement", [], "The build asks for setuptools-scm>=8"),
        ("make-many", ["b.c:1:10: fatal error: 'zlib.h' file not found"], "The header zlib.h"),
        ("setup-exits", ["tiny needs libfoo: install it first"], ""),
        (
            "setup-asserts",
            ["setup.py, line 3, in find_library", "RuntimeError: cannot find the snappy library; set SNAPPY_DIR"],
            "",
        ),
        ("cmake-compile", ["broken.c:1:27: error: use of undeclared identifier 'missing_constant'"], ""),
        (
            "configure-library",
            ["checking for initscr in -lncurses... no", "configure: error: ncurses is needed"],
            "ncurses",
        ),
        ("swig", ["error: command 'swig' failed: No such file or directory"], "runs swig"),
        ("symbols", ["wasm-ld-21: error: tiny.o: undefined symbol: SBCodepointCount"], "defines SBCodepointCount"),
        ("cython-old", ["tiny.pyx:3:6: Syntax error in simple statement list", "cdef long f(long x):"], "cython<3.1"),
        ("no-project", [], "source.extract_dir"),
    ],
)
def test_the_first_error_and_what_to_do(package, lines, advice):
    log = log_named(package)
    assert list(first_error(log)[: len(lines)]) == lines
    found = diagnose(log)
    assert advice in (found.advice if found else "")


def test_a_ctypes_library_without_its_symbols_leads_to_exports():
    """As pycryptodome has it."""
    found = diagnose_tests('AttributeError: Tried to lookup unknown symbol "have_aes_ni" in dynamic lib /lib/x.so\n')
    assert found is not None
    assert found.what == "have_aes_ni"
    assert "build.exports: whole_archive" in found.advice


def test_only_garbage_in_a_patch():
    found = diagnose("**** Only garbage was found in the patch input.\n")
    assert found is not None
    assert "has no change in it" in found.advice


def test_a_try_that_failed_is_not_the_cause():
    """Tests of setup.py print errors as well; the command that setuptools names is what counts."""
    log = (
        "cc -c try.c -o try.o\ntry.c:1:10: fatal error: 'valgrind.h' file not found\n1 error generated.\n"
        "cc -c real.c -o real.o\nreal.c:7:1: error: use of undeclared identifier 'x'\n1 error generated.\n"
        "error: command '/usr/bin/cc' failed with exit code 1\n"
    )
    assert first_error(log) == ("real.c:7:1: error: use of undeclared identifier 'x'",)


def test_all_that_the_linker_misses_is_shown():
    names = [f"wasm-ld: error: a.o: undefined symbol: f{number}" for number in range(3)]
    assert list(first_error("\n".join([*names, *names, "emcc: error: 'wasm-ld' failed (returned 1)"]))) == names


@pytest.mark.parametrize("log", ["", "everything went well\n"])
def test_no_advice_where_nothing_is_known(log):
    assert diagnose(log) is None


def test_only_the_end_counts():
    assert diagnose("No space left on device\n" + "".join(f"compiling {n}\n" for n in range(100))) is None


def test_a_large_log_is_quick():
    started = time.process_time()
    assert diagnose("x" * 5_000_000) is None
    for line in ("Could NOT find Python", "Traceback (most recent call last):", "a.c:1: error: x", "unsupported os "):
        diagnose(f"{line}\n" * 100_000)
        diagnose(line * 100_000)
    assert time.process_time() - started < 20


def test_the_page_has_the_table_of_kinds():
    text = PAGE.read_text(encoding="utf-8")
    assert page_with_table(text) == text, "run python tests/support/kinds_table.py"
    assert text.count("\n| `cmake-policy` |") == 1


def test_every_remedy_is_for_a_kind_that_there_is():
    assert mended_kinds() <= {kind.id for kind in (*kinds_of_builds(), *OF_TESTS)}


@pytest.mark.parametrize("text", ["\n" * (1 << 20), "x\n" * (1 << 19), "error: a\nb\n" * 100_000])
def test_a_log_of_lines_without_end_is_looked_at_from_its_end(text):
    assert len(parts_of(text)[0].splitlines()) <= 40_000
