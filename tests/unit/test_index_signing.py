"""Signing, and checking what was signed, with a sigstore on loopback that has keys of its own."""

from __future__ import annotations

import base64
import json
import sys

import pytest
from built_wheels import KEY, built_wheel
from loopback import serving_folder

from emwheels import index
from emwheels.errors import IndexingError, UsageError
from emwheels.index.places.folder import Folder
from emwheels.index.publishing import publish_to
from emwheels.index.signing import provenance_of, publisher_here, sign, signer_here
from emwheels.index.update import read_catalogue
from emwheels.verify import verify, with_identity

GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REPOSITORY": "team/wheels",
    "GITHUB_WORKFLOW_REF": "team/wheels/.github/workflows/wheels.yml@refs/heads/main",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t",
}
PUBLISHER = {"kind": "GitHub", "repository": "team/wheels", "workflow": "wheels.yml"}


@pytest.fixture
def dist(tmp_path):
    """An index of two wheels that were built here, and one that was not."""
    folder = Folder(tmp_path / "dist")
    for name in ("a", "b"):
        wheel = built_wheel(tmp_path / "made", name)
        index.publish(folder.root, wheel, wheel.name, key=KEY)
    wheel = built_wheel(tmp_path / "made", "foreign")
    index.publish(folder.root, wheel, wheel.name)
    return folder


@pytest.fixture
def local(monkeypatch):
    """A sigstore that this process takes for the public one, in a job of GitHub Actions."""
    pytest.importorskip("pypi_attestations")
    from local_sigstore import running
    from sigstore.models import ClientTrustConfig

    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    with running() as local:
        trust = ClientTrustConfig.from_json(local.trust())
        monkeypatch.setattr(ClientTrustConfig, "production", lambda offline=False: trust)
        for name, value in GITHUB.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"{local.address}/token")
        yield local


def files_of(place):
    return {file.filename: file for project in read_catalogue(place).projects.values() for file in project.files}


def sign_all(place):
    with signer_here() as signer:
        return sign(place, signer, publisher_here())


def test_what_was_built_here_is_signed_and_once_only(local, dist):
    names = ["a-1.0-py3-none-any.whl", "b-1.0-py3-none-any.whl"]
    assert sign_all(dist) == names
    signed = {name: dist.read(f"wheels/{name}.provenance") for name in names}
    for name, data in signed.items():
        (bundle,) = json.loads(data)["attestation_bundles"]
        assert bundle["publisher"] == PUBLISHER | {"environment": None}
        (attestation,) = bundle["attestations"]
        assert base64.b64decode(attestation["envelope"]["statement"]) == dist.read(f"wheels/{name}.statement.json")
    assert dist.read("wheels/foreign-1.0-py3-none-any.whl.provenance") is None
    entries = local.asked.count("/api/v1/log/entries")
    assert sign_all(dist) == []
    assert local.asked.count("/api/v1/log/entries") == entries == 2, "nothing is logged twice"
    assert {name: dist.read(f"wheels/{name}.provenance") for name in names} == signed


def test_the_identity_is_checked(local, dist, targets):
    from local_sigstore import IDENTITY, ISSUER

    sign_all(dist)
    with serving_folder(dist.root) as address:
        for identity, issuer, checks, worth in (
            (IDENTITY, ISSUER, {"signature-missing"}, "signed"),
            ("https://code.example.org/another", ISSUER, {"signature", "signature-missing"}, "wrong"),
            (IDENTITY, "https://another.example.org", {"signature", "signature-missing"}, "wrong"),
        ):
            (report,) = verify(
                [f"{address}/simple"], target=targets.get(None), clients=(), signed=with_identity(identity, issuer)
            )
            seen = {each for each in report.findings if each.check.startswith(("signature", "statement"))}
            assert {each.check for each in seen} == checks
            assert {each.subject for each in seen if each.check == "signature-missing"} == {
                "foreign-1.0-py3-none-any.whl"
            }
            assert report.statements == dict.fromkeys(["a-1.0-py3-none-any.whl", "b-1.0-py3-none-any.whl"], worth)
        (report,) = verify([f"{address}/simple"], target=targets.get(None), clients=())
        assert set(report.statements.values()) == {"signature not checked"}
        assert "signature-unchecked" in report.checks()


