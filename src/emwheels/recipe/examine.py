"""One recipe folder -> `Recipe`, and everything that is wrong with it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from emwheels.errors import without_secrets
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
from emwheels.recipe.locked import BUILD_LOCK, RUN_LOCK, followed_recipes
from emwheels.recipe.model import BUILD_TYPES, EXPORTS, About, Build, Package, Recipe, Requirements, Source, Test

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

PURL_FORMS = {
    "pypi": "pkg:pypi/NAME@VERSION",
    "deb": "pkg:deb/debian/NAME@VERSION",
    "npm": "pkg:npm/NAME@VERSION or pkg:npm/%40SCOPE/NAME@VERSION",
}

_LIBRARY_KEYS = frozenset({"type", "script", "exports", "unvendor-tests"})
_WHEEL_KEYS = frozenset({
    "type", "post", "exports", "unvendor-tests", "_retain-test-patterns", "vendor-sharedlib",
    "cross-build-env", "_cross-build-env-skip-install", "cross-build-files",
})  # fmt: skip
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PURL_NAMESPACES = {"pypi": re.compile(""), "deb": re.compile("debian"), "npm": re.compile(r"(@[a-z0-9][a-z0-9._-]*)?")}
_PURL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_PURL_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~:-]*")
_LARGEST_FILE = 64 << 20
_PATCH_NAME = re.compile(r"[0-9]{4}-[a-z0-9][a-z0-9._-]*\.patch")


def examine(folder: Path, patches: Path | None) -> tuple[Recipe | None, Findings]:
    """Return the recipe and what is wrong with it; no recipe if its file as a whole makes no sense.

    ``patches`` is the folder of this recipe's patches, if there is one.
    """
    findings = Findings(folder / "meta.yaml")
    try:
        document = read_document(findings.file, findings)
    except UnreadableError as error:
        findings.report("", error.message, line=error.line)
        return None, findings
    sections = {
        name: Section(name, document, findings)
        for name in ("package", "source", "build", "requirements", "test", "about", "extra")
    }
    package = _package(sections["package"], folder)
    source = _source(sections["source"], folder)
    build = _build(sections["build"])
    requirements = _requirements(sections["requirements"])
    test = Test(imports=sections["test"].texts("imports"))
    about = _about(sections["about"])
    extra = sections.pop("extra")
    extra.texts("recipe-maintainers")
    for name in document.keys() - sections.keys() - {"extra"}:
        findings.report(printable(name), f"unknown key{did_you_mean(name, [*sections, 'extra'])}")
    for section in sections.values():
        section.report_unknown()
    all_patches = _patches(patches, findings) + _source_patches(source, folder, findings)
    tests = tuple(sorted(folder.glob("test_*.py")))
    locks = [folder / name for name in (BUILD_LOCK, RUN_LOCK, "upstream.yaml")]
    for file in (*tests, *locks):
        _check_file(file, folder, findings)
    for name, _ in source.extras:
        if _resolved_inside(name, folder) is not None:
            _check_file(folder / name, folder, findings)
    _check_kind_of_source(sections, source, requirements, all_patches)
    findings.problems.sort(key=lambda problem: (problem.file != findings.file, str(problem.file), problem.line))
    build_lock, run_lock = folder / BUILD_LOCK, folder / RUN_LOCK
    followed = followed_recipes(run_lock if run_lock.is_file() else None)
    requirements = replace(requirements, run=tuple(dict.fromkeys((*requirements.run, *followed))))
    recipe = Recipe(
        folder=folder,
        package=package,
        source=source,
        build=build,
        requirements=requirements,
        test=test,
        about=about,
        extra=extra.given,
        patches=all_patches,
        tests=tests,
        build_lock=build_lock if build_lock.is_file() else None,
        run_lock=run_lock if run_lock.is_file() else None,
        document=document,
    )
    return recipe, findings


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
    if package.version and not _parses(Version, package.version):
        section.report("version", f"{printable(package.version)} is not a version (PEP 440)")
    return package


def _parses(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except (ValueError, RecursionError):  # a number of 5,000 digits, a marker of 500 parentheses
        return False
    return True


def _bare_name(text: str) -> NormalizedName | None:
    """Return the name that ``text`` is, None if it is anything else or more."""
    return canonicalize_name(text) if _parses(Requirement, text) and Requirement(text).name == text else None


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
        _check_inside(section, "path", source.path, folder)
    for i, (extra, place) in enumerate(source.extras):
        _check_inside(section, f"extras[{i}][0]", extra, folder)
        if _escapes(place):
            section.report(f"extras[{i}][1]", _escape_message(place))
    return source


def _check_origin(section: Section, source: Source) -> None:
    if source.url is not None:
        if fault := _url_fault(source.url):
            section.report("url", fault)
        if section.given.get("sha256") is None:
            section.report("sha256", "is missing; a url needs it")
        if source.path is not None:
            section.report("path", "url and path exclude each other")
    elif source.path is None and section.given.get("url") is None and section.given.get("path") is None:
        section.report("url", "is missing; a source needs a url or a path")


def _url_fault(url: str) -> str:
    if url.startswith("pkg:"):
        return _purl_fault(url)
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"} or not url.isprintable() or " " in url:
        return f"{printable(url)} is neither an http(s) address nor a package URL such as pkg:pypi/NAME@VERSION"
    if not unquote(parts.path).isprintable():
        return f"{printable(url)} has a control character in its path"
    if parts.username is not None or parts.password is not None:
        return _SHOWN_TO_EVERYBODY
    return ""


_SHOWN_TO_EVERYBODY = (
    "has a user or password in it, which a recipe shows to everybody; put them into ~/.netrc or pip's configuration"
)


def _purl_fault(url: str) -> str:
    if "://" in (plain := unquote(url)) and without_secrets(plain) != plain:
        return _SHOWN_TO_EVERYBODY
    try:
        purl = PackageURL.from_string(url)
    except ValueError as error:
        return f"{printable(url)} is not a package URL: {printable(str(error))}"
    if purl.type not in PURL_FORMS:
        return f"packages of the type {printable(purl.type)} cannot be fetched; the types are {', '.join(PURL_FORMS)}"
    if not purl.version:
        return f"{printable(url)} has no version; add @VERSION"
    if purl.type == "pypi" and not _parses(Version, purl.version):
        return f"{printable(purl.version)} is not a version (PEP 440)"
    if not _PURL_NAME.fullmatch(purl.name) or not _PURL_VERSION.fullmatch(purl.version):
        return f"{printable(url)} has a character in its name or version that no package has"
    if not _PURL_NAMESPACES[purl.type].fullmatch(purl.namespace or ""):
        return f"{printable(url)} must read {PURL_FORMS[purl.type]}"
    return ""


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
        unvendor_tests=section.get("unvendor-tests", as_flag, True),
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
    if build.type not in BUILD_TYPES:
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
            if not _parses(Requirement, text):
                section.report(f"{key}[{i}]", f"{printable(text)} is not a requirement (PEP 508)")
            elif Requirement(text).url:
                section.report(f"{key}[{i}]", f"{printable(text)} is a direct reference; write NAME==VERSION")
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


def _check_kind_of_source(
    sections: Mapping[str, Section], source: Source, requirements: Requirements, patches: Sequence[Path]
) -> None:
    """Report what pyodide-build does not do to a source tree of the recipe's own, or to a wheel."""
    if source.path is not None:
        key, kind = "path", "in the recipe's folder"
    elif source.url is not None and source.url.endswith(".whl"):
        key, kind = "url", "a wheel"
        _check_allowed(sections["build"], _WHEEL_KEYS, "is not allowed when the source is a wheel")
        if requirements.host:
            sections["requirements"].report("host", "must be empty when the source is a wheel")
    else:
        return
    if patches or source.patches or source.extras:
        sections["source"].report(key, f"a source that is {kind} takes neither patches nor extras")


# Patches


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
