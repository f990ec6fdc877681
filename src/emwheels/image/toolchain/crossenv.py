"""The cross-build environment that pyodide-build needs, made from the npm runtime and Debian's Python headers.

Pyodide publishes this tree as a download; here it is put together from files that package registries carry.
What pyodide-build reads of it was established with pyodide-build 0.39.2.
"""

from __future__ import annotations

import ast
import re
import shutil
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emwheels.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from emwheels.target import Target

SYSCONFIG_NAME = "_sysconfigdata__emscripten_wasm32-emscripten"
INSIDE = "/mnt/xbuildenv"
"""Where the tree is mounted in the image. Its paths are written into the tree, so it does not move."""

_ROOT = f"{INSIDE}/xbuildenv/pyodide-root"
_DEFINITION = re.compile(r"^\s*(?:/\*\s*)?#\s*(?:undef|define)\s+(?P<name>\w+)(?P<rest>.*)$")
_HOST_ONLY_PRIVATE = re.compile(r"_Py_HACL_\w+|_PYTHREAD_NAME_MAXLEN|_Py_FFI_SUPPORT_C_COMPLEX")
_COMPILE_ONLY = {"-DPY_CALL_TRAMPOLINE"}

_CONSTRAINTS = {
    "cmake < 4": "CMake 4 refuses projects that declare a version below 3.5, and libraries that packages bring do",
}
"""What pyodide-build holds every build requirement to, each with its reason; Pyodide's own tree has more of them."""

BuildVariables = dict[str, str | int]


@dataclass(frozen=True, kw_only=True)
class CrossEnvInputs:
    """What the tree is made from."""

    runtime: Path
    """The unpacked npm package ``pyodide``."""
    headers: Path
    """Debian's ``/usr/include`` of ``libpythonX.Y-dev``: ``pythonX.Y/`` and ``TRIPLET/pythonX.Y/pyconfig.h``."""


def read_sysconfigdata(source: str) -> BuildVariables:
    """Return ``build_time_vars`` of a ``_sysconfigdata*.py`` without executing it.

    Pyodide writes paths as f-strings over a variable; each becomes ``${NAME}``. Raises `ImageError` for a
    file of another shape.
    """
    for node in ast.parse(source).body:
        match node:
            case ast.Assign(targets=[ast.Name(id="build_time_vars")], value=ast.Dict(keys=keys, values=values)):
                return {_constant(key): _constant(value) for key, value in zip(keys, values, strict=True)}  # type: ignore[misc]
    raise ImageError(f"{SYSCONFIG_NAME}.py of the runtime does not assign build_time_vars")


def _constant(node: ast.expr | None) -> str | int:
    match node:
        case ast.Constant(value=str() | int() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as value)):
            return -value
        case ast.JoinedStr(values=parts):
            return "".join(str(_constant(part)) for part in parts)
        case ast.FormattedValue(value=ast.Name(id=name)):
            return f"${{{name}}}"
    raise ImageError(f"{SYSCONFIG_NAME}.py of the runtime holds a value that is not a constant")


def make_pyconfig(template: str, variables: Mapping[str, str | int]) -> str:
    """Return the ``pyconfig.h`` of the target.

    ``template`` is the ``pyconfig.h`` of the same Python minor version on another platform: it has every macro
    that this version's configure knows. Values come from ``variables``; CPython records a macro that is not
    defined as 0 there. Macros that start with an underscore (``_GNU_SOURCE``, ``_FILE_OFFSET_BITS`` …) are not
    recorded; they steer libc's headers and keep the template's value.
    """
    lines = []
    for line in template.splitlines():
        match = _DEFINITION.match(line)
        lines.append(_target_definition(match["name"], line, variables) if match else line)
    return "\n".join(lines) + "\n"


def _target_definition(name: str, line: str, variables: Mapping[str, str | int]) -> str:
    if name not in variables:
        if name.startswith("_") and not _HOST_ONLY_PRIVATE.fullmatch(name):
            return line
        return line if name == "Py_PYCONFIG_H" else f"/* #undef {name} */"
    value = variables[name]
    if value == 0 and not name.startswith("HAVE_DECL_"):
        return f"/* #undef {name} */"
    return f"#define {name} {value}"


def _pyport(text: str) -> str:
    # musl's limits.h defines LONG_BIT from the host that it was configured for.
    before = "#ifndef LONG_BIT"
    if before not in text:
        raise ImageError("pyport.h does not have the LONG_BIT check that has to be preceded by #undef LONG_BIT")
    return text.replace(before, f"#undef LONG_BIT\n{before}", 1)


