"""numexpr's virtual machine against NumPy: every operator and function it compiles to, types, blocks and errors."""

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
