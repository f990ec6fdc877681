"""Is provenance (PEP 740) signed by who should have signed it? sigstore's own library decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emwheels.errors import IndexingError, UsageError
from emwheels.verify.statements import read_provenance

if TYPE_CHECKING:
    from emwheels.verify.statements import CheckSignature


def with_identity(identity: str, issuer: str) -> CheckSignature:
    """Return what checks provenance against one identity, as ``issuer`` names it, in sigstore's public instance.

    It needs the network, for sigstore's trust root. Raises `UsageError` where sigstore is not installed, as nothing
    could be checked then, and `IndexingError` where the trust root cannot be had.
    """
    try:  # twenty packages, half a second: only for who asks for it
        from pypi_attestations import Provenance
        from sigstore.verify import Verifier, policy
    except ImportError as error:
        raise UsageError(
            f"--identity needs sigstore, which is not here: {error.name}", hint="pip install 'emwheels[sign]'"
        ) from error
    try:
        verifier = Verifier.production()
    except Exception as error:  # the network's, TUF's, and the trust root's errors have no base in common
        raise IndexingError(
            f"sigstore's trust root cannot be had: {str(error).strip()[:500] or type(error).__name__}",
            hint="check the network, or leave --identity out",
        ) from error
    wanted = policy.Identity(identity=identity, issuer=issuer)

    def check(data: bytes) -> list[bytes]:
        read_provenance(data)  # bounds what the libraries get to see
        signed, reasons = [], []
        try:
            bundles = Provenance.model_validate_json(data).attestation_bundles
        except ValueError as error:
            raise ValueError(f"not the object of PEP 740: {error}") from error
        for attestation in (each for bundle in bundles for each in bundle.attestations):
            try:
                _, payload = verifier.verify_dsse(attestation.to_bundle(), wanted)
                signed.append(bytes(payload))
            except Exception as error:  # noqa: BLE001  a hostile certificate has four libraries to raise from
                reasons.append(f"{error or type(error).__name__}")
        if not signed:
            raise ValueError(f"not signed by {identity} ({issuer}): {'; '.join(reasons)}")
        return signed

    return check
