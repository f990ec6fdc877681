"""Models are written, read, checked, inferred, converted and run; what comes out was worked out by hand or by numpy."""

import ml_dtypes
import numpy as np
import onnx
import pytest
from google.protobuf.message import DecodeError
from onnx import (
    TensorProto,
    checker,
    compose,
    helper,
    inliner,
    numpy_helper,
    parser,
    printer,
    shape_inference,
    version_converter,
)
from onnx.reference import ReferenceEvaluator

NETWORK = """
<ir_version: 8, opset_import: ["" : 17]>
network (float[N, 3, 8, 8] X, float[4, 3, 3, 3] W) => (float[N, 4] Y) {
    C = Conv <pads = [1, 1, 1, 1]> (X, W)
    R = Relu(C)
    P = GlobalAveragePool(R)
    Y = Flatten(P)
}
"""


def model_of(graph, *, opset=17):
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def one_node(operator, inputs, outputs, **attributes):
    """Return a model of one operator over float tensors; inputs and outputs are name -> shape."""
    graph = helper.make_graph(
        [helper.make_node(operator, list(inputs), list(outputs), **attributes)],
        operator,
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
    )
    return model_of(graph)


def shapes(model):
    return {
        value.name: [d.dim_value or d.dim_param for d in value.type.tensor_type.shape.dim]
        for value in [*model.graph.value_info, *model.graph.output]
    }


def test_operators_are_registered():
    assert onnx.defs.onnx_opset_version() == 28
    names = {schema.name for schema in onnx.defs.get_all_schemas()}
    assert {"Conv", "MatMul", "Attention", "LSTM", "QuantizeLinear", "StringNormalizer"} <= names
    assert len(names) > 190
    assert len(onnx.defs.get_all_schemas_with_history()) > 600
    relu = onnx.defs.get_schema("Relu", 13)
    assert (relu.since_version, relu.min_input, relu.max_output) == (13, 1, 1)
    assert "tensor(bfloat16)" in relu.type_constraints[0].allowed_type_strs
    assert onnx.defs.has("Relu")
    assert not onnx.defs.has("Spam")
    with pytest.raises(onnx.defs.SchemaError, match="Spam"):
        onnx.defs.get_schema("Spam")


def test_functions_have_bodies():
    schema = onnx.defs.get_schema("HardSwish", 14)
    assert schema.has_function
    assert [node.op_type for node in schema.function_body.node] == ["HardSigmoid", "Mul"]
    assert onnx.defs.get_schema("Softmax", 13).has_context_dependent_function


def test_text_to_model_and_back():
    model = parser.parse_model(NETWORK)
    checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["Conv", "Relu", "GlobalAveragePool", "Flatten"]
    assert list(model.graph.node[0].attribute[0].ints) == [1, 1, 1, 1]
    assert parser.parse_model(printer.to_text(model)) == model
    with pytest.raises(parser.ParseError, match="Expected character >"):
        parser.parse_model("<ir_version: 8 agraph")
    graph = parser.parse_graph("g (float[2] a) => (float[2] b) { b = Neg(a) }")
    assert graph.node[0].input[0] == "a"
    function = parser.parse_function('<opset_import: ["" : 17], domain: "d"> twice (x) => (y) { y = Add(x, x) }')
    assert (function.name, function.domain) == ("twice", "d")


def test_shapes_and_types_are_inferred():
    inferred = shape_inference.infer_shapes(parser.parse_model(NETWORK), strict_mode=True)
    assert shapes(inferred) == {"C": ["N", 4, 8, 8], "R": ["N", 4, 8, 8], "P": ["N", 4, 1, 1], "Y": ["N", 4]}


