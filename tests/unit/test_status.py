from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from packaging.version import Version
from synthetic_wheels import make_wheel

from emwheels import index
from emwheels.cli import main as cli
from emwheels.index.places.folder import Folder
from emwheels.index.publishing import publish_to
from emwheels.index.update import read_catalogue, write, yank
from emwheels.outputs.latest import latest_key
from emwheels.status import StatusRow, publish_status, refresh_status, status_page, write_status
from emwheels.status.model import EngineTests, dump_rows, load_rows
from emwheels.status.picture import picture, size_text, time_text
from emwheels.store import Store, sha256_of
from emwheels.wheel import content_of

PLATFORM = "cp314-cp314-pyemscripten_2026_0_wasm32"
FILE = f"demo_pkg-1.0-{PLATFORM}.whl"
JUNIT = (
    '<testsuites><testsuite name="node" tests="5" failures="1" errors="0" skipped="1" time="1" '
    'timestamp="2026-11-22T10:00:00+00:00"><properties><property name="content" value="CONTENT"/></properties>'
    "</testsuite></testsuites>"
)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def add(folder, version, tag=PLATFORM, **info):
    """Put a wheel into the index in ``folder`` and return its sha256; ``info`` are files of its .dist-info."""
    inside = f"demo_pkg-{version}.dist-info"
    files = {"demo_pkg.py": "x = 1\n"} | {f"{inside}/{name}": text for name, text in info.items()}
    wheel = make_wheel(folder / "made", "demo_pkg", version, tag=tag, files=files)
    index.publish(folder / "dist", wheel, wheel.name)
    return sha256_of(wheel)


@pytest.fixture
def dist(tmp_path, store):
    """A folder with one wheel, with everything that can be known of it."""
    root = tmp_path / "dist"
    sha256 = add(tmp_path, "1.0", **{"sboms/emwheels.cdx.json": '{"components": []}'})
    reports = root / "reports" / "demo-pkg" / "314.0.7"
    reports.mkdir(parents=True)
    (reports / "node.xml").write_text(JUNIT.replace("CONTENT", content_of(root / "wheels" / FILE)))
    (reports / "node.log").write_text("said")
    (reports.parent / "audit-314.0.7.json").write_text("{}")
    log = tmp_path / "build.log"
    log.write_text("compiled\n")
    record = {"output": {"filename": FILE, "sha256": sha256, "seconds": 61.5}, "log": store.put_file("logs", log)}
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
        "sha256": "0" * 64,
        "size": 3_508_844,
        "changed": datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        "seconds": 158.0,
        "tests": {"node": EngineTests(passed=3, failed=0)},
        "reports": {},
    }
    return StatusRow(**(values | different))


@pytest.fixture
def show(dist, store, chosen):
    return lambda **options: write_status(dist, store, chosen, profile="speed", **options)


def test_everything_that_is_known(dist, show):
    (row,) = show()
    assert (row.name, str(row.version), row.target, row.seconds) == ("demo-pkg", "1.0", "314.0.7", 61.5)
    assert row.tests == {"node": EngineTests(passed=3, failed=1)}
    assert row.size == (dist / "wheels" / FILE).stat().st_size
    linked = (
        (row.log, "compiled\n"),
        (row.reports["node"], "said"),
        (row.audit, "{}"),
        (row.sbom, '{"components": []}'),
    )
    for link, content in linked:
        assert (dist / link).read_text() == content
        assert f'href="{link}"' in (dist / "index.html").read_text()


def test_a_report_of_another_wheel_is_stale(dist, show):
    report = dist / "reports" / "demo-pkg" / "314.0.7" / "node.xml"
    report.write_text(JUNIT)
    (row,) = show()
    assert row.tests == {"node": EngineTests(passed=3, failed=1, stale="2026-11-22")}
    assert "(stale: of another wheel, 2026-11-22)" in (dist / "index.html").read_text()
    report.write_text('<testsuites><testsuite tests="1" failures="0" errors="0" skipped="0"/></testsuites>')
    (row,) = show(tested={"demo-pkg": {}})
    assert row.tests["node"].stale == "another day"


def test_a_wheel_without_records(tmp_path, store, chosen):
    """A report has no version: without the record of this very file it may be that of another."""
    add(tmp_path, "0.9")
    (row,) = write_status(tmp_path / "dist", store, chosen, profile="speed")
    assert (row.seconds, row.tests, row.links) == (None, {}, ())
    page = (tmp_path / "dist" / "index.html").read_text()
    assert "not known" in page
    assert "not run" in page


def test_a_rebuilt_wheel_has_no_record_of_the_one_before(tmp_path, show):
    add(tmp_path, "1.0")
    (row,) = show()
    assert (row.seconds, row.links) == (None, ())


def test_damaged_reports_are_no_reports(dist, show):
    (dist / "reports" / "demo-pkg" / "314.0.7" / "node.xml").write_text("<testsuites>")
    (row,) = show()
    assert row.tests == {}


def test_newest_first_and_unknown_platforms(tmp_path, show):
    for version in ("1.10", "1.9"):
        add(tmp_path, version, "py3-none-any")
    rows = show()
    assert [str(row.version) for row in rows] == ["1.10", "1.9", "1.0"]
    assert rows[0].target == "any"


def test_what_is_known_stays_where_the_records_are_gone(dist, tmp_path, chosen, show):
    before = show()
    assert write_status(dist, Store(tmp_path / "other"), chosen, profile="speed") == before


