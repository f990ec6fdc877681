"""For numpy's own tests: what they meet in a wheel that has none of numpy's compiled test modules."""

import importlib.util
import sys
import types

# numpy's conftest asks one of them, before and after each test, for the mode of the x87; there is none in WebAssembly.
# The whole suite runs on a wheel that has the modules.
if importlib.util.find_spec("numpy._core._multiarray_tests") is None:
    stand_in = types.ModuleType("numpy._core._multiarray_tests")
    stand_in.get_fpu_mode = lambda: 0
    sys.modules[stand_in.__name__] = stand_in
