"""The end of a build log -> what is known about such a failure, in a sentence."""

from __future__ import annotations

import re

_KNOWN: tuple[tuple[str, str], ...] = (
    (
        r"No space left on device|Errno 28\b",
        "The disk is full: free some space, then run the same command again; what was built is kept.",
    ),
    (
        r"Read-only file system(?!.*emscripten)|Errno 30\b",
        (
            "The build wrote outside of its own folder, which the sandbox does not allow: find the path above and have "
            "the recipe point it below the source tree or ${WASM_LIBRARY_DIR}."
        ),
    ),
    (
        (
            r"Temporary failure in name resolution|Could not resolve host|Network is unreachable"
            r"|Name or service not known"
            r"|Failed to establish a new connection|urlopen error|getaddrinfo"
        ),
        (
            "The build tried to download something, and there is no network in the sandbox: switch the download off, "
            "or name what it needs as a source, a host requirement or a build requirement of the recipe."
        ),
    ),
    (
        r"No matching distribution found for|Could not find a version that satisfies the requirement",
        (
            "A build requirement is not in requirements.build.txt: run `emwheels lock NAME`, which asks the backend. "
            "If that does not find it, name it in requirements.build-extras of meta.yaml first."
        ),
    ),
    (
        r"function signature mismatch",
        "The same function is declared in two ways; wasm checks what other machines let pass: patch the declaration.",
    ),
    (
        r"undefined symbol: |undefined reference to",
        (
            "A symbol is used that no object defines: a library is missing from host requirements or ldflags, or a "
            "source file from the build."
        ),
    ),
    (
        r"fatal error: '?[^'\s]+'? ?(?:file not found|: No such file)",
        (
            "A header was not found: name the library it belongs to under host requirements and add "
            "-I$(WASM_LIBRARY_DIR)/include to cflags."
        ),
    ),
    (
        r"(?:command not found|executables are required|Program '?[\w.+-]+'? not found|: not found$)",
        (
            "A tool was not found: it has to be a build requirement of the recipe, or a package of the image in "
            "targets.toml."
        ),
    ),
    (
        r"Cannot compile .Python\.h.",
        (
            "pkg-config found the image's own Python. Unset PKG_CONFIG_PATH, or point it at "
            "${WASM_LIBRARY_DIR}/lib/pkgconfig."
        ),
    ),
    (
        r"FROZEN_CACHE is set",
        (
            "Emscripten wanted to make a system library that the image does not have: it has to be linked once in "
            "image/inside/warm.sh."
        ),
    ),
    (r"Killed|out of memory|bad_alloc", "The machine ran out of memory: build with fewer jobs."),
)


def diagnose(log: str) -> str:
    """Return what to do about the failure at the end of ``log``; an empty string for one that is not known."""
    tail = log[-40_000:]
    for pattern, advice in _KNOWN:
        if re.search(pattern, tail, re.MULTILINE):
            return advice
    return ""
