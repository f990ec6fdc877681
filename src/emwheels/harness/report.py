"""Write an engine's result: JUnit XML and a log, each whole or not at all."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from emwheels.atomic import replacing

if TYPE_CHECKING:
    from pathlib import Path

    from emwheels.harness.model import Case, EngineResult

ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 (section 2.2) does not allow, not even as a character reference."""


CONTENT = "content"
"""The property of JUnit XML that names the content of the wheel under test."""


def clean(text: str) -> str:
    r"""``text`` with every character that XML does not allow written as ``\x..`` or ``\u....``."""
    return ILLEGAL.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def junit(result: EngineResult) -> bytes:
    """Return the result as JUnit XML, the dialect that pytest writes and CI services read."""
    suite = ET.Element(
        "testsuite",
        name=result.engine,
        tests=str(len(result.cases)),
        failures=str(result.failed),
        errors=str(result.errors),
        skipped=str(result.skipped),
        time=f"{result.seconds:.3f}",
    )
    if result.content:
        suite.set("timestamp", datetime.now(UTC).isoformat(timespec="seconds"))
    properties = ET.SubElement(suite, "properties")
    if result.content:
        ET.SubElement(properties, "property", name=CONTENT, value=result.content)
    ET.SubElement(properties, "property", name="boot_seconds", value=f"{result.boot_seconds:.3f}")
    for case in result.cases:
        _add_case(suite, case)
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    text: str = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode()


def _add_case(suite: ET.Element, case: Case) -> None:
    file, _, name = clean(case.nodeid).partition("::")
    element = ET.SubElement(suite, "testcase", classname=file, name=name or file, time=f"{case.seconds:.3f}")
    tag = {"failed": "failure", "error": "error", "skipped": "skipped"}.get(case.outcome)
    if tag:
        message = clean(case.message)
        ET.SubElement(element, tag, message=headline(message)).text = message
    if case.output:
        ET.SubElement(element, "system-out").text = clean(case.output)


def headline(message: str) -> str:
    """Return the line that names the error, in what pytest, a Python traceback or a JavaScript stack say."""
    lines = message.strip().splitlines() or [""]
    otherwise = lines[-1] if lines[0].startswith("Traceback ") else lines[0]
    return next((line.removeprefix("E").strip() for line in lines if line.startswith("E  ")), otherwise)


def write_junit(result: EngineResult, target: Path) -> None:
    """Write `junit` of ``result`` to ``target``."""
    with replacing(target) as stream:
        stream.write(junit(result))
