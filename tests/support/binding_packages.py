"""One package of a few lines for each way from Python to C, C++ and Fortran: its files, its recipe and its test."""

from __future__ import annotations

from dataclasses import dataclass, field
from textwrap import dedent


@dataclass(frozen=True, kw_only=True)
class Binding:
    """One of them, as `TinyProject.recipe` takes it."""

    files: dict[str, str]
    test: str
    meta: str = ""
    needs: tuple[str, ...] = field(default=())
    """Recipes of this checkout that it is built with."""


def _project(name: str, *requires: str, more: str = "") -> str:
    needs = ", ".join(f'"{each}"' for each in ("setuptools", *requires))
    return (
        f'[build-system]\nrequires = [{needs}]\nbuild-backend = "setuptools.build_meta"\n'
        f'[project]\nname = "{name}"\nversion = "1.0"\n{more}'
    )


def _setup(text: str) -> str:
    return f"from setuptools import Extension, setup\n{dedent(text)}"


_CYTHON = Binding(
    files={
        "pyproject.toml": _project("incython", "cython"),
        "setup.py": _setup("""
            from Cython.Build import cythonize
            setup(ext_modules=cythonize([Extension("incython", ["incython.pyx"], language="c++")]))
        """),
        "incython.pyx": dedent("""
            # cython: language_level=3
            from libcpp.vector cimport vector

            cdef class Total:
                cdef long long value
                def __init__(self): self.value = 0
                cpdef add(self, long long more):
                    self.value += more
                    return self.value

            def squares(int count):
                cdef vector[int] found
                for i in range(count):
                    found.push_back(i * i)
                return found

            def at(int index):
                cdef vector[int] three = [1, 2, 3]
                return checked(three, index)

            cdef int checked(vector[int] &numbers, int index) except *:
                return numbers.at(index)

            def generated(int count):
                for i in range(count):
                    yield i

            def view(const double[:] numbers):
                return sum([numbers[i] for i in range(numbers.shape[0])])
        """),
    },
    test="""
        import array
        import incython

        def test_class():
            total = incython.Total()
            assert total.add(1 << 40) == 1 << 40 and total.add(1) == (1 << 40) + 1
        def test_vector(): assert incython.squares(4) == [0, 1, 4, 9]
        def test_at(): assert incython.at(2) == 3
        def test_generator(): assert list(incython.generated(3)) == [0, 1, 2]
        def test_view(): assert incython.view(array.array("d", [0.5, 1.5])) == 2.0
    """,
)

_PYBIND11 = Binding(
    files={
        "pyproject.toml": _project("inpybind", "pybind11"),
        "setup.py": dedent("""
            from pybind11.setup_helpers import Pybind11Extension
            from setuptools import setup
            setup(ext_modules=[Pybind11Extension("inpybind", ["inpybind.cpp"], cxx_std=17)])
        """),
        "inpybind.cpp": dedent("""
            #include <pybind11/functional.h>
            #include <pybind11/pybind11.h>
            #include <pybind11/stl.h>
            #include <stdexcept>
            namespace py = pybind11;
            struct Animal {
                virtual ~Animal() = default;
                virtual std::string says() const { return "nothing"; }
            };
            struct PyAnimal : Animal {
                std::string says() const override { PYBIND11_OVERRIDE(std::string, Animal, says); }
            };
            PYBIND11_MODULE(inpybind, m) {
                py::class_<Animal, PyAnimal>(m, "Animal").def(py::init<>()).def("says", &Animal::says);
                m.def("ask", [](const Animal &animal) { return animal.says() + "!"; });
                m.def("apply", [](const std::function<long(long)> &f, std::vector<long> all) {
                    for (auto &each : all) each = f(each);
                    return all;
                });
                m.def("fail", [](const std::string &why) { throw std::out_of_range(why); });
            }
        """),
    },
    test="""
        import pytest
        import inpybind

        class Dog(inpybind.Animal):
            def says(self): return "wuff"

        def test_virtual(): assert inpybind.ask(Dog()) == "wuff!" and inpybind.ask(inpybind.Animal()) == "nothing!"
        def test_callback(): assert inpybind.apply(lambda n: n * 2, [1, 2]) == [2, 4]
        def test_exception():
            with pytest.raises(IndexError, match="there"):
                inpybind.fail("not there")
        def test_type():
            with pytest.raises(TypeError):
                inpybind.apply(None, ["x"])
    """,
)

