"""What is made of the clients' answers: which file each took, what it said, and what is a finding.

pip and uv are the real ones, on an index with faults; in place of micropip's engines are answers as they give them.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import zipfile
from dataclasses import replace

import brotli
import pytest
from faulty_index import FaultyIndex
from host_programs import run_on_host
from loopback import serving
from sample_target import TARGET
from synthetic_wheels import make_wheel

from emwheels.harness import Installed
from emwheels.verify import _judge_lock, verify
from emwheels.verify.clients import (
    Wanted,
    lock_entries,
    try_lock,
    try_micropip,
    try_pip,
    try_uv,
    with_engines,
)
from emwheels.verify.model import Verification
from emwheels.verify.probe import Probe
from emwheels.wheel import record_sha256

URL = "https://wheels.example.org/simple"


@pytest.fixture
def report(monkeypatch):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    return Verification(url=URL, target=TARGET.name)


@pytest.fixture
def want(tmp_path):
    wheel = make_wheel(tmp_path / "made", "beta_two", "2.0")
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return Wanted(project="beta-two", version="2.0", filename=wheel.name, sha256=sha256, copy=wheel)


class Engines:
    """Stands for `try_installs`: every engine installs ``found`` (name -> version and RECORD), or says ``error``."""

    def __init__(self, found=None, error=""):
        self.found, self.error = found or {}, error
        self.calls = []

    def __call__(self, *, installs, engines, lock_url=""):
        self.calls.append((list(installs), list(engines), lock_url))
        return [
            Installed(engine=engine, id=one.id, error=self.error, seconds=1.0, distributions=self.found)
            for engine in engines
            for one in installs
        ]


def found(report):
    return [(finding.check, finding.subject, finding.message) for finding in report.findings]


# micropip.


def test_the_file_of_the_page_was_installed(report, want):
    engines = Engines({"Beta_Two": ("2.0", record_sha256(want.copy))})
    try_micropip({URL: (report, [want])}, engines, ["micropip-chromium", "micropip-node", "pip"])
    assert report.projects == {"beta-two": {"micropip-node": "2.0", "micropip-chromium": "2.0"}}
    assert found(report) == []
    ((installs, asked, _),) = engines.calls
    assert [(one.requirement, one.index_urls) for one in installs] == [("beta-two", (URL,))]
    assert asked == ["node", "chromium-page"]


@pytest.mark.parametrize(
    ("installed", "words"),
    [
        ({}, "nothing was installed (there is: nothing new)"),
        ({"other": ("2.0", "x")}, "nothing was installed (there is: other)"),
        ({"beta-two": ("1.0", "x")}, "1.0 was installed, not 2.0"),
        ({"beta-two": ("2.0", "x")}, "what was installed is not beta_two-2.0-py3-none-any.whl: its RECORD differs"),
    ],
)
def test_another_file_was_installed(report, want, installed, words):
    try_micropip({URL: (report, [want])}, Engines(installed), ["micropip-node"])
    assert found(report) == [("micropip-node", "beta-two", words)]
    assert report.projects == {"beta-two": {"micropip-node": "failed"}}


def test_a_file_that_could_not_be_fetched_is_known_by_its_version(report, want):
    try_micropip({URL: (report, [replace(want, copy=None)])}, Engines({"beta-two": ("2.0", "x")}), ["micropip-node"])
    assert found(report) == []


def test_a_wheel_without_record_is_what_it_is_installed_as(report, want):
    with zipfile.ZipFile(want.copy, "w") as archive:
        archive.writestr("beta.py", "")
    nothing = hashlib.sha256(b"").hexdigest()
    try_micropip({URL: (report, [want])}, Engines({"beta-two": ("2.0", nothing)}), ["micropip-node"])
    assert found(report) == []


def test_of_an_error_its_last_lines_are_said(report, want):
    said = "Traceback (most recent call last):\n  File x\n\nValueError: no wheel\nhint: try another index\n"
    try_micropip({URL: (report, [want])}, Engines(error=said), ["micropip-node"])
    assert found(report) == [("micropip-node", "beta-two", "File x ValueError: no wheel")]
    long = Verification(url=URL, target=TARGET.name)
    try_micropip({URL: (long, [want])}, Engines(error="error: " + "x" * 5000), ["micropip-node"])
    assert len(long.findings[0].message) == 600


def test_indexes_of_one_name_are_kept_apart(want):
    one, two = Verification(url="https://a/simple", target="t"), Verification(url="https://b/simple", target="t")
    other = replace(want, version="3.0", copy=None)
    engines = Engines({"beta-two": ("3.0", "x")})
    try_micropip({one.url: (one, [want]), two.url: (two, [other])}, engines, ["micropip-node"])
    assert (one.projects, two.projects) == (
        {"beta-two": {"micropip-node": "failed"}},
        {"beta-two": {"micropip-node": "3.0"}},
    )
    assert len(engines.calls) == 1, "engines are started once"


def test_without_projects_or_engines_nothing_is_started(report, want):
    engines = Engines()
    try_micropip({URL: (report, [])}, engines, ["micropip-node"])
    try_micropip({URL: (report, [want])}, engines, ["pip", "uv"])
    try_lock(report, "https://x/pyodide-lock.json", [], engines, ["micropip-node"])
    try_lock(report, "https://x/pyodide-lock.json", [want], engines, ["pip"])
    assert engines.calls == []


def test_engines_get_their_files(monkeypatch, tmp_path):
    given = {}
    monkeypatch.setattr("emwheels.verify.clients.try_installs", lambda **parts: given.update(parts) or ["done"])
    run = with_engines(image="image", runtime=tmp_path, playwright_core=tmp_path, harness_wheels=())
    assert run(installs=["one"], engines=["node"], lock_url="https://x/lock") == ["done"]
    assert (given["image"], given["installs"], given["lock_url"]) == ("image", ["one"], "https://x/lock")


# The lock.


@pytest.fixture
def judge(report, want):
    """A function that judges a lock, which is served beside an index."""

    def judge(lock, engines=None, **headers):
        content = lock if isinstance(lock, bytes) else json.dumps({"packages": lock}).encode()

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_arguments):
                pass

            def do_GET(self):
                self.send_response(200 if self.path == "/pyodide-lock.json" else 404)
                for name, value in {"Access-Control-Allow-Origin": "*", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

        with serving(Handler) as address, Probe() as probe:
            report.url = f"{address}/simple"
            _judge_lock(probe, report, [want], engines or Engines(), ["micropip-node"])
        return found(report)

    return judge


def entry(want, **changes):
    return {"beta-two": {"file_name": f"../wheels/{want.filename}", "sha256": want.sha256, **changes}}


def test_what_the_lock_has_is_loaded_from_it(judge, report, want):
    engines = Engines({"beta-two": ("2.0", record_sha256(want.copy))})
    assert judge(entry(want), engines) == []
    assert report.projects == {"beta-two": {"loadpackage-node": "2.0"}}
    ((installs, _, lock_url),) = engines.calls
    assert lock_url == report.url.replace("/simple", "/pyodide-lock.json")
    assert [(one.requirement, one.lock) for one in installs] == [("beta-two", True)]


def test_an_older_lock_is_warned_of_and_not_tried(judge, report, want):
    engines = Engines()
    older = entry(want, file_name="../wheels/beta_two-1.0-py3-none-any.whl")
    assert [check for check, *_ in judge(older, engines)] == ["lock-older"]
    assert report.errors == []
    assert engines.calls == []


@pytest.mark.parametrize("address", ["https://elsewhere.example.org/beta_two-2.0-py3-none-any.whl", None])
def test_a_lock_that_does_not_have_ours(judge, report, want, address):
    engines = Engines()
    lock = {"other": {"file_name": "x.whl", "sha256": ""}} if address is None else entry(want, file_name=address)
    assert [check for check, *_ in judge(lock, engines)] == ["lock-foreign"]
    assert report.errors
    assert engines.calls == []


def test_another_hash_in_the_lock(judge, want):
    checks = [check for check, *_ in judge(entry(want, sha256="0" * 64))]
    assert "lock-hash" in checks


@pytest.mark.parametrize(
    "lock",
    [
        b'{"packages": ',
        b"{}",
        b'{"packages": []}',
        b'{"packages": {"a": 1}}',
        b'{"packages": {"a": {"file_name": 5, "sha256": "x"}}}',
        b'{"packages": {"beta-two": {"file_name": null, "sha256": null}}}',
        b'{"packages": ' + b"[" * 100_000,
    ],
    ids=["cut", "empty", "list", "number", "no names", "no text", "deep"],
)
def test_a_lock_that_is_none_is_a_finding(judge, lock):
    assert [check for check, *_ in judge(lock)] == ["lock"]


def test_a_lock_that_is_not_encoded_as_it_says_is_a_finding(judge, want):
    assert "lock" in [check for check, *_ in judge(b"no brotli", **{"Content-Encoding": "br"})]


def test_a_lock_that_is_encoded_is_read(judge, want):
    packed = brotli.compress(json.dumps({"packages": entry(want, sha256="0" * 64)}).encode())
    assert "lock-hash" in [check for check, *_ in judge(packed, **{"Content-Encoding": "br"})]


def test_a_page_in_place_of_a_lock_is_none(judge):
    assert judge(b"<html>not found</html>") == []


def test_entries_of_a_lock():
    lock = b'{"packages": {"a": {"file_name": "a.whl", "sha256": "1", "depends": []}}}'
    assert lock_entries(lock) == {"a": {"file_name": "a.whl", "sha256": "1"}}


# pip and uv.


@pytest.fixture(scope="module")
def index():
    with FaultyIndex() as running:
        yield running


@pytest.fixture
def wanted(index):
    """What a right index has, seen without clients."""

    def wanted(fault):
        report, kept = Verification(url=index.url(fault), target=TARGET.name), []
        site = index.site(fault)
        for name, each in (("alpha", "1.0"), ("beta-two", "2.0")):
            path = next(p for p in site.files if p.endswith(".whl") and f"/{name.replace('-', '_')}-{each}" in p)
            sha256 = hashlib.sha256(site.files[path]).hexdigest()
            filename = path.rpartition("/")[2]
            kept.append(Wanted(project=name, version=each, filename=filename, sha256=sha256, copy=None))
        return report, kept

    return wanted


def test_pip_and_uv_take_what_the_page_names(index, targets):
    (report,) = verify([index.url("right")], target=targets.get("314.0.7"), clients=("pip", "uv"), programs=run_on_host)
    assert report.projects == {"alpha": {"pip": "1.0", "uv": "1.0"}, "beta-two": {"pip": "2.0", "uv": "2.0"}}
    assert report.findings == []


def test_the_configuration_of_this_machine_is_left_out(index, wanted, monkeypatch, tmp_path, targets):
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = http://127.0.0.1:9/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_INDEX_URL", "http://127.0.0.1:9/simple")
    report, wants = wanted("right")
    try_pip(report, report.url, wants[:1], targets.get("314.0.7"), run_on_host)
    try_uv(report, report.url, wants[:1], targets.get("314.0.7"), run_on_host)
    assert found(report) == []


def test_the_one_that_fails_is_told_from_the_others(index, wanted, targets):
    report, wants = wanted("right")
    newer = replace(wants[1], version="2.5", filename="beta_two-2.5-py3-none-any.whl")
    for attempt, words in ((try_pip, "pip took "), (try_uv, "uv took 2.0, not 2.5")):
        attempt(report, report.url, [wants[0], newer], targets.get("314.0.7"), run_on_host)
        assert words in report.findings[-1].message
    assert report.projects == {"alpha": {"pip": "1.0", "uv": "1.0"}, "beta-two": {"pip": "failed", "uv": "failed"}}


def test_other_bytes_than_the_page_names_are_refused_by_pip(index, wanted, targets):
    report, wants = wanted("wrong-hash")
    try_pip(report, report.url, wants[:1], targets.get("314.0.7"), run_on_host)
    ((check, _, message),) = found(report)
    assert check == "pip"
    assert "hash" in message.lower()
    assert "hint:" not in message


def test_other_hashes_than_the_page_are_seen_in_what_uv_pins(index, wanted, targets):
    report, wants = wanted("right")
    try_uv(report, report.url, [replace(wants[0], sha256="0" * 64)], targets.get("314.0.7"), run_on_host)
    try_pip(report, report.url, [replace(wants[0], sha256="0" * 64)], targets.get("314.0.7"), run_on_host)
    assert [check for check, *_ in found(report)] == ["uv", "pip"]
    assert report.findings[0].message == "alpha: uv has none of the page's hashes"
    assert "has sha256" in report.findings[1].message


# A foreign index.


HOSTILE_NAMES = [
    "-r%2fetc%2fhostname",
    "http:%2f%2f127.0.0.1:9%2fevil",
    "--index-url",
    "a b",
    "a@file:",
    "\u202e",
]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_name_that_is_none_reaches_no_client(targets, name):
    page = f"<a href='./{name}/'>x</a>".encode()

    class Hostile(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            listed = self.path == "/simple/"
            self.send_response(200 if listed else 404)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page if listed else b"")

        def log_message(self, *_):
            pass

    asked = []

    def programs(argv, **_):
        asked.append(argv)
        return ""

    with serving(Hostile) as address:
        (report,) = verify([f"{address}/simple"], target=targets.get(None), clients=("pip", "uv"), programs=programs)
    assert asked == []
    assert report.checks() & {"project-name", "page-content"}, report.checks()
