"""A sigstore on loopback with keys of its own: certificates as by Fulcio, a log as by Rekor, tokens as by a CI service.

What it answers is really signed, and `trust` is what a client needs to trust it in place of the public instance. All
that signs and checks is sigstore's own library.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import struct
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from loopback import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

ISSUER = "https://ci.example.org"
IDENTITY = "https://code.example.org/team/wheels/.github/workflows/wheels.yml@refs/heads/main"
_ISSUER_OID = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_ISSUER_V2_OID = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_SCT_OID = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_SINCE = "2020-01-01T00:00:00Z"


def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _sign(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _der(tag: int, data: bytes) -> bytes:
    size = len(data)
    if size < 128:
        return bytes([tag, size]) + data
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + data


class LocalSigstore:
    """The keys, and what is done with them."""

    def __init__(self) -> None:
        self.address = ""
        self.asked: list[str] = []
        self._authority, self._ct, self._log = _key(), _key(), _key()
        self._root = self._certificate_authority()

    def trust(self) -> str:
        """Return what sigstore's clients trust, and where they ask, in JSON."""
        authority = {
            "subject": {"organization": "local", "commonName": "local"},
            "certChain": {"certificates": [{"rawBytes": _b64(self._root.public_bytes(serialization.Encoding.DER))}]},
            "validFor": {"start": _SINCE},
        }
        service = {
            "url": self.address,
            "majorApiVersion": 1,
            "operator": "local",
            "validFor": {"start": _SINCE},
        }
        document = {
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": {
                "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
                "tlogs": [self._instance(self._log)],
                "ctlogs": [self._instance(self._ct)],
                "certificateAuthorities": [authority],
            },
            "signingConfig": {
                "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
                "caUrls": [service],
                "rekorTlogUrls": [service],
                "rekorTlogConfig": {"selector": "ANY"},
            },
        }
        return json.dumps(document)

    def _instance(self, key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
        public = {"rawBytes": _b64(_spki(key)), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": {"start": _SINCE}}
        log_id = {"keyId": _b64(hashlib.sha256(_spki(key)).digest())}
        return {"baseUrl": self.address, "hashAlgorithm": "SHA2_256", "publicKey": public, "logId": log_id}

    def token(self) -> str:
        """Return an identity token as a CI service gives one."""
        now = int(datetime.now(UTC).timestamp())
        claims = {"iss": ISSUER, "sub": IDENTITY, "aud": "sigstore", "iat": now, "exp": now + 600}
        return jwt.encode(claims, "a key that nobody here looks at, at least 32 bytes", algorithm="HS256")

    def certify(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer as Fulcio: a certificate for ten minutes, with the promise of a log of certificates in it."""
        asked = x509.load_pem_x509_csr(base64.b64decode(request["certificateSigningRequest"]))
        now = datetime.now(UTC).replace(microsecond=0)
        builder = self._leaf(asked.public_key(), now)
        bare = builder.sign(self._authority, hashes.SHA256())
        promise = x509.UnrecognizedExtension(_SCT_OID, self._promise(bare.tbs_certificate_bytes, now))
        leaf = builder.add_extension(promise, critical=False).sign(self._authority, hashes.SHA256())
        chain = [each.public_bytes(serialization.Encoding.PEM).decode() for each in (leaf, self._root)]
        return {"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}}

    def _certificate_authority(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "local")])
        now = datetime.now(UTC)
        public = self._authority.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self._authority, hashes.SHA256())
        )

    def _leaf(self, public: Any, now: datetime) -> x509.CertificateBuilder:
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._authority.public_key())
        issuer = ISSUER.encode()
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self._root.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(seconds=10))
            .not_valid_after(now + timedelta(minutes=10))
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(authority, critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(IDENTITY)]), critical=True)
            .add_extension(x509.UnrecognizedExtension(_ISSUER_OID, issuer), critical=False)
            .add_extension(x509.UnrecognizedExtension(_ISSUER_V2_OID, _der(0x0C, issuer)), critical=False)
        )

    def _promise(self, certificate: bytes, now: datetime) -> bytes:
        """Return a signed certificate timestamp of the certificate to be (RFC 6962, 3.2 and 3.3)."""
        time = int(now.timestamp()) * 1000
        issuer = hashlib.sha256(_spki(self._authority)).digest()
        entry = struct.pack("!BBQH", 0, 0, time, 1) + issuer + len(certificate).to_bytes(3) + certificate + b"\0\0"
        signature = _sign(self._ct, entry)
        log_id = hashlib.sha256(_spki(self._ct)).digest()
        timestamp = b"\0" + log_id + struct.pack("!QHBBH", time, 0, 4, 3, len(signature)) + signature
        listed = len(timestamp).to_bytes(2) + timestamp
        return _der(0x04, len(listed).to_bytes(2) + listed)

    def log(self, proposed: dict[str, Any]) -> dict[str, Any]:
        """Answer as Rekor: the entry in a log that has only this one, with proof and promise."""
        content = proposed["spec"]["proposedContent"]
        envelope = json.loads(content["envelope"])
        (signature,), (verifier,) = envelope["signatures"], content["verifiers"]
        body = _canonical(
            {
                "apiVersion": "0.0.1",
                "kind": "dsse",
                "spec": {
                    "envelopeHash": _hash(content["envelope"].encode()),
                    "payloadHash": _hash(base64.b64decode(envelope["payload"])),
                    "signatures": [{"signature": signature["sig"], "verifier": verifier}],
                },
            }
        )
        key_id = hashlib.sha256(_spki(self._log))
        root = hashlib.sha256(b"\0" + body).digest()
        entry = {
            "body": _b64(body),
            "integratedTime": int(datetime.now(UTC).timestamp()),
            "logID": key_id.hexdigest(),
            "logIndex": 0,
        }
        note = f"local\n1\n{_b64(root)}\n"
        signed = _b64(key_id.digest()[:4] + _sign(self._log, note.encode()))
        proof = {
            "checkpoint": f"{note}\n\N{EM DASH} local {signed}\n",
            "hashes": [],
            "logIndex": 0,
            "rootHash": root.hex(),
            "treeSize": 1,
        }
        promise = _b64(_sign(self._log, _canonical(entry)))
        return {"entry": entry | {"verification": {"inclusionProof": proof, "signedEntryTimestamp": promise}}}


def _canonical(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def _hash(data: bytes) -> dict[str, str]:
    return {"algorithm": "sha256", "value": hashlib.sha256(data).hexdigest()}


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


@contextmanager
def running() -> Iterator[LocalSigstore]:
    """Serve one."""
    local = LocalSigstore()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_arguments: object) -> None:
            pass

        def do_GET(self) -> None:
            self._answer({"value": local.token()})

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(local.certify(request) if "signingCert" in self.path else local.log(request))

        def _answer(self, document: dict[str, Any]) -> None:
            local.asked.append(self.path.partition("?")[0])
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with serving(Handler) as address:
        local.address = address
        yield local