def test_a_signature_that_was_tampered_with(local, dist):
    from local_sigstore import IDENTITY, ISSUER

    sign_all(dist)
    document = json.loads(dist.read("wheels/a-1.0-py3-none-any.whl.provenance"))
    check = with_identity(IDENTITY, ISSUER)
    assert check(json.dumps(document).encode()) == [dist.read("wheels/a-1.0-py3-none-any.whl.statement.json")]
    (attestation,) = document["attestation_bundles"][0]["attestations"]
    other = dist.read("wheels/b-1.0-py3-none-any.whl.statement.json")
    for part, value in (
        ("statement", base64.b64encode(other).decode()),
        ("signature", base64.b64encode(b"0" * 70).decode()),
    ):
        right = attestation["envelope"][part]
        attestation["envelope"][part] = value
        with pytest.raises(ValueError, match="not signed by"):
            check(json.dumps(document).encode())
        attestation["envelope"][part] = right
    attestation["verification_material"]["certificate"] = base64.b64encode(b"no certificate").decode()
    with pytest.raises(ValueError, match="not signed by"):
        check(json.dumps(document).encode())


def test_another_instance_is_not_trusted(local, dist, monkeypatch):
    from local_sigstore import IDENTITY, ISSUER, running
    from sigstore.models import ClientTrustConfig

    sign_all(dist)
    with running() as another:
        trust = ClientTrustConfig.from_json(another.trust())
        monkeypatch.setattr(ClientTrustConfig, "production", lambda offline=False: trust)
        check = with_identity(IDENTITY, ISSUER)
    with pytest.raises(ValueError, match="not signed by"):
        check(dist.read("wheels/a-1.0-py3-none-any.whl.provenance"))


def test_signatures_go_along_and_are_linked_to(local, dist, tmp_path):
    there = Folder(tmp_path / "www")
    publish_to(dist, there, base_url="https://wheels.example.org/")
    assert b"data-provenance" not in there.read("simple/a/index.html")
    sign_all(dist)
    plan, changed = publish_to(dist, there)
    assert plan.wheels == ()
    assert set(changed.projects) == {"a", "b"}
    name = "a-1.0-py3-none-any.whl"
    assert there.read(f"wheels/{name}.provenance") == dist.read(f"wheels/{name}.provenance")
    page = there.read("simple/a/index.html").decode()
    assert f'data-provenance="https://wheels.example.org/wheels/{name}.provenance"' in page
    assert '"pypi:repository-version" content="1.3"' in page
    document = json.loads(there.read("simple/a/index.json"))
    assert document["files"][0]["provenance"] == f"https://wheels.example.org/wheels/{name}.provenance"
    assert document["meta"]["api-version"] == "1.3"
    assert publish_to(dist, there)[1] is None, "a second time sends nothing"


def test_a_statement_that_was_changed_is_not_signed(local, dist):
    path = dist.root / "wheels" / "b-1.0-py3-none-any.whl.statement.json"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(IndexingError, match=r"b-1\.0-py3-none-any\.whl\.statement\.json is not the file"):
        sign_all(dist)
    known = files_of(dist)
    assert known["a-1.0-py3-none-any.whl"].provenance_sha256, "what was signed before is kept"
    assert not known["b-1.0-py3-none-any.whl"].provenance_sha256


def test_a_service_that_refuses_is_an_error_of_one_line(local, dist, monkeypatch):
    monkeypatch.delenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    with pytest.raises(IndexingError, match=r"sigstore: .*permission") as caught:
        sign_all(dist)
    assert "the job's rights" in caught.value.hint


def test_without_an_identity(dist, monkeypatch):
    pytest.importorskip("sigstore")
    for name in ("GITHUB_ACTIONS", "SIGSTORE_ID_TOKEN", "CI", "GITLAB_CI", "BUILDKITE", "CIRCLECI"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match="no identity to sign with"):
        sign_all(dist)


@pytest.mark.parametrize(
    ("environment", "publisher"),
    [
        (GITHUB, PUBLISHER),
        (
            {"CI_PROJECT_PATH": "team/wheels"},
            {"kind": "GitLab", "repository": "team/wheels", "workflow_filepath": ".gitlab-ci.yml"},
        ),
    ],
)
def test_the_publisher_is_the_job(environment, publisher):
    assert publisher_here(environment) == publisher


def test_without_a_job_there_is_no_publisher():
    with pytest.raises(UsageError, match="GITHUB_REPOSITORY"):
        publisher_here({})


def test_without_sigstore_it_is_said_what_to_install(monkeypatch):
    for name in ("pypi_attestations", "sigstore", "sigstore.models", "sigstore.verify"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match="signing needs sigstore") as caught, signer_here():
        pass
    assert "emwheels[sign]" in caught.value.hint
    with pytest.raises(UsageError, match="signing needs sigstore"):
        provenance_of(b"{}", None, PUBLISHER)
    with pytest.raises(UsageError, match="--identity needs sigstore"):
        with_identity("who", "https://ci.example.org")
