"""One recipe folder -> `Recipe`, and everything that is wrong with it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from emwheels.recipe.address import GIT, parses, url_fault
from emwheels.recipe.document import (
    Findings,
    Section,
    UnreadableError,
    as_flag,
    as_optional_text,
    as_pairs,
    as_text,
    as_text_or_texts,
    did_you_mean,
    printable,
    read_document,
)
from emwheels.recipe.downloads import read_downloads
from emwheels.recipe.keys import KEYS
from emwheels.recipe.locked import BUILD_LOCK, RUN_LOCK, followed_recipes
from emwheels.recipe.model import BUILD_TYPES, EXPORTS, About, Build, Package, Recipe, Requirements, Source, Test
from emwheels.recipe.overrides import Aim, overridden, placed, read_overrides
from emwheels.recipe.own_tests import TEST_LOCK, read_imports, read_own_tests
from emwheels.recipe.rust import CRATE_LOCK
from emwheels.recipe.source_tree import PROJECT_FILES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LIBRARY_KEYS = frozenset({"type", "script", "exports", "unvendor-tests"})
_OTHER_TYPES = {
    "shared_library": "a wheel carries its shared libraries: write static_library, and install the .so into "
    "${WASM_LIBRARY_DIR}/lib; what links it names it in requirements.host (see the recipe geos)",
    "cpython_module": "Pyodide has the modules of the standard library; write package for any other",
}
"""What pyodide-build makes beside `BUILD_TYPES` -> what to do here."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PROGRAM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_LARGEST_FILE = 64 << 20
_PATCH_NAME = re.compile(r"[0-9]{4}-[a-z0-9][a-z0-9._-]*\.patch")


def examine(folder: Path, patches: Path | None, aim: Aim | None = None) -> tuple[Recipe | None, Findings]:
    """Return the recipe and what is wrong with it; no recipe if its file as a whole makes no sense.

    ``patches`` is the folder of this recipe's patches, if there is one. The recipe is as it is for the target of
    ``aim``; what is wrong with it for another is found as well.
    """
    aim = aim or Aim()
    findings = Findings(folder / "meta.yaml")
    try:
        document = read_document(findings.file, findings)
    except UnreadableError as error:
        findings.report("", error.message, line=error.line)
        return None, findings
    overrides = read_overrides(document, findings, aim)
    recipe = _recipe(document, findings, folder, patches)
    fitting = [each for each in overrides if aim.target and aim.fits(each.target, aim.target)]
    for chosen in (*([each] for each in overrides), *([fitting] if fitting else [])):
        there = placed(findings, chosen)
        variant = _recipe(overridden(document, chosen), there, folder, patches)
        findings.problems += [problem for problem in there.problems if problem not in findings.problems]
        recipe = variant if chosen is fitting else recipe
    findings.problems.sort(key=lambda problem: (problem.file != findings.file, str(problem.file), problem.line))
    return recipe, findings


