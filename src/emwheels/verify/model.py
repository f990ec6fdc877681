"""What a verification says: findings, each under the name of a check, with what to do about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from emwheels.errors import redacted, without_secrets
from emwheels.harness.engines import ENGINES

Severity = Literal["error", "warning"]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that can be wrong with an index."""

    severity: Severity
    means: str
    """What a client meets."""
    fix: str

    @property
    def is_effect(self) -> bool:
        """Whether other findings tell the cause."""
        return self.fix.startswith(_MEND)


_MEND = "mend the errors above"
_REGENERATE = "write the index again from the wheels (emwheels build), and publish pages after files"
_EFFECT = "this is their effect"

_CHECKS = {
    "page-status": Check(
        severity="error",
        means="a page of the index is not answered with 200",
        fix="publish simple/NAME/index.html for every project, and let the server use index.html for a folder",
    ),
    "page-type": Check(
        severity="error",
        means="micropip and pip read a page by its Content-Type and refuse this one",
        fix="send text/html for .html and application/vnd.pypi.simple.v1+json for the JSON form",
    ),
    "page-content": Check(
        severity="error", means="the page cannot be read as PEP 503 HTML or PEP 691 JSON", fix=_REGENERATE
    ),
    "json-type": Check(
        severity="error",
        means="micropip 0.11.1 takes application/json for another format: KeyError, and no later index is tried",
        fix="send application/vnd.pypi.simple.v1+json, or leave the JSON form out",
    ),
    "json-relative": Check(
        severity="error",
        means="micropip 0.11.1 does not resolve relative URLs in JSON: TypeError",
        fix="write the JSON form with absolute URLs (give the index its base URL), or leave it out",
    ),
    "forms-differ": Check(
        severity="error", means="the HTML and the JSON form do not list the same files", fix=_REGENERATE
    ),
    "missing-project": Check(
        severity="error",
        means="a project that is not there is answered with a page, so micropip does not try the next index",
        fix="answer 404 for what does not exist: switch off the fallback page for single-page applications",
    ),
    "name-normalisation": Check(
        severity="error",
        means="clients ask for the normalised name (PEP 503) and do not find the project there",
        fix="name the folders below simple/ in lower case with single hyphens",
    ),
    "gave-up": Check(
        severity="error",
        means="there are so many errors that the rest of the index was left alone",
        fix="mend those above, or look at single projects with --only NAME",
    ),
    "project-name": Check(
        severity="error",
        means="the list of projects has a name that is none (PEP 508)",
        fix=_REGENERATE,
    ),
    "double-slash": Check(
        severity="warning",
        means="micropip asks for //NAME/ when the index URL ends in a slash, and that is not found",
        fix="merge slashes on the server, or tell users to leave the last slash away or write …/simple/{package_name}/",
    ),
    "cors": Check(
        severity="error",
        means="a page from another origin may not read the answer; to micropip it looks like being offline",
        fix="send Access-Control-Allow-Origin: * with every page, wheel and metadata file",
    ),
    "cors-missing": Check(
        severity="warning",
        means="a 404 without Access-Control-Allow-Origin cannot be told from no network inside a page",
        fix="send the header with errors too (nginx: add_header … always)",
    ),
    "redirect-cors": Check(
        severity="error",
        means="a browser follows a redirect only if that answer, too, allows the page's origin",
        fix="send Access-Control-Allow-Origin: * with the redirect, or link to where the file is",
    ),
    "insecure-link": Check(
        severity="error",
        means="a page over https loads nothing over http, and pip refuses to be led there",
        fix="use https in links and redirects, or relative links",
    ),
    "hash-missing": Check(
        severity="error",
        means="micropip installs the file without any check",
        fix="add #sha256=… to the link, or hashes.sha256 in the JSON form",
    ),
    "hash-wrong": Check(
        severity="error",
        means="the file is not the one that the index names; every client refuses it",
        fix="publish the right file, or the page that belongs to it; never replace a wheel under its name",
    ),
    "size-wrong": Check(
        severity="error", means="the size in the JSON form is not that of the file (PEP 700)", fix=_REGENERATE
    ),
    "wheel-status": Check(
        severity="error",
        means="the file that the page links to is not answered with 200",
        fix="publish files before the pages that link to them",
    ),
    "wheel-truncated": Check(
        severity="error",
        means="the file ends too early",
        fix="upload it again; look for a limit on size or time in the server or a proxy",
    ),
    "wheel-encoding": Check(
        severity="error",
        means="the Content-Encoding is not that of the bytes, or comes unasked: browsers or pip cannot read them",
        fix="send Content-Encoding only for a .br or .gz file beside the wheel, and only if the client accepts it",
    ),
    "wheel-type": Check(
        severity="warning",
        means="a type of text invites proxies to change the bytes",
        fix="send application/zip or application/octet-stream for .whl",
    ),
    "metadata-status": Check(
        severity="error",
        means="the page promises a .metadata file (PEP 658) that is not there",
        fix="publish NAME.whl.metadata beside the wheel, or leave the promise out",
    ),
    "metadata-hash": Check(
        severity="error",
        means="the .metadata file is not the one that the page names; micropip and pip refuse it",
        fix=_REGENERATE,
    ),
    "metadata-differs": Check(
        severity="error",
        means="the .metadata file is not that of the wheel: clients resolve with other dependencies than they install",
        fix=_REGENERATE,
    ),
    "statement-status": Check(
        severity="error",
        means="the page promises a statement, or provenance (PEP 740), that is not there",
        fix="publish NAME.whl.statement.json and NAME.whl.provenance beside the wheel: `emwheels publish` sends both",
    ),
    "statement-hash": Check(
        severity="error",
        means="the statement or the provenance is not the one that the page names: it was changed after publishing",
        fix="find out who changed it; then publish the index again",
    ),
    "statement-content": Check(
        severity="error",
        means="the statement cannot be read, so nobody can tell how the wheel was built",
        fix=_REGENERATE,
    ),
    "statement-subject": Check(
        severity="error",
        means="the statement is about another file: this wheel was changed after publishing, or the statement was",
        fix="do not install it; find out who changed it, then publish the wheel and its statement again",
    ),
    "signature": Check(
        severity="error",
        means="the provenance is not signed by the identity that you gave",
        fix="do not install it, unless --identity and --issuer are those of another job than the one that signs",
    ),
    "signature-missing": Check(
        severity="error",
        means="you gave an identity, and nobody has signed this wheel",
        fix="sign the index in CI (emwheels index sign), or leave --identity out",
    ),
    "signature-unchecked": Check(
        severity="warning",
        means="the index has signatures; whoever can change its files can sign them, too",
        fix="say who has to have signed: --identity and --issuer",
    ),
    "only-yanked": Check(
        severity="error",
        means="micropip installs the yanked file all the same, as it has no other",
        fix="publish a good version, or remove the project from the index",
    ),
    "abi": Check(
        severity="error",
        means="no file fits; micropip finds the project, fails, and does not try the next index",
        fix="build the project for this target, or take it off the index that this target's users ask first",
    ),
    "abi-other-target": Check(
        severity="warning",
        means="there are files for another Pyodide release only; here micropip fails and tries no other index",
        fix="build the project for this target as well, or give each target an index of its own",
    ),
    "cache-page": Check(
        severity="error",
        means="caches may show an old page for long, so that users do not see a new or a yanked file",
        fix="send Cache-Control: no-cache for everything below simple/",
    ),
    "cache-wheel": Check(
        severity="warning",
        means="a wheel never changes under its name, yet it is fetched or asked for again at every visit",
        fix="send Cache-Control: public, max-age=31536000, immutable for .whl and .metadata files",
    ),
    "etag": Check(
        severity="warning",
        means="asking whether a page has changed costs the whole page, or gives a wrong answer",
        fix="send ETag, and 304 only if If-None-Match has it",
    ),
    "range": Check(
        severity="error",
        means="a part of the file was asked for and other bytes came; uv and pip read metadata that way",
        fix="answer Range with exactly these bytes (206), or with the whole file (200)",
    ),
    "range-missing": Check(
        severity="warning",
        means="downloads cannot go on where they were interrupted, and uv reads whole wheels for their metadata",
        fix="let the server answer Range (206)",
    ),
    "wasm-type": Check(
        severity="error",
        means="browsers compile WebAssembly while it arrives only if it comes as application/wasm",
        fix="send application/wasm for .wasm",
    ),
    "requirement": Check(
        severity="error",
        means="a client takes it from somewhere else, in another version than you tested, or fails",
        fix="close the index before you publish it: emwheels index close",
    ),
    "lock-foreign": Check(
        severity="error",
        means="loadPackage does not load this index's file, but Pyodide's own, or nothing",
        fix="the lock leaves out what needs something that is not there: emwheels index close, then publish",
    ),
    "lock-older": Check(
        severity="warning",
        means="loadPackage loads another file than micropip and pip",
        fix="publish the lock last, and write it again: emwheels index build",
    ),
    "lock": Check(
        severity="error",
        means="loadPackage cannot use pyodide-lock.json as it is",
        fix="publish the lock last, as application/json, with file names that lead to the wheels",
    ),
    "lock-hash": Check(
        severity="error",
        means="the lock has another hash for a file than the index; loadPackage refuses it",
        fix="write lock and index from the same wheels",
    ),
    "unreachable": Check(
        severity="error",
        means="the server does not answer",
        fix="check the address, the network, the certificate and the proxy settings of this machine",
    ),
    "pip": Check(severity="error", means="pip does not download it", fix=f"mend the errors above; {_EFFECT}"),
    "uv": Check(severity="error", means="uv does not resolve it", fix=f"mend the errors above; {_EFFECT}"),
}
"""Name of a check -> what it is about, but for those of the clients that run in engines: see `all_checks`."""


