"""A static library of one file, ``library``, and an extension that links it: the rest of their meta.yaml, and C."""

from __future__ import annotations

LIBRARY_META = """
    build:
      type: static_library
      script: |
        emcc $SIDE_MODULE_CFLAGS -c library.c -o library.o
        emar rcsD libtiny.a library.o
        mkdir -p "$WASM_LIBRARY_DIR/lib" "$WASM_LIBRARY_DIR/include"
        cp libtiny.a "$WASM_LIBRARY_DIR/lib/"
        cp library.h "$WASM_LIBRARY_DIR/include/"
"""
USER_META = """
    build:
      cflags: -I$(WASM_LIBRARY_DIR)/include
      ldflags: -L$(WASM_LIBRARY_DIR)/lib
    requirements:
      host:
        - library
"""
USER_C = '#include "library.h"\nstatic PyObject *ask(PyObject *s, PyObject *v) { return PyLong_FromLong(answer()); }\n'