def test_data_is_propagated():
    model = parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17]>
        g (float[2, 3, 4] x) => (float[a, b] y) {
            whole = Shape(x)
            first = Shape <start = 0, end = 1> (x)
            rest = Constant <value_ints = [-1]> ()
            target = Concat <axis = 0> (first, rest)
            y = Reshape(x, target)
        }
    """)
    assert shapes(shape_inference.infer_shapes(model, data_prop=True))["y"] == [2, 12]


def test_a_shape_that_does_not_fit():
    model = one_node("MatMul", {"a": [2, 3], "b": [4, 5]}, {"c": [2, 5]})
    with pytest.raises(shape_inference.InferenceError, match="Incompatible dimensions"):
        shape_inference.infer_shapes(model, strict_mode=True)
    assert shapes(shape_inference.infer_shapes(model)) == {"c": [2, 5]}


def wrong_models():
    unknown = parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[2] a) => (float[2] b) { b = Spam(a) }'
    )
    yield "operator", unknown, "No Op registered for Spam"
    loop = model_of(
        helper.make_graph(
            [helper.make_node("Neg", ["b"], ["a"]), helper.make_node("Neg", ["a"], ["b"])],
            "g",
            [],
            [helper.make_tensor_value_info("b", TensorProto.FLOAT, [1])],
        )
    )
    yield "order", loop, "topologically sorted"
    twice = parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[2] a) => (float[2] b) { b = Neg(a)\n b = Abs(a) }'
    )
    yield "assigned-twice", twice, "single static assignment"
    inputs = one_node("Relu", {"a": [1], "b": [1]}, {"c": [1]})
    yield "inputs", inputs, "has input size 2 not in range"
    nameless = parser.parse_model(NETWORK)
    nameless.graph.name = ""
    yield "name", nameless, "name"


@pytest.mark.parametrize(("model", "message"), [pytest.param(m, t, id=n) for n, m, t in wrong_models()])
def test_the_checker_refuses(model, message):
    with pytest.raises(checker.ValidationError, match=message):
        checker.check_model(model)


def test_models_as_bytes_and_files(tmp_path):
    model = parser.parse_model(NETWORK)
    data = model.SerializeToString(deterministic=True)
    assert onnx.load_from_string(data) == model
    path = tmp_path / "network.onnx"
    onnx.save(model, path)
    assert path.read_bytes() == model.SerializeToString()
    assert onnx.load(path) == model
    checker.check_model(str(path), full_check=True)
    shape_inference.infer_shapes_path(str(path), str(tmp_path / "inferred.onnx"))
    assert shapes(onnx.load(tmp_path / "inferred.onnx"))["P"] == ["N", 4, 1, 1]
    onnx.save(model, tmp_path / "network.json")
    assert onnx.load(tmp_path / "network.json") == model
    onnx.save(model, tmp_path / "network.textproto")
    assert onnx.load(tmp_path / "network.textproto") == model
    for bad in (b"\xff" * 40, data[:-3]):
        with pytest.raises((DecodeError, ValueError)):
            onnx.load_from_string(bad)
        with pytest.raises(ValueError, match="Unable to parse proto"):
            checker.check_model(bad)


def test_weights_beside_the_model(tmp_path):
    weights = np.arange(600, dtype=np.float32).reshape(20, 30)
    model = one_node("MatMul", {"x": [2, 20], "w": [20, 30]}, {"y": [2, 30]})
    del model.graph.input[1]
    model.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    path = tmp_path / "model.onnx"
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=100)
    assert (tmp_path / "weights.bin").read_bytes() == weights.tobytes()
    assert path.stat().st_size < 400
    checker.check_model(str(path))
    assert np.array_equal(numpy_helper.to_array(onnx.load(path).graph.initializer[0]), weights)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(checker.ValidationError, match=r"weights\.bin"):
        checker.check_model(str(path))


@pytest.mark.parametrize("where", ["../weights.bin", "/tmp/weights.bin"])
def test_weights_outside_of_the_models_folder_are_refused(tmp_path, where):
    tensor = numpy_helper.from_array(np.zeros(100, np.float32), "w")
    onnx.external_data_helper.set_external_data(tensor, where)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    model = one_node("Neg", {"w": [100]}, {"y": [100]})
    del model.graph.input[:]
    model.graph.initializer.append(tensor)
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "weights.bin").write_bytes(bytes(400))
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(checker.ValidationError):
        checker.check_model(str(folder / "model.onnx"))


@pytest.mark.parametrize(
    "dtype",
    [
        *(np.dtype(code) for code in ("?", "b", "B", "h", "H", "i", "I", "q", "Q", "e", "f", "d", "F", "D")),
        *(np.dtype(getattr(ml_dtypes, name)) for name in ("bfloat16", "float8_e4m3fn", "float8_e5m2", "int4", "uint4")),
    ],
    ids=str,
)
def test_tensors_to_arrays_and_back(dtype):
    array = np.arange(7).reshape(7, 1).astype(dtype)
    tensor = numpy_helper.from_array(array, "t")
    assert list(tensor.dims) == [7, 1]
    back = numpy_helper.to_array(TensorProto.FromString(tensor.SerializeToString()))
    assert back.dtype == dtype
    assert back.tobytes() == array.tobytes()


def test_strings_are_tensors():
    array = np.array(["", "käse", "日本"], dtype=object)
    assert numpy_helper.to_array(numpy_helper.from_array(array)).tolist() == array.tolist()


@pytest.mark.parametrize("to", [14, 18, 20, 25])
def test_opsets_are_converted(to):
    model = parser.parse_model(NETWORK)
    converted = version_converter.convert_version(model, to)
    assert converted.opset_import[0].version == to
    checker.check_model(converted, full_check=True)
    x = np.linspace(-1, 1, 192, dtype=np.float32).reshape(1, 3, 8, 8)
    w = np.linspace(1, -1, 108, dtype=np.float32).reshape(4, 3, 3, 3)
    was, now = (ReferenceEvaluator(m).run(None, {"X": x, "W": w})[0] for m in (model, converted))
    assert np.array_equal(was, now)


def test_no_way_back():
    with pytest.raises(RuntimeError, match=r"No Adapter From Version \$14 for Relu"):
        version_converter.convert_version(parser.parse_model(NETWORK), 8)


def test_an_operator_that_moved_an_attribute_to_an_input():
    model = one_node("Squeeze", {"x": [1, 3, 1]}, {"y": [3, 1]}, axes=[0])
    model.opset_import[0].version = 11
    converted = version_converter.convert_version(model, 13)
    squeeze = converted.graph.node[-1]
    assert (squeeze.op_type, len(squeeze.input), len(squeeze.attribute)) == ("Squeeze", 2, 0)
    result = ReferenceEvaluator(converted).run(None, {"x": np.ones((1, 3, 1), np.float32)})[0]
    assert result.shape == (3, 1)


def test_models_are_joined():
    first = one_node("Neg", {"a": [4]}, {"b": [4]})
    second = one_node("Exp", {"c": [4]}, {"d": [4]})
    joined = compose.merge_models(first, second, io_map=[("b", "c")])
    checker.check_model(joined, full_check=True)
    (result,) = ReferenceEvaluator(joined).run(None, {"a": np.arange(4, dtype=np.float32)})
    assert np.allclose(result, [1, 0.36787944, 0.13533528, 0.04978707])


def test_functions_are_inlined():
    model = parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17, "own" : 1]>
        g (float[3] x) => (float[3] y) { y = own.square_plus(x) }
        <domain: "own", opset_import: ["" : 17]>
        square_plus (a) => (c) { b = Mul(a, a)
            c = Add(b, a) }
    """)
    inlined = inliner.inline_local_functions(model)
    assert [node.op_type for node in inlined.graph.node] == ["Mul", "Add"]
    assert not inlined.functions
    for either in (model, inlined):
        (result,) = ReferenceEvaluator(either).run(None, {"x": np.array([1, 2, 3], np.float32)})
        assert result.tolist() == [2, 6, 12]


