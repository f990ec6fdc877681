"""loadPackage from the merged lock, and a bundle, in real engines with the wheels that are built here."""

from __future__ import annotations

import json
import tempfile
from importlib.resources import as_file, files
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from emwheels import index
from emwheels.bundle import make_bundle
from emwheels.bundle.resolve import Finder
from emwheels.errors import UsageError
from emwheels.image.model import Mount
from emwheels.index.folder import Folder
from emwheels.index.update import read_catalogue
from emwheels.pipeline import Options

pytestmark = [pytest.mark.image, pytest.mark.network, pytest.mark.timeout(1800)]

HERE = Path(__file__).parent
CODE = """
import json, contourpy, numpy
lines = contourpy.contour_generator(z=numpy.array([[0.0, 1.0], [1.0, 2.0]])).lines(0.5)
json.dumps({"numpy": numpy.__version__, "contourpy": contourpy.__version__, "points": len(lines[0])})
"""
PAGE = """<!DOCTYPE html><html><body><p id="status"></p><pre id="output"></pre><script type="module">
import {{ loadPyodide }} from "/pyodide/pyodide.mjs";
const at = new URLSearchParams(location.search).get("index");
const show = (id, text) => {{ document.getElementById(id).textContent = text; }};
try {{
  const pyodide = await loadPyodide({{ indexURL: "/pyodide/", lockFileURL: `${{at}}/site/pyodide-lock.json` }});
  await pyodide.loadPackage("contourpy");
  show("output", await pyodide.runPythonAsync({code}));
  show("status", "Done.");
}} catch (error) {{ show("output", error.message); show("status", "Failed."); }}
</script></body></html>"""
PROGRAM = """
import {{ loadPyodide }} from "/mnt/pyodide/pyodide.mjs";
export default async function ({{ index }}) {{
  const pyodide = await loadPyodide({{ indexURL: "/mnt/pyodide/", lockFileURL: `${{index}}/site/pyodide-lock.json` }});
  await pyodide.loadPackage("contourpy");
  return pyodide.runPythonAsync({code});
}}
"""


@pytest.fixture(scope="module")
def built(pipeline):
    """The wheels of numpy and contourpy, as they are built here."""
    outcomes = pipeline.run(["contourpy"], Options(test=False))
    for outcome in outcomes:
        assert outcome.error is None, outcome.error.message
    return {outcome.name: outcome.output for outcome in outcomes if outcome.output.kind == "wheels"}


@pytest.fixture(scope="module")
def site(pipeline, built, tmp_path_factory):
    """An index of those wheels, with a lock for the target."""
    folder = tmp_path_factory.mktemp("site") / "dist"
    for output in built.values():
        index.publish(folder, pipeline.store.get("wheels", output.sha256), output.filename, release=pipeline.release)
    return folder


@pytest.fixture
def load(image, runtime, playwright_core, tmp_path):
    """A function that runs loading.mjs inside the image and returns what it printed."""

    def load(job, mounts):
        with as_file(files("emwheels.harness")) as harness, tempfile.TemporaryFile() as output:
            done = image.run(
                ["node", "/mnt/loading/loading.mjs", json.dumps({"seconds": 300, **job})],
                mounts=[
                    Mount(host=runtime, inside="/mnt/pyodide"),
                    Mount(host=playwright_core, inside="/mnt/playwright-core"),
                    Mount(host=harness, inside="/mnt/harness"),
                    Mount(host=HERE, inside="/mnt/loading"),
                    *mounts,
                ],
                env={**dict(image.environment), "HOME": "/tmp"},
                output=output,
                seconds=400,
            )
            output.seek(0)
            said = output.read().decode()
        assert done.status == 0, said
        return json.loads(said[said.index("{") :])

    return load


def expected(built):
    versions = {name: output.filename.split("-")[1] for name, output in built.items()}
    return {"numpy": versions["numpy"], "contourpy": versions["contourpy"], "points": 2}


