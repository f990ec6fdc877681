"""Small ONNX models, one for each thing that an ONNX Runtime has to get right, and programs that run them.

`run_cases` is the same source in native CPython and in the browser, where only numpy and onnxruntime are there.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

TYPES = (
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "float32",
    "float64",
    "str",
)


def run_cases(cases, read):
    """Return name -> outputs and metadata, or the class and text of what was raised."""
    import onnxruntime

    found = {}
    for name, case in cases.items():
        try:
            session = onnxruntime.InferenceSession(read(case["model"]), providers=["CPUExecutionProvider"])
            inputs = {key: np.array(value, dtype=kind) for key, (kind, value) in case["inputs"].items()}
            outputs = session.run(case.get("names"), inputs)
            found[name] = {
                "inputs": [[each.name, each.type, each.shape] for each in session.get_inputs()],
                "outputs": [[each.name, each.type, each.shape] for each in session.get_outputs()],
                "values": [[each.dtype.name, list(each.shape), each.astype(str).ravel().tolist()] for each in outputs],
            }
        except Exception as error:  # noqa: BLE001  (whatever it is, is what is compared)
            found[name] = {"raised": type(error).__name__, "text": str(error)}
    return found


def make_cases(write):
    """Return the cases; ``write(name, bytes)`` keeps each model and returns what `run_cases` reads it by."""
    from onnx import TensorProto, helper

    def keep(name, nodes, inputs, outputs, initializers=()):
        graph = helper.make_graph(nodes, name, inputs, outputs, initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
        return write(f"{name}.onnx", model.SerializeToString())

    def value(name, kind, shape):
        return helper.make_tensor_value_info(name, kind, shape)

    cases = {}
    samples = {"bool": [True, False, True], "str": ["", "ink", "Tinte ✓"]}
    for kind in TYPES:
        number = TensorProto.STRING if kind == "str" else helper.np_dtype_to_tensor_dtype(np.dtype(kind))
        node = helper.make_node("Identity", ["given"], ["made"])
        model = keep(f"same-{kind}", [node], [value("given", number, ["N"])], [value("made", number, ["N"])])
        limits = np.iinfo(kind) if np.dtype(kind).kind in "iu" else None
        sample = samples.get(kind) or ([limits.min, 1, limits.max] if limits else [-1.5, 0.25, 1024.0])
        for size in (3, 0):
            plain = sample[:size]
            cases[f"{kind} {size}"] = {"model": model, "inputs": {"given": [kind, plain]}}
    floats = TensorProto.FLOAT
    two = [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("Mul", ["a", "b"], ["product/1:0"])]
    given = [value("a", floats, [2, "N"]), value("b", floats, [])]
    pair = keep("pair", two, given, [value("sum", floats, [2, "N"]), value("product/1:0", floats, None)])
    inputs = {"a": ["float32", [[1, 2], [3, 4]]], "b": ["float32", 0.5]}
    cases["two outputs"] = {"model": pair, "inputs": inputs}
    cases["one of two"] = {"model": pair, "inputs": inputs, "names": ["product/1:0"]}
    cases["missing input"] = {"model": pair, "inputs": {"a": inputs["a"]}}
    cases["other type"] = {"model": pair, "inputs": {**inputs, "b": ["float64", 0.5]}}
    cases["other shape"] = {"model": pair, "inputs": {**inputs, "a": ["float32", [[1, 2, 3]]]}}
    cases["no such input"] = {"model": pair, "inputs": {**inputs, "c": ["float32", 1]}}
    cases["no such output"] = {"model": pair, "inputs": inputs, "names": ["difference"]}
    odd = keep("odd", [helper.make_node("Frobnicate", ["a"], ["b"])], [given[0]], [value("b", floats, [2, "N"])])
    cases["unknown operator"] = {"model": odd, "inputs": inputs}
    cases["no model"] = {"model": write("broken.onnx", b"this is no model"), "inputs": {}}
    halves = [helper.make_node("Reshape", ["a", "to"], ["b"])]
    fails = keep("fails", halves, [given[0], value("to", TensorProto.INT64, [1])], [value("b", floats, ["M"])])
    cases["fails while it runs"] = {"model": fails, "inputs": {"a": inputs["a"], "to": ["int64", [3]]}}
    return cases


def read_bytes(name):
    """Read a file beside the program."""
    return Path(name).read_bytes()


PROGRAM = """
import json
from onnx_cases import read_bytes, run_cases
result = json.dumps(run_cases(json.loads(open("cases.json").read()), read_bytes))
result
"""
