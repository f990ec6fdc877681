"""C++ types and inline variables are one across modules, whatever else each module binds to itself.

Each module holds a copy of one static library. Natively all of this works between modules that Python loads: types are
compared by name, and what an inline function keeps is one in the process (``STB_GNU_UNIQUE``).
"""

from __future__ import annotations

import pytest

from emwheels.harness.engines import ENGINES

pytestmark = [pytest.mark.image, pytest.mark.timeout(400)]

SHAPES_H = """
#pragma once
#include <functional>
#include <stdexcept>
struct Shape { virtual ~Shape(); virtual double area() const = 0; };  // its typeinfo is in one object
struct Circle : Shape { double radius; explicit Circle(double r); double area() const override; };
struct Square : Shape { double side = 3; double area() const override { return side * side; } };  // in every object
struct Bad : std::runtime_error { using std::runtime_error::runtime_error; };
struct Worse : Bad { using Bad::Bad; };
struct Twice { double operator()(double x) const { return 2 * x; } };
inline int first_value() { return 40; }
inline int &counter() { static int count = first_value(); return count; }  // with a guard, if it is not optimised
inline int total = 0;
template <class T> struct Registry { static int count; };
template <class T> int Registry<T>::count = 0;
extern int own;
typedef long (*Answer)(long);
Answer library_answer();
"""
SHAPES_CPP = """
#include "shapes.h"
Shape::~Shape() {}
Circle::Circle(double r) : radius(r) {}
double Circle::area() const { return 3 * radius * radius; }
int own = 7;
template <class T> __attribute__((noinline)) T answer(T x) { return x + 40; }
template long answer(long);
Answer library_answer() { return answer<long>; }
"""
LIBRARY_META = """
    build:
      type: static_library
      script: |
        em++ $SIDE_MODULE_CXXFLAGS -c shapes.cpp -o shapes.o
        emar rcsD libshapes.a shapes.o
        mkdir -p "$WASM_LIBRARY_DIR/lib" "$WASM_LIBRARY_DIR/include"
        cp libshapes.a "$WASM_LIBRARY_DIR/lib/"
        cp shapes.h "$WASM_LIBRARY_DIR/include/"
"""
SHARED_META = LIBRARY_META.replace(
    'cp libshapes.a "$WASM_LIBRARY_DIR/lib/"',
    'em++ $SIDE_MODULE_LDFLAGS shapes.o -o "$WASM_LIBRARY_DIR/lib/libshapes.so"',
)
USER_META = """
    build:
      cflags: -I$(WASM_LIBRARY_DIR)/include
      ldflags: -L$(WASM_LIBRARY_DIR)/lib -lshapes
    requirements:
      host:
        - library
"""
MODULE = """
#include <typeinfo>
#include "shapes.h"
struct Version { virtual int number() const { return VERSION; } virtual ~Version() {} };  // of a library that changes
static Version version;
#pragma GCC visibility push(hidden)
template <class T> __attribute__((noinline)) T answer(T x) { return x + 40; }
#pragma GCC visibility pop
static double another(void) { return 1; }
static double (*volatile first)(void);
static Answer volatile pointer;

static PyObject *packed(void *pointer) { return PyLong_FromVoidPtr(pointer); }
template <class T> static T *unpacked(PyObject *value) { return static_cast<T *>(PyLong_AsVoidPtr(value)); }
static void throw_it() { throw Worse("thrown here"); }
static std::function<double(double)> twice = Twice();

static PyObject *packed(Shape *shape) { return packed(static_cast<void *>(shape)); }
static PyObject *circle(PyObject *, PyObject *r) { return packed(new Circle(PyFloat_AsDouble(r))); }
static PyObject *square(PyObject *, PyObject *) { return packed(new Square()); }
static PyObject *kind(PyObject *, PyObject *value) {
    Shape *shape = unpacked<Shape>(value);
    if (Circle *c = dynamic_cast<Circle *>(shape)) {
        bool same = typeid(*shape) == typeid(Circle) && typeid(*shape).hash_code() == typeid(Circle).hash_code();
        return Py_BuildValue("sdO", "circle", c->radius, same ? Py_True : Py_False);
    }
    if (Square *s = dynamic_cast<Square *>(shape)) return Py_BuildValue("sdO", "square", s->area(),
        typeid(*shape) == typeid(Square) ? Py_True : Py_False);
    return PyUnicode_FromString("unknown");
}
static PyObject *thrower(PyObject *, PyObject *) { return packed((void *)throw_it); }
static PyObject *catcher(PyObject *, PyObject *value) {
    try { ((void (*)())PyLong_AsVoidPtr(value))(); }
    catch (const Bad &error) { return PyUnicode_FromFormat("bad: %s", error.what()); }
    catch (const std::exception &error) { return PyUnicode_FromFormat("exception: %s", error.what()); }
    catch (...) { return PyUnicode_FromString("something"); }
    return PyUnicode_FromString("nothing");
}
static PyObject *count(PyObject *, PyObject *) {
    return Py_BuildValue("iii", ++counter(), ++total, ++Registry<Circle>::count);
}
static PyObject *function(PyObject *, PyObject *) { return packed(&twice); }
static PyObject *target(PyObject *, PyObject *value) {
    auto *f = unpacked<std::function<double(double)>>(value);
    return Py_BuildValue("Od", f->target<Twice>() ? Py_True : Py_False, (*f)(4));
}
static PyObject *alone(PyObject *, PyObject *) { return Py_BuildValue("ii", ++own, (&version)->number()); }
static PyObject *address(PyObject *, PyObject *value) {
    first = another;
    pointer = answer<long>;
    return Py_BuildValue("ll", pointer(PyLong_AsLong(value)), library_answer()(PyLong_AsLong(value)));
}
"""
FUNCTIONS = ("circle", "square", "kind", "thrower", "catcher", "count", "function", "target", "alone", "address")
TESTS = """
    import itertools
    import pytest
    import one
    import two

    pairs = pytest.mark.parametrize(("a", "b"), list(itertools.product((one, two), repeat=2)))

    @pairs
    def test_dynamic_cast_and_typeid(a, b):
        assert b.kind(a.circle(2.5)) == ("circle", 2.5, True)
        assert b.kind(a.square(0)) == ("square", 9, True)

    @pairs
    def test_an_exception_is_caught_by_its_base(a, b):
        assert b.catcher(a.thrower(0)) == "bad: thrown here"

    @pairs
    def test_target_of_a_function(a, b):
        assert b.target(a.function(0)) == (True, 8)

    def test_what_inline_functions_keep_is_one():
        assert one.count(0) == (41, 1, 1)
        assert two.count(0) == (42, 2, 2)
        assert one.count(0) == (43, 3, 3)

    def test_the_address_of_a_function_that_is_hidden_in_one_object_only():
        assert (one.address(2), two.address(5)) == ((42, 42), (45, 45))
"""
ALONE = """
    def test_variables_and_virtual_functions_are_the_own_ones_of_each():
        assert one.alone(0) == (8, 1)
        assert two.alone(0) == (8, 2)
        assert one.alone(0) == (9, 1)
"""
TOGETHER = """
    def test_what_a_shared_library_has_is_one():
        assert one.alone(0)[0] == 8
        assert two.alone(0)[0] == 9
"""