def _recipe(document: Mapping[str, Any], findings: Findings, folder: Path, patches: Path | None) -> Recipe:
    sections = {
        name: Section(name, document, findings)
        for name in ("package", "source", "build", "requirements", "test", "about", "extra")
    }
    package = _package(sections["package"], folder)
    source = _source(sections["source"], folder)
    build = _build(sections["build"])
    requirements = _requirements(sections["requirements"])
    test = Test(imports=read_imports(sections["test"]))
    about = _about(sections["about"])
    extra = sections.pop("extra")
    extra.texts("recipe-maintainers")
    _check_own(extra)
    tests = tuple(sorted(folder.glob("test_*.py")))
    own_tests = read_own_tests(extra.given, findings, imports_wheel=not tests and not test.imports)
    for name in document.keys() - sections.keys() - {"extra"}:
        findings.report(printable(name), f"unknown key{did_you_mean(name, [*sections, 'extra'])}")
    for section in sections.values():
        section.report_unknown()
    all_patches = _patches(patches, findings) + _source_patches(source, folder, findings)
    build_lock, run_lock, test_lock = (folder / name for name in (BUILD_LOCK, RUN_LOCK, TEST_LOCK))
    for file in (*tests, build_lock, run_lock, test_lock, folder / "upstream.yaml", folder / CRATE_LOCK):
        _check_file(file, folder, findings)
    for name, _ in source.extras:
        if _resolved_inside(name, folder) is not None:
            _check_file(folder / name, folder, findings)
    if source.path is not None and (all_patches or source.patches or source.extras):
        message = "a source that is a folder takes neither patches nor extras; change it there"
        sections["source"].report("path", message)
    followed = followed_recipes(run_lock if run_lock.is_file() else None)
    more = tuple(name for name in followed if name not in requirements.run)
    requirements = replace(requirements, run=(*requirements.run, *more))
    return Recipe(
        folder=folder,
        package=package,
        source=source,
        build=build,
        requirements=requirements,
        test=test,
        own_tests=own_tests,
        about=about,
        downloads=read_downloads(extra.given, findings),
        extra=extra.given,
        patches=all_patches,
        tests=tests,
        build_lock=build_lock if build_lock.is_file() else None,
        run_lock=run_lock if run_lock.is_file() else None,
        test_lock=test_lock if test_lock.is_file() else None,
        document=document,
    )


def _check_own(extra: Section) -> None:
    """Report keys of ``extra.emwheels`` that nothing reads."""
    own = extra.given.get("emwheels", {})
    if not isinstance(own, dict):
        extra.report("emwheels", "must be a mapping")
        return
    start = "extra.emwheels."
    known = sorted({re.split(r"[.\[]", key.removeprefix(start))[0] for key in KEYS if key.startswith(start)})
    for key in own:
        if key not in known:
            near = did_you_mean(key, known) or f"; there are {', '.join(known)}"
            extra.report(f"emwheels.{printable(key)}", f"unknown key{near}")


def _package(section: Section, folder: Path) -> Package:
    name = section.required_text("name")
    parsed = _bare_name(name)
    package = Package(
        name=parsed or NormalizedName(""),
        version=section.required_version("version"),
        top_level=section.texts("top-level"),
        tag=section.texts("tag"),
        disabled=section.get("_disabled", as_flag, False),
        pinned=section.get("pinned", as_flag, False),
    )
    if "name" in section.changed:
        if parsed is None:
            section.report("name", f"{printable(name)} is not a package name (letters, digits, '-', '_' and '.')")
        elif name != folder.name:
            section.report("name", f"is {printable(name)}, but the folder is {folder.name}; they must be the same")
    if package.version and not parses(Version, package.version):
        section.report("version", f"{printable(package.version)} is not a version (PEP 440)")
    return package


def _bare_name(text: str) -> NormalizedName | None:
    """Return the name that ``text`` is, None if it is anything else or more."""
    return canonicalize_name(text) if parses(Requirement, text) and Requirement(text).name == text else None


def _source(section: Section, folder: Path) -> Source:
    source = Source(
        url=section.get("url", as_optional_text, None),
        extract_dir=section.get("extract_dir", as_optional_text, None),
        path=section.get("path", as_optional_text, None),
        sha256=section.get("sha256", as_optional_text, None),
        patches=section.texts("patches"),
        extras=section.get("extras", as_pairs, ()),
    )
    _check_origin(section, source)
    if source.sha256 is not None and not _SHA256.fullmatch(source.sha256):
        section.report("sha256", "must be 64 hexadecimal digits in lower case")
    if source.extract_dir is not None and _escapes(source.extract_dir):
        section.report("extract_dir", _escape_message(source.extract_dir))
    if source.path is not None:
        _check_source_folder(section, source.path, folder)
    for i, (extra, place) in enumerate(source.extras):
        _check_inside(section, f"extras[{i}][0]", extra, folder)
        if _escapes(place):
            section.report(f"extras[{i}][1]", _escape_message(place))
    return source


