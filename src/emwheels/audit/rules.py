"""Each rule of the audit in words: what a finding means, and what to do about it.

A unit test holds this table against the rules that the audit reports, so that neither drifts. `emwheels tables` writes
it into docs/troubleshooting.md, and the documentation site has a page of it; nothing else says what a rule is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emwheels.audit.model import Rule


@dataclass(frozen=True, kw_only=True)
class RuleText:
    """One rule."""

    means: str
    """What the audit found, and what happens to a user if the wheel is published."""
    fix: str
    """What to do, as an order."""


RULES: dict[Rule, RuleText] = {
    "tag": RuleText(
        means="The wheel's name, its tags or a library in it do not fit the target. Pyodide would not install or "
        "import it. Often an optional extension did not build, and a pure Python wheel came out.",
        fix="Read the build log for the extension that is missing. Native code means that a compiler of the host was "
        "used: set it to the cross compiler.",
    ),
    "unresolved-import": RuleText(
        means="A module needs a symbol or library that neither the wheel nor its dependencies nor this Pyodide has. "
        "Importing the module fails, or the first call does.",
        fix="Link the library that defines it (`requirements.host`, `build.ldflags`), or build without what uses it.",
    ),
    "signature": RuleText(
        means="A module imports a function with other parameters or another result than its provider has. The call "
        "ends with an error.",
        fix="Patch the declaration to match the definition. WebAssembly checks the signature at every call.",
    ),
    "slot": RuleText(
        means="A Python type or module has a function of another type than Python calls, such as a `tp_clear` that "
        "returns nothing. The call ends the interpreter, often only at a garbage collection.",
        fix="Patch the function's own declaration. A cast does not help.",
    ),
    "split-type": RuleText(
        means="Two modules of the wheel keep the same C++ type apart. `dynamic_cast` and `catch` fail between them.",
        fix="Link through `emcc`, from objects and archives, and make the type visible. If it does no harm, accept it "
        "in `extra.emwheels.accepted` with a reason.",
    ),
    "build-path": RuleText(
        means="A file names a folder of the build, or what looks like one of a build machine. Often the package "
        "records its compiler command line, or uses `__FILE__`.",
        fix="Map the path away with `-ffile-prefix-map`, or take it out of the file, as `build.post` of numpy's recipe "
        "does. For a warning, check that the path is only an example in a text.",
    ),
    "record": RuleText(
        means="RECORD and the files of the wheel disagree, or a name or version does. Installers reject such a wheel "
        "or differ about what they install.",
        fix="Build the wheel again. For a wheel from elsewhere, write RECORD anew with `wheel pack`.",
    ),
    "size": RuleText(
        means="The wheel is more than 5 % larger than the last accepted one.",
        fix="Look for something that was packed by accident, or accept the new size.",
    ),
    "identity": RuleText(
        means="The wheel is one of another project or version than its recipe's. Published, it would take the place of "
        "another.",
        fix="Have the build make the project and version that `package` of meta.yaml names.",
    ),
    "namespace": RuleText(
        means="The wheel installs a top-level module that belongs to another recipe, to Python or to an installer, or "
        "that the recipe does not name.",
        fix="Leave it out of the wheel in `build.post`, or name it under `package.top-level`.",
    ),
    "startup": RuleText(
        means="The wheel holds a `.pth` file. Python runs it at every start, whether the package is used or not.",
        fix="Leave it out in `build.post`. If it must be there, accept it in `extra.emwheels.accepted` with a reason.",
    ),
    "script": RuleText(
        means="The wheel installs a program that hides another, such as `python3` or `pip`.",
        fix="Rename it, or leave it out in `build.post`.",
    ),
    "plugin": RuleText(
        means="The wheel holds a plugin of pytest. It runs in every test session, that of emwheels included.",
        fix="Leave the entry point out. If the package is a plugin, accept it in `extra.emwheels.accepted`.",
    ),
    "requirement": RuleText(
        means="The wheel requires something from an address of its own, or in words that no installer reads.",
        fix="Patch the project's metadata to name the project and its versions (PEP 508).",
    ),
    "names": RuleText(
        means="Two files differ by case only, or a path is longer or deeper than systems take.",
        fix="Rename one of them in `build.post`.",
    ),
    "archive": RuleText(
        means="The archive is broken or hostile: a path out of it, a link, a zip bomb. The audit reads no further.",
        fix="Build the wheel again. Do not install such a wheel from elsewhere.",
    ),
}