def sources(code, *names, requires=()):
    """Return the source of a package with a C++ module for each of ``names``, and the files beside the first's."""
    flags = "".join(
        f'Extension("{name}", ["{name}.cpp"], define_macros=[("VERSION", "{1 + (name == "two")}")]), ' for name in names
    )
    return {
        "pyproject.toml": (
            '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
            f'[project]\nname = "{names[0]}"\nversion = "1.0"\ndependencies = {list(requires)!r}\n'
        ),
        "setup.py": f"from setuptools import Extension, setup\nsetup(ext_modules=[{flags}])\n",
        **{f"{name}.cpp": code(name, MODULE, *FUNCTIONS) for name in names},
    }


@pytest.mark.parametrize(("meta", "more"), [(LIBRARY_META, ALONE), (SHARED_META, TOGETHER)], ids=["static", "shared"])
def test_two_modules_of_a_wheel(tiny_project, module, meta, more):
    tiny_project.recipe("library", {"shapes.h": SHAPES_H, "shapes.cpp": SHAPES_CPP}, meta, locked=False)
    tiny_project.recipe("one", sources(module, "one", "two"), USER_META, tests={"test_one.py": TESTS + more})
    engines = tuple(ENGINES) if meta is LIBRARY_META else tuple(ENGINES)[:1]
    done = tiny_project.json("build", "one", *(f"--engine={engine}" for engine in engines)).json()["one"]
    assert done["engines"] == dict.fromkeys(engines, "15 passed")


def test_modules_of_two_wheels(tiny_project, module):
    tiny_project.recipe("library", {"shapes.h": SHAPES_H, "shapes.cpp": SHAPES_CPP}, LIBRARY_META, locked=False)
    tiny_project.recipe("one", sources(module, "one"), USER_META)
    needs_one = f"{USER_META}      run:\n        - one\n"
    tiny_project.recipe(
        "two", sources(module, "two", requires=["one"]), needs_one, tests={"test_two.py": TESTS + ALONE}
    )
    done = tiny_project.json("build", "two", "--engine=node").json()["two"]
    assert done["engines"] == {"node": "15 passed"}


HIDDEN_TYPE = """
struct __attribute__((visibility("hidden"))) Secret { virtual int number() { return VERSION; } virtual ~Secret() {} };
static Secret *volatile kept;
static PyObject *number(PyObject *, PyObject *) { kept = new Secret; return PyLong_FromLong(kept->number()); }
"""
ACCEPTED = """
    extra:
      emwheels:
        accepted:
          - {rule: split-type, what: Secret, reason: no module hands it to another}
"""


def test_a_type_that_modules_keep_apart_is_refused_until_it_is_accepted(tiny_project, module):
    members = sources(module, "tiny", "two")
    members |= {f"{name}.cpp": module(name, HIDDEN_TYPE, "number") for name in ("tiny", "two")}
    tiny_project.recipe("tiny", members)
    tiny_project.refused(7, "split-type", "keep C++ types apart that are the same (Secret)", "extra.emwheels.accepted")
    tiny_project.recipe("tiny", members, ACCEPTED)
    assert tiny_project.json("build", "tiny", "--no-test").states() == {"tiny": "built"}
