"""What an audit says: findings and the report."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

Severity = Literal["error", "warning"]
_Code = Literal["tag", "unresolved-import", "signature", "slot", "split-type", "build-path"]
_File = Literal["record", "size", "names", "archive"]
_Reach = Literal["identity", "namespace", "startup", "script", "plugin", "requirement"]
Rule = Literal[_Code, _File, _Reach]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong; ``message`` says what, and what to do."""

    severity: Severity
    rule: Rule
    member: str
    """Path in the wheel, or the wheel's own file name."""
    message: str


@dataclass(frozen=True, kw_only=True)
class ModuleInfo:
    """What one shared library of the wheel is."""

    member: str
    size: int
    """Bytes, unpacked."""
    imports: int
    exports: int
    simd: bool
    needed: tuple[str, ...]
    """File names of the libraries that it is linked to."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The outcome of an audit."""

    wheel: str
    """File name."""
    sha256: str
    """In hexadecimal digits."""
    size: int
    """Bytes."""
    findings: tuple[Finding, ...]
    modules: tuple[ModuleInfo, ...]
    content: str = ""
    """What the findings are of (`emwheels.wheel.content_of`); empty for an archive that was not looked at."""

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that forbid publishing."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    def to_json(self) -> str:
        """Return the report as a JSON object with the fields of this class."""
        return json.dumps(asdict(self), indent=2) + "\n"
