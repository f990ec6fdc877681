"""Kinds of failures before anything is compiled: CMake, meson, configure, pkg-config, and patches."""

from __future__ import annotations

from emwheels.build.diagnosis.kind import Kind
from emwheels.image.places import CONFIG_SUB

_WHO_HAS_IT = (
    "Name the recipe of that library under requirements.host; if there is none, `emwheels new-recipe` writes one from "
    "Debian's sources."
)

OF_CONFIGURING = (
    Kind(
        id="cmake-policy",
        pattern=r"Compatibility with CMake < 3\.\d+ has been\s+removed",
        sees="`Compatibility with CMake < 3.5 has been removed`",
        means="The source was written for an older CMake.",
        do="Add `export CMAKE_POLICY_VERSION_MINIMUM=3.5` to build.script.",
    ),
    Kind(
        id="cmake-numpy",
        pattern=r"Could NOT find (?:Python3?|NumPy)\b(?:[^\n]*\n){0,2}?[^\n]*NumPy|Could NOT find NumPy",
        sees="`Could NOT find Python (missing: … NumPy)`",
        means="CMake looks for NumPy's headers.",
        do="Name numpy under requirements.host and requirements.run, then lock.",
    ),
    Kind(
        id="cmake-python",
        pattern=(
            r"Could NOT find Python3?\b(?:[^\n]*\n){0,3}?[^\n]*(?:Development|Interpreter)"
            r"|Could NOT find Python(?:Libs|Interp|3?)\b|Python\.h.{0,40}NOT FOUND"
        ),
        sees="`Could NOT find Python (missing: Development.Module)`",
        means="CMake does not find the headers of the Python that is compiled for.",
        do=(
            'Add `export CMAKE_ARGS="${CMAKE_ARGS:-} -DPython_INCLUDE_DIR=${PYTHONINCLUDE} '
            '-DPython3_INCLUDE_DIR=${PYTHONINCLUDE}"` to build.script; have CMakeLists.txt ask for Development.Module '
            "where it asks for Development."
        ),
    ),
    Kind(
        id="openmp",
        pattern=(
            r"Could NOT find OpenMP|CMAKE_DISABLE_FIND_PACKAGE_OpenMP\s+is\s+enabled|Dependency \"openmp\" not found"
            r"|fatal error: 'omp\.h'|undefined symbol: (?:omp_|__kmpc_)|openmp requires threads and is not supported"
        ),
        sees="`CMAKE_DISABLE_FIND_PACKAGE_OpenMP is enabled`, `'omp.h' file not found`, `openmp requires threads`",
        means="The package asks for OpenMP, which Pyodide does not have, as it has no threads.",
        do="Switch it off in build.script by the project's own option, such as -DUSE_OPENMP=OFF, or by a patch.",
    ),
    Kind(
        id="fortran",
        pattern=(
            r"No CMAKE_Fortran_COMPILER could be found|gfortran: (?:command )?not found|gfortran.{0,30}No such file"
            r"|Unknown compiler\(s\): \[\['?(?:gfortran|flang)"
        ),
        sees="`No CMAKE_Fortran_COMPILER could be found`, `gfortran: command not found`",
        means="There is Fortran in it, and this build has no Fortran compiler.",
        do=(
            "In a package, the build's own gfortran compiles Fortran 77 as C: name libf2c under requirements.host. "
            "In a library, run f2c in build.script, as lapack's recipe does. Of newer Fortran, build without that part."
        ),
    ),
    Kind(
        id="submodule",
        pattern=(
            r"add_subdirectory given source \"([^\"]+)\" which is not an\s+existing"
            r"|The source directory\s+(\S+)\s+does not contain a CMakeLists\.txt"
            r"|git submodule update --init"
        ),
        sees="`does not contain a CMakeLists.txt file`",
        means="A folder of the source is empty: a git submodule, which the archive does not have.",
        do=(
            "Point source.url to an archive that has it (the sdist of PyPI often does), or add the library as a recipe "
            "under requirements.host and switch the bundled one off."
        ),
    ),
    Kind(
        id="cmake-package",
        pattern=(
            r"Could NOT find ((?!Python|NumPy|OpenMP|Threads|Git\b)\w+)"
            r"|package configuration file provided by\s+\"([^\"]+)\""
        ),
        sees="`Could NOT find ZLIB`, `Could not find a package configuration file`",
        means="CMake does not find the library {what}.",
        do=f"{_WHO_HAS_IT} A recipe says in extra.emwheels.provides.cmake what it answers to.",
    ),
    Kind(
        id="pkg-config",
        pattern=(
            r"^ *(?:-- +)?(?:No package|Package) '?([\w.+-]+)'?,?[^\n]{0,40}(?:found|not found|was not found)"
            r"|Dependency \"([\w.+-]+)\" not found|Dependency ([\w.+-]+) found: NO"
            r"|required packages were not found:\s+- ([\w.+-]+)"
            r"|Package requirements \(([\w.+-]+)"
            r"|Command '\['pkg-config'(?:, '-[^']*')*, '([\w.+-]+)'"
        ),
        sees="`Package 'ogg' not found`, `Dependency \"qhull_r\" not found`",
        means="pkg-config and meson know no {what}.",
        do=f"{_WHO_HAS_IT} It has to install {{what}}.pc below ${{WASM_LIBRARY_DIR}}/lib/pkgconfig.",
    ),
    Kind(
        id="library",
        pattern=(
            r"unable to find library -l([\w.+-]+)|C(?:\+\+)? shared or static library '([\w.+-]+)' not found"
            r"|checking for \w+ in -l([\w.+-]+)\.\.\. no\nconfigure: error|cannot find -l([\w.+-]+)"
        ),
        sees="`unable to find library -lncurses`, `library 'qhull_r' not found`",
        means="The library {what} is not there to be linked.",
        do=f"{_WHO_HAS_IT} Add -L$(WASM_LIBRARY_DIR)/lib to build.ldflags.",
    ),
    Kind(
        id="host-unknown",
        pattern=r"Invalid configuration [`'][^']*(?:wasm|emscripten)|machine [`']\S+ not recognized",
        sees="`Invalid configuration 'wasm32-emscripten': machine … not recognized`",
        means="config.sub of the source is older than WebAssembly.",
        do=(f"Add `cp {CONFIG_SUB} .` before configure in build.script, at the place of the source's config.sub."),
    ),
    Kind(
        id="configure-files",
        pattern=r"cannot find required auxiliary files|cannot find install-sh",
        sees="`cannot find required auxiliary files: config.guess config.sub`",
        means="The source was never prepared by autoreconf: files that configure needs are missing.",
        do="Run `autoreconf -fi` before configure in build.script.",
    ),
    Kind(
        id="no-configure",
        pattern=r"\./configure.{0,3}: No such file or directory|configure: (?:command )?not found",
        sees="`./configure: No such file or directory`",
        means="The archive is a plain copy of the repository, without its configure script.",
        do="Run `autoreconf -fi` (or the source's autogen.sh with NOCONFIGURE=1) first in build.script.",
    ),
    Kind(
        id="autoconf-macro",
        pattern=r"(?:undefined or overquoted macro|possibly undefined macro): (\w+)",
        sees="`undefined or overquoted macro: AM_INIT_AUTOMAKE`",
        means="configure.ac uses the macro {what}, which no file of the image or of the source defines.",
        do=(
            "Run autoreconf -fi in place of autoconf; if the macro is still unknown, name the recipe that installs it "
            "under requirements.host, or take its line out by `sed` or a patch."
        ),
    ),
    Kind(
        id="configure-run",
        pattern=(
            r"cannot run test program while cross compiling|TRY_RUN\(\) invoked in cross-compiling mode|Can ?not "
            r"run test applications in this cross environment"
        ),
        sees="`cannot run test program while cross compiling`",
        means="A check wants to run what it has compiled, and cannot.",
        do=(
            "Give configure the answer in build.script, such as `ac_cv_func_NAME=yes ./configure`; config.log "
            "names the variable."
        ),
    ),
    Kind(
        id="cython-missing",
        pattern=(
            r"Unknown compiler\(s\): \[\['cython'|No module named 'Cython'|Program '?cython3?'? not found"
            r"|/cython3?['\"]?: No such file"
        ),
        sees="`Unknown compiler(s): [['cython']…`, `No module named 'Cython'`",
        means="The source is written in Cython, and Cython is no declared build requirement.",
        do="Name cython under requirements.build-extras, then run `emwheels lock NAME`.",
    ),
    Kind(
        id="program",
        pattern=(
            r"Program '([\w.+-]+)[^']*' not found|: ([\w.+-]+): (?:command not found|not found)$"
            r"|make(?:\[\d+\])?: ([\w.+-]+): No such file or directory|command '([\w.+-]+)' failed: No such file"
            r"|executables are required: ([\w.+-]+)|FileNotFoundError:.*No such file or directory: '((?!cargo"
            r"|rustc)[\w+-]+)'$"
        ),
        sees="`bison: command not found`, `Program 'bison' not found`",
        means="The build runs {what}, which neither the image nor the recipe has.",
        do=(
            "If PyPI has it (cmake, ninja, swig), name it under requirements.build-extras. Else commit its output as a "
            "patch, or switch the step off."
        ),
        what="a program",
    ),
    Kind(
        id="subproject",
        pattern=r"Attempted to resolve subproject|Subproject ([\w.+-]+) (?:exists but has no|is buildable: NO)",
        sees="`Attempted to resolve subproject without subprojects directory`",
        means="meson wants a subproject that the archive does not have.",
        do=_WHO_HAS_IT,
    ),
    Kind(
        id="image-python",
        pattern=r"Cannot compile .Python\.h.",
        sees="`Cannot compile 'Python.h'`",
        means="pkg-config found the image's own Python.",
        do="Unset PKG_CONFIG_PATH in build.script, or point it at ${WASM_LIBRARY_DIR}/lib/pkgconfig.",
    ),
    Kind(
        id="patch",
        pattern=r"Hunk #\d+ FAILED|Only garbage was found in the patch input|malformed patch|can't find file to patch",
        sees="`Hunk #1 FAILED`, `Only garbage was found in the patch input`",
        means="A patch does not fit: it was made for another version, or has no change in it.",
        do=(
            "Make it again: `emwheels source NAME`, edit, `emwheels create-patch NAME`. Remove it if upstream has the "
            "change."
        ),
    ),
    Kind(
        id="no-rule",
        pattern=r"No rule to make target '([^']+)'|unknown target '([^']+)'",
        sees="`No rule to make target`, `unknown target 'install'`",
        means="The build files have no way to make {what}: a file that the archive lacks, or a target by another name.",
        do="Look into the source (`emwheels debug NAME`) and correct the command in build.script.",
        what="it",
    ),
    Kind(
        id="no-folder",
        pattern=r"cd: (\S+): No such file or directory|The source directory \"([^\"]+)\" does not exist",
        sees="`cd: NAME: No such file or directory`",
        means="build.script goes to {what}, which the source does not have.",
        do="Look into the source (`emwheels source NAME`) and correct build.script, or source.extract_dir.",
        what="a folder",
    ),
)