def test_load_package_in_chromium_from_another_origin(load, site, built, tmp_path):
    (tmp_path / "index.html").write_text(PAGE.format(code=json.dumps(CODE)))
    job = {"app": {"/pyodide/": "/mnt/pyodide", "/app/": "/mnt/app"}, "index": {"/site/": "/mnt/site"}}
    mounts = [Mount(host=site, inside="/mnt/site"), Mount(host=tmp_path, inside="/mnt/app")]
    result = load({**job, "page": "/app/index.html"}, mounts)
    assert result["status"] == "Done.", result
    assert json.loads(result["output"]) == expected(built)
    wheels = [url for url in result["asked"] if url.endswith(".whl")]
    assert len(wheels) == 2
    assert all(url.startswith(f"{result['index']}/site/wheels/") for url in wheels)


def test_load_package_in_node(load, site, built, tmp_path):
    (tmp_path / "program.mjs").write_text(PROGRAM.format(code=json.dumps(CODE)))
    result = load(
        {"app": {}, "index": {"/site/": "/mnt/site"}, "program": "/mnt/app/program.mjs"},
        [Mount(host=site, inside="/mnt/site"), Mount(host=tmp_path, inside="/mnt/app")],
    )
    assert json.loads(result["output"]) == expected(built)


def test_a_bundle_runs_from_any_folder_of_a_server_and_asks_nobody_else(load, pipeline, site, built, tmp_path):
    def nobody(name):
        raise AssertionError(f"{name} was looked for outside of the index")

    finder = Finder(
        release=pipeline.release, catalogue=read_catalogue(Folder(site)), dist=site, offers=nobody, fetch=nobody
    )
    bundle = make_bundle(
        tmp_path / "app",
        [Requirement("contourpy")],
        runtime=pipeline.toolchain.runtime,
        release=pipeline.release,
        finder=finder,
        extra=[path for path in pipeline.harness_wheels if path.name.startswith(("micropip-", "packaging-"))],
    )
    assert [wheel.name for wheel in bundle.wheels] == ["contourpy", "numpy"]
    main = bundle.folder / "main.py"
    main.write_text(main.read_text() + "import micropip\nprint(micropip.list()['contourpy'].version)\n")
    result = load(
        {"app": {"/some/deep/path/": "/mnt/bundle"}, "index": {}, "page": "/some/deep/path/index.html"},
        [Mount(host=bundle.folder, inside="/mnt/bundle")],
    )
    assert result["status"] == "Done.", result
    version = expected(built)["contourpy"]
    assert result["output"].splitlines() == [f"contourpy {version}", version]
    here = f"{result['app']}/some/deep/path/"
    assert all(url.startswith(here) or url.endswith("/favicon.ico") for url in result["asked"])
    with pytest.raises(UsageError, match="is there already"):
        make_bundle(bundle.folder, [], runtime=tmp_path, release=pipeline.release, finder=finder)


def test_pyodide_lock_reads_the_lock(image, site):
    """The library whose format it is (0.2.1, in the image) reads it, and finds the names of its wheels right."""
    code = (
        "import json, pathlib, pyodide_lock\n"
        "spec = pyodide_lock.PyodideLockSpec.from_json(pathlib.Path('/mnt/site/pyodide-lock.json'))\n"
        "ours = {name: entry for name, entry in spec.packages.items() if entry.file_name.startswith('wheels/')}\n"
        "print(json.dumps({name: [entry.version, entry.depends, entry.imports] for name, entry in ours.items()}))\n"
    )
    with tempfile.TemporaryFile() as output:
        done = image.run(
            ["/opt/emwheels/python3.14/bin/python3.14", "-c", code],
            mounts=[Mount(host=site, inside="/mnt/site")],
            output=output,
            seconds=120,
        )
        output.seek(0)
        said = output.read().decode()
    assert done.status == 0, said
    ours = json.loads(said.splitlines()[-1])
    assert ours["contourpy"][1:] == [["numpy"], ["contourpy"]]
    assert ours["numpy"][1:] == [[], ["numpy"]]
