"""A page of one origin installs from an index that nginx serves at another: by micropip, and by loadPackage."""

from __future__ import annotations

import brotli
import httpx
import pytest
from web_servers import nginx

from emwheels import index
from emwheels.harness import Install, try_installs
from emwheels.package import Options
from emwheels.verify import verify, with_engines
from emwheels.verify.files import record_of

pytestmark = [pytest.mark.image, pytest.mark.network, pytest.mark.timeout(2400)]

NAMES = ("numpy", "contourpy")
CODE = """
import contourpy, numpy
lines = contourpy.contour_generator(z=numpy.add.outer(numpy.arange(5.0), numpy.arange(5.0))).lines(3.5)
result = [numpy.__version__, contourpy.__version__, len(lines), float(lines[0].sum())]
"""


@pytest.fixture(scope="module")
def wheels(pipeline):
    """Project -> its wheel, built if it is not in the store."""
    outcomes = pipeline.run(list(NAMES), Options(test=False))
    assert all(outcome.error is None for outcome in outcomes), outcomes
    found = {outcome.name: outcome.output for outcome in outcomes}
    return {name: (pipeline.store.get("wheels", found[name].sha256), found[name]) for name in NAMES}


@pytest.fixture(scope="module")
def site(pipeline, wheels, tmp_path_factory):
    """An index of the two with a lock, and one wheel precompressed as a stored one would be."""
    dist = tmp_path_factory.mktemp("published")
    release = index.read_release(pipeline.target, pipeline.toolchain.runtime)
    for path, output in wheels.values():
        index.publish(dist, path, output.filename, release=release)
    path, output = wheels["contourpy"]
    (dist / "wheels" / f"{output.filename}.br").write_bytes(brotli.compress(path.read_bytes(), quality=5))
    return dist


@pytest.fixture(scope="module")
def address(image, site, tmp_path_factory):
    with nginx(image, site, tmp_path_factory.mktemp("nginx")) as running:
        yield running


@pytest.fixture(scope="module")
def files(image, runtime, playwright_core, harness_wheels):
    return {
        "image": image,
        "runtime": runtime,
        "playwright_core": playwright_core,
        "harness_wheels": harness_wheels,
    }


def came(done, wheels):
    """Check that what was installed is, file by file, what was built; return the result of the code."""
    assert not done.error, done.traceback
    for name, (path, output) in wheels.items():
        assert done.distributions[name][1] == record_of(path), output.filename
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


def test_verification_passes(files, address, targets):
    """Every client but pip and uv, which have their own test, on the real wheels and the lock."""
    (report,) = verify(
        [f"{address}/simple"],
        target=targets.get(None),
        clients=("micropip-chromium",),
        engines=with_engines(**files),
    )
    assert report.findings == []
    assert {name: set(clients) for name, clients in report.projects.items()} == {
        name: {"micropip-chromium", "loadpackage-chromium"} for name in NAMES
    }
