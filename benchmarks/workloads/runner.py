"""Times a workload; the same in Pyodide and in native CPython. Prints one line of JSON: case -> milliseconds."""

from __future__ import annotations

import importlib
import json
import statistics
import sys
import time

MARK = "RESULT "
SECONDS = 1.0
"""For how long a case is repeated, at least three times."""


def measure(workload: str) -> dict[str, float]:
    """Return case -> the median time of one call, in milliseconds."""
    found = {}
    for name, function in importlib.import_module(workload).cases().items():
        function()
        times: list[float] = []
        until = time.perf_counter() + SECONDS
        while len(times) < 3 or time.perf_counter() < until:
            start = time.perf_counter()
            function()
            times.append((time.perf_counter() - start) * 1000)
        found[name] = statistics.median(times)
    return found


if __name__ == "__main__":
    print(MARK + json.dumps(measure(sys.argv[1])))
