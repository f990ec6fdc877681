"""For scipy's own tests: what they, or pytest, meet in this interpreter that has nothing to do with scipy."""

import importlib.util
import operator
import sys
import threading

# Some name their folders by the system's number of the thread, and here there is none.
if not hasattr(threading, "get_native_id"):
    threading.get_native_id = threading.get_ident


def without_accelerator():
    """Return the module operator as it is without its compiled part."""
    compiled = sys.modules.pop("_operator")
    sys.modules["_operator"] = None
    try:
        spec = importlib.util.find_spec("operator")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.modules["_operator"] = compiled
    return module


# CPython 3.14's compiled methodcaller ends the interpreter when a garbage collection clears it: its tp_clear returns
# nothing, and WebAssembly calls no function by another signature (gh-156762). One is in the traceback of each expected
# failure of scipy/special/tests/test_data.py.
operator.methodcaller = without_accelerator().methodcaller
