"""What an index says of how its wheels were built: statements, and their signed form (PEP 740). All are hostile."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from emwheels.errors import visible
from emwheels.verify.probe import sha256_of, sha256_of_file

if TYPE_CHECKING:
    from pathlib import Path

    from emwheels.verify.model import Verification
    from emwheels.verify.pages import ListedFile
    from emwheels.verify.probe import Probe

CheckSignature = Callable[[bytes], list[bytes]]
"""Provenance -> those of its statements that the wanted identity has signed. Raises `ValueError` that says why none."""

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
BUILD_TYPE = "https://slsa.dev/provenance/v1"
_LARGEST = 1 << 20
"""Bytes of a statement or of a provenance; those of numpy have 2,500 and 9,000."""
_DEEPEST = 32
_MOST = 16
"""Attestations of one wheel."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Statement:
    """An in-toto statement about one file."""

    name: str
    sha256: str
    kind: str
    """The predicate's type."""


def read_json(data: bytes) -> dict[str, Any]:
    """Read an object of JSON, in which no name is there twice. Raises `ValueError` for what is none, or is too deep."""
    try:
        document = json.loads(data, object_pairs_hook=_no_name_twice)
    except RecursionError as error:
        raise ValueError(f"nested deeper than {_DEEPEST}") from error
    if type(document) is not dict:
        raise ValueError("not an object")
    level: list[Any] = [document]
    for _ in range(_DEEPEST):
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
        level = [each for each in level if isinstance(each, dict | list)]
    if level:
        raise ValueError(f"nested deeper than {_DEEPEST}")
    return document


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def read_statement(data: bytes) -> Statement:
    """Read a statement (in-toto, v1) about one file. Raises `ValueError` that says what is wrong with it."""
    document = read_json(data)
    if document.get("_type") != STATEMENT_TYPE:
        raise ValueError(f"_type is not {STATEMENT_TYPE}")
    subject, kind = document.get("subject"), document.get("predicateType")
    if not isinstance(subject, list) or len(subject) != 1 or not isinstance(subject[0], dict):
        raise ValueError("subject is not one file")
    name, digest = subject[0].get("name"), subject[0].get("digest")
    sha256 = digest.get("sha256") if isinstance(digest, dict) else None
    if not isinstance(name, str) or not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise ValueError("subject has no name with a sha256")
    if not isinstance(kind, str) or not kind:
        raise ValueError("predicateType is no text")
    if kind == BUILD_TYPE:
        _check_build(document.get("predicate"))
    return Statement(name=name, sha256=sha256, kind=kind)


def _check_build(predicate: Any) -> None:
    """Hold a predicate against what SLSA provenance v1 requires."""
    try:
        build, builder = predicate["buildDefinition"], predicate["runDetails"]["builder"]
        right = (
            isinstance(build["buildType"], str)
            and isinstance(build["externalParameters"], dict)
            and all(isinstance(each, dict) for each in build.get("resolvedDependencies", []))
            and isinstance(builder["id"], str)
        )
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"predicate is no SLSA provenance: {error}") from error
    if not right:
        raise ValueError("predicate is no SLSA provenance")


def read_provenance(data: bytes) -> list[bytes]:
    """Return the statements in a provenance object (PEP 740), signed by whomever. Raises `ValueError`."""
    document = read_json(data)
    try:
        if document["version"] != 1:
            raise ValueError("version is not 1")
        envelopes = [
            attestation["envelope"]["statement"]
            for bundle in document["attestation_bundles"]
            for attestation in bundle["attestations"]
        ]
        if not 0 < len(envelopes) <= _MOST:
            raise ValueError(f"{len(envelopes)} attestations, not 1 to {_MOST}")
        return [base64.b64decode("".join(text.split()), validate=True) for text in envelopes]
    except (LookupError, TypeError, AttributeError, binascii.Error) as error:
        raise ValueError(f"not the object of PEP 740: {type(error).__name__}: {error}") from error


