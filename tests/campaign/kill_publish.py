"""Kills `emwheels publish` at random moments while a reader follows every link of what is published.

Each round adds wheels to the working index and starts to publish them; the process is killed after a random time, with
SIGKILL, and the next round goes on. The reader polls all the while. In the end one publishing is left alone, and has
to bring everything. Prints counts; the exit status is 1 if the reader ever saw a broken index.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from emwheels import index
from emwheels.errors import IndexingError
from emwheels.index.places.folder import Folder
from emwheels.index.update import read_catalogue

sys.path.append(str(Path(__file__).parents[1] / "support"))
from index_reader import problems
from synthetic_wheels import make_wheel

CHECKOUT = Path(__file__).parents[2]
BASE_URL = "http://index.test/"


class Reader(threading.Thread):
    """Polls the published folder and keeps what it found wrong."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root = root
        self.stopped = threading.Event()
        self.polls = 0
        self.versions: set[str] = set()
        self.broken: list[str] = []

    def run(self) -> None:
        """Poll until `stopped` is set."""
        while not self.stopped.is_set():
            self.broken += problems(self.get, BASE_URL)
            self.polls += 1

    def get(self, name: str) -> bytes | None:
        """Return a file of the published folder."""
        try:
            return (self.root / name).read_bytes()
        except FileNotFoundError:
            return None


def campaign(folder: Path, *, kills: int, wheels: int, seed: int) -> dict[str, object]:
    """Run the campaign in ``folder`` and return its counts."""
    chance = random.Random(seed)
    project = folder / "project"
    (project / "recipes").mkdir(parents=True)
    (project / "targets.toml").write_text((CHECKOUT / "targets.toml").read_text())
    destination = folder / "www"
    argv = [sys.executable, "-m", "emwheels", "--project", str(project), "publish", str(destination)]
    argv += ["--base-url", BASE_URL]
    reader = Reader(destination)
    reader.start()
    counts = {"killed": 0, "finished before": 0, "failed": 0}
    seconds = 0.0
    added = 0
    try:
        while counts["killed"] < kills:
            for _ in range(wheels):
                name, version = f"pkg{added % 7}", f"1.{added}"
                files = {f"{name}.py": "#" * chance.randrange(1, 200_000)}
                wheel = make_wheel(folder / "made", name, version, files=files)
                index.publish(project / "dist", wheel, wheel.name)
                added += 1
            started = time.monotonic()
            process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
            # The time it takes is learnt from rounds that were not killed; the first moments are Python's start.
            limit = chance.uniform(0.3, 1.0) * seconds if seconds else None
            try:
                _, said = process.communicate(timeout=limit)
                seconds = max(seconds * 0.9, time.monotonic() - started)
                counts["finished before" if process.returncode == 0 else "failed"] += 1
                if process.returncode:
                    print(said.decode(), file=sys.stderr)
                    break
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                counts["killed"] += 1
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
        time.sleep(0.2)
    finally:
        reader.stopped.set()
        reader.join()
    have, want = read_catalogue(Folder(destination)), read_catalogue(Folder(project / "dist"))
    left = sorted(str(path.relative_to(destination)) for path in destination.rglob("*") if path.name.startswith("."))
    return {
        **counts,
        "wheels": added,
        "reader's polls": reader.polls,
        "broken": reader.broken[:20],
        "complete": have.projects == want.projects and not have.pending,
        "broken at the end": problems(reader.get, BASE_URL),
        "left behind": left,
    }


def passed(result: dict[str, object]) -> bool:
    """Tell whether nothing was ever broken and everything arrived."""
    return bool(
        not result["broken"]
        and not result["broken at the end"]
        and not result["left behind"]
        and not result["failed"]
        and result["complete"]
    )


def main() -> int:
    """Run the campaign and print its counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="how many publishings are killed (50)")
    parser.add_argument("--wheels", type=int, default=5, help="wheels that each one adds (5)")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kill-publish-") as folder:
        try:
            result = campaign(Path(folder), kills=arguments.kills, wheels=arguments.wheels, seed=arguments.seed)
        except IndexingError as error:
            print(error.message, file=sys.stderr)
            return 1
    print(json.dumps(result, indent=1))
    return 0 if passed(result) else 1


if __name__ == "__main__":
    sys.exit(main())