_NANOBIND = Binding(
    files={
        "pyproject.toml": _project("innano", "nanobind"),
        "setup.py": _setup("""
            from pathlib import Path
            import nanobind
            own = Path(nanobind.__file__).parent
            robin = own / "ext" / "robin_map" / "include"
            setup(ext_modules=[Extension(
                "innano",
                ["innano.cpp", "nb.cpp"],
                include_dirs=[nanobind.include_dir(), str(own / "src"), str(robin)],
                define_macros=[("NB_COMPACT_ASSERTIONS", "1")],
                extra_compile_args=["-std=c++17", "-fno-strict-aliasing"],
                language="c++",
            )])
        """),
        "nb.cpp": "#include <nb_combined.cpp>\n",
        "innano.cpp": dedent("""
            #include <nanobind/nanobind.h>
            #include <nanobind/ndarray.h>
            #include <nanobind/stl/string.h>
            #include <nanobind/stl/vector.h>
            #include <stdexcept>
            namespace nb = nanobind;
            struct Counter { long long value = 0; };
            NB_MODULE(innano, m) {
                nb::class_<Counter>(m, "Counter")
                    .def(nb::init<>())
                    .def_rw("value", &Counter::value)
                    .def("add", [](Counter &self, long long more) -> Counter & { self.value += more; return self; },
                         nb::rv_policy::reference);
                m.def("join", [](const std::vector<std::string> &words) {
                    std::string all;
                    for (const auto &word : words) all += word;
                    return all;
                });
                m.def("total", [](nb::ndarray<const double, nb::ndim<1>, nb::device::cpu> numbers) {
                    double sum = 0;
                    for (size_t i = 0; i < numbers.shape(0); ++i) sum += numbers(i);
                    return sum;
                });
                m.def("fail", [] { throw std::invalid_argument("no"); });
            }
        """),
    },
    test="""
        import array
        import pytest
        import innano

        def test_class():
            counter = innano.Counter()
            assert counter.add(2).add(1 << 40) is counter and counter.value == (1 << 40) + 2
        def test_vector(): assert innano.join(["a", "b"]) == "ab"
        def test_array(): assert innano.total(array.array("d", [1.0, 2.5])) == 3.5
        def test_exception():
            with pytest.raises(ValueError, match="no"):
                innano.fail()
    """,
)

_SWIG = Binding(
    files={
        "pyproject.toml": _project("inswig", "swig"),
        "setup.py": _setup("""
            import subprocess
            subprocess.check_call(["swig", "-c++", "-python", "-o", "inswig_wrap.cpp", "inswig.i"])
            setup(py_modules=["inswig"], ext_modules=[Extension("_inswig", ["inswig_wrap.cpp"], language="c++")])
        """),
        "inswig.i": dedent("""
            %module(directors="1") inswig
            %include <exception.i>
            %include <std_string.i>
            %include <std_vector.i>
            %template(Numbers) std::vector<double>;
            %feature("director") Handler;
            %exception {
                try { $action }
                catch (const std::exception &error) { SWIG_exception(SWIG_ValueError, error.what()); }
            }
            %inline %{
            #include <stdexcept>
            struct Handler {
                virtual ~Handler() {}
                virtual int handle(int value) { return value; }
            };
            int call(Handler *handler, int value) { return handler->handle(value) + 1; }
            double total(const std::vector<double> &numbers) {
                double sum = 0;
                for (double each : numbers) sum += each;
                return sum;
            }
            void fail(const std::string &why) { throw std::runtime_error(why); }
            %}
        """),
    },
    test="""
        import pytest
        import inswig

        class Mine(inswig.Handler):
            def handle(self, value): return value * 10

        def test_director(): assert inswig.call(Mine(), 4) == 41 and inswig.call(inswig.Handler(), 4) == 5
        def test_vector(): assert inswig.total(inswig.Numbers([1.5, 2.5])) == 4.0
        def test_exception():
            with pytest.raises(ValueError, match="because"):
                inswig.fail("because")
    """,
)

_MYPYC = Binding(
    files={
        "pyproject.toml": _project("inmypyc", "mypy"),
        "setup.py": _setup("""
            from mypyc.build import mypycify
            setup(py_modules=["inmypyc"], ext_modules=mypycify(["inmypyc.py"]))
        """),
        "inmypyc.py": dedent('''
            """Compiled by mypyc."""
            from typing import Iterator

            class Account:
                def __init__(self, balance: int) -> None:
                    self.balance = balance

                def pay(self, amount: int) -> int:
                    if amount > self.balance:
                        raise ValueError("not enough")
                    self.balance -= amount
                    return self.balance

            def power(base: int, exponent: int) -> int:
                result = 1
                for _ in range(exponent):
                    result *= base
                return result

            def evens(limit: int) -> Iterator[int]:
                for i in range(0, limit, 2):
                    yield i
        '''),
    },
    test="""
        import pytest
        import inmypyc

        def test_compiled(): assert inmypyc.__file__.endswith(".so")
        def test_big_numbers(): assert inmypyc.power(3, 100) == 3**100 and inmypyc.power(2, 31) == 2**31
        def test_class():
            account = inmypyc.Account(10)
            assert account.pay(4) == 6
            with pytest.raises(ValueError, match="not enough"):
                account.pay(7)
        def test_types_are_checked():
            with pytest.raises(TypeError):
                inmypyc.power("x", 2)
        def test_generator(): assert list(inmypyc.evens(5)) == [0, 2, 4]
    """,
)