def _check_origin(section: Section, source: Source) -> None:
    if source.url is not None:
        if fault := url_fault(source.url):
            section.report("url", fault)
        of_git = source.url.startswith(GIT)
        if of_git and source.sha256 is not None:
            section.report("sha256", "has no meaning here: the commit is the hash; take it out")
        if not of_git and section.given.get("sha256") is None:
            section.report("sha256", "is missing; a url needs it")
        if source.path is not None:
            section.report("path", "url and path exclude each other")
    elif source.path is None and section.given.get("url") is None and section.given.get("path") is None:
        section.report("url", "is missing; a source needs a url or a path")


def _escapes(path: str) -> bool:
    """Return whether ``path`` can leave the folder to which it is relative."""
    parts = PurePosixPath(path)
    return parts.is_absolute() or ".." in parts.parts or "\\" in path or ":" in path[:2]


def _escape_message(path: str) -> str:
    return f"{printable(path)} leads out of its folder; give a relative path without '..'"


def _resolved_inside(path: str, folder: Path) -> Path | None:
    """Return what ``path`` is after symlinks, or None if there is nothing in ``folder``."""
    try:
        resolved = (folder / path).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):  # too long; NUL or a lone surrogate; a ring of symlinks
        return None
    return resolved if resolved.is_relative_to(folder.resolve()) else None


def _check_file(file: Path, folder: Path, findings: Findings) -> bool:
    """Report a file that is there and is none to read: no regular file, of another folder, or too large."""
    if not file.is_symlink() and not file.exists():
        return True
    resolved = _resolved_inside(str(file.absolute()), folder)
    if resolved is None:
        findings.report_file(file, f"is a link that leads out of {folder.name}; copy what it leads to")
    elif not resolved.is_file():
        findings.report_file(file, "is no regular file")
    elif resolved.stat().st_size > _LARGEST_FILE:
        findings.report_file(file, f"is larger than {_LARGEST_FILE >> 20} MiB; leave data out of recipes")
    else:
        return True
    return False


def _check_inside(section: Section, key: str, path: str, folder: Path) -> None:
    if _escapes(path):
        section.report(key, _escape_message(path))
    elif _resolved_inside(path, folder) is None:
        section.report(key, f"there is no {printable(path)} in the recipe's folder")


def _check_source_folder(section: Section, path: str, folder: Path) -> None:
    """Report a ``source.path`` that is no folder, and one elsewhere that holds no Python project: it is to be read."""
    try:
        there = (folder / path).resolve(strict=True)
        is_folder = there.is_dir()
    except (OSError, ValueError, RuntimeError):
        is_folder = False
    if not is_folder:
        section.report("path", f"there is no folder {printable(path)}, seen from the recipe's folder")
    elif not there.is_relative_to(folder.resolve()) and not any((there / name).is_file() for name in PROJECT_FILES):
        names = " nor ".join(PROJECT_FILES)
        section.report("path", f"{printable(path)} is no Python project: it has neither {names}")


def _build(section: Section) -> Build:
    build = Build(
        exports=section.get("exports", as_text_or_texts, Build.exports),
        backend_flags=section.get("backend-flags", as_text, ""),
        cflags=section.get("cflags", as_text, ""),
        cxxflags=section.get("cxxflags", as_text, ""),
        ldflags=section.get("ldflags", as_text, ""),
        type=section.get("type", as_text, "package"),
        cross_script=section.get("cross-script", as_optional_text, None),
        script=section.get("script", as_optional_text, None),
        post=section.get("post", as_optional_text, None),
        unvendor_tests=section.get("unvendor-tests", as_flag, False),
        retain_test_patterns=section.texts("_retain-test-patterns"),
        vendor_sharedlib=section.get("vendor-sharedlib", as_flag, True),
        cross_build_env=section.get("cross-build-env", as_flag, False),
        cross_build_env_skip_install=section.get("_cross-build-env-skip-install", as_flag, False),
        cross_build_files=section.texts("cross-build-files"),
    )
    if isinstance(build.exports, str) and build.exports not in EXPORTS:
        near = did_you_mean(build.exports, EXPORTS)
        section.report("exports", f"must be one of {', '.join(EXPORTS)}, or a list of symbols{near}")
    for i, name in enumerate(build.cross_build_files):
        if _escapes(name):
            section.report(f"cross-build-files[{i}]", _escape_message(name))
    if section.given.get("_cross-build-env-skip-install") is False:
        section.report("_cross-build-env-skip-install", "is always so here: leave it out, or write true")
    if build.type in _OTHER_TYPES:
        section.report("type", f"{build.type} is not built here: {_OTHER_TYPES[build.type]}")
    elif build.type not in BUILD_TYPES:
        section.report("type", f"must be one of {', '.join(BUILD_TYPES)}{did_you_mean(build.type, BUILD_TYPES)}")
    elif build.type != "package":
        _check_allowed(section, _LIBRARY_KEYS, f"is not allowed for a {build.type}")
    return build


