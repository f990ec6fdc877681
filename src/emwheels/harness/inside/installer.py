"""What runs inside Pyodide to try an index: install with micropip, one package after another, and tell what came of it.

The engine imports this file alone, under the name ``emwheels_installer``; it must import nothing of emwheels.
"""

from __future__ import annotations

import hashlib
import json
import time
import traceback
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT = 4000
"""Characters of an error that are kept, from the end."""


async def run(job_json: str, emit: Callable[[str], None]) -> None:
    """Try the job's installations but those that an earlier start of the engine finished."""
    job = json.loads(job_json)
    waiting = [install for install in job["installs"] if install["id"] not in job["finished"]]
    emit(json.dumps({"event": "collected", "nodeids": [install["id"] for install in waiting]}))
    for install in waiting:
        emit(json.dumps({"event": "start", "nodeid": install["id"]}))
        began = time.perf_counter()
        case = {"event": "case", "nodeid": install["id"], "collection": False, "outcome": "passed", "message": ""}
        try:
            output = await _install(install)
        except Exception as error:  # noqa: BLE001  (whatever it is, it is what a user would have met)
            case["outcome"] = "failed"
            case["message"] = _said(error)[-LIMIT:]
            output = {"traceback": traceback.format_exc()[-LIMIT:]}
        emit(json.dumps({**case, "seconds": time.perf_counter() - began, "output": json.dumps(output)}))
    emit(json.dumps({"event": "finish", "status": 0}))


def _said(error: BaseException) -> str:
    """Name the error, and those that a task group has gathered."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_said(each) for each in error.exceptions)
    return f"{type(error).__name__}: {error}"


async def _install(install: dict[str, Any]) -> dict[str, Any]:
    """Install, run ``install["code"]`` if there is some, and remove again what came. Returns name -> what is there."""
    before = _distributions()
    if install["lock"]:
        await import_module("pyodide_js").loadPackage(install["requirement"])
    else:
        micropip = import_module("micropip")
        await micropip.install(install["requirement"], index_urls=install["index_urls"], deps=install["deps"])
    after = _distributions()
    came = {name: after[name] for name in after if after[name] != before.get(name)}
    # What loadPackage brought with an earlier package it does not bring again, and it takes nothing away.
    output: dict[str, Any] = {"installed": after if install["lock"] else came}
    if install["code"]:
        scope: dict[str, Any] = {}
        exec(install["code"], scope)  # noqa: S102  (code of the caller of the harness)
        output["result"] = scope.get("result")
    elif came and not install["lock"]:
        import_module("micropip").uninstall(list(came))
    return output


def _distributions() -> dict[str, list[str]]:
    """Name -> version and sha256 of RECORD of every distribution."""
    versions = {}
    for distribution in metadata.distributions():
        record = distribution.read_text("RECORD") or ""
        name = distribution.metadata["Name"]
        versions[name] = [distribution.version, hashlib.sha256(record.encode()).hexdigest()]
    return versions