def _modern(name: str, standard: str, code: str, test: str) -> Binding:
    return Binding(
        files={
            "pyproject.toml": _project(name),
            "setup.py": _setup(f"""
                setup(ext_modules=[Extension(
                    "{name}", ["{name}.cpp"], language="c++", extra_compile_args=["-std={standard}"]
                )])
            """),
            f"{name}.cpp": "#include <Python.h>\n"
            + dedent(code)
            + dedent(f"""
                static PyMethodDef methods[] = {{
                    {{"answer", answer, METH_O, ""}},
                    {{NULL, NULL, 0, NULL}},
                }};
                static struct PyModuleDef definition = {{
                    PyModuleDef_HEAD_INIT, "{name}", NULL, -1, methods, NULL, NULL, NULL, NULL
                }};
                PyMODINIT_FUNC PyInit_{name}(void) {{ return PyModule_Create(&definition); }}
            """),
        },
        test=test,
    )


_CPP20 = _modern(
    "incpp20",
    "c++20",
    """
    #include <algorithm>
    #include <bit>
    #include <compare>
    #include <concepts>
    #include <coroutine>
    #include <exception>
    #include <format>
    #include <ranges>
    #include <span>
    #include <string>
    #include <vector>
    static_assert(__cplusplus >= 202002L);
    struct Version { int major, minor; auto operator<=>(const Version &) const = default; };
    template <std::integral T> consteval T doubled(T x) { return x * 2; }
    struct Numbers {
        struct promise_type {
            int current = 0;
            Numbers get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
            std::suspend_always initial_suspend() { return {}; }
            std::suspend_always final_suspend() noexcept { return {}; }
            std::suspend_always yield_value(int value) { current = value; return {}; }
            void return_void() {}
            void unhandled_exception() { std::terminate(); }
        };
        std::coroutine_handle<promise_type> handle;
        ~Numbers() { handle.destroy(); }
    };
    static Numbers count(int to) { for (int i = 1; i <= to; ++i) co_yield i; }
    static int sum(std::span<const int> numbers) {
        int total = 0;
        for (int each : numbers | std::views::filter([](int n) { return n % 2 == 0; })) total += each;
        return total;
    }
    static PyObject *answer(PyObject *, PyObject *value) {
        std::vector<int> found;
        auto numbers = count((int)PyLong_AsLong(value));
        for (numbers.handle.resume(); !numbers.handle.done(); numbers.handle.resume())
            found.push_back(numbers.handle.promise().current);
        std::ranges::reverse(found);
        bool newer = Version{1, 10} > Version{1, 9};
        auto text = std::format("{}:{}:{}:{}", sum(found), found.front(), newer, std::popcount(doubled(127u)));
        return PyUnicode_FromString(text.c_str());
    }
    """,
    """
        import incpp20

        def test_answer(): assert incpp20.answer(6) == "12:6:true:7"
    """,
)
_CPP23 = _modern(
    "incpp23",
    "c++23",
    """
    #include <expected>
    #include <optional>
    #include <string>
    #include <string_view>
    #include <utility>
    static_assert(__cplusplus > 202002L);
    struct Chain {
        int value;
        template <class Self> auto &&plus(this Self &&self, int more) {
            self.value += more;
            return std::forward<Self>(self);
        }
    };
    enum class Fault { negative = 7 };
    static std::expected<int, Fault> checked(long value) {
        if (value < 0) return std::unexpected(Fault::negative);
        return Chain{(int)value}.plus(1).plus(2).value;
    }
    static constexpr int where() { if consteval { return 1; } else { return 2; } }
    static PyObject *answer(PyObject *, PyObject *value) {
        auto found = checked(PyLong_AsLong(value)).and_then([](int n) -> std::expected<int, Fault> { return n * 10; });
        if (!found) return PyLong_FromLong(-std::to_underlying(found.error()));
        constexpr int compiled = where();
        bool contained = std::string("wasm").contains("as");
        auto more = std::optional<int>(5).transform([](int n) { return n * 1000; });
        return PyLong_FromLong(*found + compiled + contained + *more);
    }
    """,
    """
        import incpp23

        def test_answer(): assert incpp23.answer(4) == 5072 and incpp23.answer(-1) == -7
    """,
)