def _check_allowed(section: Section, allowed: frozenset[str], message: str) -> None:
    for key in sorted(section.changed - allowed):
        section.report(key, message)


def _requirements(section: Section) -> Requirements:
    requirements = Requirements(
        run=_names(section, "run"),
        host=_names(section, "host"),
        build_extras=section.texts("build-extras"),
        executable=section.texts("executable"),
        constraint=section.texts("constraint"),
    )
    for key, texts in (("build-extras", requirements.build_extras), ("constraint", requirements.constraint)):
        for i, text in enumerate(texts):
            if not parses(Requirement, text):
                section.report(f"{key}[{i}]", f"{printable(text)} is not a requirement (PEP 508)")
            elif Requirement(text).url:
                section.report(f"{key}[{i}]", f"{printable(text)} is a direct reference; write NAME==VERSION")
    for i, text in enumerate(requirements.executable):
        if not _PROGRAM.fullmatch(text):
            section.report(f"executable[{i}]", f"{printable(text)} is not the name of a program, such as cmake")
    return requirements


def _names(section: Section, key: str) -> tuple[NormalizedName, ...]:
    names = []
    for i, text in enumerate(section.texts(key)):
        if name := _bare_name(text):
            names.append(name)
        else:
            section.report(f"{key}[{i}]", f"{printable(text)} is not a package name; nothing but the name goes here")
    return tuple(names)


def _about(section: Section) -> About:
    return About(
        home=section.get("home", as_optional_text, None),
        pypi=section.get("PyPI", as_optional_text, None),
        summary=section.get("summary", as_optional_text, None),
        license=section.get("license", as_optional_text, None),
    )


def is_patch(path: Path) -> bool:
    """Return whether a file of this name is to be applied, or is meant to be."""
    return path.suffix.lower() in {".patch", ".diff"}


def _patches(folder: Path | None, findings: Findings) -> tuple[Path, ...]:
    found = sorted(filter(is_patch, folder.rglob("*"))) if folder else []
    for file in found:
        if file.parent != folder:
            findings.report_file(file, f"would not be applied; move it to {folder}")
        elif not _check_file(file, folder, findings):
            continue
        elif not _PATCH_NAME.fullmatch(file.name):
            findings.report_file(file, "must be called NNNN-what-it-does.patch, in lower case")
        _check_patch_header(file, findings)
    return tuple(found)


def _source_patches(source: Source, folder: Path, findings: Findings) -> tuple[Path, ...]:
    patches = []
    for i, path in enumerate(source.patches):
        key = f"source.patches[{i}]"
        resolved = _resolved_inside(path, folder)
        if _escapes(path):
            findings.report(key, _escape_message(path))
        elif resolved is None or not resolved.is_file():
            findings.report(key, f"there is no {printable(path)} in the recipe's folder")
        else:
            if _check_file(folder / path, folder, findings):
                _check_patch_header(folder / path, findings)
            patches.append(folder / path)
    return tuple(patches)


def _check_patch_header(file: Path, findings: Findings) -> None:
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            first = next((line for line in lines if line.strip()), "---")
    except OSError as error:
        findings.report_file(file, f"cannot be read: {error.strerror}")
        return
    if first.startswith(("---", "diff")):
        findings.report_file(
            file, "has no header; before the first --- or diff line, say why it is needed and where it is reported"
        )
