"""A page of one origin installs from an index that nginx serves at another: by micropip, and by loadPackage.

And a bundle of the same wheels runs in Chromium where there is no network at all.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import brotli
import httpx
import pytest
from browser_script import run_script
from packaging.utils import canonicalize_name
from web_servers import nginx

from emwheels import index
from emwheels.harness import Install, try_installs
from emwheels.image.model import Mount
from emwheels.pipeline.model import Options
from emwheels.pipeline.run import make_run, run_packages
from emwheels.pipeline.survey import survey
from emwheels.verify import verify, with_engines
from emwheels.wheel import record_sha256

pytestmark = [pytest.mark.image, pytest.mark.network, pytest.mark.timeout(2400)]

NAMES = ("numpy", "contourpy")
HEAVY = "opencv-python"
"""Takes part where it has been built; that alone would take longer than all other tests together."""
SUPPORT = Path(__file__).resolve().parents[1] / "support"
CODE = """
import contourpy, numpy
lines = contourpy.contour_generator(z=numpy.add.outer(numpy.arange(5.0), numpy.arange(5.0))).lines(3.5)
result = [numpy.__version__, contourpy.__version__, len(lines), float(lines[0].sum())]
"""


HEAVY_CODE = """
import cv2, numpy
picture = numpy.zeros((40, 60, 3), numpy.uint8)
cv2.circle(picture, (30, 20), 10, (255, 255, 255), -1)
contours, _ = cv2.findContours(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
result = [cv2.__version__, len(contours), cv2.boundingRect(contours[0])]
"""


@pytest.fixture(scope="module")
def wheels(environment):
    """Project -> its wheel, built if it is not in the store; but OpenCV only if it is there."""
    there = {
        outcome.name: outcome.state for outcome in survey(make_run(environment, [*NAMES, HEAVY], Options(test=False)))
    }
    names = [*NAMES, *([HEAVY] if there[HEAVY] == "reused" else [])]
    outcomes = run_packages(make_run(environment, names, Options(test=False)))
    assert all(outcome.error is None for outcome in outcomes), outcomes
    found = {outcome.name: outcome.output for outcome in outcomes}
    return {name: (environment.store.get("wheels", found[name].sha256), found[name]) for name in names}


@pytest.fixture
def heavy(wheels):
    """Skip where OpenCV has not been built."""
    if HEAVY not in wheels:
        pytest.skip(f"{HEAVY} is not in the store: emwheels build {HEAVY}")


@pytest.fixture(scope="module")
def site(environment, wheels, tmp_path_factory):
    """An index of the two with a lock, and one wheel precompressed as a stored one would be."""
    dist = tmp_path_factory.mktemp("published")
    release = index.read_release(environment.target, environment.runtime)
    for path, output in wheels.values():
        index.publish(dist, path, output.filename, release=release)
    path, output = wheels["contourpy"]
    (dist / "wheels" / f"{output.filename}.br").write_bytes(brotli.compress(path.read_bytes(), quality=5))
    return dist


@pytest.fixture(scope="module")
def address(service_image, site, tmp_path_factory):
    with nginx(service_image, site, tmp_path_factory.mktemp("nginx")) as running:
        yield running


@pytest.fixture(scope="module")
def files(testing_image, runtime, playwright_core, harness_wheels):
    return {
        "image": testing_image,
        "runtime": runtime,
        "playwright_core": playwright_core,
        "harness_wheels": harness_wheels,
    }


def came(done, wheels, names=NAMES):
    """Check that what was installed is, file by file, what was built; return the result of the code."""
    assert not done.error, done.traceback
    there = {canonicalize_name(name): found for name, found in done.distributions.items()}
    for name in names:
        path, output = wheels[name]
        assert there[name][1] == record_sha256(path), output.filename
    return done.result


def test_micropip_from_another_origin(files, address, wheels):
    """The page is on a port of the harness, the index on one of nginx: two origins."""
    install = Install(id="contourpy", requirement="contourpy", index_urls=(f"{address}/simple",), deps=True, code=CODE)
    (done,) = try_installs(**files, installs=[install], engines=["chromium-page"])
    numpy_version, contourpy_version, lines, _ = came(done, wheels)
    assert (numpy_version, contourpy_version) == (done.distributions["numpy"][0], done.distributions["contourpy"][0])
    assert lines == 1


def test_the_wheel_came_compressed(address, wheels):
    path, output = wheels["contourpy"]
    answer = httpx.get(f"{address}/wheels/{output.filename}", headers={"Accept-Encoding": "gzip, br"}, trust_env=False)
    assert answer.headers["content-encoding"] == "br"
    assert answer.content == path.read_bytes()


@pytest.mark.parametrize("engine", ["node", "chromium-page"])
def test_load_package_from_the_merged_lock(files, address, wheels, engine):
    install = Install(id="lock", requirement="contourpy", lock=True, code=CODE)
    lock = f"{address}/pyodide-lock.json"
    (done,) = try_installs(**files, installs=[install], engines=[engine], lock_url=lock)
    assert came(done, wheels)[2] == 1


@pytest.mark.parametrize("lock", [False, True], ids=["micropip", "loadPackage"])
def test_opencv_from_another_origin(files, address, wheels, heavy, lock):
    install = Install(
        id=HEAVY, requirement=HEAVY, index_urls=(f"{address}/simple",), deps=True, lock=lock, code=HEAVY_CODE
    )
    lock_url = f"{address}/pyodide-lock.json" if lock else ""
    (done,) = try_installs(**files, installs=[install], engines=["chromium-page"], lock_url=lock_url)
    version, contours, rectangle = came(done, wheels, ("numpy", HEAVY))
    assert wheels[HEAVY][1].filename.split("-")[1].startswith(version)
    assert (contours, rectangle) == (1, [20, 10, 21, 21])


def test_verification_passes(files, address, wheels, targets):
    """Every client but pip and uv, which have their own test, on the real wheels and the lock."""
    (report,) = verify(
        [f"{address}/simple"],
        target=targets.get(None),
        clients=("micropip-chromium",),
        engines=with_engines(**files),
    )
    assert report.findings == []
    assert {name: set(clients) for name, clients in report.projects.items()} == {
        name: {"micropip-chromium", "loadpackage-chromium"} for name in wheels
    }


def test_a_bundle_runs_in_a_browser_without_network(testing_image, playwright_core, site, wheels, tiny_project):
    """From Python's own web server, in a folder below its root, in a sandbox that has loopback and nothing else."""
    shutil.copytree(site, tiny_project.dist)
    made = tiny_project.root / "made" / "my app"
    done = tiny_project.run("bundle", "-o", str(made), "contourpy", "--offline")
    assert done.status == 0, done.err
    (made / "main.py").write_text(f"{CODE}\nimport micropip\nprint(result)\n")
    seen = run_script(
        testing_image,
        playwright_core,
        *("bundle_check.mjs", "/mnt/bundle/app"),
        mounts=[Mount(host=made, inside="/mnt/bundle/app")],
        network=False,
    )
    versions = [wheels[name][1].filename.split("-")[1] for name in NAMES]
    assert (seen["status"], seen["errors"]) == ("Done.", []), seen
    assert seen["output"].startswith(str(versions)[:-1]), seen["output"]
    assert all(url.startswith("http://127.0.0.1:8000/app/") for url in seen["asked"]), seen["asked"]
    assert {Path(url).name for url in seen["asked"]} >= {
        "pyodide.asm.wasm",
        *(wheels[name][1].filename for name in NAMES),
    }