_FORTRAN = Binding(
    files={
        "pyproject.toml": _project("infortran"),
        "setup.py": _setup("""
            setup(ext_modules=[Extension("infortran", ["infortran.c", "sums.c"], libraries=["f2c"])])
        """),
        "sums.f": dedent("""
            !
                  DOUBLE PRECISION FUNCTION PSUM(N, X, P)
                  INTEGER N, P, I
                  DOUBLE PRECISION X(*)
                  PSUM = 0.0D0
                  DO 10 I = 1, N
                     PSUM = PSUM + X(I)**P
               10 CONTINUE
                  END
                  SUBROUTINE ROTATE(Z)
                  COMPLEX*16 Z
                  COMMON /TURNS/ NTURNS
                  INTEGER NTURNS
                  NTURNS = NTURNS + 1
                  Z = Z / (0.0D0, 1.0D0)
                  END
        """)
        .lstrip("\n")
        .replace("!\n", "C     Translated by f2c.\n"),
        "infortran.c": dedent("""
            #include <Python.h>
            extern double psum_(int *n, double *x, int *p);
            extern int rotate_(double *z);
            extern struct { int nturns; } turns_;
            static PyObject *cubes(PyObject *self, PyObject *value) {
                double numbers[3] = {1, 2, PyFloat_AsDouble(value)};
                int count = 3, power = 3;
                return PyFloat_FromDouble(psum_(&count, numbers, &power));
            }
            static PyObject *turn(PyObject *self, PyObject *value) {
                Py_complex z = PyComplex_AsCComplex(value);
                double parts[2] = {z.real, z.imag};
                rotate_(parts);
                return Py_BuildValue("ddi", parts[0], parts[1], turns_.nturns);
            }
            static PyMethodDef methods[] = {
                {"cubes", cubes, METH_O, ""},
                {"turn", turn, METH_O, ""},
                {NULL, NULL, 0, NULL},
            };
            static struct PyModuleDef definition = {
                PyModuleDef_HEAD_INIT, "infortran", NULL, -1, methods, NULL, NULL, NULL, NULL
            };
            PyMODINIT_FUNC PyInit_infortran(void) { return PyModule_Create(&definition); }
        """),
    },
    meta="""
        build:
          script: |
            "${WASM_LIBRARY_DIR}/bin/f2c" -a sums.f
          cflags: -I$(WASM_LIBRARY_DIR)/include
          ldflags: -L$(WASM_LIBRARY_DIR)/lib
        requirements:
          host:
            - f2c
            - libf2c
    """,
    needs=("f2c", "libf2c"),
    test="""
        import infortran

        def test_sum(): assert infortran.cubes(3.0) == 36.0
        def test_complex(): assert infortran.turn(1 + 2j) == (2.0, -1.0, 1) and infortran.turn(1j) == (1.0, 0.0, 2)
    """,
)

_API = Binding(
    files={
        "pyproject.toml": _project("incffi", "cffi", more='dependencies = ["cffi"]\n'),
        "setup.py": dedent("""
            from setuptools import setup
            setup(py_modules=[], cffi_modules=["build_incffi.py:builder"])
        """),
        "build_incffi.py": dedent('''
            from cffi import FFI
            builder = FFI()
            builder.cdef("""
                typedef struct { int x; double y; } point;
                point moved(point from, int by);
                long long folded(int (*step)(int, int), const int *numbers, int count);
                extern "Python" int add(int, int);
                #define LIMIT ...
            """)
            builder.set_source("incffi", """
                #define LIMIT 4000000000
                typedef struct { int x; double y; } point;
                static point moved(point from, int by) { from.x += by; from.y += by; return from; }
                static long long folded(int (*step)(int, int), const int *numbers, int count) {
                    long long total = 0;
                    for (int i = 0; i < count; ++i) total = step((int)total, numbers[i]);
                    return total;
                }
            """)
        '''),
    },
    meta="""
        requirements:
          run:
            - cffi
    """,
    needs=("libffi", "cffi"),
    test="""
        import pytest
        from incffi import ffi, lib

        @ffi.def_extern()
        def add(a, b): return a + b

        def test_struct():
            point = lib.moved({"x": 1, "y": 0.5}, 2)
            assert (point.x, point.y) == (3, 2.5)
        def test_callback(): assert lib.folded(lib.add, [1, 2, 39], 3) == 42
        def test_constant(): assert lib.LIMIT == 4000000000
        def test_types():
            with pytest.raises(TypeError):
                lib.moved({"x": "1"}, 2)
        def test_memory():
            numbers = ffi.new("double[3]", [1.0, 2.0, 3.0])
            assert len(ffi.buffer(numbers)) == 24 and ffi.unpack(numbers, 3) == [1.0, 2.0, 3.0]
    """,
)

