from __future__ import annotations

import json
from pathlib import Path

import pytest
from faulty_index import WRONG, FaultyIndex, provenance_of, statement_of

from emwheels.cli import main as cli
from emwheels.verify import verify
from emwheels.verify.pages import parse_html
from emwheels.verify.pages import read_json as read_page
from emwheels.verify.statements import BUILD_TYPE, Statement, read_json, read_provenance, read_statement

CHECKOUT = Path(__file__).resolve().parents[2]
NAME = "a-1.0-py3-none-any.whl"
DIGEST = "a" * 64
RIGHT = statement_of(NAME, DIGEST)


@pytest.fixture(scope="module")
def index():
    with FaultyIndex() as running:
        yield running


def test_a_statement():
    assert read_statement(RIGHT) == Statement(name=NAME, sha256=DIGEST, kind=BUILD_TYPE)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "Expecting value"),
        (b"\xff", "can't decode"),
        (b"[]", "not an object"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "deeper than 32"),
        (b"[" * 200_000, "deeper than 32"),
        (b'{"_type":"a","_type":"b"}', "twice"),
        (b'{"a":' + b"1" * 5000 + b"}", "digits"),
        (statement_of(NAME, DIGEST, _type="https://in-toto.io/Statement/v0.1"), "_type is not"),
        (statement_of(NAME, DIGEST, subject=[]), "not one file"),
        (statement_of(NAME, DIGEST, subject=[{"name": NAME}] * 2), "not one file"),
        (statement_of(NAME, DIGEST, subject=[{"name": NAME, "digest": {"sha512": DIGEST}}]), "no name with a sha256"),
        (statement_of(NAME, DIGEST.upper()), "no name with a sha256"),
        (statement_of(7, DIGEST), "no name with a sha256"),
        (statement_of(NAME, DIGEST, predicateType=None), "predicateType"),
        (statement_of(NAME, DIGEST, predicate=None), "no SLSA provenance"),
        (statement_of(NAME, DIGEST, predicate={"buildDefinition": [], "runDetails": {}}), "no SLSA provenance"),
        (statement_of(NAME, DIGEST, predicate=[]), "no SLSA provenance"),
    ],
)
def test_what_is_no_statement(data, why):
    with pytest.raises(ValueError, match=why):
        read_statement(data)


def test_depth_is_counted_and_not_the_width():
    assert len(read_json(json.dumps({str(number): [number] for number in range(5000)}).encode())) == 5000


def test_provenance():
    assert read_provenance(provenance_of(RIGHT, b"x")) == [RIGHT, b"x"]


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"{}",
        provenance_of(RIGHT, version=2),
        provenance_of(),
        provenance_of(*[RIGHT] * 17),
        provenance_of(RIGHT, attestation_bundles=[7]),
        provenance_of(RIGHT, attestation_bundles=[{"attestations": [{"envelope": {"statement": "\u00e9"}}]}]),
        provenance_of(RIGHT, attestation_bundles=[{"attestations": [{"envelope": {"statement": 7}}]}]),
    ],
)
def test_what_is_no_provenance(data):
    with pytest.raises(ValueError, match=r".+"):
        read_provenance(data)


@pytest.mark.parametrize(
    ("fault", "worth"),
    [
        ("right", "unsigned"),
        ("provenance", "signature not checked"),
        ("wheel-changed", "wrong"),
        ("statement-missing", "wrong"),
        ("provenance-of-another", "wrong"),
    ],
)
def test_json_says_of_each_wheel_what_its_statement_is_worth(index, fault, worth, capsys):
    cli.main(["--project", str(CHECKOUT), "index", "verify", index.url(fault), "--client", "none", "--json"])
    (report,) = json.loads(capsys.readouterr().out)
    assert set(report["statements"].values()) == {worth}
    assert len(report["statements"]) == 2
    named = {each["subject"] for each in report["findings"] if each["severity"] == "error"}
    assert all(any(name in subject for subject in named) for name in report["statements"]) == (worth == "wrong")


def test_without_statements_nothing_is_said(index, targets):
    (report,) = verify([index.url("no-statements")], target=targets.get(None), clients=())
    assert report.statements == {}


def test_an_identity_wants_a_signature_of_every_wheel(index, targets):
    def refuse(_data):
        raise ValueError("signed by \x1b[31mnobody")

    for fault, check in (("right", "signature-missing"), ("provenance", "signature")):
        (report,) = verify([index.url(fault)], target=targets.get(None), clients=(), signed=refuse)
        assert report.checks() == {check}
        assert "\x1b" not in "".join(finding.message for finding in report.findings)


def test_an_identity_that_signed_something_else(index, targets):
    (report,) = verify([index.url("provenance")], target=targets.get(None), clients=(), signed=lambda _data: [b"{}"])
    assert report.checks() == {"signature"}


@pytest.mark.parametrize("half", [["--identity", "who"], ["--issuer", "https://ci.example.org"]])
def test_half_an_identity(index, half, capsys):
    assert cli.main(["--project", str(CHECKOUT), "index", "verify", index.url("right"), "--client", "none", *half]) == 2
    assert "--identity and --issuer go together" in capsys.readouterr().err


def test_pages_of_others_link_to_provenance_by_address():
    link = f'<a href="{NAME}#sha256={WRONG}" data-provenance="https://x.example.org/p">{NAME}</a>'
    (file,) = parse_html(link, "https://y.example.org/simple/a/").files
    assert (file.provenance_url, file.provenance, file.statement) == ("https://x.example.org/p", "", "")
    entry = {"filename": NAME, "url": "https://y.example.org/a", "hashes": {}, "provenance": None}
    (file,) = read_page(json.dumps({"files": [entry]}).encode(), "https://y.example.org/").files
    assert file.provenance_url == ""
    for wrong in ({"_emwheels-statement": 7}, {"_emwheels-statement": {"sha256": 7}}, {"provenance": [7]}):
        with pytest.raises(ValueError, match=r".+"):
            read_page(json.dumps({"files": [entry | wrong]}).encode(), "https://y.example.org/")
