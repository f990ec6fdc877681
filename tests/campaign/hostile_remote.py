"""A shared store of builds, as an attacker fills and serves it."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from hostile_ground import SHA256, BrokenError, Ground

from emwheels.outputs.builds import check_record
from emwheels.outputs.remote.model import Manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def records(_: Ground) -> Iterator[tuple[str, Callable[[], str]]]:
    """Manifests and records of a remote store."""
    manifests = {
        "no JSON": b"<html>", "a list": b"[]", "a number": b"1", "nothing": b"", "deep": b"[" * 500_000,
        "a huge number": b'{"config": {"mediaType": "x", "digest": "sha256:' + b"0" * 64 + b'", "size": 1e999}}',
        "another type": b'{"config": {"mediaType": "text/html", "digest": "sha256:' + b"0" * 64 + b'", "size": 1}}',
        "a digest with a path": b'{"config": {"mediaType": "x", "digest": "sha256:../../etc", "size": 1}}',
        "a negative size": b'{"config": {"mediaType": "x", "digest": "sha256:' + b"0" * 64 + b'", "size": -1}}',
        "layers that are none": b'{"config": {}, "layers": {"a": 1}}', "surrogates": b'"\\ud800"', "NaN": b"NaN",
    }  # fmt: skip
    for name, data in manifests.items():
        yield f"a manifest: {name}", partial(_manifest, data)
    output = {
        "name": "demo", "kind": "wheels", "filename": "demo-1.0-py3-none-any.whl", "sha256": SHA256, "size": 1,
        "seconds": 1.0, "key": "",
    }  # fmt: skip
    for name, changes in {
        "another key": {}, "a path": {"filename": "../demo-1.0-py3-none-any.whl"}, "another name": {"name": "other"},
        "a kind with a path": {"kind": "../wheels"}, "a hash that is none": {"sha256": "../../x"},
        "a size that is text": {"size": "1"}, "one key more": {"evil": 1},
    }.items():  # fmt: skip
        yield f"a record: {name}", partial(_record, output | changes, right=name != "another key")
    for name, record in {"a list": [], "nothing": {}, "text": {"inputs": "x", "output": "y"}}.items():
        yield f"a record: {name}", partial(check, record)


def check(record: Any) -> str:
    """Hold a record against a key that it is not of."""
    check_record("0" * 64, record)
    raise BrokenError("it was taken")


def _manifest(data: bytes) -> str:
    Manifest.parse(data)
    raise BrokenError("it was taken")


def _record(output: dict[str, Any], *, right: bool) -> str:
    import hashlib

    inputs = {"recipe": {"package": {"name": "demo"}}}
    key = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest() if right else "0" * 64
    check_record(key, {"inputs": inputs, "output": {**output, "key": key}, "log": SHA256})
    raise BrokenError("it was taken")
