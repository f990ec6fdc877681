"""The environment variables that a recipe's build script sees, in words, for the documentation.

A unit test holds this table against what sets them: this room, the image, the toolchains and the job server.
"""

from __future__ import annotations

FOR_RECIPES = {
    "WASM_LIBRARY_DIR": "Where the libraries of `requirements.host` are, and where a library's script installs to.",
    "SIDE_MODULE_CFLAGS": "Flags for C: those of target and profile. pyodide-build adds `build.cflags` by itself.",
    "SIDE_MODULE_CXXFLAGS": "The same for C++.",
    "SIDE_MODULE_LDFLAGS": "The same for links.",
    "PYTHONINCLUDE": "The headers of the target's Python.",
    "HOSTSITEPACKAGES": "Where the packages are that a recipe compiles against, numpy for one.",
    "PYMAJOR": "The first number of the target's Python version.",
    "PYMINOR": "The second number.",
    "PYODIDE": "Always `1`. Build files may test it.",
    "PKGDIR": "The recipe's folder in the sandbox, with `meta.yaml` only.",
    "PKG_VERSION": "The version of the recipe.",
    "PKG_BUILD_DIR": "The source tree.",
    "DISTDIR": "Where the wheel is written to.",
    "CMAKE_TOOLCHAIN_FILE": "emwheels' toolchain file, which CMake reads by itself. It includes pyodide-build's.",
    "PKG_CONFIG_LIBDIR": "Where pkg-config looks: at the host libraries only.",
    "EM_PKG_CONFIG_PATH": "The same, for `emconfigure` and `emcmake`.",
}
"""What pyodide-build 0.39.2 sets and a recipe may use; emwheels sets the flags."""

FROM_EMWHEELS = {
    "PATH": "The image's programs, the target's Python first.",
    "HOME": "A folder of the build.",
    "LANG": "`C.UTF-8`.",
    "TERM": "`dumb`, so that logs have no control characters.",
    "NO_COLOR": "`1`, for the same reason.",
    "MAKEFLAGS": "The job server: all builds share the cores. `make -j` in a script bypasses it.",
    "PIP_NO_INDEX": "`1`: pip finds nothing outside of the locked requirements.",
    "PIP_FIND_LINKS": "The folder of the locked requirements.",
    "PIP_DISABLE_PIP_VERSION_CHECK": "`1`.",
    "CONFIG_SITE": "Answers that configure scripts read before their checks.",
    "MESON_PACKAGE_CACHE_DIR": "Where Meson finds the archives of wraps that `extra.emwheels.downloads` lists.",
    "CMAKE_POLICY_VERSION_MINIMUM": "`3.5`: CMake 4 takes projects that were written for an older one.",
    "EMWHEELS_DOWNLOADS": "A folder with what `extra.emwheels.downloads` lists, each in a folder of its name.",
    "EMWHEELS_CMAKE_TOOLCHAIN": "For emwheels' own toolchain file: that of pyodide-build.",
    "PYTHONPATH": "A folder that gives temporary build environments the same path each time.",
    "PYTHONHASHSEED": "`0`, so that the same inputs give the same bytes.",
    "PYTHONDONTWRITEBYTECODE": "`1`.",
    "SOURCE_DATE_EPOCH": "The time of everything in a wheel: 2024-01-01.",
    "PYODIDE_ROOT": "The cross-build environment.",
    "SKIP_EMSCRIPTEN_VERSION_CHECK": "`1` with Debian's Emscripten; `0` with `--toolchain emsdk`.",
    "EMSDK": "With `--toolchain emsdk`: its folder.",
    "EM_CONFIG": "With `--toolchain emsdk`: Emscripten's configuration.",
    "EM_CACHE": "Emscripten's system libraries, compiled once and read-only.",
    "EM_FROZEN_CACHE": "`1`: a system library that is not in it is an error.",
    "EMSDK_PYTHON": "The launcher that looks into the compiler cache before Emscripten starts. Leave it alone.",
    "EM_COMPILER_WRAPPER": "`ccache`.",
    "CCACHE_COMPILERTYPE": "`clang`.",
    "CCACHE_DEPEND": "`1`.",
    "CCACHE_DIR": "The compiler cache of this recipe.",
    "CCACHE_CONFIGPATH": "`/dev/null`: no configuration file is read.",
    "CCACHE_COMPILERCHECK": "What identifies the compiler.",
    "CCACHE_MAXSIZE": "The limit of the cache.",
    "CCACHE_STATSLOG": "Where each hit and miss is noted.",
    "EMWHEELS_COMPILER": "For emwheels' own launchers: the Emscripten program to start.",
    "EMWHEELS_LINKER": "For emwheels' own launchers: part of what a link is looked up by.",
}
"""What emwheels sets. A recipe rarely needs it."""

FOR_RUST = {
    "CARGO_HOME": "A folder of the build, whose configuration has cargo take crates from the folder of those fetched.",
    "CARGO_NET_OFFLINE": "`true`.",
    "CARGO_INCREMENTAL": "`0`.",
    "CARGO_TERM_COLOR": "`never`.",
    "CARGO_TARGET_WASM32_UNKNOWN_EMSCRIPTEN_RUSTFLAGS": "Flags for rustc: those of the profile, and of links.",
    "CARGO_PROFILE_RELEASE_OPT_LEVEL": "The profile's level of optimisation, if it is not `-O3`.",
    "CARGO_PROFILE_RELEASE_DEBUG": "`true` if the profile has line numbers.",
    "CXXFLAGS_wasm32_unknown_emscripten": "`-fcxx-exceptions`: the cc crate leaves out C++ exceptions for this target.",
    "MATURIN_NO_INSTALL_RUST": "`1`: maturin downloads no Rust.",
}
"""What emwheels sets in builds of recipes in Rust, beside `FROM_EMWHEELS`."""
