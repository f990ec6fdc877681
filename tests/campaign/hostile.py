"""Attacks on everything that emwheels reads or runs of others, each of which has to be contained or a clear error.

    python tests/campaign/hostile.py [--area NAME ...] [--json FILE] [--write]

Prints a table of areas for docs/security.md, writes it there with --write, and ends with 1 if one got through. The ones
that take no build are run by `nox -s tests` as well. For the machine and its user only: loopback, folders of its own.
"""

from __future__ import annotations

# ruff: noqa: E501  (each attack on a line)
import argparse
import getpass
import itertools
import json
import os
import socket
import sys
import tempfile
import time
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(CHECKOUT / "src"), str(CHECKOUT / "tests" / "support"), str(Path(__file__).parent)]

import hostile_files  # noqa: E402
import probes  # noqa: E402
from hostile_files import BrokenError  # noqa: E402

from emwheels.checkout import find_project  # noqa: E402
from emwheels.errors import EmwheelsError  # noqa: E402
from emwheels.image.model import Mount  # noqa: E402
from emwheels.image.removal import remove_tree  # noqa: E402
from emwheels.pipeline.environment import environment_of  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from emwheels.image.model import Image

SECRET = "a-secret-of-the-caller"
IN_PARALLEL = ("remote stores", "indexes")
_AT_ONCE = 8


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One attack."""

    area: str
    name: str
    attack: Callable[[], str]
    """Does it. Returns what stopped it; raises `BrokenError` if nothing did, `EmwheelsError` for a clear error."""
    slow: bool = False


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came of an attack."""

    trial: Trial
    verdict: str
    """``contained``, ``clear error`` or ``BROKEN``."""
    said: str
    seconds: float


def run_trial(trial: Trial) -> Verdict:
    """Do the attack; whatever is not a message for a user is a hole."""
    began = time.monotonic()
    try:
        said = trial.attack()
        verdict = "contained"
    except EmwheelsError as error:
        verdict, said = "clear error", error.message
    except BrokenError as error:
        verdict, said = "BROKEN", str(error)
    except Exception:  # noqa: BLE001  (a traceback is what must not be)
        verdict, said = "BROKEN", traceback.format_exc()
    return Verdict(trial=trial, verdict=verdict, said=said, seconds=time.monotonic() - began)


def run_trials(trials: list[Trial]) -> Iterator[Verdict]:
    """Do the attacks in order, those of `IN_PARALLEL` several at a time: most of their time they wait."""
    for area, group in itertools.groupby(trials, lambda trial: trial.area):
        with ThreadPoolExecutor(_AT_ONCE if area in IN_PARALLEL else 1) as pool:
            yield from pool.map(run_trial, group)


# The sandbox.


class Sandbox:
    """The build image, with what an attack is to reach outside of it."""

    def __init__(self, image: Image, folder: Path) -> None:
        self.image = image
        self.work, self.given, self.victim = (folder / name for name in ("work", "given", "victim"))
        for path in (self.work, self.given, self.victim):
            path.mkdir()
        (self.given / "file").write_text("given")
        (self.victim / "file").write_text("victim")
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.abstract = f"emwheels-{os.getpid()}"
        self.local = socket.socket(socket.AF_UNIX)
        self.local.bind(f"\0{self.abstract}")
        self.local.listen()
        os.environ["EMWHEELS_HOSTILE_SECRET"] = SECRET

    def close(self) -> None:
        """Close the sockets."""
        self.listening.close()
        self.local.close()

    def probe(self, body: str) -> str:
        """Run the body of `probes.PROBES` inside and return what stopped it."""
        for name, value in {
            "PORT": str(self.listening.getsockname()[1]), "ABSTRACT": self.abstract, "PID": str(os.getpid()),
            "SECRET": SECRET, "HOST": socket.gethostname(), "VICTIM": str(self.victim / "file"),
            "USER": getpass.getuser(),
        }.items():  # fmt: skip
            body = body.replace(f"@{name}@", value)
        status, said = self.run(["/usr/bin/python3", "-I", "-c", f"{probes.PREAMBLE}    {body}\n{probes.END}"])
        if "BROKEN" in said or (status and "stopped" not in said and status > 0):
            raise BrokenError(said or f"exit status {status}")
        return said

    def run(self, argv: list[str], **limits: float) -> tuple[int, str]:
        """Run a command with a folder that it may write and one that it may not."""
        mounts = [
            Mount(host=self.work, inside="/mnt/work", writable=True),
            Mount(host=self.given, inside="/mnt/given"),
        ]
        with tempfile.TemporaryFile() as output:
            env = {"PATH": "/usr/bin:/bin", "HOME": "/tmp"}
            more = {"limits": replace(_limits(), **limits)} if limits else {"seconds": 30}
            done = self.image.run(argv, mounts=mounts, env=env, output=output, **more)
            output.seek(max(0, output.seek(0, 2) - 2000))
            return done.status, f"{done.reached} {output.read().decode(errors='replace').strip()}".strip()

    def limited(self, name: str, script: str, **limits: float) -> str:
        """Run a script that has to end at the limit ``name``."""
        status, said = self.run(["/bin/bash", "-c", script], **limits)
        if not said.startswith(name) and "No space left" not in said and "size limit" not in said and name != "files":
            raise BrokenError(f"it ended with {status}: {said}")
        return said.splitlines()[0]


def _limits():
    from emwheels.target.limits import default_limits

    return replace(default_limits(), time=60)


