"""Tags: of the file name, of WHEEL, and of the names of shared libraries."""

from __future__ import annotations

import email.parser
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from packaging.tags import Tag, parse_tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from emwheels.audit.contents import metadata_file
from emwheels.target.tags import Policy, fits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from emwheels.audit.contents import Contents
    from emwheels.target import Target

_MAX_TAG = 256
"""Characters; a longer compressed tag set could expand to millions of tags."""

_PYTHON_2 = "py2"
"""Stands beside ``py3`` in many a tag, and says nothing here."""

_INTERPRETER_SUFFIX = re.compile(r"\.((?:cpython-|cp\d|pypy|graalpy|abi\d)[^.]*\.so)\Z")


def check_tags(wheel: str, contents: Contents, target: Target) -> None:
    """Report tags that are not those of ``target``, or not the same in the file name and in WHEEL."""
    try:
        tags = parse_wheel_filename(wheel)[3]
    except InvalidWheelFilename as error:
        contents.report("tag", wheel, f"{error}: rename it as the binary distribution format (PEP 427) says")
        return
    declared = _declared_tags(contents)
    if declared is not None and declared != tags:
        difference = ", ".join(sorted(str(tag) for tag in declared ^ tags))
        contents.report(
            "tag", wheel, f"its name and its WHEEL file disagree on {difference}: retag it with `wheel tags`"
        )
    if contents.libraries:
        _check_platform_tags(wheel, tags, contents, target)
    elif not fits(tags, target, Policy.PURE):
        contents.report(
            "tag", wheel, "it has no shared library and is not tagged py3-none-any: did the build lose its extensions?"
        )
    for member in contents.libraries:
        _check_suffix(member, contents, target)


def _declared_tags(contents: Contents) -> frozenset[Tag] | None:
    text = metadata_file(contents, "WHEEL")
    if text is None:
        return None
    lines = email.parser.BytesParser().parsebytes(text).get_all("Tag", [])
    return frozenset(tag for line in lines for tag in _expand(str(line)))


def _expand(line: str) -> frozenset[Tag]:
    """Expand a compressed tag set; what is none is kept as it stands, so that it equals no tag of a file name."""
    if line.count("-") == 2 and len(line) < _MAX_TAG:
        with suppress(ValueError):  # packaging 26 examines each part
            return parse_tag(line)
    return frozenset({Tag(line, "", "")})


def _check_platform_tags(wheel: str, tags: Iterable[Tag], contents: Contents, target: Target) -> None:
    module = _extension_module(contents)
    policy = Policy.OPENED if module is None else Policy.COMPILED
    for tag in sorted(tags, key=str):
        if tag.platform != target.platform_tag:
            message = f"tag {tag} is for another platform than Pyodide {target.name}'s {target.platform_tag}"
            contents.report("tag", wheel, f"{message}: build for this target")
        elif tag.interpreter == _PYTHON_2 and fits(tags, target, policy):
            continue
        elif module is not None and fits([tag], target, Policy.OPENED) and not fits([tag], target, policy):
            contents.report("tag", wheel, _too_wide(tag, module, target))
        elif not fits([tag], target, policy):
            allowed = f"{target.python_tag}-{target.python_tag}, or abi3 of that version or an older one"
            contents.report(
                "tag", wheel, f"tag {tag} is for another interpreter: Pyodide {target.name} takes {allowed}"
            )


def _extension_module(contents: Contents) -> str | None:
    """Return a library that Python imports as a module, so that it is for the ABI of a version; None if there is none.

    Libraries that Python opens by name (ctypes, cffi) are for all versions.
    """
    for member, module in contents.modules.items():
        starts = any(export.name.startswith("PyInit_") for export in module.exports)
        if starts or _INTERPRETER_SUFFIX.search(member):
            return member
    return None


def _too_wide(tag: Tag, module: str, target: Target) -> str:
    own = f"{target.python_tag}-{target.python_tag}"
    return (
        f"tag {tag} is for a wheel whose libraries are opened by name, and {module} is an extension module of one "
        f"Python: tag it {own}, as setuptools does for `ext_modules` by itself"
    )


def _check_suffix(member: str, contents: Contents, target: Target) -> None:
    """Hold the file name against the target's `importlib.machinery.EXTENSION_SUFFIXES`."""
    importable = {f"cpython-{target.python_tag.removeprefix('cp')}-wasm32-emscripten.so", "abi3.so"}
    suffix = _INTERPRETER_SUFFIX.search(member)
    if suffix and suffix[1] not in importable:
        suffixes = ", ".join(sorted(importable))
        contents.report("tag", member, f"Pyodide {target.name} does not import .{suffix[1]}, only {suffixes} and .so")
