"""Gives the tests an id of the thread for their file names: Pyodide has no threads, and none of the system's ids."""

from __future__ import annotations

import threading

if not hasattr(threading, "get_native_id"):
    threading.get_native_id = threading.get_ident
