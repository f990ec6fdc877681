"""A shared store of builds, as an attacker fills and serves it."""

from __future__ import annotations

# ruff: noqa: E501  (each attack on a line)
import gzip
import itertools
import json
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from fake_builds import make_build
from hostile_ground import SECRET, SHA256, BrokenError, Ground, lay
from hostile_web import attacker, drip, endless

from emwheels.fetch.download import Downloader
from emwheels.outputs.builds import Builds, check_record, files_of
from emwheels.outputs.remote.folder import LocalFolder
from emwheels.outputs.remote.model import Manifest
from emwheels.outputs.remote.open import open_remote
from emwheels.outputs.remote.transfer import push
from emwheels.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hostile_web import Answer, Hostile

_LONGEST = 25
"""Seconds that a build may wait for a store."""


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


def stores(ground: Ground) -> Iterator[tuple[str, Callable[[], str]]]:
    """Stores on a web server and in a folder, each with one hostile entry beside a right one."""
    for name, answer in _answers().items():
        for part in ("manifest", "record", "output"):
            yield f"{name} in place of a {part}", partial(_serve, ground, part, answer)
    for name, change in _changed_records().items():
        yield f"a store's record: {name}", partial(_serve, ground, "", None, change)
    for name, change in _changed_manifests().items():
        yield f"a store's manifest: {name}", partial(_serve, ground, "", None, None, change)
    for what, part in itertools.product(("fifo", "zero", "secret", "folder", "ring"), ("manifest", "output")):
        yield f"a folder: {what} in place of a {part}", partial(_folder, ground, part, what)


def _answers() -> dict[str, Answer]:
    bomb = gzip.compress(bytes(200 << 20), 9)
    return {
        "deep JSON": lambda h: h.give(b"[" * 500_000, "application/json"),
        "a page to sign in": lambda h: h.give(b"<html>sign in</html>"),
        "a bomb": lambda h: h.give(bomb, Content_Encoding="gzip"),
        "bytes without end": endless,
        "a drip": drip,
        "a redirect to this machine": lambda h: h.lead("http://@TRAP@/"),
        "a redirect to a cloud's metadata": lambda h: h.lead("http://169.254.169.254/"),
        "a redirect to a file": lambda h: h.lead("file:///etc/passwd"),
        "a redirect to itself": lambda h: h.lead(h.path),
        "a length that lies": lambda h: h.give(b"x", Content_Length="1000000"),
        "no HTTP": lambda h: h.wfile.write(b"SSH-2.0-evil\r\n"),
        "half surrogates": lambda h: h.give(b'"\\ud800"', "application/json"),
    }  # fmt: skip


def _changed_records() -> dict[str, Any]:
    deep: Any = "x"
    for _ in range(150):
        deep = [deep]
    output = {
        "a path": {"filename": "../demo-1.0-py3-none-any.whl"}, "a NUL": {"filename": "demo\0-1.0-py3-none-any.whl"},
        "a file of Python": {"filename": "python"}, "a size that lies": {"size": 7}, "a negative size": {"size": -1},
        "a huge size": {"size": 10**30}, "a size that is true": {"size": True}, "seconds without end": {"seconds": 1e999},
        "seconds that are text": {"seconds": "1"}, "a kind with a path": {"kind": "../../x"},
        "a hash with a path": {"sha256": "../../x"}, "a name that is a list": {"name": ["demo"]},
        "content with a path": {"content": "../x"}, "a field more": {"evil": 1}, "another key": {"key": "0" * 64},
        "another build's wheel": {"filename": "other-1.0-py3-none-any.whl", "name": "other"},
        "many tags": {"filename": f"demo-1.0-{'.'.join('ab' * 50)}-{'.'.join('ab' * 50)}-any.whl"},
    }  # fmt: skip
    record = {
        "a log with a path": {"log": "../../../etc/passwd"}, "a log that is a number": {"log": 1},
        "inputs of another": {"inputs": {"recipe": {"package": {"name": "other"}}}}, "inputs that are a list": {"inputs": []},
        "memory that is text": {"peak_kib": "x"}, "memory that is negative": {"peak_kib": -5}, "an unknown field": {"evil": deep},
        "an audit that is text": {"audit": "fine"}, "a deep audit": {"audit": {"a": deep}}, "objects without end": {"ccache objects": 1e999},
    }  # fmt: skip
    return {name: ("output", changes) for name, changes in output.items()} | {
        name: ("", changes) for name, changes in record.items()
    }


