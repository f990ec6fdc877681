"""Try installations with the real micropip (or ``loadPackage``) in real engines, from servers that they can reach."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import parse_wheel_filename

from emwheels.errors import HarnessError, redacted
from emwheels.harness import stage as _stage
from emwheels.harness.drive import drive, runtime_mounts
from emwheels.image.model import Mount
from emwheels.image.places import STAGE
from emwheels.wheel import UNREADABLE, record_sha256

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emwheels.harness.model import Case
    from emwheels.image.model import Image

INSTALLER = ("micropip", "packaging")
"""What installs packages in a page: micropip, and the one project that it imports (micropip 0.11)."""
_PROXIES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")


@dataclass(frozen=True, kw_only=True)
class Install:
    """One installation to try."""

    id: str
    requirement: str
    index_urls: tuple[str, ...] = ()
    """As given to ``micropip.install``."""
    deps: bool = False
    """Install dependencies too."""
    lock: bool = False
    """Use ``loadPackage`` on the lock of the run, not micropip."""
    code: str = ""
    """Python to run afterwards; what it leaves in ``result`` (JSON) is given back. Nothing is uninstalled then."""


@dataclass(frozen=True, kw_only=True)
class Installed:
    """What came of an `Install` in one engine."""

    engine: str
    id: str
    error: str
    """Empty if it worked."""
    seconds: float
    distributions: dict[str, tuple[str, str]]
    """Name -> version, sha256 of RECORD."""
    result: Any = None
    traceback: str = ""


def is_record_of(sha256: str, wheel: Path) -> bool:
    """Tell whether ``sha256`` is that of the RECORD of ``wheel``, or of nothing where it has none: it was installed."""
    try:
        return sha256 == (record_sha256(wheel) or hashlib.sha256().hexdigest())
    except UNREADABLE:
        return False


def installer_wheels(harness_wheels: Sequence[Path]) -> list[Path]:
    """Return those of the harness's wheels that an application needs to install packages."""
    return [path for path in harness_wheels if parse_wheel_filename(path.name)[0] in INSTALLER]


def try_installs(
    *,
    image: Image,
    runtime: Path,
    playwright_core: Path,
    harness_wheels: Sequence[Path],
    installs: Sequence[Install],
    engines: Sequence[str],
    lock_url: str = "",
    seconds: float = 120,
    boot_seconds: float = 300,
) -> list[Installed]:
    """Try each of ``installs`` in each of ``engines``, with this machine's network; the page has an origin of its own.

    ``lock_url``: the ``pyodide-lock.json`` to boot with; without one, nothing but what is installed is there. A hang
    or a crash is a failed installation, and the engine is started again without it. Raises `HarnessError` if an
    engine does not come up.
    """
    served = _stage.by_name(harness_wheels)
    with tempfile.TemporaryDirectory(prefix="emwheels-installs-") as name:
        folder = Path(name)
        job = {
            **_stage.job(engines, served, _stage.Patience(boot=boot_seconds, test=seconds)),
            "installs": [asdict(install) for install in installs],
            "lock_url": lock_url,
        }
        (folder / "wheels").mkdir()
        for wheel in harness_wheels:
            (folder / "wheels" / wheel.name).write_bytes(wheel.read_bytes())
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        output = folder / "output"
        mounts = (*runtime_mounts(runtime, playwright_core), Mount(host=folder, inside=STAGE))
        results = drive(
            image, mounts, engines=engines, output=output, on_event=None, network=True, environment=proxy_environment()
        )
        tries = []
        for engine, result in results.items():
            cases = {case.nodeid: case for case in result.cases}
            for install in installs:
                if install.id not in cases:
                    log = redacted(result.console.read_text(encoding="utf-8", errors="replace"))[-2000:]
                    message = redacted("; ".join(case.message for case in result.cases if case.outcome == "error"))
                    raise HarnessError(f"{engine} did not come to {install.id}: {message[:500]}", hint=log)
                tries.append(_installed(engine, install, cases[install.id]))
        return tries


def _installed(engine: str, install: Install, case: Case) -> Installed:
    output = json.loads(case.output) if case.output else {}
    return Installed(
        engine=engine,
        id=install.id,
        error="" if case.outcome == "passed" else case.message,
        seconds=case.seconds,
        distributions={name: (version, record) for name, (version, record) in output.get("installed", {}).items()},
        result=output.get("result"),
        traceback=output.get("traceback", ""),
    )


def proxy_environment() -> dict[str, str]:
    """Return this machine's proxies, which Node and Chromium read too; never for the harness's own server."""
    proxies = {name: os.environ[name] for name in _PROXIES if os.environ.get(name)}
    if not proxies:
        return {}
    direct = ",".join(
        filter(None, ("127.0.0.1,localhost,::1", os.environ.get("no_proxy") or os.environ.get("NO_PROXY")))
    )
    return proxies | {"no_proxy": direct, "NO_PROXY": direct, "NODE_USE_ENV_PROXY": "1"}
