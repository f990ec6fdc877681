"""``emwheels index verify``: what is printed of reports, and for which clients engines are started."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sample_run import make_environment
from sample_target import TARGET
from small_project import make_command_in

from emwheels.errors import FetchError
from emwheels.verify import Verification


@pytest.fixture
def environment(tmp_path):
    return make_environment(tmp_path)


@pytest.fixture
def command(environment, monkeypatch, capsys):
    return make_command_in(environment, "verify", monkeypatch, capsys)


URL = "https://wheels.example.org/simple"


@pytest.fixture
def verified(monkeypatch):
    """The reports that verifying gives; ``verified.asked`` is what it was given."""

    class Reports(list):
        asked = None

        def __call__(self, urls, **options):
            self.asked = {"urls": urls} | options
            return list(self)

    reports = Reports()
    monkeypatch.setattr("emwheels.cli.verify.verify", reports)
    monkeypatch.setattr("emwheels.cli.verify.with_engines", lambda **parts: ("engines", parts["runtime"].name))
    return reports


def report(*checks, url=URL):
    found = Verification(url=url, target=TARGET.name, seconds=1.25)
    for check, message in checks:
        found.add(check, "numpy", message)
    return found


def test_an_index_without_findings(command, verified):
    verified.append(replace(report(), projects={"b": {"pip": "1.0"}, "a": {"pip": "failed", "uv": "2.0"}}))
    assert command("index", "verify", URL).lines() == [
        f"{URL} for Pyodide {TARGET.name}",
        "project pip uv",
        "a failed 2.0",
        "b 1.0",
        "no findings",
        "",
    ]


def test_errors_end_with_10_and_say_what_to_do(command, verified):
    verified.append(report(("hash-missing", "no [hash] at all"), ("cors-missing", "404 without it")))
    lines = command("index", "verify", URL, status=10).lines()
    assert lines[1] == "check times where what was seen, the first time what to do"
    assert lines[2] == (
        "error hash-missing 1 numpy no [hash] at all: micropip installs the file without any check "
        "add #sha256=… to the link, or hashes.sha256 in the JSON form"
    )
    assert lines[3].startswith("warning cors-missing 1 numpy ")
    assert lines[4] == "1 errors, 1 warnings, 1.2 s"


def test_a_cause_is_said_once_with_how_often_it_was_met(command, verified):
    many = Verification(url=URL, target=TARGET.name)
    for number in range(40):
        many.add("cors", f"p{number:02}", f"no header with p{number:02}")
    many.add("micropip-node", "p00", "it failed")
    many.add("etag", "p00", "none")
    verified.append(many)
    rows = command("index", "verify", URL, status=10).lines()[2:-2]
    assert [" ".join(row.split()[:3]) for row in rows] == ["error cors 40", "error micropip-node 1", "warning etag 1"]
    assert "p00, p01, p02 and 37 more no header with p00: " in rows[0]
    assert many.to_dict()["causes"] == {"cors": 40, "micropip-node": 1, "etag": 1}


def test_warnings_are_no_failure(command, verified):
    verified.append(report(("cors-missing", "404 without it")))
    assert command("index", "verify", URL).lines()[-2] == "0 errors, 1 warnings, 1.2 s"


def test_an_error_of_one_of_several_decides_the_status(command, verified):
    verified += [report(), report(("hash-missing", "none"), url="https://other.example.org/simple")]
    found = command("index", "verify", URL, "https://other.example.org/simple", "--json", status=10).json()
    assert [(each["url"], each["ok"]) for each in found] == [(URL, True), ("https://other.example.org/simple", False)]
    assert found[1]["findings"][0]["fix"].startswith("add #sha256=")
    assert verified.asked["urls"] == [URL, "https://other.example.org/simple"]


@pytest.mark.parametrize(
    ("given", "clients", "engines"),
    [
        ([], ["micropip-node", "micropip-chromium", "pip", "uv"], True),
        (["--client", "uv", "--client", "pip"], ["pip", "uv"], False),
        (["--client", "micropip-node"], ["micropip-node"], True),
        (["--client", "none"], [], False),
    ],
)
def test_engines_are_there_only_for_clients_that_run_in_them(command, verified, environment, given, clients, engines):  # noqa: PLR0917
    if not engines:
        for name in ("image", "runtime", "playwright_core", "harness_wheels"):
            del vars(environment)[name]  # to ask for one would make an image
    command("index", "verify", URL, *given)
    assert verified.asked["clients"] == clients
    assert verified.asked["engines"] == (("engines", "runtime") if engines else None)


def test_what_is_verified_can_be_limited(command, verified):
    command("index", "verify", URL, "--client", "none", "--only", "a", "--only", "b", "--every-file", "--seconds", "7")
    asked = verified.asked
    assert (asked["only"], asked["every_file"], asked["seconds"]) == (["a", "b"], True, 7.0)
    assert asked["target"].name == TARGET.name


def test_an_engine_that_cannot_be_had_is_a_message(command, verified, monkeypatch):
    def fail(**_parts):
        raise FetchError("no runtime")

    monkeypatch.setattr("emwheels.cli.verify.with_engines", fail)
    assert command("index", "verify", URL, status=4).err == "emwheels: no runtime\n"


def test_a_client_that_there_is_not(command, verified):
    assert "invalid choice: 'netscape'" in command("index", "verify", URL, "--client", "netscape", status=2).err
