"""onnx's C++ hands its parts, protobuf and Python each other's models; callbacks, copies and errors cross."""

import contextlib
import copy
import os
import pickle

import numpy as np
import onnx
import pytest
from onnx import (
    AttributeProto,
    TensorProto,
    checker,
    defs,
    helper,
    inliner,
    numpy_helper,
    onnx_cpp2py_export,
    parser,
    printer,
    shape_inference,
    version_converter,
)
from onnx.reference import ReferenceEvaluator

AGAIN = [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))]
Schema = defs.OpSchema
MODEL = '<ir_version: 8, opset_import: ["" : 17, "own" : 1]> g (float[2, 3] a) => (float[n, m] b) { b = own.Op%s (a) }'
FUNCTION = '<opset_import: ["" : 17], domain: "d"> f (x) => (y) { y = %s }'


class OwnError(Exception):
    pass


def fails(*_arguments):
    raise OwnError("from Python")


@contextlib.contextmanager
def operator(infer, *, types=("tensor(float)",)):
    """Register an operator whose types Python infers."""
    schema = Schema(
        "Op",
        "own",
        1,
        "What it does.",
        inputs=[Schema.FormalParameter("X", "T", "in", param_option=Schema.FormalParameterOption.Variadic)],
        outputs=[Schema.FormalParameter("Y", "T")],
        type_constraints=[("T", list(types), "which")],
        attributes=[
            Schema.Attribute("axis", Schema.AttrType.INT, "needed", required=False),
            Schema.Attribute("scale", helper.make_attribute("scale", 2), "has a default"),
            Schema.Attribute("body", Schema.AttrType.GRAPH, required=False),
        ],
    )
    schema.set_type_and_shape_inference_function(infer)
    defs.register_schema(schema)
    try:
        yield schema
    finally:
        defs.deregister_schema("Op", 1, "own")


def shape_of(model):
    return [each.dim_value for each in model.graph.output[0].type.tensor_type.shape.dim]


def test_which_modules_are_compiled():
    assert onnx_cpp2py_export.__file__.endswith((".so", ".pyd"))
    assert checker.ValidationError is onnx_cpp2py_export.checker.ValidationError
    assert shape_inference.InferenceError is onnx_cpp2py_export.shape_inference.InferenceError
    assert version_converter.ConvertError is onnx_cpp2py_export.version_converter.ConvertError


def test_types_are_inferred_in_python():
    seen = []

    def infer(context):
        seen.append((context.get_num_inputs(), context.get_num_outputs(), context.has_input(0), context.has_output(0)))
        seen.append((context.get_attribute("axis").i, context.get_input_data(0), context.get_input_sparse_data(0)))
        kind = context.get_input_type(0)
        assert isinstance(kind, onnx.TypeProto)
        kind.tensor_type.shape.dim[context.get_attribute("axis").i].dim_value *= 2
        context.set_output_type(0, kind)
        assert context.get_output_type(0) == kind

    model = parser.parse_model(MODEL % "<axis = 1>")
    with operator(infer) as schema:
        assert schema.get_type_and_shape_inference_function() is not None
        checker.check_model(model, full_check=True)
        assert shape_of(shape_inference.infer_shapes(model, strict_mode=True)) == [2, 6]
    assert seen[:2] == [(1, 1, True, True), (1, None, None)]
    with pytest.raises(checker.ValidationError, match="No opset import for domain 'own'"):
        checker.check_node(model.graph.node[0])


def test_a_graph_inside_is_inferred_from_python():
    def infer(context):
        (kind,) = context.get_graph_attribute_inferencer("body").do_inferencing([context.get_input_type(0)], [None])
        context.set_output_type(0, kind)

    body = "<body = inner (float[2, 3] x) => (y) { y = Transpose<perm = [1, 0]>(x) }>"
    with operator(infer):
        assert shape_of(shape_inference.infer_shapes(parser.parse_model(MODEL % body), strict_mode=True)) == [3, 2]