class Statements:
    """Fetches and judges what an index has of how one file was built."""

    def __init__(self, probe: Probe, report: Verification, check: CheckSignature | None) -> None:
        self._probe = probe
        self._report = report
        self._check = check

    def judge(self, file: ListedFile, body: Path, *, secure: bool) -> None:
        """Judge what the page promises of ``file``, of which ``body`` is a copy."""
        sha256 = sha256_of_file(body)
        statement = None
        if file.statement:
            statement = self._fetch(f"{file.url}.statement.json", f"{file.filename}.statement.json", file.statement)
            if statement is None or not self._fits(statement, file, sha256, own=True):
                self._note(file, "wrong")
                return
            self._note(file, "unsigned")
        if file.provenance or file.provenance_url:
            self._note(file, self._provenance(file, sha256, statement, secure=secure))
        elif self._check:
            self._report.add("signature-missing", file.filename, "the page names no provenance for it")

    def _note(self, file: ListedFile, what: str) -> None:
        self._report.statements[file.filename] = what

    def _provenance(self, file: ListedFile, sha256: str, statement: bytes | None, *, secure: bool) -> str:
        """Judge the signed form and return what it is worth."""
        subject = f"{file.filename}.provenance"
        url = file.provenance_url or f"{file.url}.provenance"
        if secure and not url.startswith("https:"):
            self._report.add("insecure-link", subject, f"an index over https links to {url}")
        data = self._fetch(url, subject, file.provenance)
        if data is None:
            return "wrong"
        try:
            stated = read_provenance(data)
        except ValueError as error:
            self._report.add("statement-content", subject, f"{url}: {_shown(error)}")
            return "wrong"
        if not all(self._fits(each, file, sha256) for each in stated):
            return "wrong"
        if statement is not None and statement not in stated:
            self._report.add("statement-subject", subject, f"{url} signs another statement than the one beside it")
            return "wrong"
        return self._signature(data, subject, statement)

    def _signature(self, data: bytes, subject: str, statement: bytes | None) -> str:
        if self._check is None:
            message = "signature not checked: nobody said whose it has to be"
            self._report.add("signature-unchecked", self._report.url, message)
            return "signature not checked"
        try:
            signed = self._check(data)
        except ValueError as error:
            self._report.add("signature", subject, _shown(error))
            return "wrong"
        if statement is not None and statement not in signed:
            self._report.add("signature", subject, "the identity has signed another statement than the one beside it")
            return "wrong"
        return "signed"

    def _fetch(self, url: str, subject: str, promised: str) -> bytes | None:
        """Return the file at ``url`` if it has the promised hash, or none was promised."""
        if urlsplit(url).scheme not in ("http", "https"):
            self._report.add("statement-status", subject, f"{_shown(url)} is no address to fetch from")
            return None
        answer = self._probe.get(url, limit=_LARGEST)
        if answer.status != 200 or answer.cut:
            self._report.add("statement-status", subject, f"{url}: {answer.cut or answer.status}")
            return None
        if answer.headers.get("content-encoding", "identity") != "identity":
            self._report.add("statement-status", subject, f"{url} is encoded though only identity is accepted")
            return None
        data = answer.body.read_bytes()
        if promised and sha256_of(data) != promised:
            self._report.add("statement-hash", subject, f"{url}: sha256 {sha256_of(data)}, listed as {promised}")
            return None
        return data

    def _fits(self, data: bytes, file: ListedFile, sha256: str, *, own: bool = False) -> bool:
        """Judge a statement; ``own`` is for the one beside a wheel, which is about its build."""
        subject = f"{file.filename}.statement.json" if own else f"{file.filename}.provenance"
        try:
            statement = read_statement(data)
        except ValueError as error:
            self._report.add("statement-content", subject, _shown(error))
            return False
        if own and statement.kind != BUILD_TYPE:
            self._report.add("statement-content", subject, f"predicateType is not {BUILD_TYPE}")
            return False
        if (statement.name, statement.sha256) == (file.filename, sha256):
            return True
        about = f"it is about {_shown(statement.name)} with sha256 {statement.sha256}; this wheel has {sha256}"
        self._report.add("statement-subject", subject, about)
        return False


def _shown(text: object) -> str:
    return visible(str(text), lines=False)[:300]