_ABI = Binding(
    files={
        "pyproject.toml": _project(
            "indlopen", more='dependencies = ["cffi"]\n[tool.setuptools]\npackages = ["indlopen"]\n'
        ),
        "setup.py": _setup("""
            setup(ext_modules=[Extension("indlopen._library", ["library.c"])])
        """),
        "library.c": dedent("""
            #include <string.h>
            int answer = 42;
            double scaled(double value, int by) { return value * by; }
            long long widened(int value) { return (long long)value << 32; }
            unsigned length(const char *text) { return strlen(text); }
        """),
        "indlopen/__init__.py": dedent("""
            import ctypes
            from pathlib import Path
            import cffi
            (_path,) = map(str, Path(__file__).parent.glob("_library*.so"))
            ffi = cffi.FFI()
            ffi.cdef("int answer; double scaled(double, int); long long widened(int); unsigned length(const char *);")
            by_cffi = ffi.dlopen(_path)
            by_ctypes = ctypes.CDLL(_path)
            by_ctypes.scaled.argtypes, by_ctypes.scaled.restype = (ctypes.c_double, ctypes.c_int), ctypes.c_double
            by_ctypes.widened.restype = ctypes.c_longlong
        """),
    },
    meta="""
        build:
          exports: whole_archive
        requirements:
          run:
            - cffi
    """,
    needs=("libffi", "cffi"),
    test="""
        import ctypes
        import pytest
        from indlopen import by_cffi, by_ctypes

        def test_cffi():
            assert by_cffi.scaled(1.5, 3) == 4.5 and by_cffi.widened(-1) == -(1 << 32) and by_cffi.length(b"four") == 4
        def test_variable():
            assert by_cffi.answer == 42
            by_cffi.answer = 43
            assert ctypes.c_int.in_dll(by_ctypes, "answer").value == 43
        def test_ctypes():
            assert by_ctypes.scaled(1.5, 3) == 4.5 and by_ctypes.widened(2) == 1 << 33 and by_ctypes.length(b"") == 0
        def test_no_such_function():
            with pytest.raises(AttributeError):
                by_cffi.nothing
            with pytest.raises(AttributeError):
                by_ctypes.nothing
    """,
)

CFFI = {
    "libffi": (
        "pkg:deb/debian/libffi@3.5.2",
        "3.5.2",
        "dd19253d3007f366319a51d248a40c9e5fcace4498cbea990b566291844e4e30",
        """
            build:
              type: static_library
              script: |
                # libltdl's macros are not in the image
                sed -i '/LT_SYS_SYMBOL_USCORE/d' configure.ac
                autoreconf --force --install
                emconfigure ./configure --host=wasm32-unknown-linux --prefix="${WASM_LIBRARY_DIR}" --enable-static \\
                  --disable-shared --disable-dependency-tracking --disable-builddir --disable-multi-os-directory \\
                  --disable-raw-api --disable-docs CFLAGS="${SIDE_MODULE_CFLAGS} -DWASM_BIGINT"
                emmake make install
        """,
    ),
    "cffi": (
        "pkg:pypi/cffi@2.1.1",
        "2.1.1",
        "dd31f52ea1086513bb9df30f8fcee9b8918323ae067a3d5b78bc826a000712be",
        """
            build:
              cflags: -I$(WASM_LIBRARY_DIR)/include
              ldflags: -L$(WASM_LIBRARY_DIR)/lib
            requirements:
              host:
                - libffi
              run:
                - pycparser
        """,
    ),
}
"""Recipes that the packages with cffi need, which this checkout has not: source, version, hash and the rest."""

BINDINGS = {
    "incffi": _API,
    "indlopen": _ABI,
    "incython": _CYTHON,
    "inpybind": _PYBIND11,
    "innano": _NANOBIND,
    "inswig": _SWIG,
    "inmypyc": _MYPYC,
    "incpp20": _CPP20,
    "incpp23": _CPP23,
    "infortran": _FORTRAN,
}
"""Name of the package, and of its module -> the package."""
