"""Build report -> statement: what a wheel was made of, as SLSA provenance in an in-toto statement.

Same wheel, same bytes. It is a file of its own beside the wheel, because PEP 740 knows signed provenance only:
`emwheels.index.signing` makes that of it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from packaging.utils import parse_wheel_filename

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from emwheels.index.wheelfile import Wheel

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
_BUILDER = "pkg:pypi/emwheels"
"""Without a version: a statement that is written again by a newer emwheels is the same."""
_LARGEST_REPORT = 1 << 20
"""Bytes; that of numpy has 4,000."""


def with_statement(wheel: Wheel, key: str = "") -> Wheel:
    """Return the wheel with the statement of its build, if its build report is of the build ``key`` or none is given.

    The report is the wheel's own word: call it only for wheels that were built here.
    """
    statement = statement_of(wheel.report, wheel.file.filename, wheel.file.sha256, key)
    digest = hashlib.sha256(statement).hexdigest() if statement else ""
    return replace(wheel, statement=statement, file=replace(wheel.file, statement_sha256=digest))


def statement_of(report: bytes, filename: str, sha256: str, key: str = "") -> bytes:
    """Return the statement for the wheel ``filename`` with this hash; nothing if its report is none, or of another key.

    The form is in-toto's Statement v1 with the predicate of SLSA provenance v1.
    """
    if not report or len(report) > _LARGEST_REPORT:
        return b""
    try:
        document = json.loads(report)
        if key and document["key"] != key:
            return b""
        predicate = _predicate(document)
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError):
        return b""
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": filename, "digest": {"sha256": sha256}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": predicate,
    }
    return json.dumps(statement, separators=(",", ":"), sort_keys=True).encode() + b"\n"


def _predicate(report: Mapping[str, Any]) -> dict[str, Any]:
    inputs = report["inputs"]
    target, ((profile, flags),) = inputs["target"], inputs["profile"].items()
    return {
        "buildDefinition": {
            "buildType": f"{_BUILDER}#build-{inputs['format']}",
            "externalParameters": {
                "recipe": report["name"],
                "version": report["version"],
                "target": target["name"],
                "profile": profile,
            },
            "internalParameters": {
                "key": report["key"],
                "flags": [*flags, *target["cflags"]],
                "link flags": [*target["ldflags"], *inputs.get("link options", ())],
            },
            "resolvedDependencies": list(_dependencies(report)),
        },
        "runDetails": {"builder": {"id": _BUILDER, "version": dict(report["tools"])}},
    }


def _dependencies(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what went into the build, each a resource descriptor of in-toto.

    What was compiled against is named by the hash of its content, in which its own build report does not count.
    """
    inputs = report["inputs"]
    source = inputs["recipe"].get("source") or {}
    sha256 = source.get("sha256") or source.get("path")
    yield _descriptor("source", sha256=sha256, uri=without_secrets(source.get("url", "")))
    for kind in ("patches", "extras"):
        for name, sha256 in sorted(inputs.get(kind, {}).items()):
            yield _descriptor(f"{kind}/{name}", sha256=sha256)
    yield _descriptor("image", sha256=inputs["image"].removeprefix("sha256:"))
    yield _descriptor("cross-build environment", sha256=inputs.get("cross-build environment"))
    if lock := inputs.get("build requirements"):
        yield _descriptor("requirements.build.txt", sha256=lock)
    for filename in report["build requirements"]:
        name, version, _, _ = parse_wheel_filename(filename)
        yield _descriptor(filename, uri=f"pkg:pypi/{name}@{version}")
    for name, content in sorted(inputs.get("dependencies", {}).items()):
        yield _descriptor(f"dependencies/{name}", content=content)


def _descriptor(name: str, *, uri: str = "", **digest: str | None) -> dict[str, Any]:
    digests = {algorithm: value for algorithm, value in digest.items() if value}
    return {"name": name} | ({"uri": uri} if uri else {}) | ({"digest": digests} if digests else {})


def without_secrets(url: str) -> str:
    """Return where a source is from, without what may be a secret: user, password, query, fragment.

    A package URL keeps its qualifiers, which tell one file from another, unless one of them is an address.
    """
    parts = urlsplit(url)
    if parts.scheme == "pkg":
        return url.partition("?")[0].partition("#")[0] if "url=" in url else url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
