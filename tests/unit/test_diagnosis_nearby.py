from __future__ import annotations

import pytest

from emwheels.build.diagnosis import diagnose
from emwheels.build.diagnosis.nearby import own_words, where_it_lies


def write(inside, path, text):
    file = inside / "build" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


CONFIG_LOG = """configure:3345: checking for initscr in -lncurses
configure:3374: emcc -o conftest conftest.c -lncurses >&5
wasm-ld: error: unable to find library -lncurses
emcc: error: '/usr/bin/wasm-ld -o conftest.wasm' failed (returned 1)
configure:3374: $? = 1
configure:3386: result: no
configure:3395: error: ncurses is needed
"""
CMAKE_LOG = """  -
    kind: "try_compile-v1"
    buildResult:
      stdout: |
        wasm-ld: error: unknown file type: libhdf5.so
        emcc: error: '/usr/bin/wasm-ld -o a.wasm' failed (returned 1)
      exitCode: 1
"""


@pytest.mark.parametrize(
    ("file", "text", "error", "reason"),
    [
        (
            "tiny/build/tiny-1/config.log",
            CONFIG_LOG,
            "configure: error: ncurses is needed",
            "wasm-ld: error: unable to find library -lncurses",
        ),
        (
            "tiny/build/tiny-1/b/CMakeFiles/CMakeConfigureLog.yaml",
            CMAKE_LOG,
            "CMake Error at CMakeLists.txt:7 (message):",
            "wasm-ld: error: unknown file type: libhdf5.so",
        ),
    ],
)
def test_a_build_systems_own_log_says_why(tmp_path, file, text, error, reason):
    write(tmp_path, file, text)
    name = file.rpartition("/")[2]
    assert own_words(tmp_path, (error, "  Unable to find it")) == (f"{name}, of the last check that failed:", reason)


def test_a_log_that_leads_elsewhere_is_not_read(tmp_path):
    (tmp_path / "secret").write_text(CONFIG_LOG)
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "config.log").symlink_to(tmp_path / "secret")
    assert own_words(tmp_path, ("configure: error: ncurses is needed",)) == ()


def test_an_error_of_a_compiler_needs_no_other_log(tmp_path):
    write(tmp_path, "tiny/config.log", CONFIG_LOG)
    assert own_words(tmp_path, ("a.c:1:1: error: no",)) == ()


def test_a_header_in_a_folder_of_a_host_library_is_found(tmp_path):
    """As SheenBidi has it, which libraqm includes without its folder."""
    write(tmp_path, ".libs/include/SheenBidi/SheenBidi.h", "")
    found = diagnose("raqm.c:1:10: fatal error: 'SheenBidi.h' file not found\n")
    assert "-I$(WASM_LIBRARY_DIR)/include/SheenBidi." in where_it_lies(tmp_path, found)


def test_a_header_that_is_nowhere(tmp_path):
    found = diagnose("raqm.c:1:10: fatal error: 'SheenBidi.h' file not found\n")
    assert where_it_lies(tmp_path, found) == ""