@pytest.mark.parametrize("strict", [False, True])
def test_an_error_of_the_inference_in_python_arrives_unchanged(strict):
    with operator(fails):
        for _ in range(20):
            with pytest.raises(OwnError, match="from Python"):
                shape_inference.infer_shapes(parser.parse_model(MODEL % ""), strict_mode=strict)
            with pytest.raises(OwnError, match="from Python"):
                checker.check_model(parser.parse_model(MODEL % ""), full_check=True)


def test_a_schema_of_python_is_read_back():
    with operator(fails, types=("tensor(int8)", "seq(tensor(string))")):
        schema = defs.get_schema("Op", 1, "own")
        assert (schema.name, schema.domain, schema.since_version, schema.doc) == ("Op", "own", 1, "What it does.")
        assert schema.inputs[0].option == Schema.FormalParameterOption.Variadic
        assert schema.inputs[0].types == {"tensor(int8)", "seq(tensor(string))"}
        assert schema.outputs[0].option == Schema.FormalParameterOption.Single
        assert (schema.attributes["scale"].default_value.i, schema.attributes["scale"].required) == (2, False)
        assert schema.attributes["axis"].type == Schema.AttrType.INT
        assert schema.support_level == Schema.SupportType.COMMON
        assert Schema.is_infinite(schema.max_input)
        with pytest.raises(defs.SchemaError, match="already registered"):
            defs.register_schema(schema)
    assert not defs.has("Op", domain="own")
    with pytest.raises(defs.SchemaError, match="Op"):
        defs.deregister_schema("Op", 1, "own")
    assert onnx_cpp2py_export.defs.schema_version_map()[""] == (1, defs.onnx_opset_version())


def test_outputs_of_one_node():
    node = helper.make_node("Gemm", ["a", "b"], ["c"], transB=1)
    kinds = {name: helper.make_tensor_type_proto(TensorProto.FLOAT, [rows, 3]) for name, rows in (("a", 2), ("b", 5))}
    result = shape_inference.infer_node_outputs(defs.get_schema("Gemm", 13), node, kinds)
    assert [each.dim_value for each in result["c"].tensor_type.shape.dim] == [2, 5]
    text = FUNCTION.replace("(x)", "<p> (x)") % "Transpose<perm: ints = @p>(x)"
    (kind,) = shape_inference.infer_function_output_types(
        parser.parse_function(text),
        [helper.make_tensor_type_proto(TensorProto.FLOAT, [2, 3])],
        [helper.make_attribute("p", [1, 0])],
    )
    assert [each.dim_value for each in kind.tensor_type.shape.dim] == [3, 2]


GOOD = {
    "node": parser.parse_node("y = Neg(x)"),
    "graph": parser.parse_graph("g (float[2] a) => (float[2] b) { b = Neg(a) }"),
    "function": parser.parse_function(FUNCTION % "Neg(x)"),
    "tensor": numpy_helper.from_array(np.arange(3.0), "t"),
    "value_info": helper.make_tensor_value_info("v", TensorProto.INT8, [1, "n"]),
    "attribute": helper.make_attribute("a", [1.5, 2]),
    "sparse_tensor": helper.make_sparse_tensor(
        numpy_helper.from_array(np.array([7.0]), "v"), numpy_helper.from_array(np.array([2], np.int64), "i"), [9]
    ),
}


def spoiled(name):
    """Return a copy of a good one with what it cannot be without taken away."""
    value = copy.deepcopy(GOOD[name])
    match name:
        case "sparse_tensor":
            value.dims[0] = 2
        case "tensor":
            value.data_type = TensorProto.UNDEFINED
        case "node":
            value.op_type = ""
        case "attribute":
            value.type = AttributeProto.INT
        case _:
            value.name = ""
    return value


@pytest.mark.parametrize("name", GOOD)
def test_every_check(name):
    check = getattr(checker, f"check_{name}")
    check(GOOD[name])
    for _ in range(20):
        with pytest.raises(checker.ValidationError):
            check(spoiled(name))


