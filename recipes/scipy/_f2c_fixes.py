"""In place of pyodide-build's module of this name (0.39.2).

That makes void functions return int in each C file of the package, as they do in the LAPACK that upstream has by f2c.
Here LAPACK is as scipy declares it.
"""


def scipy_fixes(args):
    """Change nothing."""
