"""meta.yaml -> `Recipe`, with every problem of a file reported at once by file, line and key.

The format is that of pyodide-build 0.39.2 (its ``recipe/spec.py``), unchanged, but for one addition: ``source.url`` may
be a package URL (purl, ECMA-427), which pyodide-build never sees.
"""