def engine_clients() -> dict[str, str]:
    """Return the clients that run in an engine: name -> engine."""
    return {f"micropip-{engine.client}": name for name, engine in ENGINES.items() if engine.client}


def loading_clients() -> dict[str, str]:
    """Return the names under which these clients load from a lock: name -> engine."""
    return {f"loadpackage-{engine.client}": name for name, engine in ENGINES.items() if engine.client}


def all_clients() -> tuple[str, ...]:
    """Return the clients that an index can be tried with."""
    return (*engine_clients(), "pip", "uv")


def all_checks() -> dict[str, Check]:
    """Return every check by its name."""
    without_cors = " or ".join(engine.title for engine in ENGINES.values() if engine.client and not engine.cors)
    checks = dict(_CHECKS)
    for client, name in engine_clients().items():
        cause = f"if {without_cors} installs it, it is CORS or an encoding" if ENGINES[name].cors else _EFFECT
        means = f"micropip does not install it in {ENGINES[name].place}"
        checks[client] = Check(severity="error", means=means, fix=f"mend the errors above; {cause}")
    for client, name in loading_clients().items():
        means = f"loadPackage does not load it from the lock in {ENGINES[name].place}"
        checks[client] = Check(severity="error", means=means, fix="mend the errors above")
    return checks


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something that is wrong."""

    check: str
    subject: str
    """The project, file or URL."""
    message: str
    """What was seen."""

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return all_checks()[self.check].severity

    def to_dict(self) -> dict[str, str]:
        """Return it with what it means and what to do."""
        return asdict(self) | asdict(all_checks()[self.check])


@dataclass(kw_only=True)
class Verification:
    """What was found at one URL."""

    url: str
    target: str
    findings: list[Fault] = field(default_factory=list)
    projects: dict[str, dict[str, str]] = field(default_factory=dict)
    """Project -> client -> what it installed, or ``failed``."""
    statements: dict[str, str] = field(default_factory=dict)
    """Wheel -> what its statement is worth: ``signed``, ``signature not checked``, ``unsigned`` or ``wrong``."""
    seconds: float = 0.0

    def add(self, check: str, subject: str, message: str) -> None:
        """Record a finding, once."""
        finding = Fault(check=check, subject=redacted(subject), message=redacted(message))
        if finding not in self.findings:
            self.findings.append(finding)

    def causes(self) -> dict[str, list[Fault]]:
        """Return the findings by check, errors first, and what may be the effect of others at last."""
        found: dict[str, list[Fault]] = {}
        for fault in sorted(self.findings, key=lambda fault: (fault.severity, all_checks()[fault.check].is_effect)):
            found.setdefault(fault.check, []).append(fault)
        return found

    def checks(self) -> set[str]:
        """Names of the checks that found something."""
        return {finding.check for finding in self.findings}

    @property
    def errors(self) -> list[Fault]:
        """The findings that are errors."""
        return [finding for finding in self.findings if finding.severity == "error"]

    def to_dict(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {
            "url": without_secrets(self.url),
            "target": self.target,
            "ok": not self.errors,
            "causes": {check: len(found) for check, found in self.causes().items()},
            "findings": [finding.to_dict() for finding in self.findings],
            "projects": self.projects,
            "statements": dict(sorted(self.statements.items())),
            "seconds": round(self.seconds, 3),
        }
