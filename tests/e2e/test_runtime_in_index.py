"""A page that loads Pyodide and its packages from one published address, in Chromium without any network."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from browser_script import run_script
from synthetic_wheels import WASM, make_wheel

from emwheels import index
from emwheels.image.model import Mount
from emwheels.index.places.folder import Folder
from emwheels.index.publishing import publish_to
from emwheels.index.runtime import read_runtime

pytestmark = [pytest.mark.image, pytest.mark.network, pytest.mark.timeout(1800)]

PAGE = """<!DOCTYPE html><meta charset="utf-8"><p id="status"></p><pre id="output"></pre>
<script type="module">
const show = (id, text) => { document.getElementById(id).textContent = text; };
try {
  const { loadPyodide, version } = await import("./pyodide/v@NAME@/full/pyodide.mjs");
  const pyodide = await loadPyodide();
  await pyodide.loadPackage("app");
  show("output", `${version} ` + pyodide.runPython("import app\\nf'{app.VALUE} {app.lib.VALUE}'"));
  show("status", "Done.");
} catch (error) {
  show("output", error.stack);
  show("status", "Failed.");
}
</script>
"""


@pytest.mark.parametrize("number", [0, 1], ids=["the target's own", "the oldest with its ABI"])
def test_a_page_needs_one_address(number, environment, testing_image, playwright_core, tmp_path):
    name, (purl, sha256) = list(environment.target.packages_of_runtimes().items())[number]
    release = index.read_release(environment.target, environment.runtime)
    app = {"app.py": "import lib\nVALUE = 'app'\n"}
    for wheel in (
        make_wheel(tmp_path / "made", "app", tag=WASM, requires=["lib"], files=app),
        make_wheel(tmp_path / "made", "lib", files={"lib.py": "VALUE = 'lib'\n"}),
    ):
        index.publish(tmp_path / "dist", wheel, wheel.name, release=release)
    package = environment.npm_package(purl, sha256)
    runtime = read_runtime(name, release, package, environment.project.cache / "compressed")
    www = Folder(tmp_path / "www")
    publish_to(Folder(tmp_path / "dist"), www, runtimes=[runtime])
    (www.root / "index.html").write_text(PAGE.replace("@NAME@", name))
    seen = run_script(
        testing_image,
        playwright_core,
        *("bundle_check.mjs", "/mnt/site/team"),
        mounts=[Mount(host=www.root, inside="/mnt/site/team")],
        network=False,
    )
    assert (seen["status"], seen["output"], seen["errors"]) == ("Done.", f"{name} app lib", []), seen
    assert {urlsplit(url).netloc for url in seen["asked"]} == {"127.0.0.1:8000"}
    assert all(urlsplit(url).path.startswith("/team/") for url in seen["asked"])
