"""wrapt's C proxies: every slot of a type calls back through a table of C functions, whose signatures have to fit."""

import copy
import inspect
import operator

import pytest
import wrapt
from wrapt import _wrappers


def test_c_extension_is_in_use():
    assert _wrappers.__file__.endswith((".so", ".pyd"))
    assert issubclass(wrapt.ObjectProxy, _wrappers.ObjectProxy)
    assert issubclass(wrapt.FunctionWrapper, _wrappers.FunctionWrapper)


BINARY = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.floordiv,
    operator.mod,
    operator.pow,
    operator.lshift,
    operator.rshift,
    operator.and_,
    operator.or_,
    operator.xor,
    operator.eq,
    operator.ne,
    operator.lt,
    operator.le,
    operator.gt,
    operator.ge,
    divmod,
]


@pytest.mark.parametrize("function", BINARY)
def test_binary_operators(function):
    expected = function(13, 5)
    assert function(wrapt.ObjectProxy(13), 5) == expected
    assert function(13, wrapt.ObjectProxy(5)) == expected
    assert function(wrapt.ObjectProxy(13), wrapt.ObjectProxy(5)) == expected


@pytest.mark.parametrize(
    "function",
    [operator.neg, operator.pos, operator.invert, abs, int, float, bool, hash, str, bytes, round, operator.index],
)
def test_unary_operators(function):
    assert function(wrapt.ObjectProxy(13)) == function(13)


@pytest.mark.parametrize(
    "function",
    [
        operator.iadd,
        operator.isub,
        operator.imul,
        operator.ifloordiv,
        operator.imod,
        operator.ipow,
        operator.ilshift,
        operator.irshift,
        operator.iand,
        operator.ior,
        operator.ixor,
        operator.itruediv,
    ],
)
def test_in_place_operators_keep_the_proxy(function):
    proxy = wrapt.ObjectProxy(13)
    result = function(proxy, 5)
    assert type(result) is wrapt.ObjectProxy
    assert result == function(13, 5)


def test_matrix_product():
    class Matrix:
        def __matmul__(self, other):
            return ("product", other)

    assert wrapt.ObjectProxy(Matrix()) @ 3 == ("product", 3)


def test_containers():
    proxy = wrapt.ObjectProxy([1, 2, 3])
    proxy[1] = 20
    proxy.append(4)
    del proxy[0]
    assert (len(proxy), proxy[0], list(proxy), 20 in proxy, 5 in proxy) == (3, 20, [20, 3, 4], True, False)
    assert proxy[1:] == [3, 4]


def test_attributes_and_identity():
    class Thing:
        x = 1

    thing = Thing()
    proxy = wrapt.ObjectProxy(thing)
    proxy.x = 2
    proxy._self_own = 3
    assert (thing.x, proxy._self_own, hasattr(thing, "_self_own")) == (2, 3, False)
    assert isinstance(proxy, Thing)
    assert proxy.__wrapped__ is thing
    del proxy.x
    assert proxy.x == 1
    with pytest.raises(AttributeError):
        proxy.missing  # noqa: B018


def test_context_manager_and_call():
    class Manager:
        def __enter__(self):
            return "in"

        def __exit__(self, kind, value, traceback):
            return kind is ValueError

    with wrapt.ObjectProxy(Manager()) as inside:
        assert inside == "in"
        raise ValueError
    assert wrapt.CallableObjectProxy(max)(3, 7) == 7


@wrapt.decorator
def noted(wrapped, instance, args, kwargs):
    return (instance, wrapped(*args, **kwargs))


class Case:
    @noted
    def method(self, x, *, y=0):
        """Doc."""
        return x + y

    @noted
    @classmethod
    def of_class(cls):
        return cls

    @noted
    @staticmethod
    def static(x):
        return x


def test_decorator_knows_what_it_is_bound_to():
    case = Case()
    assert case.method(1, y=2) == (case, 3)
    assert Case.of_class() == (Case, Case)
    assert Case.static(5) == (None, 5)
    assert noted(lambda: 1)() == (None, 1)
    assert str(inspect.signature(Case.method)) == "(self, x, *, y=0)"
    assert Case.method.__doc__ == "Doc."


def test_partial_call():
    function = wrapt.PartialCallableObjectProxy(int, base=2)
    assert function("101") == 5
    with pytest.raises(ValueError, match="invalid literal"):
        function("9")


def test_proxy_without_anything_in_it():
    with pytest.raises(AttributeError):
        wrapt.ObjectProxy.__new__(wrapt.ObjectProxy).x  # noqa: B018


def test_weak_function_proxy():
    def function():
        return 4

    proxy = wrapt.WeakFunctionProxy(function)
    assert proxy() == 4
    del function
    with pytest.raises(ReferenceError):
        proxy()


def test_proxies_refuse_what_cannot_be_generic():
    with pytest.raises(NotImplementedError):
        copy.copy(wrapt.ObjectProxy([1]))
