"""Statement -> provenance (PEP 740): signed with sigstore, by the identity that a CI service gives its jobs.

This has not been tried with a real identity, which only a job of such a service has. The tests run the same code
against a certificate authority and a log of their own on loopback.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from emwheels.errors import IndexingError, UsageError
from emwheels.index.model import PROVENANCE, STATEMENT, project_of
from emwheels.index.update import read_catalogue, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from emwheels.index.model import Catalogue, File
    from emwheels.index.places.folder import Folder
    from emwheels.index.places.place import Source

EXTRA = "pip install 'emwheels[sign]'"
"""What brings sigstore. It is imported by who signs or checks only: half a second, and twenty packages."""


_THEIRS = {"cryptography", "id", "pydantic_core", "pypi_attestations", "requests", "sigstore", "tuf", "urllib3"}
"""Whose exceptions signing may end with: they have no base in common."""


class Signer(Protocol):
    """Signs; sigstore's `Signer` is one."""

    def sign_dsse(self, input_: Any, /) -> Any:
        """Return the bundle of a statement."""


def sign(
    place: Folder,
    signer: Signer,
    publisher: Mapping[str, str],
    *,
    say: Callable[[str], None] = lambda _text: None,
) -> list[str]:
    """Sign each statement of the index that nobody has signed, and return the names of these wheels.

    ``publisher`` is who signs, as PEP 740 has it: see `publisher_here`. Raises `IndexingError`; what was signed before
    that is kept.
    """
    with place.changing():
        catalogue = read_catalogue(place)
        waiting = [file for file in _files(catalogue) if file.statement_sha256 and not file.provenance_sha256]
        made: dict[str, Source] = {}
        changed = set()
        try:
            for file in waiting:
                data = provenance_of(_statement(place, file), signer, publisher)
                made[f"wheels/{file.filename}{PROVENANCE}"] = data
                changed.add(_record(catalogue, file, data))
                say(f"{len(made)} of {len(waiting)} signed: {file.filename}")
        finally:
            if made:
                write(place, catalogue, changed=changed, files=[made])
    return [file.filename for file in waiting]


def _files(catalogue: Catalogue) -> Iterator[File]:
    for name in sorted(catalogue.projects):
        yield from catalogue.projects[name].files


def _record(catalogue: Catalogue, file: File, provenance: bytes) -> str:
    """Note the provenance of a file and return the name of its project."""
    project = catalogue.project(project_of(file))
    file = replace(file, provenance_sha256=hashlib.sha256(provenance).hexdigest())
    catalogue.put(project.with_files([file]))
    return project.name


def _statement(place: Folder, file: File) -> bytes:
    name = f"wheels/{file.filename}{STATEMENT}"
    data = place.read(name)
    if data is None or hashlib.sha256(data).hexdigest() != file.statement_sha256:
        raise IndexingError(
            f"{place.where}/{name} is not the file that was indexed", hint="run `emwheels index build`, then sign again"
        )
    return data


def provenance_of(statement: bytes, signer: Signer, publisher: Mapping[str, str]) -> bytes:
    """Return the provenance object of one statement (PEP 740), in JSON. Raises `IndexingError`."""
    with _sigstore():
        from pypi_attestations import Attestation, AttestationBundle, Provenance
        from sigstore.dsse import Statement

        attestation = Attestation.from_bundle(signer.sign_dsse(Statement(statement)))
        bundle = AttestationBundle(publisher=dict(publisher), attestations=[attestation])
        return str(Provenance(attestation_bundles=[bundle]).model_dump_json()).encode()


@contextmanager
def signer_here() -> Iterator[Signer]:
    """Yield a signer with the identity that the CI service gives this job. Raises `UsageError` where there is none."""
    with _sigstore():
        from sigstore.models import ClientTrustConfig
        from sigstore.oidc import IdentityToken, detect_credential
        from sigstore.sign import SigningContext

        token = detect_credential()
        if token is None:
            raise UsageError(
                "no identity to sign with: this is no job of a CI service that gives one",
                hint="GitHub: permissions: id-token: write; GitLab: id_tokens: SIGSTORE_ID_TOKEN: aud: sigstore",
            )
        context = SigningContext.from_trust_config(ClientTrustConfig.production())
        with context.signer(IdentityToken(token)) as signer:
            yield signer


def publisher_here(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return who publishes, as PEP 740 wants it said: kind, repository and workflow. Raises `UsageError`."""
    if repository := environment.get("GITHUB_REPOSITORY"):
        path = environment.get("GITHUB_WORKFLOW_REF", "").partition("@")[0]
        return {"kind": "GitHub", "repository": repository, "workflow": path.rpartition("/")[2]}
    if repository := environment.get("CI_PROJECT_PATH"):
        path = environment.get("CI_CONFIG_PATH") or ".gitlab-ci.yml"
        return {"kind": "GitLab", "repository": repository, "workflow_filepath": path}
    raise UsageError(
        "no publisher to name: neither GITHUB_REPOSITORY nor CI_PROJECT_PATH is set",
        hint="sign in a job of GitHub Actions or GitLab CI, as ci/README.md has it",
    )


@contextmanager
def _sigstore() -> Iterator[None]:
    """Turn what sigstore raises into errors of ours, its absence included."""
    try:
        yield
    except ImportError as error:
        raise UsageError(f"signing needs sigstore, which is not here: {error.name}", hint=EXTRA) from error
    except (UsageError, IndexingError):
        raise
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in _THEIRS:
            raise
        raise IndexingError(
            f"sigstore: {str(error).strip()[:500] or type(error).__name__}",
            hint="look at the network and the job's rights; the same command signs what is left",
        ) from error
