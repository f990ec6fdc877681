"""The demo in Chromium, on the wheels of the recipes: what it answers, keeps, survives and looks like.

Skipped where the cache has no wheel of opencv-python, which takes 25 minutes to compile.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import time
from pathlib import Path
from threading import Thread

import cv2
import numpy as np
import pytest
import steps
from demo_browser import drive, requests, served
from demo_inputs import huge_png, unknown_operator
from demo_programs import CLASSIFY, READ, natively

from build_site import MANIFEST, RECIPES, build_site, manifest
from emwheels.pipeline.model import Options
from emwheels.pipeline.run import make_run
from emwheels.pipeline.survey import survey
from inkreader import ENGINES, TASKS
from sample_pages import encoded, page
from train_models import digits_data

pytestmark = [pytest.mark.image, pytest.mark.network, pytest.mark.timeout(900)]

OPENCV_JS = (
    "pkg:npm/%40techstark/opencv-js@5.0.0-release.1",
    "5f2289421462489de42444d8ddc59ed035de13458fd8d9d390616f9c53b35434",
)
SUPPORT = Path(__file__).resolve().parents[1] / "support" / "demo"
BYTES = 1080 * 1920 * 3
"""Of a picture's pixels."""


@pytest.fixture(scope="module")
def site(environment, tmp_path_factory):
    missing = [each.name for each in survey(make_run(environment, RECIPES, Options())) if each.state == "missing"]
    if missing:
        pytest.skip(f"not in the cache: {', '.join(missing)}; nox -s build-package -- {' '.join(missing)}")
    folder = tmp_path_factory.mktemp("demo") / "site"
    build_site(folder, environment)
    return folder


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Pictures of three formats, and the digits that were held out."""
    folder = tmp_path_factory.mktemp("inputs")
    for seed, suffix in ((3, ".png"), (4, ".jpg"), (5, ".webp")):
        (folder / f"page-{seed}{suffix}").write_bytes(encoded(seed, suffix)[0])
    _, held, _, labels = digits_data()
    np.save(folder / "held.npy", held[:, np.newaxis])
    np.save(folder / "labels.npy", labels)
    return folder


@pytest.fixture(scope="module")
def bench(site, inputs, tmp_path_factory):
    """The site with what the programs need beside it."""
    folder = tmp_path_factory.mktemp("bench") / "site"
    shutil.copytree(site, folder)
    shutil.copytree(inputs, folder / "inputs")
    (folder / "blank.html").write_text("<!doctype html><title>blank</title>")
    return folder


@pytest.fixture(scope="module")
def run(bench, environment, tmp_path_factory):
    """A function that runs a Python program in a page, with the inputs on Pyodide's file system."""
    folder = tmp_path_factory.mktemp("python")

    def run(code):
        files = [f"inputs/{path.name}" for path in (bench / "inputs").iterdir()]
        given = {"code": code, "files": files, "packages": ["inkreader", "onnxruntime"]}
        with served(bench, folder / "requests.log") as address:
            return drive(environment, "python", address, folder, given)["result"]

    return run


def test_the_answers_are_those_of_native_python(run, inputs):
    names = sorted(path.name for path in inputs.iterdir() if path.name.startswith("page-"))
    program = f"NAMES = {names!r}\n{READ}"
    browser, native = run(program), natively(program, inputs)
    assert len(native) == 3 * len(TASKS) * len(ENGINES)
    for case, theirs in native.items():
        ours = browser[case]
        assert ours["text"] == theirs["text"], case
        assert [(each["label"], each["box"]) for each in ours["digits"]] == [
            (each["label"], each["box"]) for each in theirs["digits"]
        ], case
        assert len(theirs["contours"]) >= 8
        assert ours["contours"] == theirs["contours"], case
        drawn = [
            cv2.imdecode(np.frombuffer(base64.b64decode(each["picture"]), np.uint8), cv2.IMREAD_COLOR).astype(int)
            for each in (ours, theirs)
        ]
        assert np.abs(drawn[0] - drawn[1]).max() <= 1, case


