"""Kinds of failures that are not the package's: disk, memory, network, what the sandbox and the image have."""

from __future__ import annotations

from emwheels.build.diagnosis.kind import Kind

OF_MACHINES = (
    Kind(
        id="disk-full",
        pattern=r"No space left on device|Errno 28\b",
        sees="`No space left on device`",
        means="The disk is full.",
        do="Free some space, then run the same command again; what was built is kept.",
    ),
    Kind(
        id="emscripten-port",
        pattern=r"Read-only file system: '\S*/emscripten-cache/ports|tools/ports/(\w+)\.py",
        sees="a traceback of emcc through `tools/ports`",
        means="The build asks Emscripten for one of its ports (-sUSE_…, --use-port), which emcc downloads.",
        do="Take the option out, and name the library as a recipe under requirements.host.",
    ),
    Kind(
        id="read-only",
        pattern=r"Read-only file system|Errno 30\b",
        sees="`Read-only file system`",
        means="The build wrote outside of its own folder, which the sandbox does not allow.",
        do=("Have build.script, or a patch, point the path above below the source tree or ${WASM_LIBRARY_DIR}."),
    ),
    Kind(
        id="fetch-content",
        pattern=(
            r"error: downloading '([^']+)' failed|Failed to clone repository: '([^']+)'"
            r"|CMake Error at .*FetchContent.*\n.*Build step for (?:\w+) failed"
        ),
        sees="`error: downloading '…' failed`, `Failed to clone repository`",
        means="CMake (FetchContent or ExternalProject) downloads {what}, and there is no network in the sandbox.",
        do=(
            "Name a recipe of that library under requirements.host, or list the file under extra.emwheels.downloads "
            "with its name, url and sha256."
        ),
        what="something",
    ),
    Kind(
        id="meson-wrap",
        pattern=r"ERROR: could not get (\S+?); is the internet available|WrapException: .*wrap",
        sees="`could not get …; is the internet available?`",
        means="meson downloads {what} for a subproject, and there is no network in the sandbox.",
        do=(
            "Name a recipe of that library under requirements.host; meson takes it where its .pc file answers to the "
            "name that meson.build asks for. Or list what the wrap downloads under extra.emwheels.downloads."
        ),
        what="a wrap",
    ),
    Kind(
        id="download",
        pattern=(
            r"Temporary failure in name resolution|Could not resolve host|Network is unreachable"
            r"|Name or service not known|Failed to establish a new connection|urlopen error|getaddrinfo"
        ),
        sees="`Could not resolve host`, `Network is unreachable`",
        means="The build tried to download something, and there is no network in the sandbox.",
        do=(
            "Switch the download off, or name what it needs as a source, under requirements.host, or under "
            "requirements.build-extras."
        ),
    ),
    Kind(
        id="threads",
        pattern=r"FROZEN_CACHE is set.*(?:-mt\b|crtbegin-mt|libc-mt|pthread)|--shared-memory is disallowed",
        sees="`FROZEN_CACHE is set … crtbegin-mt`",
        means="Something is compiled or linked for threads, past emwheels' launcher. Pyodide has no threads.",
        do="Take the flag out in build.script or by a patch; many packages have an option to build without threads.",
    ),
    Kind(
        id="program-links-module",
        pattern=r"FROZEN_CACHE is set[^\n]*?cache file is missing: \"[^\"\n]*/pic/([^\"/\n]+)\"",
        sees="`FROZEN_CACHE is set … /pic/libGL-getprocaddr.a`",
        means="A program is linked to a shared library (.so), which Emscripten makes for no program here.",
        do=(
            "Have the library made as an archive (--disable-shared, -DBUILD_SHARED_LIBS=OFF), or leave the program out "
            "(tools, tests, examples). If it is a check, answer it in build.script."
        ),
    ),
    Kind(
        id="frozen-cache",
        pattern=r"FROZEN_CACHE is set[^\n]*?cache file is missing: \"([^\"]+)\"|FROZEN_CACHE is set",
        sees="`FROZEN_CACHE is set`",
        means="The build image lacks a system library of Emscripten: {what}.",
        do=(
            "If the package should not link it, take the option out that asks for it. Else add a program that links "
            "it to src/emwheels/image/inside/warm.sh."
        ),
        what="see the name above",
    ),
    Kind(
        id="memory",
        pattern=r"\bKilled\b|out of memory|bad_alloc|MemoryError",
        sees="`Killed`, `out of memory`",
        means="The machine ran out of memory.",
        do="Build with fewer jobs (--jobs 1), or on a machine with more memory.",
    ),
)
