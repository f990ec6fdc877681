"""Small packages of one compiled module, with a test that goes beside their recipe."""

from __future__ import annotations

from textwrap import dedent

METHODS = """
#include <Python.h>
{code}
static PyMethodDef methods[] = {{
{rows}
    {{NULL, NULL, 0, NULL}},
}};
static struct PyModuleDef definition = {{PyModuleDef_HEAD_INIT, "{name}", NULL, -1, methods}};
PyMODINIT_FUNC PyInit_{name}(void) {{ return PyModule_Create(&definition); }}
"""


def module(name, code, *functions):
    rows = "\n".join(f'    {{"{each}", {each}, METH_NOARGS, ""}},' for each in functions)
    return METHODS.format(name=name, code=dedent(code), rows=rows)


def project(name, backend="setuptools.build_meta", requires="setuptools"):
    return (
        f'[build-system]\nrequires = ["{requires}"]\nbuild-backend = "{backend}"\n'
        f'[project]\nname = "{name}"\nversion = "1.0"\n'
    )


def beside(name, text):
    return {f"test_{name}.py": dedent(text)}


def green(outcome, count):
    assert (outcome["state"], outcome["error"]) == ("built", None)
    assert outcome["engines"] == {"node": f"{count} passed"}


# Meson