def test_both_engines_give_the_same_classes(run, inputs, capsys):
    found = {engine: np.array(rows, np.float32) for engine, rows in run(CLASSIFY).items()}
    native = {engine: np.array(rows, np.float32) for engine, rows in natively(CLASSIFY, inputs).items()}
    labels = np.load(inputs / "labels.npy")
    assert len(labels) >= 500
    classes = found["opencv"].argmax(axis=1)
    for engine in ENGINES:
        assert np.abs(found[engine] - found["opencv"]).max() < 1e-4
        assert np.abs(found[engine] - native[engine]).max() < 1e-4
        assert (found[engine].argmax(axis=1) == classes).all()
    with capsys.disabled():
        print(f"\naccuracy of both engines in Chromium over {len(labels)} digits: {(classes == labels).mean():.2%}")
    assert (classes == labels).mean() > 0.98


@pytest.fixture(scope="module")
def visits(site, environment, tmp_path_factory):
    """What the visits found, and what each asked of the server: name -> list of path and status."""
    folder = tmp_path_factory.mktemp("visits")
    here = folder / "site"
    shutil.copytree(site, here)
    Thread(target=change, args=(here, folder / "update"), daemon=True).start()
    log = folder / "requests.log"
    with served(here, log) as address:
        found = drive(environment, "visits", address, folder, {"update": True})
    asked, at = {}, None
    for path, status in requests(log):
        if path.startswith("/marker-"):
            at = path.removeprefix("/marker-")
        elif at:
            asked.setdefault(at, []).append((path, status))
    return found, asked


def change(site, signal):
    """Publish a new style sheet as soon as ``signal`` is there, and say so in it."""
    while not signal.exists():
        time.sleep(0.1)
    (site / "style.css").write_text((site / "style.css").read_text() + "\n/* a new version */\n")
    (site / MANIFEST).write_text(json.dumps(manifest(site)))
    signal.write_text("done")


def fetched(asked):
    """Return what had a body."""
    return [path for path, status in asked if status == 200]


def test_the_second_visit_downloads_nothing(visits, capsys):
    found, asked = visits
    assert "/pyodide/pyodide.asm.wasm" in fetched(asked["first"])
    assert fetched(asked["second"]) == []
    assert found["first"]["answer"]["text"] == found["second"]["answer"]["text"] == "98739243"
    wanted = {"prepare", "download", "start Python", "install packages", "import the program", "read kept files"}
    assert wanted == set(found["first"]["stages"]) == set(found["second"]["stages"])
    with capsys.disabled():
        for visit in ("first", "second"):
            print(f"\n{visit} visit: {found[visit]['milliseconds']} {found[visit]['stages']}", end="")


def test_what_was_kept_of_python_may_be_damaged(visits):
    found, _ = visits
    assert found["damaged"]["spoiled"] == 2
    assert found["damaged"]["reloaded"]["text"] == "98739243"


def test_an_update_fetches_only_what_changed(visits):
    found, asked = visits
    assert set(fetched(asked["update"])) <= {"/style.css", f"/{MANIFEST}"}
    assert "/style.css" in fetched(asked["update"])
    assert not found["update"]["answer"]["trouble"]


def test_an_engine_is_fetched_when_it_is_chosen(visits):
    found, asked = visits
    assert sorted(fetched(asked["engine"])) == [
        "/onnxruntime-web/ort-wasm-simd-threaded.wasm",
        "/onnxruntime-web/ort.wasm.bundle.min.mjs",
    ]
    assert found["engine"]["other"]["text"] == found["engine"]["answer"]["text"]
    assert found["engine"]["clean"]["text"].endswith("% ink")


def test_earlier_answers_are_there_at_the_next_visit_and_everything_can_be_removed(visits):
    found, _ = visits
    assert [found[visit]["history"] for visit in ("first", "second", "offline")] == [1, 2, 3]
    assert found["removed"]["left"] == {"caches": [], "workers": 0, "databases": 0}


