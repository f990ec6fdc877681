"""Where things are inside the sandbox: what of the host is mounted there, and the image's own programs.

Whoever starts something in the image takes its places from here, and whatever runs there is told by arguments or
variables. What makes the image and the toolchains has its own names for what it mounts meanwhile.
"""

from __future__ import annotations

from emwheels.image.toolchain import crossenv

# A build

WORK = "/mnt/work"
"""Where a build's folder is mounted: the same for every build, so that no path of the machine can get in."""
CROSSENV = crossenv.INSIDE
"""The cross-build environment. That module's bytes are part of every build key, so the place stands there."""
COMPILER_CACHE = "/mnt/ccache"
"""The folder of the compiler cache that the recipe's builds share."""
JOBSERVER = "/mnt/jobserver"
"""The pipe by which a build gets its share of the cores."""
SOURCE = "/mnt/tree"
"""A source tree while it is patched."""
PATCH = "/mnt/patch"
"""What it is patched with."""
ADD_MEMBERS = "/mnt/add_members.py"
"""The program that adds documents to a wheel."""
TAKEN = "/mnt/taken"
"""The folder with that wheel."""
MEMBERS = "/mnt/members"
"""The documents."""
OUT = "/mnt/out"
"""Where the wheel with the documents goes."""
SPLIT_TESTS = "/mnt/split_tests.py"
"""The program that takes the tests out of a wheel."""
PLAIN_SBOM = "/mnt/plain_sbom.py"
"""The program that takes the paths of a build out of SBOMs."""
DEBUG_SHELL = "/mnt/debug_shell.py"
"""The program that opens a shell where a build would compile."""
PREPARE_TREE = "/mnt/prepare_tree.py"
"""The program that prepares a source of autotools."""
ANSWERS = "/mnt/answers"
"""What that program is told of the recipe's downloads."""
DOWNLOADS = "/mnt/downloads"
"""The downloads, unpacked."""
PACKAGE_CACHE = "/mnt/packagecache"
"""Where archives of Meson's wraps go."""
BACKEND = "/mnt/run_backend.py"
"""The program that calls a build backend."""

RUST = "/mnt/rust"
"""The Rust layer, in builds of recipes in Rust."""

CRATE_FILES = "/mnt/crates"
"""A local registry of crates, while a Cargo.lock is made."""
CRATE_HOME = "/mnt/cargo"
"""cargo's own folder meanwhile."""

BUILD_PATHS = (WORK, CROSSENV, RUST)
"""What must not be found in a wheel."""

# Tests in engines

RUNTIME = "/mnt/pyodide"
"""The unpacked npm package ``pyodide``."""
PLAYWRIGHT = "/mnt/playwright-core"
"""The unpacked npm package ``playwright-core``."""
HARNESS = "/mnt/harness"
"""The harness's own programs."""
TESTS = "/mnt/tests"
"""The tests to run."""
STAGE = "/mnt/stage"
"""The job, and the wheels that it installs."""

# A program of the user's

PROGRAM = "/mnt/program"
"""The copy of its files."""

# Installers, held against an index

PIP = "/mnt/pip"
"""The folder with the package pip of this machine."""
UV = "/mnt/uv"
"""The program uv of this machine."""
CERTIFICATES = "/mnt/certificates.pem"
"""Those that the user of this machine has named."""

# The image's own

PROGRAMS = "/usr/bin:/bin"
"""The PATH of what needs no compiler."""
CHROMIUM = "/usr/bin/chromium"
NODE = "/usr/bin/node"
TRUE = "/usr/bin/true"
BUILD_PYTHON = "/opt/emwheels/python{minor}/bin/python"
"""A Python of the build image that is of a target's minor version (``3.14``), natively."""
PYTHON = "/usr/bin/python3"
"""Debian's Python, which every image has."""
SYSTEM, OWN = "/usr/", "/opt/emwheels/"
"""What the image itself has: Debian's, and what emwheels put there."""
CMAKE_FILES = "/usr/share/cmake"
CONFIG_FILES = "/usr/share/misc"
"""Where newer config.guess and config.sub are than a source has (package autotools-dev)."""
CONFIG_SUB = f"{CONFIG_FILES}/config.*"
"""Both."""
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
"""The library that gives programs another clock."""