def test_only_what_changed_is_looked_at(dist, show):
    show()
    (dist / "reports" / "demo-pkg" / "314.0.7" / "node.xml").write_text(JUNIT.replace('failures="1"', 'failures="0"'))
    assert show(tested={"other": {}})[0].tests["node"].failed == 1
    assert show(tested={"demo-pkg": {}})[0].tests["node"].failed == 0


def test_what_a_run_has_seen_goes_before_reports(show):
    (row,) = show(tested={"demo-pkg": {"node": "12 passed, 1 skipped", "chromium-page": "11 passed, 2 failed"}})
    assert row.tests == {
        "node": EngineTests(passed=12, failed=0),
        "chromium-page": EngineTests(passed=11, failed=2),
    }


def test_of_two_versions_the_newer_has_the_reports(dist, tmp_path, store, show):
    show()
    sha256 = add(tmp_path, "1.1")
    record = store.get_record("latest", latest_key("demo-pkg", "314.0.7", "speed"))
    output = {"filename": FILE.replace("1.0", "1.1"), "sha256": sha256, "seconds": 5}
    store.add_record("latest", latest_key("demo-pkg", "314.0.7", "speed"), record | {"output": output})
    new, old = show()
    assert (str(new.version), new.seconds, bool(new.log)) == ("1.1", 5, True)
    assert (str(old.version), old.seconds, old.links) == ("1.0", 61.5, ())
    assert old.tests


def test_publishing_takes_the_page_and_its_reports_along(dist, tmp_path, chosen, show):
    (row,) = show()
    public = Folder(tmp_path / "public")
    publish_to(Folder(dist), public)
    assert publish_status(Folder(dist), public, chosen) == len(row.links) + 2
    for link in (*row.links, "index.html"):
        assert public.read(link) == (dist / link).read_bytes()
    assert publish_status(Folder(dist), public, chosen) == 0


def test_two_checkouts_publish_to_one_place(dist, tmp_path, store, chosen, show):
    """Each knows of its own wheels only; the page has both, with all that is known."""
    show()
    public = Folder(tmp_path / "public")
    publish_to(Folder(dist), public)
    publish_status(Folder(dist), public, chosen)
    other = tmp_path / "other"
    wheel = make_wheel(other, "second", tag=PLATFORM)
    index.publish(other / "dist", wheel, wheel.name)
    write_status(other / "dist", store, chosen, profile="speed")
    publish_to(Folder(other / "dist"), public)
    publish_status(Folder(other / "dist"), public, chosen)
    rows = load_rows(public.read("status.json"))[0].values()
    assert {row.name: row.seconds for row in rows} == {"demo-pkg": 61.5, "second": None}
    assert b"second" in public.read("index.html")


def test_the_page_follows_the_index(dist, chosen, show):
    (row,) = show()
    place = Folder(dist)
    catalogue = read_catalogue(place)
    catalogue.put(yank(catalogue.project("demo-pkg"), "1.0", "wrong <sums>"))
    write(place, catalogue, changed=["demo-pkg"])
    refresh_status(place, chosen)
    assert b"yanked: wrong &lt;sums&gt;" in place.read("index.html")
    catalogue.put(catalogue.project("demo-pkg").without([FILE]))
    write(place, catalogue, changed=["demo-pkg"], gone=[f"wheels/{FILE}"])
    refresh_status(place, chosen)
    assert b"No wheel has been published" in place.read("index.html")
    assert not [link for link in row.links if (dist / link).exists()], "reports of what is gone"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda rows: b"",
        lambda rows: rows[:-20],
        lambda rows: rows.replace(b'"format":1', b'"format":9'),
        lambda rows: rows.replace(b"reports/demo-pkg", b"javascript:"),
        lambda rows: rows.replace(b"reports/demo-pkg", b"reports/../../etc"),
    ],
)
def test_what_is_no_status_file_is_not_believed(dist, show, spoil):
    rows = dump_rows(show(), "speed")
    assert load_rows(rows)[0]
    assert load_rows(spoil(rows)) == ({}, "")


def test_whatever_comes_from_outside_is_escaped():
    hostile = "<script>alert(1)</script>\"'&"
    page = status_page([built(name=hostile, filename=hostile, target=hostile, log=hostile)], profile=hostile)
    assert "<script>alert" not in page
    assert page.count("<script>") == 1
    parser = _Links()
    parser.feed(page)
    assert hostile in parser.links


def test_of_very_many_the_page_has_the_latest():
    from datetime import UTC, datetime, timedelta

    day = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [built(f"p{n:04}", filename=f"p{n}.whl", changed=day + timedelta(minutes=n)) for n in range(1001)]
    page = status_page(rows, profile="speed")
    assert page.count('<tr role="row" data-name') == 500
    assert "1,001 wheels" in page
    assert 'data-name="p1000"' in page
    assert 'data-name="p0500"' not in page


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
    assert write_status(tmp_path / "dist", store, chosen, profile="speed") == []
    assert "No wheel has been published yet" in (tmp_path / "dist" / "index.html").read_text()


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
    add(plain_project.root, "1.0")
    assert cli.main(["--project", str(plain_project.root), "status"]) == 0
    assert "demo-pkg" in (plain_project.dist / "index.html").read_text()
    capsys.readouterr()
    assert cli.main(["--project", str(plain_project.root), "status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["target"] == "314.0.7"