def test_the_whole_network_runs():
    x = np.arange(384, dtype=np.float32).reshape(2, 3, 8, 8) / 100
    w = np.full((4, 3, 3, 3), 1 / 27, np.float32)
    (result,) = ReferenceEvaluator(parser.parse_model(NETWORK)).run(None, {"X": x, "W": w})
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))).astype(np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    expected = windows.sum(axis=(1, 4, 5)).mean(axis=(1, 2)) / 27
    assert np.allclose(result, np.repeat(expected[:, None], 4, axis=1), rtol=1e-5)


@pytest.mark.parametrize(
    ("operator", "attributes", "expected"),
    [
        ("Softmax", {"axis": 1}, [[0.09003057, 0.24472847, 0.66524096], [0.21194156, 0.21194156, 0.57611688]]),
        ("LeakyRelu", {"alpha": 0.5}, [[-1, 0, 1], [0.5, 0.5, 1.5]]),
        ("ReduceMean", {"axes": [1], "keepdims": 1}, [[-0.3333333], [0.8333333]]),
        ("Transpose", {"perm": [1, 0]}, [[-2, 0.5], [0, 0.5], [1, 1.5]]),
        ("Clip", {}, [[-2, 0, 1], [0.5, 0.5, 1.5]]),
        ("Erf", {}, [[-0.99532227, 0, 0.84270079], [0.52049988, 0.52049988, 0.96610515]]),
        ("Tanh", {}, [[-0.96402758, 0, 0.76159416], [0.46211716, 0.46211716, 0.90514825]]),
    ],
)
def test_operators_run(operator, attributes, expected):
    x = np.array([[-2, 0, 1], [0.5, 0.5, 1.5]], np.float32)
    if operator == "Softmax":
        x = np.array([[1, 2, 3], [0, 0, 1]], np.float32)
    (result,) = ReferenceEvaluator(one_node(operator, {"x": [2, 3]}, {"y": None}, **attributes)).run(None, {"x": x})
    assert np.allclose(result, expected, atol=1e-6)


def test_quantized_and_back():
    model = parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 19]>
        g (float[4] x, float scale, uint8 zero) => (float[4] y) {
            q = QuantizeLinear(x, scale, zero)
            y = DequantizeLinear(q, scale, zero)
        }
    """)
    checker.check_model(model, full_check=True)
    inputs = {"x": np.array([-1, 0.04, 0.06, 99], np.float32), "scale": np.float32(0.1), "zero": np.uint8(5)}
    (result,) = ReferenceEvaluator(model).run(None, inputs)
    assert np.allclose(result, [-0.5, 0, 0.1, 25])


def test_branches_and_loops():
    model = parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17]>
        g (int64 trips, float start) => (float last) {
            go = Constant <value = bool {1}> ()
            last = Loop (trips, go, start) <body = once (int64 i, bool on, float v) => (bool still, float next) {
                still = Identity(on)
                next = Add(v, v)
            }>
        }
    """)
    checker.check_model(model, full_check=True)
    (result,) = ReferenceEvaluator(model).run(None, {"trips": np.int64(10), "start": np.float32(1.5)})
    assert result == 1536