@pytest.mark.parametrize("name", ["node", "graph", "function"])
def test_text_and_back(name):
    assert getattr(parser, f"parse_{name}")(printer.to_text(GOOD[name])) == GOOD[name]
    with pytest.raises(parser.ParseError, match="position"):
        getattr(parser, f"parse_{name}")(printer.to_text(GOOD[name])[:-2] + "?")


def test_selected_functions_are_inlined():
    model = parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17, "d" : 1]>
        g (float[3] x) => (float[3] y) { a = d.f(x)
            y = d.h(a) }
        <domain: "d", opset_import: ["" : 17]> f (x) => (y) { y = Neg(x) }
        <domain: "d", opset_import: ["" : 17]> h (x) => (y) { y = Exp(x) }
    """)
    for exclude, expected in ((False, ["Neg", "h"]), (True, ["f", "Exp"])):
        inlined = inliner.inline_selected_functions(model, [("d", "f")], exclude=exclude)
        checker.check_model(inlined, full_check=True)
        assert [node.op_type for node in inlined.graph.node] == expected
        (result,) = ReferenceEvaluator(inlined).run(None, {"x": np.zeros(3, np.float32)})
        assert result.tolist() == [1, 1, 1]


def test_data_beside_the_model_is_opened_as_a_file(tmp_path):
    (tmp_path / "weights.bin").write_bytes(b"12345678")
    descriptor = onnx_cpp2py_export.checker._open_external_data(str(tmp_path), "weights.bin", "w", True)
    with os.fdopen(descriptor, "rb") as file:
        assert file.read() == b"12345678"
    with pytest.raises(checker.ValidationError, match=r"nothing\.bin"):
        onnx_cpp2py_export.checker._open_external_data(str(tmp_path), "nothing.bin", "w", True)


@pytest.mark.parametrize("again", AGAIN)
def test_copies(again):
    for value in (*GOOD.values(), parser.parse_model(MODEL % "")):
        other = again(value)
        assert type(other) is type(value)
        assert other == value
        assert other.SerializeToString() == value.SerializeToString()
    for value in (Schema.AttrType.GRAPHS, Schema.FormalParameterOption.Variadic, Schema.SupportType.EXPERIMENTAL):
        assert again(value) is value
    error = again(checker.ValidationError("text"))
    assert (type(error), str(error)) == (checker.ValidationError, "text")


@pytest.mark.parametrize("again", AGAIN)
def test_what_is_only_in_cpp_cannot_be_copied(again):
    schema = defs.get_schema("Relu")
    for value in (schema, schema.inputs[0], checker.C.CheckerContext()):
        with pytest.raises(TypeError, match="cannot pickle"):
            again(value)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: checker.check_model(b""), checker.ValidationError, "ir_version"),
        (lambda: checker.check_model("/nothing.onnx"), checker.ValidationError, "nothing.onnx"),
        (
            lambda: onnx_cpp2py_export.checker.check_node(b"\xff", checker.C.CheckerContext(), None),
            TypeError,
            "incompat",
        ),
        (lambda: shape_inference.infer_shapes(b"\xff" * 9), ValueError, "Unable to parse proto"),
        (
            lambda: version_converter.convert_version(parser.parse_model(MODEL % ""), 99),
            RuntimeError,
            "invalid version",
        ),
        (
            lambda: Schema("A", "", 1, type_constraints=[("T", ["nonsense"], "")]),
            ValueError,
            "data type string 'nonsense'",
        ),
        (lambda: defs.get_schema("Relu", 0), defs.SchemaError, "Relu"),
        (lambda: inliner.inline_selected_functions(parser.parse_model(MODEL % ""), ["f"]), TypeError, "incompatible"),
        (lambda: TensorProto(dims=["x"]), TypeError, "str"),
        (lambda: TensorProto(dims=[2**64]), ValueError, "range"),
        (lambda: TensorProto(name=b"\xff"), ValueError, "UTF-8|decode"),
    ],
)
def test_errors_of_the_modules(call, error, message):
    for _ in range(20):
        with pytest.raises(error, match=message):
            call()
