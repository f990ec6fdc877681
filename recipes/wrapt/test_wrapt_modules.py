"""The slots and attributes of every type of wrapt's C module, types within each other, cycles, copies and errors."""

import copy
import gc
import math
import operator
import pickle
import re
import weakref

import pytest
import wrapt
from wrapt import _wrappers


def call_on(wrapped, _instance, args, kwargs):
    return wrapped(*args, **kwargs)


KINDS = {
    "object": _wrappers.ObjectProxy,
    "callable": _wrappers.CallableObjectProxy,
    "partial": _wrappers.PartialCallableObjectProxy,
    "function": lambda function: _wrappers.FunctionWrapper(function, call_on),
    "bound": lambda function: _wrappers.FunctionWrapper(function, call_on).__get__([], list),
}
CALLABLE = ["callable", "partial", "function", "bound"]


def refuse(*_arguments, **_options):
    raise LookupError("refused")


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda p: format(p, ".2f"), "7.50"),
        (math.trunc, 7),
        (math.floor, 7),
        (math.ceil, 8),
        (complex, 7.5 + 0j),
        (lambda p: round(p, 0), 8.0),
        (lambda p: "is_integer" in dir(p), True),
        (lambda p: p.hex(), "0x1.e000000000000p+2"),
    ],
)
def test_methods_of_numbers(call, expected):
    assert call(_wrappers.ObjectProxy(7.5)) == expected


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_representation(make):
    assert re.fullmatch(r"<.*\w+ at 0x[0-9a-f]+ for builtin_function_or_method at 0x[0-9a-f]+>", repr(make(len)))


def test_power_with_modulus():
    proxy = _wrappers.ObjectProxy
    assert pow(proxy(3), 4, 5) == pow(3, proxy(4), 5) == pow(proxy(3), proxy(4), 5) == 1
    with pytest.raises(ValueError, match="not invertible"):
        pow(proxy(2), -1, 4)


def test_matrix_product_in_place():
    class Matrix:
        def __init__(self):
            self.factors = []

        def __imatmul__(self, other):
            self.factors.append(other)
            return self

    proxy = _wrappers.ObjectProxy(Matrix())
    proxy @= 3
    assert type(proxy) is _wrappers.ObjectProxy
    assert proxy.factors == [3]


def test_containers():
    assert list(reversed(_wrappers.ObjectProxy([1, 2]))) == [2, 1]
    assert bytes(_wrappers.ObjectProxy(b"ab")) == b"ab"
    mapping = _wrappers.ObjectProxy({})
    mapping["a"] = 1
    assert (mapping["a"], "a" in mapping, len(mapping), bool(mapping)) == (1, True, 1, True)
    del mapping["a"]
    assert not mapping
    with pytest.raises(KeyError, match="nothing"):
        mapping["nothing"]


def test_attributes_go_to_the_wrapped_function():
    def function(a: int):
        """Doc."""

    proxy = _wrappers.ObjectProxy(function)
    assert (proxy.__name__, proxy.__doc__, proxy.__annotations__) == ("function", "Doc.", {"a": int})
    assert (proxy.__qualname__, proxy.__module__) == (function.__qualname__, __name__)
    assert (proxy.__class__, proxy.__object_proxy__) == (type(function), _wrappers.ObjectProxy)
    proxy.__name__, proxy.__qualname__, proxy.__doc__, proxy.__module__ = "name", "q.name", "other", "module"
    proxy.__annotations__ = {"b": str}
    proxy.own = 1
    assert (function.__name__, function.__qualname__, function.__doc__) == ("name", "q.name", "other")
    assert (function.__module__, function.__annotations__, function.own) == ("module", {"b": str}, 1)
    assert (proxy.__dict__, proxy.__self_dict__["__doc__"]) == ({"own": 1}, "other")
    del proxy.__doc__
    assert function.__doc__ is None
    with pytest.raises(AttributeError, match="no setter"):
        proxy.__dict__ = {}
    with pytest.raises(TypeError, match="can't delete"):
        del proxy.__wrapped__
    proxy.__wrapped__ = len
    assert (proxy.__name__, proxy.__wrapped__) == ("len", len)
    with pytest.raises(AttributeError):
        proxy.__name__ = "other"


