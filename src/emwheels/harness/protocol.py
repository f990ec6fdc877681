"""Read what driver.mjs says, one JSON object a line, into results.

Every line has ``engine`` and ``event``:

======  =================================================  ================================================
event   fields                                             when
======  =================================================  ================================================
boot    seconds                                            Pyodide is up and the wheels are installed; once
start   nodeid                                             a test begins
case    nodeid, outcome, seconds, message, output          a test ended, hung or killed its engine; or
                                                           something went wrong outside a test
log     stream, text                                       something was printed
end     seconds                                            the engine is done; nothing more of it follows
======  =================================================  ================================================

Between engine and driver there are also ``collecting`` (nodeid), ``collected`` (nodeids), ``warning`` (text),
``fatal`` (message) and ``finish`` (status); the driver acts on them and passes none of them on.
"""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING, Any

from emwheels.atomic import replacing
from emwheels.errors import HarnessError
from emwheels.harness.expected import judged
from emwheels.harness.listing import missing_tests
from emwheels.harness.model import Case, EngineResult, Event
from emwheels.harness.report import write_junit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from pathlib import Path


def read_engine(
    lines: Iterable[bytes],
    *,
    engine: str,
    output: Path,
    on_event: Callable[[Event], None] | None = None,
    content: str = "",
    listed: Collection[str] = (),
    expected: Mapping[str, str] | None = None,
    partial: bool = False,
) -> EngineResult:
    """Read one engine's lines up to its ``end``; write ``ENGINE.log`` and ``ENGINE.xml`` to ``output``.

    ``listed`` are the tests that there must be a word of (`emwheels.harness.listing`), ``expected`` those that fail,
    with the reason; of a ``partial`` run some may be missing. Raises `HarnessError` if the lines end before.
    """
    cases: list[Case] = []
    boot_seconds, booted = 0.0, False
    log = output / f"{engine}.log"
    with replacing(log) as stream:
        for line in lines:
            record = _parse(line)
            if on_event and record["event"] != "log":
                on_event(_event(record))
            match record["event"]:
                case "boot":
                    boot_seconds, booted = record["seconds"], True
                case "case":
                    cases.append(_case(record))
                case "log":
                    _write_log(stream, record)
                case "end":
                    break
        else:
            raise HarnessError(f"{engine}: the test driver ended before the engine did")
    if all(case.outcome == "skipped" for case in cases):
        cases.append(Case(nodeid="collection", outcome="error", seconds=0, message="collection: no test ran"))
    if booted and (missing := missing_tests(listed, cases)):
        names = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
        message = f"{len(missing)} tests that stand in the files were not reported: {names}"
        cases.append(Case(nodeid="session", outcome="error", seconds=0, message=message))
    cases = judged(cases, expected or {}, complete=booted and not partial)
    result = EngineResult(
        engine=engine,
        cases=tuple(cases),
        seconds=record["seconds"],
        boot_seconds=boot_seconds,
        console=log,
        content=content,
    )
    write_junit(result, output / f"{engine}.xml")
    return result


def _parse(line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise HarnessError(f"the test driver said something that is not JSON: {line[:200]!r}") from error
    fields = _FIELDS.get(record.get("event"), {}) if isinstance(record, dict) else None
    if fields is None or not all(isinstance(record.get(name), kind) for name, kind in fields.items()):
        raise HarnessError(f"the test driver said something that is no event: {line[:200]!r}")
    known: dict[str, Any] = record
    return known


_FIELDS: dict[object, dict[str, type | tuple[type, ...]]] = {
    "boot": {"seconds": (int, float)},
    "start": {"nodeid": str},
    "case": {"nodeid": str, "outcome": str, "seconds": (int, float), "message": str, "output": str},
    "log": {"stream": str, "text": str},
    "end": {"seconds": (int, float)},
}


def _case(record: dict[str, Any]) -> Case:
    return Case(
        nodeid=record["nodeid"],
        outcome=record["outcome"],
        seconds=record["seconds"],
        message=record["message"],
        output=record["output"],
    )


def _event(record: dict[str, Any]) -> Event:
    return Event(
        engine=record["engine"],
        kind=record["event"],
        nodeid=record.get("nodeid", ""),
        outcome=record.get("outcome"),
        seconds=record.get("seconds", 0.0),
    )


def _write_log(stream: IO[bytes], record: dict[str, Any]) -> None:
    stream.write(f"[{record['stream']}] {record['text']}\n".encode(errors="backslashreplace"))
