"""numexpr's virtual machine against NumPy: every operator and function it compiles to, types, blocks and errors."""

import cmath
import copy
import math
import operator
import pickle

import numexpr as ne
import numpy as np
import pytest
from numexpr import interpreter

BLOCKS = 10_007  # more than two of the virtual machine's blocks, and no multiple of one
X = np.linspace(-3, 3, BLOCKS)
Y = np.linspace(0.1, 0.9, BLOCKS)


def test_c_extension_is_in_use():
    assert interpreter.__file__.endswith((".so", ".pyd"))
    assert isinstance(ne.NumExpr("a + 1", signature=[("a", np.int64)]), interpreter.NumExpr)
    assert ne.evaluate("1 + 1") == 2


@pytest.mark.parametrize(
    "expression",
    [
        "x + y",
        "x - y * 2",
        "x / y",
        "x ** 2 + x ** 0.5 * 0 + y ** -1",
        "x % y",
        "-x",
        "abs(x)",
        "where(x < y, x, y)",
        "(x < y) & (y >= 0.5) | ~(x == y)",
    ],
)
def test_operators(expression):
    with np.errstate(all="ignore"):
        expected = eval(expression, {"x": X, "y": Y, "where": np.where, "abs": np.abs})
    np.testing.assert_allclose(ne.evaluate(expression, {"x": X, "y": Y}), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    "name",
    [
        *("sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "expm1", "log", "log1p", "log10", "sqrt"),
        *("arcsin", "arccos", "arctan", "arcsinh", "arctanh", "floor", "ceil"),
    ],
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_functions(name, dtype):
    y = Y.astype(dtype)
    tolerance = 1e-13 if dtype == "float64" else 1e-5
    np.testing.assert_allclose(ne.evaluate(f"{name}(y)"), getattr(np, name)(y), rtol=tolerance, atol=tolerance)


def test_two_arguments():
    np.testing.assert_allclose(ne.evaluate("arctan2(X, Y)"), np.arctan2(X, Y))
    np.testing.assert_allclose(ne.evaluate("fmod(X, Y)"), np.fmod(X, Y))


def test_integers_at_the_edges():
    small = np.array([2**31 - 1, -(2**31), -7, 7], dtype=np.int32)
    large = np.array([2**62, -(2**62), 2**40 + 1, 3], dtype=np.int64)
    assert ne.evaluate("large + small").tolist() == (large + small).tolist()
    assert ne.evaluate("large * 1 - 1").tolist() == [2**62 - 1, -(2**62) - 1, 2**40, 2]
    assert ne.evaluate("small >> 1").tolist() == (small >> 1).tolist()
    assert ne.evaluate("large << 1").tolist() == (large << 1).tolist()
    assert ne.evaluate("small").dtype == np.int32


def test_complex_and_strings():
    z = X + 1j * Y
    np.testing.assert_allclose(ne.evaluate("z * z + conj(z)"), z * z + z.conj())
    np.testing.assert_allclose(ne.evaluate("real(exp(z))"), np.exp(z).real)
    words = {"words": np.array([b"abc", b"b", b"abd"])}
    assert ne.evaluate("words == b'abc'", words).tolist() == [True, False, False]
    assert ne.evaluate("contains(words, b'b')", words).tolist() == [True, True, True]


def test_reductions():
    assert ne.evaluate("sum(X * Y)") == pytest.approx((X * Y).sum())
    assert ne.evaluate("prod(Y + 0.5)") == pytest.approx((Y + 0.5).prod(), rel=1e-9)
    table = np.arange(12).reshape(3, 4)
    assert ne.evaluate("sum(table, axis=0)").tolist() == table.sum(axis=0).tolist()
    assert ne.evaluate("max(table, axis=1)").tolist() == [3, 7, 11]


def test_broadcast_strides_and_output():
    column, row = np.arange(3.0)[:, None], np.arange(8.0)[::2]
    np.testing.assert_array_equal(ne.evaluate("column * 10 + row"), column * 10 + row)
    out = np.empty((3, 4), order="F")
    assert ne.evaluate("column * 10 + row", out=out) is out
    np.testing.assert_array_equal(out, column * 10 + row)


def test_more_threads_than_there_are():
    ne.set_num_threads(4)
    try:
        assert ne.evaluate("sum(X + 1)") == pytest.approx((X + 1).sum())
        assert ne.set_num_threads(2) == 1
    finally:
        ne.set_num_threads(1)


def test_errors():
    with pytest.raises(KeyError):
        ne.evaluate("nothing_of_that_name + 1")
    with pytest.raises(ValueError, match=r"broadcast|shape"):
        ne.evaluate("a + b", {"a": np.zeros(3), "b": np.zeros(4)})
    with pytest.raises(NotImplementedError):
        ne.evaluate("a % b", {"a": np.array([1j]), "b": np.array([1j])})
    with pytest.raises(ValueError, match="forbidden"):
        ne.evaluate("__import__('os')")


def test_program_written_by_hand():
    """Opcode, register of the result, two of arguments; registers are output, inputs, constants, temporaries."""
    code = interpreter.opcodes
    program = bytes([code[b"mul_ddd"], 4, 1, 3, code[b"add_ddd"], 0, 4, 2])
    machine = interpreter.NumExpr(b"dd", b"d", program, (10.0,), ("a", "b"))
    assert (machine.program, machine.signature, machine.input_names) == (program, b"dd", ("a", "b"))
    np.testing.assert_array_equal(machine.run(X, Y), X * 10 + Y)
    for broken in (program[:-1], bytes([255, 0, 1, 2]), bytes([code[b"add_ddd"], 0, 9, 2])):
        with pytest.raises(RuntimeError, match="invalid program"):
            interpreter.NumExpr(b"dd", b"d", broken, (10.0,), ("a", "b"))


@pytest.mark.parametrize(
    ("expression", "function"),
    [
        ("isnan(v)", math.isnan),
        ("isinf(v)", math.isinf),
        ("isfinite(v)", math.isfinite),
        ("signbit(v)", lambda v: math.copysign(1, v) < 0),
        ("trunc(v)", lambda v: v if not math.isfinite(v) else float(math.trunc(v))),
        ("round(v)", lambda v: v if not math.isfinite(v) else float(round(v))),
        ("sign(v)", lambda v: v if math.isnan(v) else (v > 0) - (v < 0)),
        ("maximum(v, 0.25)", lambda v: v if math.isnan(v) else max(v, 0.25)),
        ("minimum(v, 0.25)", lambda v: v if math.isnan(v) else min(v, 0.25)),
        ("ones_like(v)", lambda _v: 1),
    ],
)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_functions_of_odd_numbers(expression, function, dtype):
    values = np.array([0.0, -0.0, 2.5, -2.5, 1e30, -1e-30, np.inf, -np.inf, np.nan], dtype)
    np.testing.assert_array_equal(ne.evaluate(expression, {"v": values}), [function(v) for v in values.tolist()])


@pytest.mark.parametrize(
    "name", ["sqrt", "sin", "cos", "tan", "exp", "log", "arcsin", "arccos", "arctan", "sinh", "tanh"]
)
def test_functions_of_complex_numbers(name):
    values = np.array([0.5 + 0.25j, -2 + 1j, 3 - 2j, -0.5 - 3j])
    function = getattr(cmath, name.replace("arc", "a"))
    np.testing.assert_allclose(ne.evaluate(f"{name}(values)"), [function(v) for v in values.tolist()], rtol=1e-12)


@pytest.mark.parametrize("dtype", ["i4", "i8"])
@pytest.mark.parametrize("symbol", ["&", "|", "^", "+", "-", "*", "<", "<=", ">", ">=", "==", "!="])
def test_operators_of_integers(symbol, dtype):
    named = {"&": "and_", "|": "or_", "^": "xor", "+": "add", "-": "sub", "*": "mul"}
    named |= {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}
    left, right = np.array([7, -7, 0, 40000, -1], dtype), np.array([3, -2, 0, 30000, 1], dtype)
    expected = [getattr(operator, named[symbol])(a, b) for a, b in zip(left.tolist(), right.tolist(), strict=True)]
    assert ne.evaluate(f"left {symbol} right").tolist() == expected


@pytest.mark.parametrize(
    "array",
    [
        np.arange(9).astype(">f8"),
        np.frombuffer(b"\0" + np.arange(9.0).tobytes(), "<f8", offset=1),
        np.array([(0, x) for x in range(9)], dtype=[("n", "i1"), ("x", "f8")])["x"],
        np.broadcast_to(np.arange(9.0), (4, 9)),
        np.arange(81.0).reshape(9, 9).T[::-2],
        np.array(4.0),
        np.empty((0, 3)),
    ],
)
def test_arrays_of_every_layout(array):
    found = ne.evaluate("array * 2 + 1")
    assert found.shape == array.shape
    assert found.tolist() == (np.array(array.tolist()).reshape(array.shape) * 2 + 1).tolist()


def test_what_has_no_copy_says_so():
    machine = ne.NumExpr("a + 1", signature=[("a", np.int64)])
    for again in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot pickle"):
            again(machine)


def test_errors_in_callbacks_arrive_unchanged():
    class Names(dict):
        def __getitem__(self, _name):
            raise IndexError("from Python")

    class Array:
        def __array__(self, *_arguments, **_options):
            raise IndexError("from Python")

    for _ in range(20):
        with pytest.raises(IndexError, match="from Python"):
            ne.evaluate("x + 1", Names(x=1))
        with pytest.raises(IndexError, match="from Python"):
            ne.evaluate("x + 1", {"x": Array()})
        with pytest.raises(IndexError, match="from Python"):
            ne.NumExpr("a + 1", signature=[("a", float)]).run(Array())


def test_errors_of_the_machine():
    machine = ne.NumExpr("a + b", signature=[("a", float), ("b", float)])
    for call, error, message in (
        (lambda: machine.run(1.0), ValueError, "number of inputs doesn't match"),
        (lambda: machine.run(1j, 2.0), TypeError, "complex"),
        (lambda: machine.run(np.ones(2), np.ones(2), out=np.ones(3), ex_uses_vml=False), ValueError, "broadcast|shape"),
        (lambda: machine.run(np.ones(2), np.ones(2), out=np.ones(2, int), ex_uses_vml=False), TypeError, "cast"),
        (lambda: ne.evaluate("a + 1", {"a": np.array([object()])}), ValueError, "unknown type object"),
        (lambda: ne.evaluate("sum(a, axis=5)", {"a": np.ones((2, 2))}), ValueError, "axis"),
    ):
        for _ in range(20):
            with pytest.raises(error, match=message):
                call()
    assert machine.run(1.0, 2.0) == 3
