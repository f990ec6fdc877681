"""The onnxruntime for Pyodide in Chromium, held against the native one on the same models."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from demo_browser import drive, served
from onnx import TensorProto, helper, numpy_helper
from onnx_cases import PROGRAM, make_cases, read_bytes, run_cases

from build_site import build_site

pytestmark = [pytest.mark.image, pytest.mark.network, pytest.mark.timeout(1200)]

SUPPORT = Path(__file__).resolve().parents[1] / "support"
LARGE = 4 << 20
"""Bytes of an input and of an output, when copies are counted."""

PROBE = """
import asyncio, json, os, warnings
import js, numpy as np, onnxruntime as ort
from pyodide.ffi import create_proxy
from onnxruntime.capi import onnxruntime_pybind11_state as state

def raised(function, *arguments, **options):
    try:
        function(*arguments, **options)
    except Exception as error:
        return [type(error).__name__, str(error)]

found = {"version": ort.__version__, "providers": ort.get_available_providers(), "device": ort.get_device()}

# Copies of one run, with arrays that are large beside everything else.
session = ort.InferenceSession("negative.onnx")
batch = np.arange(SIZE // 4, dtype=np.float32)
session.run(None, {"given": batch[:1]})
before = js.copied
(negative,) = session.run(None, {"given": batch})
found["copied"] = js.copied - before
assert (negative == -batch).all()
strided = np.arange(10, dtype=np.float32)[::2]
found["strided"] = session.run(None, {"given": strided})[0].tolist()
found["awaited"] = (await session.arun(None, {"given": strided}))[0].tolist()
again = await ort.InferenceSession.acreate("negative.onnx")
found["session providers"] = again.get_providers()

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    other = ort.InferenceSession("negative.onnx", providers=["CUDAExecutionProvider", "CPUExecutionProvider"])
found["cuda"] = [str(each.message) for each in caught], other.get_providers()

# External data: found beside the file, given as bytes, given as a URL, and missing.
feed = {"given": np.ones((1, 1024), np.float32)}
found["beside"] = float(ort.InferenceSession("external.onnx").run(None, feed)[0].sum())
model, weights = open("external.onnx", "rb").read(), open("weights.bin", "rb").read()
for name, buffer in (("bytes", weights), ("url", js.location.origin + "/cases/weights.bin")):
    options = ort.SessionOptions()
    options.add_external_initializers_from_files_in_memory(["weights.bin"], [buffer], [len(weights)])
    found[name] = float(ort.InferenceSession(model, options).run(None, feed)[0].sum())
found["without"] = raised(ort.InferenceSession, model)

found["no file"] = raised(ort.InferenceSession, "nowhere.onnx")
found["empty"] = raised(ort.InferenceSession, b"")
found["complex"] = raised(session.run, None, {"given": np.ones(2, np.complex64)})

ort._session.LARGEST = 10
found["huge"] = raised(ort.InferenceSession, "negative.onnx")
ort._session.LARGEST = 2**31 - 1
plain = create_proxy(lambda _: str(raised(ort.InferenceSession, "negative.onnx")))
found["cannot wait"] = await js.Promise.resolve(0).then(plain)
json.dumps(found)
"""


ON_GPU = """
import json, numpy as np, onnxruntime as ort
session = ort.InferenceSession("external.onnx")
feed = {"given": np.random.default_rng(1).random((3, 1024), np.float32)}
cpu = ort.InferenceSession("external.onnx", providers=["CPUExecutionProvider"])
difference = abs(session.run(None, feed)[0] - cpu.run(None, feed)[0]).max()
json.dumps([ort.get_available_providers(), session.get_providers(), cpu.get_providers(), float(difference)])
"""


@pytest.fixture(scope="module")
def site(environment, tmp_path_factory):
    """A site without OpenCV, whose `cases` are models."""
    folder = tmp_path_factory.mktemp("demo") / "site"
    build_site(folder, environment, ("numpy",))
    (folder / "blank.html").write_text("<!doctype html><title>blank</title>")
    cases = folder / "cases"
    cases.mkdir()
    shutil.copyfile(SUPPORT / "onnx_cases.py", cases / "onnx_cases.py")

    def write(name, data):
        (cases / name).write_bytes(data)
        return name

    (cases / "cases.json").write_text(json.dumps(make_cases(write)))
    write("negative.onnx", negative().SerializeToString())
    onnx.save_model(
        external(), cases / "external.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    return folder


def negative():
    given, made = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N"]) for name in ("given", "made"))
    graph = helper.make_graph([helper.make_node("Neg", ["given"], ["made"])], "negative", [given], [made])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)


def external():
    given = helper.make_tensor_value_info("given", TensorProto.FLOAT, ["N", 1024])
    made = helper.make_tensor_value_info("made", TensorProto.FLOAT, ["N", 8])
    weights = numpy_helper.from_array(np.full((1024, 8), 0.5, np.float32), "weights")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["given", "weights"], ["made"])], "external", [given], [made], [weights]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)


@pytest.fixture(scope="module")
def run(site, environment, tmp_path_factory):
    """A function that runs a Python program in a page, with the cases on Pyodide's file system."""
    folder = tmp_path_factory.mktemp("python")

    def run(code, **more):
        files = [f"cases/{path.name}" for path in (site / "cases").iterdir()]
        given = {"code": code, "files": files, "packages": ["onnxruntime"], **more}
        with served(site, folder / "requests.log") as address:
            return drive(environment, "python", address, folder, given)["result"]

    return run


@pytest.fixture(scope="module")
def both(run, site):
    """What the browser and what native ONNX Runtime make of the cases."""
    cases = json.loads((site / "cases" / "cases.json").read_text())
    return run(PROGRAM), run_cases(cases, lambda name: read_bytes(site / "cases" / name))


@pytest.fixture(scope="module")
def probed(run):
    return run(PROBE.replace("SIZE", str(LARGE)))


def test_every_type_and_every_error_is_that_of_the_native_one(both):
    browser, native = both
    assert len(native) > 30
    assert sum("raised" in each for each in native.values()) == 8
    wrong = {}
    for name, theirs in native.items():
        ours = browser[name]
        if "raised" in theirs:
            if ours.get("raised") != theirs["raised"]:
                wrong[name] = ours, theirs
        elif ours != theirs:
            wrong[name] = ours, theirs
    assert not wrong


def test_no_copy_that_can_be_avoided(probed):
    """One of the input, into the engine; two of the output, of which onnxruntime-web makes the first."""
    assert 3 * LARGE <= probed["copied"] < 3.01 * LARGE


def test_arrays_that_are_not_contiguous(probed):
    assert probed["strided"] == probed["awaited"] == [0, -2, -4, -6, -8]


def test_providers(probed):
    assert probed["providers"] == ["CPUExecutionProvider"] == probed["session providers"]
    assert probed["device"] == "CPU"
    warned, used = probed["cuda"]
    assert "CUDAExecutionProvider" in warned[0]
    assert used == ["CPUExecutionProvider"]


def test_webgpu_where_the_browser_has_it(run):
    """Chromium's own software adapter, taken for a real one."""
    both = ["WebGpuExecutionProvider", "CPUExecutionProvider"]
    available, first, second, difference = run(ON_GPU, gpu=True, profile="gpu")
    assert (available, first, second) == (both, both, ["CPUExecutionProvider"])
    assert difference < 1e-3


@pytest.mark.parametrize("way", ["beside", "bytes", "url"])
def test_external_data(probed, way):
    assert probed[way] == 1024 * 0.5 * 8


def test_messages(probed):
    assert probed["without"][0] in ("Fail", "RuntimeException")
    assert "weights.bin" in probed["without"][1]
    assert probed["no file"][0] == "NoSuchFile"
    assert probed["empty"][0] == "InvalidProtobuf"
    assert "complex64" in probed["complex"][1]
    assert probed["huge"][0] == "InvalidProtobuf"
    assert "2 GB at most" in probed["huge"][1]
    assert "acreate" in probed["cannot wait"]
