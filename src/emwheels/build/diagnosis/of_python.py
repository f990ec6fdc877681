"""Kinds of failures of build backends, of setup.py, and of Cython."""

from __future__ import annotations

from emwheels.build.diagnosis.kind import Kind

_REQUIREMENT = r"([A-Za-z0-9][\w.-]*(?:\[[\w,.-]+\])?(?:[<>=!~][^\s;(]*)?)"

OF_PYTHON = (
    Kind(
        id="oldest-supported-numpy",
        pattern=r"Build dependency '([\w-]+)' is not supported",
        sees="`Build dependency 'oldest-supported-numpy' is not supported`",
        means="The source requires {what} to be built, which is given up since NumPy 2.",
        do=(
            "Replace it by numpy in its pyproject.toml, by a patch, and name numpy under requirements.host and "
            "requirements.run."
        ),
    ),
    Kind(
        id="rust",
        pattern=(
            r"can't find Rust compiler|Cannot import '(maturin|setuptools_rust)'|'(cargo|rustc)'(?:$|, '--version')"
            r"|cargo (?:metadata )?failed|(?:cargo|rustc): (?:command )?not found|No module named '(maturin"
            r"|setuptools_rust)'"
            r"|Rust toolchain|No matching distribution found for (maturin|setuptools-rust|puccinialin)"
        ),
        sees="`can't find Rust compiler`, `Cannot import 'maturin'`",
        means="There is Rust in it, and nothing in the recipe says so.",
        do=(
            "Name cargo under requirements.executable, or lock its build requirements again (`emwheels lock NAME`): "
            "maturin and setuptools-rust among them say it as well."
        ),
    ),
    Kind(
        id="late-requirement",
        pattern=(
            rf"(?:No matching distribution found for|that satisfies the requirement|Missing "
            rf"dependencies:)\s+{_REQUIREMENT}"
        ),
        sees="`No matching distribution found for X`",
        means="The build asks for {what}. requirements.build.txt does not pin that.",
        do=(
            "Run `emwheels lock NAME`, which asks the backend. If it does not find all of it, name the rest under "
            "requirements.build-extras first."
        ),
    ),
    Kind(
        id="numpy-module",
        pattern=r"No module named 'numpy|import numpy; print\(numpy\.get_include\(\)\)|'(numpy)\.pxd' not found",
        sees="`No module named 'numpy'`, `'numpy.pxd' not found`",
        means="It is compiled against NumPy.",
        do="Name numpy under requirements.host and requirements.run, then run `emwheels lock NAME`.",
    ),
    Kind(
        id="pkg-resources",
        pattern=r"No module named '(pkg_resources)'|module '(pkg_resources)' has no",
        sees="`No module named 'pkg_resources'`",
        means="setup.py imports pkg_resources, which setuptools has no more since version 81.",
        do="Name setuptools<81 under requirements.build-extras, then run `emwheels lock NAME`.",
    ),
    Kind(
        id="removed-module",
        pattern=(
            r"No module named '((?:distutils|imp|asynchat|asyncore|cgi|pipes|crypt|lib2to3|nntplib|telnetlib"
            r"|msilib)\b[\w.]*)'"
        ),
        sees="`No module named 'imp'`, `No module named 'distutils…'`",
        means="The source imports {what}, which Python has removed.",
        do=(
            "Use a newer version of the package, or patch the import. For distutils, `import setuptools` above "
            "it helps."
        ),
    ),
    Kind(
        id="module",
        pattern=(
            r"(?:ModuleNotFoundError: No module named|ImportError: No module named|Cannot import) "
            r"'([A-Za-z_][\w]*)"
        ),
        sees="`ModuleNotFoundError: No module named 'X'`",
        means="The build imports {what}, which is no declared build requirement.",
        do="Name the project it belongs to under requirements.build-extras, then run `emwheels lock NAME`.",
    ),
    Kind(
        id="scm-version",
        pattern=(
            r"setuptools.scm was unable to detect version|Unable to \w+ (?:the )?version|Error getting the "
            r"version from source"
            r"|fatal: not a git repository"
        ),
        sees="`setuptools-scm was unable to detect version`, `not a git repository`",
        means="The version comes from git, and the archive has no repository.",
        do="Add `export SETUPTOOLS_SCM_PRETEND_VERSION=VERSION` to build.script, or take the sdist of PyPI as source.",
    ),
    Kind(
        id="python2",
        pattern=(
            r"Missing parentheses in call to '(?:print|exec)'|except \w+, \w+:|NameError: name '(?:unicode"
            r"|basestring|xrange|long)'"
        ),
        sees="`Missing parentheses in call to 'print'`",
        means="The source is for Python 2.",
        do="Use a newer version of the package.",
    ),
    Kind(
        id="python-removed",
        pattern=(
            r"AttributeError: module '(ast|inspect|pkgutil|configparser|asyncio|typing|sys|os|platform|locale)' "
            r"has no attribute"
        ),
        sees="`module 'ast' has no attribute 'Str'`",
        means="The source uses what Python has removed from its module {what}.",
        do="Use a newer version of the package or of the build requirement that does it, or a patch.",
    ),
    Kind(
        id="cython",
        pattern=r"Cython\.Compiler\.Errors|^\S+\.(?:pyx|pxd|pxi):\d+:\d+: ",
        sees="`tiny.pyx:3:6: …`",
        means="Cython refuses the source, mostly because it is for another version of Cython.",
        do='Name an older one, such as "cython<3.1", under requirements.build-extras, then run `emwheels lock NAME`.',
    ),
    Kind(
        id="platform",
        pattern=(
            r"(?i)unsupported (?:platform|operating system|os)\b[^\n]*|platform [^\n]{0,40}not supported|unknown "
            r"(?:platform|os|architecture)\b"
        ),
        sees="`unsupported platform: emscripten`",
        means="The source knows a list of platforms, and Emscripten is not on it.",
        do="Patch it to take what it takes for Linux: `emwheels source NAME`, edit, `emwheels create-patch NAME`.",
    ),
    Kind(
        id="missing-file",
        pattern=r"FileNotFoundError: \[Errno 2\] No such file or directory: '([^']+)'$",
        sees="`FileNotFoundError: … 'VERSION.txt'`",
        means="The build reads {what}, which the archive does not have.",
        do="Take another archive as source.url (the sdist of PyPI, or upstream's), or write the file in build.script.",
    ),
    Kind(
        id="no-project",
        pattern=r"does not appear to be a Python project|neither 'setup\.py' nor 'pyproject\.toml'",
        sees="`does not appear to be a Python project`",
        means="The top of the source has no pyproject.toml and no setup.py.",
        do=(
            "If the project is in a folder of it, name that in source.extract_dir. If it is a C library, "
            "set build.type: static_library and write build.script."
        ),
    ),
    Kind(
        id="foreign-tag",
        pattern=r"Found no wheel while building \S+\. Candidates:\s+(\S+)",
        sees="`Found no wheel while building … Candidates: …manylinux….whl`",
        means="The package tags its wheel itself: {what}.",
        do="Patch its bdist_wheel (get_tag in setup.py) to call the inherited one.",
    ),
)
