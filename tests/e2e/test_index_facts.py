"""What real clients make of a published, closed index: which wheel they take, and that nothing comes from elsewhere."""

from __future__ import annotations

import http.server
import json
from functools import partial

import pytest
from loopback import serving
from synthetic_wheels import WASM, make_wheel

from emwheels import index
from emwheels.harness import Install, try_installs
from emwheels.index.places.folder import Folder
from emwheels.index.publishing import publish_to
from emwheels.verify import verify, with_engines

pytestmark = [pytest.mark.image, pytest.mark.timeout(1200)]

FORMER = "cp314-cp314-pyodide_2026_0_wasm32"
IMPORTS = """
from pyodide.ffi import run_sync
import pyodide_js
run_sync(pyodide_js.loadPackagesFromImports("import shared.two"))
import shared.two
from importlib.metadata import distributions
result = [shared.two.VALUE, sorted(each.name for each in distributions() if each.name.startswith("shared"))]
"""


def said(value):
    return f"VALUE = {value!r}\n"


def wheels(folder):
    """Small wheels of every kind that a client may choose wrongly."""
    several = {"several.py": ""}
    for tag, what in ((WASM, "compiled"), ("py3-none-any", "pure")):
        yield make_wheel(folder, "several", tag=tag, files=several | {"several.py": said(what)})
    for build in ("2", "10"):
        name = f"numbered-1.0-{build}-{WASM}.whl"
        yield make_wheel(folder, "numbered", tag=WASM, files={"numbered.py": said(build)}, filename=name)
    yield make_wheel(folder, "former", tag=FORMER, files={"former.py": said("former")})
    yield make_wheel(folder, "ring_a", tag=WASM, requires=["ring-b"])
    yield make_wheel(folder, "ring_b", tag=WASM, requires=["ring-a"])
    yield make_wheel(folder, "shared_one", tag=WASM, files={"shared/one.py": said(1)})
    yield make_wheel(folder, "shared_two", tag=WASM, files={"shared/two.py": said(2)})
    yield make_wheel(folder, "later", "1.0", tag=WASM, files={"later.py": said("1.0")})
    yield make_wheel(folder, "later", "2.0", requires_python=">=3.15", files={"later.py": said("2.0")})


class _NoSlash(http.server.SimpleHTTPRequestHandler):
    """A static host that answers ``simple/NAME`` with the page, and redirects nowhere."""

    def translate_path(self, path):
        found = super().translate_path(path)
        return found.rstrip("/") + "/index.html" if "/simple/" in path else found

    def end_headers(self):
        self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()

    def guess_type(self, path):
        return "text/html" if str(path).endswith(".html") else super().guess_type(path)

    def log_message(self, *_arguments):
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory, environment):
    """A published index in a folder of a host, and its address."""
    root = tmp_path_factory.mktemp("site")
    release = index.read_release(environment.target, environment.runtime)
    for wheel in wheels(tmp_path_factory.mktemp("made")):
        index.publish(root / "dist", wheel, wheel.name, release=release)
    with serving(partial(_NoSlash, directory=str(root))) as address:
        publish_to(Folder(root / "dist"), Folder(root / "team"), base_url=f"{address}/team/")
        yield root / "team", f"{address}/team"


@pytest.fixture(scope="module")
def files(testing_image, runtime, playwright_core, harness_wheels):
    """What the harness needs to start an engine."""
    return {
        "image": testing_image,
        "runtime": runtime,
        "playwright_core": playwright_core,
        "harness_wheels": harness_wheels,
    }


@pytest.fixture(scope="module")
def tried(site, files):
    """What came of each installation, by client and project; one start of Node for all."""
    _, address = site

    def value(name):
        return f"import {name}\nresult = {name}.VALUE"

    names = ("several", "numbered", "former")
    installs = [
        Install(
            id=f"micropip {name}",
            requirement=name,
            index_urls=(f"{address}/simple/{{package_name}}",),
            code=value(name),
        )
        for name in names
    ]
    codes = {name: value(name) for name in (*names, "later")}
    codes["ring-a"] = "import ring_a, ring_b\nresult = 'both'"
    locked = [Install(id=f"lock {name}", requirement=name, lock=True, code=code) for name, code in codes.items()]
    spaces = [Install(id="imports", requirement="former", lock=True, code=IMPORTS)]
    done = try_installs(installs=installs, engines=["node"], **files)
    done += try_installs(
        installs=[*locked, *spaces], lock_url=f"{address}/pyodide-lock.json", engines=["node"], **files
    )
    return {each.id: each for each in done}


@pytest.mark.parametrize(("project", "value"), [("several", "compiled"), ("numbered", "10"), ("former", "former")])
def test_micropip_and_the_lock_take_the_same_wheel(tried, project, value):
    """The page is found without a slash, too, at an address below a folder: its links are absolute."""
    found = {client: tried[f"{client} {project}"] for client in ("micropip", "lock")}
    assert {client: (each.error, each.result) for client, each in found.items()} == {
        "micropip": ("", value),
        "lock": ("", value),
    }


def test_the_lock_takes_none_that_is_for_a_later_python(tried):
    assert (tried["lock later"].error, tried["lock later"].result) == ("", "1.0")


def test_a_circle_is_loaded_to_its_end(tried):
    assert (tried["lock ring-a"].error, tried["lock ring-a"].result) == ("", "both")


def test_a_module_of_a_shared_namespace_is_found_and_no_other_is_loaded(tried):
    assert (tried["imports"].error, tried["imports"].result) == ("", [2, ["shared_two"]])


def test_piplite_s_list_has_what_the_lock_has(site):
    folder, _ = site
    found = json.loads((folder / "all.json").read_bytes())
    (artifact,) = found["several"]["releases"]["1.0"]
    assert artifact["filename"] == f"several-1.0-{WASM}.whl"
    assert (folder / artifact["url"]).is_file()
    assert set(found) == set(json.loads((folder / "pyodide-lock.json").read_bytes())["packages"])


def test_verification_tells_an_open_index_from_a_closed_one(tmp_path, environment, files):
    """micropip installs with what is needed and imports it; loadPackage, by the lock, does the same."""
    release = index.read_release(environment.target, environment.runtime)
    app = make_wheel(tmp_path, "app", tag=WASM, requires=["lib>=1"], files={"app.py": "import lib\n"})
    for name, there in (("open", [app]), ("closed", [app, make_wheel(tmp_path, "lib", "1.5")])):
        for wheel in there:
            index.publish(tmp_path / f"dist-{name}", wheel, wheel.name, release=release)
        publish_to(Folder(tmp_path / f"dist-{name}"), Folder(tmp_path / "www" / name), opened=name == "open")
    engines = with_engines(**files)
    with serving(partial(_NoSlash, directory=str(tmp_path / "www"))) as address:
        urls = [f"{address}/{name}/simple" for name in ("open", "closed")]
        found = verify(urls, target=environment.target, clients=["micropip-node"], engines=engines)
    telling = {"requirement", "micropip-node", "loadpackage-node", "lock-foreign", "lock-older"}
    opened, closed = ({fault.check: fault.message for fault in report.findings} for report in found)
    assert opened.keys() & telling == {"requirement", "micropip-node", "lock-foreign"}
    assert opened["requirement"] == f"{app.name} needs lib>=1, and the index has no lib"
    assert "lib" in opened["micropip-node"]
    assert closed.keys() & telling == set(), closed
    assert found[1].projects == {
        "app": {"micropip-node": "1.0", "loadpackage-node": "1.0"},
        "lib": {"micropip-node": "1.5", "loadpackage-node": "1.5"},
    }