def test_class_of_an_instance_is_set_through_the_proxy():
    class First:
        pass

    class Second:
        pass

    instance = First()
    _wrappers.ObjectProxy(instance).__class__ = Second
    assert type(instance) is Second


def test_proxies_of_classes():
    class Base:
        pass

    proxy = wrapt.ObjectProxy(Base)

    class Derived(proxy):
        pass

    assert Derived.__mro__[1] is Base
    assert isinstance(Base(), proxy)
    assert not isinstance(5, proxy)
    assert issubclass(Derived, proxy)
    assert issubclass(proxy, proxy)
    assert not issubclass(int, proxy)
    assert _wrappers.ObjectProxy[int].__args__ == (int,)


def test_partial():
    partial = _wrappers.PartialCallableObjectProxy(sorted, [3, 1, 2], reverse=True)
    assert (partial._self_args, partial._self_kwargs) == (([3, 1, 2],), {"reverse": True})
    assert partial() == [3, 2, 1]
    assert partial(key=lambda x: -x, reverse=False) == [3, 2, 1]
    with pytest.raises(TypeError, match="expected 1 argument, got 3"):
        partial([], [])
    with pytest.raises(TypeError):
        _wrappers.PartialCallableObjectProxy()


def test_what_a_wrapper_knows_of_itself():
    def enabled():
        return True

    class Case:
        method = _wrappers.FunctionWrapper(lambda self, x: (self, x), call_on, enabled)

    wrapper, case = Case.__dict__["method"], Case()
    bound = case.method
    assert type(bound) is _wrappers.BoundFunctionWrapper
    assert (wrapper._self_instance, wrapper._self_parent, wrapper._self_owner) == (None, None, None)
    assert (wrapper._self_wrapper, wrapper._self_enabled, wrapper._self_binding) == (call_on, enabled, "function")
    assert (bound._self_instance, bound._self_owner, bound._self_binding) == (case, Case, "function")
    assert bound._self_parent is wrapper
    assert bound(3) == (case, 3)
    assert Case.method(case, 3) == (case, 3)
    with pytest.raises(TypeError, match=r"__get__\(None, None\)"):
        wrapper.__get__(None, None)


def test_bindings():
    class Case:
        of_class = _wrappers.FunctionWrapper(classmethod(lambda cls, x: (cls, x)), call_on)
        static = _wrappers.FunctionWrapper(staticmethod(len), call_on)

    assert (Case.__dict__["of_class"]._self_binding, Case.__dict__["static"]._self_binding) == (
        "classmethod",
        "staticmethod",
    )
    assert Case.of_class(1) == Case().of_class(1) == (Case, 1)
    assert Case.static([1, 2]) == Case().static([1, 2]) == 2


def test_a_name_is_told_to_what_is_wrapped():
    class Told:
        def __set_name__(self, owner, name):
            self.told = owner.__name__, name

    class Case:
        attribute = _wrappers.FunctionWrapper(Told(), call_on)

    assert Case.__dict__["attribute"].told == ("Case", "attribute")


