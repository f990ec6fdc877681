"""The rules of lint that look at meta.yaml."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from emwheels.author.edit import Edit, edited
from emwheels.recipe.document import did_you_mean, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from packageurl import PackageURL

    from emwheels.author.lint.model import Mend, Remark, Subject
    from emwheels.recipe.model import Recipe

_SELECTOR = re.compile(r"#\s*\[[^\]]*\]\s*$|\{\{.*\}\}|\{%.*%\}")


def check_name(subject: Subject) -> Iterator[Remark]:
    """See rule ``name``."""
    name = subject.recipe.folder.name
    if name != (right := canonicalize_name(name)):
        yield subject.remark("name", "package.name", f"{printable(name)} is {right} when normalised")


def check_version(subject: Subject) -> Iterator[Remark]:
    """See rule ``version``."""
    recipe = subject.recipe
    if recipe.source.url is None or recipe.source.url.startswith("git+"):
        return
    purl = recipe.source.purl
    if purl is None:
        if recipe.version not in recipe.source.url:
            yield _version(subject, "which does not stand in source.url")
    elif _is_this_package(recipe, purl) and not _agree(recipe.version, purl):
        yield _version(subject, f"and source.url has {printable(purl.version or '')}")


def _version(subject: Subject, other: str) -> Remark:
    return subject.remark("version", "package.version", f"is {printable(subject.recipe.version)}, {other}")


def _is_this_package(recipe: Recipe, purl: PackageURL) -> bool:
    """Tell whether the source is called as the recipe: a library may come in the archive of another project."""
    return purl.type == "deb" or canonicalize_name(purl.name) == recipe.name


def _agree(version: str, purl: PackageURL) -> bool:
    given = purl.version or ""
    if purl.type == "deb":  # EPOCH:1.2~rc1+dfsg, 1.3.dfsg+really1.4
        given = given.partition("+really")[2] or given.partition(":")[2] or given
        given = re.sub(r"[+.~](dfsg|repack|ds)[0-9.]*$", "", given).replace("~", "")
    try:
        return Version(version) == Version(given)
    except InvalidVersion:
        return version == given


def check_requirements(subject: Subject) -> Iterator[Remark]:
    """See rules ``twice``, ``order`` and ``run``."""
    requirements = subject.recipe.requirements
    for key, names in (("run", requirements.run), ("host", requirements.host)):
        doubles = [i for i, name in enumerate(names) if name in names[:i]]
        for i in doubles:
            mend = _without_line(subject, f"requirements.{key}", i, len(names))
            yield subject.remark("twice", f"requirements.{key}[{i}]", f"{names[i]} is there already", mend=mend)
        if key == "run" and not doubles and list(names) != sorted(names):
            yield subject.remark(
                "order", "requirements.run", "is not sorted", mend=_sorted_lines(subject, "requirements.run", names)
            )
    for i, name in enumerate(requirements.host):
        host = subject.recipes.get(name)
        both = host and host.build.type == subject.recipe.build.type == "package"
        if host and both and name not in requirements.run:
            edit = Edit(key="requirements.run", value=host.spelling, adds=True)
            message = f"{name} is a package, and requirements.run does not name it"
            yield subject.remark("run", f"requirements.host[{i}]", message, mend=_by_edits(subject, edit))


def _by_edits(subject: Subject, *edits: Edit) -> Mend:
    return lambda text: edited(text, edits, str(subject.findings.file))


def _lines_of(subject: Subject, key: str, count: int) -> list[int] | None:
    """Return the line of each entry of a list, from 0; None unless each has one for itself, one below the other."""
    lines = [subject.findings.position(f"{key}[{i}]")[0] - 1 for i in range(count)]
    return lines if lines == list(range(lines[0], lines[0] + count)) else None


def _without_line(subject: Subject, key: str, index: int, count: int) -> Mend | None:
    lines = _lines_of(subject, key, count)
    if lines is None:
        return None

    def mend(text: str) -> str:
        all_lines = text.splitlines(keepends=True)
        del all_lines[lines[index]]
        return "".join(all_lines)

    return mend


def _sorted_lines(subject: Subject, key: str, names: Sequence[str]) -> Mend | None:
    """Return what sorts the lines of a list, each with its comment."""
    lines = _lines_of(subject, key, len(names))
    if lines is None:
        return None

    def mend(text: str) -> str:
        all_lines = text.splitlines(keepends=True)
        if not all_lines[lines[-1]].endswith("\n"):
            return text
        found = dict(zip(names, (all_lines[line] for line in lines), strict=True))
        all_lines[lines[0] : lines[-1] + 1] = [found[name] for name in sorted(names)]
        return "".join(all_lines)

    return mend


def check_licence(subject: Subject) -> Iterator[Remark]:
    """See rule ``licence``."""
    given = subject.recipe.about.license
    if not given:
        yield subject.remark("licence", "about.license", "is missing")
        return
    try:
        right = canonicalize_license_expression(given)
    except InvalidLicenseExpression:
        yield subject.remark("licence", "about.license", f"{printable(given)} is no SPDX expression")
        return
    if right != given:
        mend = _by_edits(subject, Edit(key="about.license", value=right))
        yield subject.remark("licence", "about.license", f"{printable(given)} is written {right}", mend=mend)


def check_about(subject: Subject) -> Iterator[Remark]:
    """See rule ``about``."""
    about = subject.recipe.about
    for key, value in (("home", about.home), ("summary", about.summary)):
        if not value:
            yield subject.remark("about", f"about.{key}", "is missing")


def check_top_level(subject: Subject) -> Iterator[Remark]:
    """See rule ``top-level``."""
    if subject.modules is None:
        return
    for i, name in enumerate(subject.recipe.package.top_level):
        if name.partition(".")[0] not in subject.modules:
            near = did_you_mean(name, sorted(subject.modules))
            yield subject.remark(
                "top-level", f"package.top-level[{i}]", f"the built wheel has no {printable(name)}{near}"
            )


def check_selectors(subject: Subject) -> Iterator[Remark]:
    """See rule ``selector``. What stands in a script is the script's own."""
    scripts = ("script", "cross-script", "post")
    skipped: set[int] = set()
    for key in scripts:
        start = subject.findings.position(f"build.{key}")[0]
        if text := str(subject.recipe.document.get("build", {}).get(key) or ""):
            skipped.update(range(start, start + text.count("\n") + 2))
    for number, line in enumerate(subject.text.splitlines(), 1):
        if number not in skipped and (found := _SELECTOR.search(line)):
            message = f"{printable(found[0])} has no effect"
            yield subject.about("selector", subject.findings.file, message, line=number, column=found.start() + 1)


CHECKS = (
    check_name, check_version, check_requirements, check_licence, check_about, check_top_level, check_selectors,
)  # fmt: skip