def test_the_same_steps_in_opencv_js(bench, environment, tmp_path):
    peer = environment.npm_package(*OPENCV_JS)
    shutil.copyfile(peer / "dist" / "opencv.js", bench / "opencv.js")
    shutil.copyfile(SUPPORT / "steps.py", bench / "steps.py")
    pixels = page(3)[0]
    (bench / "pixels.bin").write_bytes(pixels.tobytes())
    with served(bench, tmp_path / "requests.log") as address:
        found = drive(environment, "steps", address, tmp_path, {"rounds": 3})
    ramp = bytes(number * 7 % 256 for number in range(108 * 192))
    native = hashlib.sha256(steps.after(ramp).tobytes()).hexdigest()
    for engine in ("cv2 in Python", "opencv.js"):
        assert found["before"][engine]["answer"] == steps.before(pixels.tobytes())
        assert found["after"][engine]["answer"] == native
        assert BYTES <= found["before"][engine]["copied"] < 1.02 * BYTES
        assert BYTES <= found["after"][engine]["copied"] < 1.02 * BYTES


def test_offline(visits):
    found, asked = visits
    # Whether the browser looks for a newer worker before the visit ends is its own affair.
    assert [path for path, _ in asked.get("offline", []) if path != "/sw.js"] == []
    assert found["offline"]["answer"]["text"] == found["offline"]["reloaded"]["text"] == "98739243"


@pytest.fixture(scope="module")
def trouble(site, environment, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trouble")
    (folder / "letter.txt").write_text("Dear Sir or Madam")
    (folder / "huge.png").write_bytes(huge_png(12_000))
    (folder / "broken.onnx").write_bytes(b"this is no model")
    (folder / "operator.onnx").write_bytes(unknown_operator())
    with served(site, folder / "requests.log") as address:
        return drive(environment, "trouble", address, folder)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("letter.txt", "letter.txt: This file is not a picture that can be read."),
        ("huge.png", "huge.png: The picture is too large: more than 50 million pixels."),
        ("broken.onnx", "cannot use this model: it is damaged"),
        ("operator.onnx", "does not know an operator that this model uses"),
    ],
)
def test_wrong_files(trouble, name, engine, words):
    said = trouble["wrong"][f"{name} {engine}"]
    assert said["trouble"]
    assert words in said["said"]
    assert "Traceback" not in said["said"]
    assert said["then"]["text"] == "98739243"


def test_storage_full(trouble):
    assert "There is no room left" in trouble["full"]["said"]
    assert trouble["full"]["then"]["text"] == "98739243"


def test_storage_denied(trouble):
    assert trouble["denied"]["denied"], "the browser gave the page a database"
    assert "does not let the page keep" in trouble["denied"]["said"]
    assert trouble["denied"]["then"]["text"] == "98739243"


@pytest.fixture(scope="module")
def ways(site, environment, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ways")
    (folder / "page.png").write_bytes(encoded(5)[0])
    with served(site, folder / "requests.log") as address:
        return drive(environment, "ways", address, folder), folder


@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_every_way_to_give_a_picture(ways, size):
    found = ways[0][size]
    assert found["sample"]["text"] == "98739243"
    assert found["drawing"]["text"] == "7"
    assert found["drop"]["text"] == "".join(map(str, page(5)[1]))
    assert not found["camera"]["trouble"]
    assert found["chosen"]["text"].endswith("% ink")
    assert found["errors"] == []


@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_it_fits_the_screen(ways, size):
    inner, scroll = ways[0][size]["layout"]
    assert scroll <= inner
    data = (ways[1] / f"{size}.jpg").read_bytes()
    height, width = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape[:2]
    assert width == {"phone": 585, "desktop": 1280}[size]
    assert height >= 900
    assert len(data) < 200_000
