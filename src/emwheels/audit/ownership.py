"""Whether a wheel is what its recipe is for, and installs nothing that is somebody else's."""

from __future__ import annotations

import configparser
import email.parser
import re
import sys
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, canonicalize_version, parse_wheel_filename

from emwheels.audit.contents import metadata_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from packaging.utils import NormalizedName

    from emwheels.audit.contents import Contents

_DEEPEST = 200
_LONGEST = 1000
_INSTALLERS = frozenset(
    {
        *("pip", "setuptools", "pkg_resources", "_distutils_hack", "distutils", "wheel", "build", "uv", "micropip"),
        *("pyodide", "pyodide_js", "js", "_pyodide", "_pyodide_core", "pytest", "_pytest", "pluggy"),
        *("sitecustomize", "usercustomize", "site"),
    }
)
"""Top-level modules of what installs, starts or tests packages: whoever replaces them decides about the others."""
_PROGRAMS = re.compile(
    r"(python|pip|pypy|pyodide|node|npm|npx|uv|uvx|pytest|py\.test|micropip|emwheels|git|make|cmake|ninja|cc|gcc|g\+\+"
    r"|clang|emcc|em\+\+|ld|ar|sh|bash|env|sudo|ssh|curl|wget|ls|cp|rm|cat)[\d.]*(w|-config)?(\.exe)?",
    re.IGNORECASE,
)
_PLUGINS = ("pytest11",)
_GENERIC = frozenset({"test", "tests", "testing", "doc", "docs", "example", "examples", "benchmarks", "src", "tools"})
_SUFFIX = re.compile(r"(\.(cpython|abi3)[\w-]*)?\.(py|pyc|so)\Z")


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Whose wheel is expected, and what belongs to others."""

    name: NormalizedName
    version: str
    modules: tuple[str, ...] = ()
    """Its top-level modules, ``package.top-level``; its name if it says nothing."""
    others: Mapping[str, str] = field(default_factory=dict)
    """Top-level module -> the recipe that it belongs to."""


def check_owner(wheel: str, contents: Contents, owner: Owner) -> None:
    """Report a wheel that is not ``owner``'s, and what it installs that is not."""
    try:
        name, version = parse_wheel_filename(wheel)[:2]
    except InvalidWheelFilename:
        return  # reported with the tags
    if name != owner.name or canonicalize_version(version) != canonicalize_version(owner.version):
        contents.report(
            "identity",
            wheel,
            f"it is {name} {version}, and the recipe is for {owner.name} {owner.version}: have the build make that",
        )
    for module in sorted({each for path in contents.digests if (each := top_level(path))}):
        _check_module(module, contents, owner)


def _check_module(module: str, contents: Contents, owner: Owner) -> None:
    declared = owner.modules or (owner.name.replace("-", "_"),)
    other = owner.others.get(module, owner.name)
    if other != owner.name:
        contents.report("namespace", module, f"this module belongs to the recipe {other}: leave it out of the wheel")
    elif module in sys.stdlib_module_names:
        contents.report("namespace", module, "this module would hide Python's own of that name: leave it out")
    elif module in _INSTALLERS and module not in declared:
        contents.report("namespace", module, "this module is one that installs or starts packages: leave it out")
    elif module not in declared:
        why = "every package may have one" if module in _GENERIC else "package.top-level of the recipe does not name it"
        message = f"it is installed beside {', '.join(declared)}, and {why}: leave it out, or name it there"
        contents.report("namespace", module, message, "warning")


def top_level(path: str) -> str:
    """Return the module that a member of a wheel is or belongs to, where Python would import it; else an empty text."""
    parts = path.split("/")
    if parts[0].endswith(".data") and len(parts) > 2:
        parts = parts[2:] if parts[1] in ("purelib", "platlib") else [""]
    name = _SUFFIX.sub("", parts[0]) if len(parts) == 1 else parts[0]
    importable = name.isidentifier() and (len(parts) > 1 or _SUFFIX.search(parts[0]))
    return name if importable else ""


def check_reach(contents: Contents) -> None:
    """Report what reaches beyond a package's own modules: at the start of Python, in a shell, in pytest, in a path."""
    folded: dict[str, str] = {}
    for path in contents.digests:
        installed = path.split("/", 2)[2] if re.match(r"[^/]+\.data/(purelib|platlib)/", path) else path
        if installed.endswith(".pth") and "/" not in installed:
            contents.report("startup", path, "Python runs such a file whenever it starts: leave it out of the wheel")
        if path.count("/") > _DEEPEST or len(path) > _LONGEST:
            message = f"its path is deeper than {_DEEPEST} folders or longer than {_LONGEST} characters: shorten it"
            contents.report("names", path[:200], message)
        same = unicodedata.normalize("NFKC", path).casefold()
        if folded.setdefault(same, path) != path:
            contents.report(
                "names", path, f"it differs from {folded[same]} by case alone, which many systems do not tell apart"
            )
    points = _entry_points(contents)
    for script, where in _scripts(contents, points):
        if _PROGRAMS.fullmatch(script):
            contents.report("script", where, f"it installs a program called {script}, which hides another: rename it")
    for group in _PLUGINS:
        for name in points.get(group, {}):
            contents.report("plugin", name, f"pytest loads it ({group}) into every run of tests: leave it out")
    _check_requirements(contents)


def _scripts(contents: Contents, points: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield the name of each program that would be installed, and what says so."""
    for path in contents.digests:
        if match := re.fullmatch(r"[^/]+\.data/(?:scripts|data/bin)/(?P<name>.+)", path):
            yield match["name"], path
    for group in ("console_scripts", "gui_scripts"):
        for name in points.get(group, {}):
            yield name, name


def _entry_points(contents: Contents) -> dict[str, dict[str, str]]:
    text = metadata_file(contents, "entry_points.txt")
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment]  # names keep their case
    try:
        parser.read_string((text or b"").decode())
    except (configparser.Error, UnicodeDecodeError) as error:
        contents.report("record", "entry_points.txt", f"it cannot be read ({str(error).splitlines()[0]})")
        return {}
    return {section: dict(parser[section]) for section in parser.sections()}


def _check_requirements(contents: Contents) -> None:
    text = metadata_file(contents, "METADATA") or b""
    for line in email.parser.BytesParser().parsebytes(text, headersonly=True).get_all("Requires-Dist", []):
        whole = " ".join(str(line).split())
        shown = whole[:200]
        try:
            requirement = Requirement(whole)
        except InvalidRequirement:
            contents.report("requirement", shown, "this requirement is none that installers read: see PEP 508")
            continue
        if requirement.url is not None:
            message = f"it takes {canonicalize_name(requirement.name)} from an address of its own, past every index"
            contents.report("requirement", shown, f"{message}: name it with a version")