def sandbox_trials(sandbox: Sandbox) -> Iterator[Trial]:
    """Yield what is tried from inside."""
    for name, body in probes.PROBES.items():
        yield Trial(area="sandbox", name=name, attack=lambda body=body: sandbox.probe(body))
    for name, limit, script, limits in (
        ("a fork bomb", "processes", ":(){ :|:& };:; sleep 30", {"processes": 300}),
        (
            "many threads",
            "processes",
            "python3 -c 'import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(9,)).start()' 2>/dev/null; sleep 30",
            {"processes": 300},
        ),
        (
            "memory",
            "memory",
            "python3 -c 'x = [b\"1\" * (1 << 20) for _ in range(4000)]; import time; time.sleep(30)'",
            {"memory": 300 << 20},
        ),
        (
            "memory of many",
            "memory",
            "for i in 1 2 3 4; do python3 -c 'x = b\"1\" * (100 << 20); import time; time.sleep(30)' & done; wait",
            {"memory": 300 << 20},
        ),
        (
            "a full disk",
            "disk",
            "cd /mnt/work; for i in $(seq 100); do head -c 30M /dev/zero > $i; done; sleep 30",
            {"disk": 300 << 20},
        ),
        ("one large file", "disk", "head -c 500M /dev/zero > /mnt/work/large; sleep 1", {"disk": 100 << 20}),
        ("a full /tmp", "scratch", "head -c 200M /dev/zero > /tmp/large", {"scratch": 50 << 20}),
        ("a full /dev/shm", "scratch", "head -c 200M /dev/zero > /dev/shm/large", {"scratch": 50 << 20}),
        ("an endless log", "log", "yes", {"log": 5 << 20}),
        ("a sleeper", "idle", "sleep 100", {"idle": 2}),
        ("for ever", "time", "while :; do echo x; sleep 0.1; done", {"time": 3, "idle": 2}),
        (
            "many open files",
            "",
            "python3 -c 'x = [open(\"/dev/null\") for _ in range(5000)]'; echo files",
            {"files": 200},
        ),
        ("signals ignored", "time", "trap '' TERM INT HUP QUIT; while :; do sleep 1; done", {"time": 3, "idle": 0}),
        ("a daemon left behind", "", "setsid nohup sleep 1000 > /dev/null 2>&1 & echo gone", {}),
    ):
        yield Trial(
            area="limits",
            name=name,
            attack=lambda limit=limit, script=script, limits=limits: sandbox.limited(limit, script, **limits),
        )


# Builds.


@contextmanager
def trials(*, image: bool = True) -> Iterator[list[Trial]]:
    """Give all trials, with what they need; without ``image`` those that need none."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="emwheels-hostile-"))
        stack.callback(remove_tree, folder)
        folder.chmod(0o755)
        every: list[Trial] = []
        if image:
            sandbox = Sandbox(environment_of(find_project(CHECKOUT)).image, folder)
            stack.callback(sandbox.close)
            every += sandbox_trials(sandbox)
        for area, name, attack in hostile_files.attacks(folder):
            every.append(Trial(area=area, name=name, attack=attack))
        yield every


def table(verdicts: list[Verdict]) -> str:
    """Return the table of docs/security.md."""
    areas = dict.fromkeys(verdict.trial.area for verdict in verdicts)
    count = Counter((verdict.trial.area, verdict.verdict) for verdict in verdicts)
    lines = ["| what is attacked | attacks | contained | clear error | broken |", "| --- | ---: | ---: | ---: | ---: |"]
    for area in [*areas, "all"]:
        numbers = [
            sum(number for (other, verdict), number in count.items() if area in (other, "all") and verdict == each)
            for each in ("contained", "clear error", "BROKEN")
        ]
        lines.append(f"| {area} | {sum(numbers)} | {numbers[0]} | {numbers[1]} | {numbers[2]} |")
    return "\n".join(lines) + "\n"


MARK = ("<!-- attacks: tests/campaign/hostile.py --write -->\n", "<!-- end of attacks -->\n")


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--area", action="append", help="only this one; may be repeated")
    parser.add_argument("--json", type=Path, help="write every verdict to this file")
    parser.add_argument("--write", action="store_true", help="write the table into docs/security.md")
    arguments = parser.parse_args()
    verdicts = []
    with trials() as every:
        for verdict in run_trials([trial for trial in every if not arguments.area or trial.area in arguments.area]):
            verdicts.append(verdict)
            if verdict.verdict == "BROKEN":
                trial = verdict.trial
                print(f"BROKEN: {trial.area}: {trial.name}: {verdict.said}", file=sys.stderr, flush=True)
    print(table(verdicts), end="")
    who = "root" if os.geteuid() == 0 else "an ordinary user"
    print(f"as {who}, {sum(verdict.seconds for verdict in verdicts):.0f} s")
    if arguments.json:
        rows = [
            {"area": each.trial.area, "name": each.trial.name, "verdict": each.verdict, "said": each.said[-500:]}
            for each in verdicts
        ]
        arguments.json.write_text(json.dumps(rows, indent=1))
    if arguments.write:
        page = CHECKOUT / "docs" / "security.md"
        before, _, rest = page.read_text().partition(MARK[0])
        page.write_text(f"{before}{MARK[0]}\n{table(verdicts)}\n{MARK[1]}{rest.partition(MARK[1])[2]}")
    return any(verdict.verdict == "BROKEN" for verdict in verdicts)


if __name__ == "__main__":
    sys.exit(main())