def _changed_manifests() -> dict[str, Callable[[dict[str, Any]], object]]:
    return {
        "100,000 layers": lambda m: m.update(layers=m["layers"][:1] * 100_000),
        "layers that are a map": lambda m: m.update(layers={"a": 1}),
        "no layers": lambda m: m.update(layers=[]),
        "a layer with a path": lambda m: m["layers"][0].update(digest="sha256:../../../etc/passwd"),
        "a layer of another digest": lambda m: m["layers"][0].update(digest="sha256:" + "0" * 64),
        "a layer that is small": lambda m: m["layers"][0].update(size=1),
        "a layer that is huge": lambda m: m["layers"][0].update(size=2**70),
        "a layer that is packed, it says": lambda m: m["layers"][0].update(mediaType="application/vnd.emwheels.file.v1+gzip"),
        "a kind with a path": lambda m: m["layers"][0]["annotations"].update({"org.emwheels.kind": "../x"}),
        "a record of 4 GiB": lambda m: m["config"].update(size=4 << 30),
        "a record that is the wheel": lambda m: m["config"].update(digest=m["layers"][0]["digest"], size=m["layers"][0]["size"]),
        "a record of another type": lambda m: m["config"].update(mediaType="text/html"),
    }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _Filled:
    """A folder with two builds, as `cache export` writes it, and the path of each part of the first."""

    folder: Path
    key: str
    other: str
    parts: dict[str, Path]


def _fill(ground: Ground, change: Any = None, change_manifest: Any = None) -> _Filled:
    root = ground.folder()
    origin, remote = Store(root / "origin"), LocalFolder(root / "remote")
    key, record = make_build(origin, "demo", wheel=b"demo" * 1000)
    other, right = make_build(origin, "other", wheel=b"other" * 1000)
    files = files_of("builds", record)
    if change is not None:
        (record[change[0]] if change[0] else record).update(change[1])
    push(remote, key, record, files, origin, anew=False)
    push(remote, other, right, files_of("builds", right), origin, anew=False)
    path = root / "remote" / "manifests" / key
    manifest = json.loads(path.read_bytes())
    if change_manifest is not None:
        change_manifest(manifest)
        path.write_bytes(json.dumps(manifest).encode())
        manifest = None
    parts = {"manifest": path}
    if manifest:
        digests = {"record": manifest["config"]["digest"], "output": manifest["layers"][0]["digest"]}
        parts |= {part: root / "remote" / "blobs" / digest.replace(":", "/") for part, digest in digests.items()}
    return _Filled(folder=root / "remote", key=key, other=other, parts=parts)


def _serve(ground: Ground, part: str, answer: Answer | None, change: Any = None, change_manifest: Any = None) -> str:
    filled = _fill(ground, change, change_manifest)
    spoilt = f"/{filled.parts[part].relative_to(filled.folder)}" if part else ""

    def reply(handler: Hostile) -> None:
        path = filled.folder / handler.path.lstrip("/")
        if handler.path == spoilt and answer is not None:
            answer(handler)
        elif path.is_file() and ".." not in path.parts:
            handler.give(path.read_bytes(), "application/octet-stream")
        else:
            handler.give(b"", status=404)

    began = time.monotonic()
    with attacker(reply, filled.folder) as (address, trapped):
        remote = open_remote(f"{address}/")
        remote._downloader = Downloader(attempts=2, pause=lambda _: None, seconds=2)  # type: ignore[attr-defined]
        said = _pull(ground, filled, remote)
    if trapped:
        raise BrokenError(f"a server of this machine was asked for {trapped}")
    if (took := time.monotonic() - began) > _LONGEST:
        raise BrokenError(f"it took {took:.0f} s")
    return said


def _folder(ground: Ground, part: str, what: str) -> str:
    filled = _fill(ground)
    filled.parts[part].unlink()
    lay(filled.parts[part], what, ground)
    return _pull(ground, filled, LocalFolder(filled.folder))


def _pull(ground: Ground, filled: _Filled, remote: Any) -> str:
    """Take the hostile entry, which must not come, and the one beside it, which must."""
    store, said = Store(ground.folder() / "local"), list[str]()
    builds = Builds(store, remote, say=said.append)
    if (got := builds.get(filled.key)) is not None:
        raise BrokenError(f"it was taken: {got}")
    if list((store.root / "records").rglob("*.json")) or list((store.root / "wheels").rglob("*.whl")):
        raise BrokenError("something of it was kept")
    unavailable = any(" unavailable" in text for text in said)
    if not unavailable and builds.get(filled.other) is None:
        raise BrokenError(f"the entry beside it did not come: {said}")
    if SECRET in "".join(said):
        raise BrokenError("a file of the host was shown")
    return said[0] if said else "it counts as none"


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