def _patchlevel(text: str, version: str) -> str:
    match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)(?:(a|b|rc)(\d+))?", version)
    if match is None:
        raise ImageError(f"targets.toml: python = {version!r} is not a CPython version")
    major, minor, micro, level, serial = match.groups()
    names = {None: "FINAL", "a": "ALPHA", "b": "BETA", "rc": "GAMMA"}
    values = {
        "PY_MAJOR_VERSION": major,
        "PY_MINOR_VERSION": minor,
        "PY_MICRO_VERSION": micro,
        "PY_RELEASE_LEVEL": f"PY_RELEASE_LEVEL_{names[level]}",
        "PY_RELEASE_SERIAL": serial or "0",
        "PY_VERSION": f'"{version}"',
    }
    for name, value in values.items():
        text, count = re.subn(rf"(?m)^#define\s+{name}\s.*$", f"#define {name} {value}", text)
        if count != 1:
            raise ImageError(f"patchlevel.h defines {name} {count} times instead of once")
    return text


def _makefile_envs(target: Target, variables: Mapping[str, str | int]) -> str:
    major, minor, micro = re.findall(r"\d+", target.python)[:3]
    configured = [flag for flag in str(variables.get("CONFIGURE_CFLAGS", "")).split() if flag not in _COMPILE_ONLY]
    cflags = list(dict.fromkeys([*configured, *target.cflags]))
    python = f"python-{target.python}"
    exported = {
        "PYVERSION": target.python,
        "PYMAJOR": major,
        "PYMINOR": minor,
        "PYMICRO": micro,
        "PYODIDE_VERSION": target.name,
        "PYODIDE_ABI_VERSION": target.abi.removeprefix("pyemscripten_"),
        "PYODIDE_EMSCRIPTEN_VERSION": target.emscripten,
        "PLATFORM_TRIPLET": "wasm32-emscripten",
        "SYSCONFIG_NAME": SYSCONFIG_NAME,
        "CPYTHONINSTALL": f"{_ROOT}/cpython/installs/{python}",
        "TARGETINSTALLDIR": f"{_ROOT}/cpython/installs/{python}",
        "SYSCONFIGDATA_DIR": f"{_ROOT}/cpython/installs/{python}/sysconfigdata",
        "PYTHONINCLUDE": f"{_ROOT}/cpython/installs/{python}/include/python{major}.{minor}",
        "HOSTINSTALLDIR": f"{_ROOT}/packages/.artifacts",
        "HOSTSITEPACKAGES": f"{_ROOT}/packages/.artifacts/lib/python{major}.{minor}/site-packages",
        "PIP_CONSTRAINT": f"{_ROOT}/tools/constraints.txt",
        "PYODIDE_ZIP_COMPRESSION_LEVEL": "6",
        "RUST_TOOLCHAIN": "none",
        "RUSTFLAGS": "-C link-arg=-sSIDE_MODULE=2 -C link-arg=-sWASM_BIGINT",
        "CFLAGS_BASE": " ".join(cflags),
        "CXXFLAGS_BASE": "",
        "LDFLAGS_BASE": " ".join(target.ldflags),
    }
    lines = [f"export {name}={value}" for name, value in exported.items()]
    return "\n".join([*lines, "", ".output_vars:", "\t@set", ""])


def make_crossenv(target: Target, inputs: CrossEnvInputs, destination: Path) -> Path:
    """Write the tree for ``target`` at ``destination``, which must not exist, and return it.

    The tree works only where it is mounted at `INSIDE`. Raises `ImageError` if an input is not of the shape
    that this version of the tree is made from.
    """
    root = destination / "xbuildenv" / "pyodide-root"
    install = root / "cpython" / "installs" / f"python-{target.python}"
    include = install / "include" / f"python{target.python_minor}"
    sysconfig = _sysconfigdata_source(inputs.runtime)
    variables = read_sysconfigdata(sysconfig)

    shutil.copytree(inputs.headers / f"python{target.python_minor}", include)
    template = next(inputs.headers.glob(f"*-linux-gnu/python{target.python_minor}/pyconfig.h"), None)
    if template is None:
        raise ImageError(f"the headers of Python {target.python_minor} have no pyconfig.h of an architecture")
    (include / "pyconfig.h").write_text(make_pyconfig(template.read_text(), variables))
    (include / "pyport.h").write_text(_pyport((include / "pyport.h").read_text()))
    (include / "patchlevel.h").write_text(_patchlevel((include / "patchlevel.h").read_text(), target.python))

    (install / "sysconfigdata").mkdir()
    (install / "sysconfigdata" / f"{SYSCONFIG_NAME}.py").write_text(sysconfig)
    (root / "tools").mkdir()
    (root / "tools" / "constraints.txt").write_text("".join(f"{constraint}\n" for constraint in _CONSTRAINTS))
    (root / "Makefile.envs").write_text(_makefile_envs(target, variables))
    (root.parent / "requirements.txt").write_text("")
    (root.parent / "site-packages-extras").mkdir()
    return destination


def _sysconfigdata_source(runtime: Path) -> str:
    try:
        with zipfile.ZipFile(runtime / "python_stdlib.zip") as archive:
            return archive.read(f"{SYSCONFIG_NAME}.py").decode()
    except (OSError, KeyError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise ImageError(f"the runtime's python_stdlib.zip does not hold {SYSCONFIG_NAME}.py: {error}") from error
