"""The command, called in this process on a small project of its own."""

from __future__ import annotations

import json
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emwheels.cli.main import main

if TYPE_CHECKING:
    import pytest

    from emwheels.pipeline.environment import Environment

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a command printed."""

    out: str
    err: str

    def json(self) -> Any:
        """Return what is on standard output, which has to be JSON and nothing else."""
        return json.loads(self.out)

    def lines(self) -> list[str]:
        """Return the lines of standard output, each with single spaces, as tables are as wide as what is in them."""
        return [" ".join(line.split()) for line in self.out.splitlines()]


class Command:
    """``command("plan", "numpy", status=2)`` runs ``emwheels plan numpy`` and holds its exit status to be 2."""

    def __init__(self, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.project = project
        self._capsys = capsys

    def __call__(self, *arguments: str | Path, status: int = 0) -> Said:
        self._capsys.readouterr()
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
        try:
            found = main(["--project", str(self.project), *map(str, arguments)])
        except SystemExit as error:  # of argparse
            found = error.code  # type: ignore[assignment]
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        out, err = self._capsys.readouterr()
        assert "Traceback" not in err, err
        assert found == status, err
        return Said(out=out, err=err)


def make_command(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, cache: Path | None = None
) -> Command:
    """Make ``root`` a project without recipes, with a cache of its own, and return the command for it."""
    (root / "recipes").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(CHECKOUT / "targets.toml", root / "targets.toml")
    monkeypatch.setenv("EMWHEELS_CACHE", str(cache or root.parent / "cache"))
    monkeypatch.setenv("COLUMNS", "250")  # of tables: no cell is folded
    for name in ("EMWHEELS_REMOTE", "EMWHEELS_PUSH"):
        monkeypatch.delenv(name, raising=False)
    return Command(root, capsys)


def make_command_in(
    environment: Environment, module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Return the command for the project of ``environment``, which `emwheels.cli` MODULE opens in place of its own."""
    monkeypatch.setattr(f"emwheels.cli.{module}.open_environment", lambda arguments, project, targets: environment)
    return make_command(environment.project.root, monkeypatch, capsys, cache=environment.project.cache)