@pytest.mark.parametrize("outer", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("inner", [KINDS[kind] for kind in CALLABLE], ids=CALLABLE)
def test_each_type_within_each(outer, inner):
    class Function:
        def __call__(self, *args):
            return args

        def __get__(self, instance, owner):
            return self

    function = Function()
    within = inner(function)
    proxy = outer(within)
    assert proxy.__wrapped__.__wrapped__ is function
    assert isinstance(proxy, Function)
    assert proxy == within
    assert hash(proxy) == hash(within) == hash(function)
    called = _wrappers.CallableObjectProxy(proxy) if outer is not KINDS["object"] else proxy.__wrapped__
    assert called(1, 2) == (1, 2)


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_cycles_are_collected(make):
    class Function:
        def __call__(self):
            return self

        def __get__(self, instance, owner):
            return self

    function = Function()
    function.proxy = make(function)
    function.proxy._self_more = function.proxy
    gone = weakref.ref(function)
    of_proxy = weakref.ref(function.proxy)
    del function
    gc.collect()
    assert gone() is of_proxy() is None


def test_wrappers_in_cycles_through_what_they_keep():
    class Keeper(list):
        def __call__(self, wrapped, *_rest):
            return wrapped

    for make in (
        lambda keeper: _wrappers.FunctionWrapper(len, keeper),
        lambda keeper: _wrappers.FunctionWrapper(len, call_on, keeper),
        lambda keeper: _wrappers.FunctionWrapper(lambda self: self, call_on).__get__(keeper, Keeper),
        lambda keeper: _wrappers.PartialCallableObjectProxy(len, keeper),
        lambda keeper: _wrappers.PartialCallableObjectProxy(len, key=keeper),
    ):
        keeper = Keeper()
        keeper.append(make(keeper))
        gone = weakref.ref(keeper)
        del keeper
        gc.collect()
        assert gone() is None


class Copied(wrapt.ObjectProxy):
    """A proxy that says how it is copied, as wrapt demands."""

    def __copy__(self):
        return Copied(copy.copy(self.__wrapped__))

    def __deepcopy__(self, memo):
        return Copied(copy.deepcopy(self.__wrapped__, memo))

    def __reduce_ex__(self, _protocol):
        return Copied, (self.__wrapped__,)


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_copies(again):
    proxy = Copied([[1], {"a": Copied(2)}])
    other = again(proxy)
    assert type(other) is Copied
    assert other == proxy
    assert other.__wrapped__ is not proxy.__wrapped__
    for make in KINDS.values():
        with pytest.raises(NotImplementedError, match="object proxy must define"):
            again(make(len))


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_without_an_object_there_is_an_error(make):
    empty = type(make(len)).__new__(type(make(len)))
    for call in (
        len,
        hash,
        bool,
        int,
        abs,
        iter,
        str,
        copy.copy,
        operator.neg,
        lambda p: p + 1,
        lambda p: p == 1,
        lambda p: p[0],
        lambda p: 1 in p,
        lambda p: p.attribute,
        lambda p: setattr(p, "attribute", 1),
        lambda p: p.__wrapped__,
        lambda p: p.__name__,
        lambda p: p(),
    ):
        with pytest.raises((AttributeError, TypeError, NotImplementedError)):
            call(empty)


class Broken:
    """Raises in whatever it is asked."""

    __add__ = __radd__ = __iadd__ = __pow__ = __neg__ = __index__ = __int__ = __float__ = __bool__ = refuse
    __len__ = __contains__ = __getitem__ = __setitem__ = __delitem__ = __iter__ = __reversed__ = refuse
    __eq__ = __lt__ = __hash__ = __str__ = __bytes__ = __format__ = __complex__ = __floor__ = __round__ = refuse
    __enter__ = __exit__ = __call__ = __dir__ = __getattr__ = __delattr__ = __matmul__ = __divmod__ = refuse


def test_errors_of_what_is_wrapped_come_through():
    proxy = wrapt.CallableObjectProxy(Broken())
    for call in (
        *(
            lambda p, f=f: f(p, 1)
            for f in (operator.add, operator.iadd, pow, operator.eq, operator.lt, operator.matmul)
        ),
        *(operator.neg, operator.index, int, float, bool, len, reversed, hash, str, bytes, complex, math.floor, round),
        lambda p: 1 + p,
        lambda p: 1 in p,
        lambda p: p[0],
        lambda p: operator.setitem(p, 0, 0),
        lambda p: operator.delitem(p, 0),
        lambda p: format(p, ""),
        lambda p: divmod(p, 1),
        lambda p: p.attribute,
        lambda p: delattr(p, "attribute"),
        lambda p: p.__enter__(),
        lambda p: p(),
        dir,
    ):
        with pytest.raises(LookupError, match="refused"):
            call(proxy)


def test_errors_of_wrappers_come_through():
    class Case:
        method = _wrappers.FunctionWrapper(len, refuse)
        broken = _wrappers.FunctionWrapper(refuse, call_on)
        enabled = _wrappers.FunctionWrapper(len, call_on, refuse)
        partial = staticmethod(_wrappers.PartialCallableObjectProxy(refuse, 1))

    for name in ("method", "broken", "enabled", "partial"):
        with pytest.raises(LookupError, match="refused"):
            getattr(Case(), name)()
    with pytest.raises(LookupError, match="refused"):
        Case.__dict__["method"]([])
    assert Case().method.__wrapped__ is len
