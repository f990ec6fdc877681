"""Turns source packages into tested WebAssembly wheels for Pyodide and publishes them as a private index."""

__version__ = "0.1.0"
