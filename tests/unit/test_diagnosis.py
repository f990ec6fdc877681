from __future__ import annotations

import pytest

from emwheels.build.diagnosis import diagnose


@pytest.mark.parametrize(
    ("log", "advice"),
    [
        ("cp: error writing 'x': No space left on device", "The disk is full"),
        ("OSError: [Errno 28] No space left", "The disk is full"),
        ("OSError: [Errno 30] Read-only file system: '/usr/include/x.h'", "wrote outside of its own folder"),
        ("mkdir: cannot create directory '/opt/x': Read-only file system", "wrote outside of its own folder"),
        ("curl: (6) Could not resolve host: data.invalid", "no network in the sandbox"),
        ("urllib.error.URLError: <urlopen error [Errno -3] x>", "no network in the sandbox"),
        ("fatal: unable to access: Temporary failure in name resolution", "no network in the sandbox"),
        ("connect: Network is unreachable", "no network in the sandbox"),
        ("socket.gaierror: Name or service not known", "no network in the sandbox"),
        ("ERROR: No matching distribution found for cython>=3", "emwheels lock"),
        ("ERROR: Could not find a version that satisfies the requirement x", "emwheels lock"),
        ("wasm-ld: warning: function signature mismatch: dgemm_", "patch the declaration"),
        ("wasm-ld: error: a.o: undefined symbol: yaml_parser_new", "a library is missing from host requirements"),
        ("ld: undefined reference to `x'", "a library is missing from host requirements"),
        ("a.c:1:10: fatal error: 'yaml.h' file not found", "A header was not found"),
        ("a.c:1:10: fatal error: yaml.h: No such file or directory", "A header was not found"),
        ("/bin/sh: 1: swig: not found", "A tool was not found"),
        ("bash: line 1: flex: command not found", "A tool was not found"),
        ("RuntimeError: The following executables are required: ninja", "A tool was not found"),
        ("../meson.build:1:0: ERROR: Program 'cython' not found or not executable", "A tool was not found"),
        ("error: Cannot compile `Python.h`.", "the image's own Python"),
        ("emcc: error: FROZEN_CACHE is set, EM_FROZEN_CACHE, but cache file is missing", "image/inside/warm.sh"),
        ("c++: fatal error: Killed signal terminated program cc1plus", "ran out of memory"),
        ("terminate called after throwing std::bad_alloc", "ran out of memory"),
    ],
)
def test_known_failures(log, advice):
    assert advice in diagnose(f"some lines before\n{log}\nsome lines after\n")


@pytest.mark.parametrize("log", ["", "everything went well\n", "error: expected ';' after expression\n"])
def test_no_advice_where_nothing_is_known(log):
    assert diagnose(log) == ""


def test_only_the_end_counts():
    assert diagnose("No space left on device\n" + "compiling\n" * 10_000) == ""


def test_a_large_log_is_quick():
    assert diagnose("x" * 5_000_000) == ""
