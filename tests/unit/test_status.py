from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from faulty_index import wheel
from packaging.version import Version

from emwheels import cli
from emwheels.package import latest_key
from emwheels.status import Built, collect, status_page, write_status
from emwheels.status.collect import EngineTests
from emwheels.status.picture import picture, size_text, time_text
from emwheels.store import Store

PLATFORM = "cp314-cp314-pyemscripten_2026_0_wasm32"
FILE = f"demo_pkg-1.0-{PLATFORM}.whl"
JUNIT = '<testsuites><testsuite name="node" tests="5" failures="1" errors="0" skipped="1" time="1"/></testsuites>'


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def dist(tmp_path, store):
    """A folder with one wheel, with everything that can be known of it."""
    root = tmp_path / "dist"
    (root / "wheels").mkdir(parents=True)
    (root / "wheels" / FILE).write_bytes(wheel("demo_pkg", "1.0"))
    reports = root / "reports" / "demo_pkg" / "314.0.7"
    reports.mkdir(parents=True)
    (reports / "node.xml").write_text(JUNIT)
    (reports / "node.log").write_text("said")
    (reports.parent / "audit-314.0.7.json").write_text("{}")
    log = tmp_path / "build.log"
    log.write_text("compiled\n")
    record = {"output": {"filename": FILE, "seconds": 61.5}, "log": store.put_file("logs", log)}
    store.add_record("latest", latest_key("demo-pkg", "314.0.7", "speed"), record)
    return root


@pytest.fixture
def chosen(targets):
    return list(targets.targets.values())


def built(name="demo", **different):
    from datetime import UTC, datetime

    values = {
        "name": name,
        "version": Version("1.0"),
        "target": "314.0.7",
        "filename": FILE,
        "size": 3_508_844,
        "changed": datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        "seconds": 158.0,
        "tests": {"node": EngineTests(passed=3, failed=0)},
        "reports": {},
    }
    return Built(**(values | different))


def test_everything_that_is_known(dist, store, chosen):
    (row,) = collect(dist, store, chosen, profile="speed")
    assert (row.name, str(row.version), row.target, row.seconds) == ("demo-pkg", "1.0", "314.0.7", 61.5)
    assert row.tests == {"node": EngineTests(passed=3, failed=1)}
    assert row.size == (dist / "wheels" / FILE).stat().st_size
    for link, content in ((row.log, "compiled\n"), (row.reports["node"], "said"), (row.audit, "{}")):
        assert (dist / link).read_text() == content


def test_a_wheel_without_records(dist, store, chosen):
    """A report has no version: without the record of this very file it may be that of another."""
    (dist / "wheels" / FILE).rename(dist / "wheels" / FILE.replace("1.0", "0.9"))
    (row,) = collect(dist, store, chosen, profile="speed")
    assert (row.seconds, row.tests, row.log, row.audit) == (None, {}, "", "")
    page = status_page([row], profile="speed")
    assert "not known" in page
    assert "not run" in page


def test_damaged_reports_are_no_reports(dist, store, chosen):
    (dist / "reports" / "demo_pkg" / "314.0.7" / "node.xml").write_text("<testsuites>")
    (row,) = collect(dist, store, chosen, profile="speed")
    assert row.tests == {}


def test_newest_first_and_unknown_platforms(dist, store, chosen):
    for name in ("demo_pkg-1.10-py3-none-any.whl", "demo_pkg-1.9-py3-none-any.whl", "not-a-wheel.whl"):
        (dist / "wheels" / name).write_bytes(b"PK")
    rows = collect(dist, store, chosen, profile="speed")
    assert [str(row.version) for row in rows] == ["1.10", "1.9", "1.0"]
    assert rows[0].target == "any"


def test_whatever_comes_from_outside_is_escaped():
    hostile = "<script>alert(1)</script>\"'&"
    page = status_page([built(name=hostile, filename=hostile, target=hostile, log=hostile)], profile=hostile)
    assert "<script>alert" not in page
    assert page.count("<script>") == 1
    parser = _Links()
    parser.feed(page)
    assert hostile in parser.links


class _Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.links = []

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name == "href"]


def test_the_policy_allows_what_is_in_the_page_and_nothing_else():
    page = status_page([built()], profile="speed")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert policy.count("sha256-") == 2
    assert " style=" not in page
    assert " onclick" not in page


def test_an_empty_folder_has_a_page(tmp_path, store, chosen):
    (tmp_path / "dist").mkdir()
    assert (
        "No wheel has been published yet" in write_status(tmp_path / "dist", store, chosen, profile="speed").read_text()
    )


def test_the_picture_is_to_scale():
    rows = [built("big", size=4_000_000, seconds=100.0), built("small", size=1_000_000, seconds=None)]
    svg = ET.fromstring(picture(rows))
    bars = [(bar.get("class"), int(bar.get("width"))) for bar in svg.iter("{http://www.w3.org/2000/svg}rect")]
    assert [kind for kind, _ in bars] == ["size", "time", "size"]
    assert abs(bars[0][1] - 4 * bars[2][1]) <= 4
    described = svg.find("{http://www.w3.org/2000/svg}desc").text
    assert "big for 314.0.7: 4.0 MB, 1 min 40 s" in described


@pytest.mark.parametrize(("size", "text"), [(12, "12 B"), (27_376, "27 kB"), (3_508_844, "3.5 MB")])
def test_sizes(size, text):
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(4.2, "4 s"), (59.4, "59 s"), (158.0, "2 min 38 s"), (600, "10 min 00 s")]
)
def test_times(seconds, text):
    assert time_text(seconds) == text


def test_the_command(plain_project, monkeypatch, capsys):
    monkeypatch.setenv("EMWHEELS_CACHE", str(plain_project.cache))
    wheels = plain_project.dist / "wheels"
    wheels.mkdir(parents=True)
    (wheels / FILE).write_bytes(wheel("demo_pkg", "1.0"))
    assert cli.main(["--project", str(plain_project.root), "status"]) == 0
    assert "demo-pkg" in (plain_project.dist / "index.html").read_text()
    capsys.readouterr()
    assert cli.main(["--project", str(plain_project.root), "status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["target"] == "314.0.7"
