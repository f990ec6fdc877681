"""What micropip makes of an index, with the real one in Node and in a page of another origin; and that it is named."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from faulty_index import FAULTS, NAMED, FaultyIndex

from emwheels.harness import Install, try_installs
from emwheels.verify import verify, with_engines, with_programs

pytestmark = [pytest.mark.image, pytest.mark.timeout(900)]

ENGINES = ("node", "chromium-page")


@pytest.fixture(scope="module")
def index():
    with FaultyIndex() as running:
        yield running


@pytest.fixture(scope="module")
def nobody():
    """The address of an index on a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    return f"http://127.0.0.1:{port}/simple"


@pytest.fixture(scope="module")
def files(testing_image, runtime, playwright_core, harness_wheels):
    return {
        "image": testing_image,
        "runtime": runtime,
        "playwright_core": playwright_core,
        "harness_wheels": harness_wheels,
    }


@pytest.fixture(scope="module")
def outcome(index, nobody, files):
    """A function: row, engine -> what came of it. One start of each engine for all rows."""
    url = index.url
    rows = {
        "html": ("alpha", url("right-html")),
        "json": ("alpha", url("right")),
        "json with relative URLs": ("alpha", url("json-relative")),
        "application/json": ("alpha", url("json-as-application-json"), url("right")),
        "404, then the next": ("gamma", url("right"), url("right-with-gamma")),
        "a page for a missing project": ("gamma", url("page-for-missing-project"), url("right-with-gamma")),
        "no wheel for this ABI": ("alpha", url("other-abi"), url("right")),
        "wrong hash": ("alpha", url("wrong-hash")),
        "no hash": ("alpha", url("no-hash")),
        "only yanked": ("alpha", url("only-yanked")),
        "a yanked one and an older one": ("beta-two", url("right")),
        "trailing slash": ("alpha", url("right-html") + "/"),
        "trailing slash, slashes not merged": ("alpha", url("no-double-slash") + "/"),
        "placeholder": ("alpha", url("right-html") + "/{package_name}/"),
        "no CORS header": ("alpha", url("no-cors")),
        "nobody there": ("alpha", nobody),
        "metadata hash": ("alpha", url("metadata-hash")),
        "wheel missing": ("alpha", url("wheel-missing")),
    }
    installs = [
        Install(id=row, requirement=name, index_urls=tuple(urls), deps=True) for row, (name, *urls) in rows.items()
    ]
    done = try_installs(**files, installs=installs, engines=ENGINES, seconds=60)
    found = {(each.id, each.engine): each for each in done}
    return lambda row, engine: found[row, engine]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("row", "version"),
    [
        ("html", "1.0"),
        ("json", "1.0"),
        ("404, then the next", "3.0"),
        ("no hash", "1.0"),
        ("only yanked", "1.0"),
        ("a yanked one and an older one", "2.0"),
        ("trailing slash", "1.0"),
        ("placeholder", "1.0"),
    ],
)
def test_installs(outcome, engine, row, version):
    done = outcome(row, engine)
    assert not done.error
    ((installed, _),) = done.distributions.values()
    assert installed == version


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("json with relative URLs", "TypeError"),
        ("application/json", "KeyError"),
        ("a page for a missing project", "Can't find a pure Python 3 wheel"),
        ("no wheel for this ABI", "Can't find a pure Python 3 wheel"),
        ("wrong hash", "RuntimeError: Invalid checksum"),
        ("trailing slash, slashes not merged", "Can't fetch metadata"),
        ("nobody there", "Can't fetch metadata"),
        ("metadata hash", "RuntimeError: Invalid checksum"),
        ("wheel missing", ""),
    ],
)
def test_fails(outcome, engine, row, words):
    done = outcome(row, engine)
    assert done.error
    assert words in done.error


def test_without_cors_a_page_sees_what_it_sees_offline(outcome):
    assert not outcome("no CORS header", "node").error
    blocked, offline = outcome("no CORS header", "chromium-page"), outcome("nobody there", "chromium-page")
    assert blocked.error == offline.error
    assert "Can't fetch metadata" in blocked.error


@pytest.mark.usefixtures("outcome")
def test_metadata_is_fetched_beside_the_wheel(index):
    """micropip 0.11.1 asks for both at once, so that either may arrive first."""
    asked = [path for fault, path, _ in index.requests if fault == "right" and "alpha" in path]
    assert asked[0] == "/simple/alpha/"
    assert {Path(path).suffix for path in asked[1:3]} == {".whl", ".metadata"}


@pytest.mark.usefixtures("outcome")
def test_a_trailing_slash_becomes_two(index):
    assert ("right-html", "/simple//alpha/") in [(fault, path) for fault, path, _ in index.requests]


MICROPIP = {"micropip-node", "micropip-chromium"}
EFFECTS = {
    "no-cors": {"micropip-chromium"},
    "cors-for-another": {"micropip-chromium"},
    "redirect-without-cors": {"micropip-chromium"},
    "json-relative": MICROPIP,
    "json-garbled": MICROPIP,
    "wrong-hash": MICROPIP,
    "wheel-says-gzip": MICROPIP,
    "wheel-truncated": MICROPIP,
    "wheel-missing": MICROPIP,
    "wheel-changed": MICROPIP,
    "metadata-hash": MICROPIP,
    "metadata-missing": MICROPIP,
    "metadata-lies": MICROPIP,
}
"""Fault -> the engines in which micropip then fails. What is not listed works there, which makes it no better; but with
``json-as-application-json`` there is no list of projects that verification could have it install."""


@pytest.fixture(scope="module")
def reports(index, files, targets):
    """Fault -> its report, with micropip in both engines; one start of each engine for all of them."""
    urls = {index.url(fault): fault for fault in FAULTS}
    found = verify(list(urls), target=targets.get("314.0.7"), clients=sorted(MICROPIP), engines=with_engines(**files))
    return {urls[report.url]: report for report in found}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_named_with_its_effect_on_micropip(reports, fault):
    found = reports[fault].checks()
    assert found - MICROPIP == NAMED[fault]
    assert found & MICROPIP == EFFECTS.get(fault, set()), reports[fault].findings


@pytest.mark.parametrize("fault", ["right", "right-html"])
def test_a_right_index_serves_everybody(reports, fault):
    assert reports[fault].findings == []
    assert reports[fault].projects == {
        "alpha": dict.fromkeys(MICROPIP, "1.0"),
        "beta-two": dict.fromkeys(MICROPIP, "2.0"),
    }


@pytest.mark.parametrize(
    ("fault", "failing"),
    [
        ("right", set()),
        ("right-html", set()),
        ("json-as-application-json", {"pip", "uv"}),
        ("wrong-hash", {"pip"}),
        ("wheel-missing", {"pip"}),
    ],
)
def test_pip_and_uv(index, targets, testing_image, fault, failing):
    """uv reads pages and metadata only: it knows no platform of PEP 783 that it could install for here."""
    (report,) = verify(
        [index.url(fault)],
        target=targets.get("314.0.7"),
        clients=("pip", "uv"),
        programs=with_programs(testing_image),
        only=["alpha"],
    )
    assert report.checks() & {"pip", "uv"} == failing, report.findings
    assert report.checks() - {"pip", "uv"} == NAMED[fault]
    assert set(report.projects["alpha"]) == {"pip", "uv"}
