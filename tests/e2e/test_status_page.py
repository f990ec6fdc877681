"""The status page in Chromium: readable on a phone, usable by keyboard, nothing that axe-core finds."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from browser_script import run_script
from synthetic_wheels import WASM, make_wheel
from web_servers import nginx

from emwheels import index
from emwheels.image.model import Mount
from emwheels.outputs.latest import latest_key
from emwheels.status import write_status
from emwheels.store import Store, sha256_of

AXE = "pkg:npm/axe-core@4.14.1"
AXE_SHA256 = "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745"
SUPPORT = Path(__file__).resolve().parents[1] / "support"
NAMES = ("alpha", "beta-with-a-rather-long-name", "gamma")
VIEWS = [f"{size}-{scheme}" for size in ("phone", "desktop") for scheme in ("light", "dark")]
JUNIT = '<testsuites><testsuite tests="12" failures="{failures}" errors="0" skipped="0" time="1"/></testsuites>'

pytestmark = [pytest.mark.image, pytest.mark.network, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def dist(targets, tmp_path_factory):
    """A published folder with three wheels, one without a record, one whose tests failed."""
    root = tmp_path_factory.mktemp("dist")
    store = Store(tmp_path_factory.mktemp("store"))
    for number, name in enumerate(NAMES):
        wheel = make_wheel(root / "made", name.replace("-", "_"), f"1.{number}", tag=WASM)
        index.publish(root, wheel, wheel.name)
        reports = root / "reports" / name / "314.0.7"
        reports.mkdir(parents=True)
        for engine in ("node", "chromium-page"):
            (reports / f"{engine}.xml").write_text(JUNIT.format(failures=number))
            (reports / f"{engine}.log").write_text("log")
        if name != "gamma":
            log = root / "log"
            log.write_text("built")
            output = {"filename": wheel.name, "sha256": sha256_of(wheel), "seconds": 10.0 + 100 * number}
            record = {"output": output, "log": store.put_file("logs", log)}
            store.add_record("latest", latest_key(name, "314.0.7", "speed"), record)
    write_status(root, store, list(targets.targets.values()), profile="speed")
    return root


@pytest.fixture(scope="module")
def seen(environment, service_image, dist, playwright_core, tmp_path_factory):
    """What page_check.mjs found, by view; the screenshots are beside it."""
    axe = environment.npm_package(AXE, AXE_SHA256)
    shots = tmp_path_factory.mktemp("shots")
    with nginx(service_image, dist, tmp_path_factory.mktemp("nginx")) as address:
        found = run_script(
            environment.test_image,
            playwright_core,
            *("page_check.mjs", "/mnt/axe/axe.min.js", address, "/mnt/shots"),
            mounts=[Mount(host=axe, inside="/mnt/axe"), Mount(host=shots, inside="/mnt/shots", writable=True)],
            network=True,
        )
    return found, shots, address


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_is_wrong_for_axe(seen, view):
    found = seen[0][view]
    assert found["violations"] == []
    assert found["passes"] > 15, "axe-core did not look at the page"
    assert found["errors"] == [], "the policy of the page forbade something, or its script failed"


@pytest.mark.parametrize("view", VIEWS)
def test_it_fits_the_screen(seen, view):
    found, shots, _ = seen
    assert found[view]["scroll"] <= found[view]["inner"]
    data = (shots / f"{view}.png").read_bytes()
    width, height = struct.unpack(">II", data[16:24])
    assert width == found[view]["inner"]
    assert height > 400


@pytest.mark.parametrize("view", VIEWS)
def test_everything_is_reached_by_keyboard_and_shows_it(seen, view):
    reached = seen[0][view]["reached"]
    tags = [each["tag"] for each in reached]
    assert tags.count("BUTTON") == len(NAMES)
    assert tags.count("INPUT") == 1
    assert tags.count("A") >= 2 * len(NAMES)
    assert all(each["outline"] != "none" for each in reached)


@pytest.mark.parametrize("view", VIEWS)
def test_the_line_to_copy_names_this_index(seen, view):
    found, _, address = seen
    line = found[view]["install"]
    assert line == f'await micropip.install("alpha==1.0", index_urls=["{address}/simple"])'
    assert found[view]["said"] in ("Copied.", "The line is selected; copy it with the keyboard.")
    assert found[view]["said"] == "Copied." or found[view]["selected"] == line


@pytest.mark.parametrize("view", VIEWS)
def test_the_filter_hides_what_has_another_name(seen, view):
    assert seen[0][view]["hidden"] == 0
