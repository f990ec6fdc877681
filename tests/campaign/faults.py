"""Faults at random moments, round after round, against real builds of tiny packages; prints what was lost.

A round makes some package due again, then does one of these to a run of ``emwheels build --all``: kills it or one of
its compilers (SIGKILL), stops it (SIGTERM), fills the disk, flips a byte of a stored wheel, library, source or record,
starts a second run beside it, or sets the times of all files back or forth. After that the next run has to end right:
every package there with the bytes that it always had, nothing built that was whole, no process and no unfinished file
left.

    python tests/campaign/faults.py --rounds 60 [--seed 1]
    python tests/campaign/faults.py --kills 300 --disks 100 --bytes 100

Needs root, as the cache is put on a small file system of its own that can be filled.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from loopback import serving_folder

from conftest import CHECKOUT, SETUPTOOLS, SHARED, TinyProject
from emwheels.checkout import find_project
from emwheels.pipeline.environment import environment_of

LIBRARY = """
    build:
      type: static_library
      script: |
        emcc $SIDE_MODULE_CFLAGS -c {name}.c -o {name}.o
        emar rcsD lib{name}.a {name}.o
        install -D -t "$WASM_LIBRARY_DIR/lib" lib{name}.a
        install -D -t "$WASM_LIBRARY_DIR/include" {name}.h
"""
WHEEL = """
    build:
      cflags: -I$(WASM_LIBRARY_DIR)/include
      ldflags: -L$(WASM_LIBRARY_DIR)/lib
    requirements:
      host:
        - first
"""
C = """
#include <Python.h>
#include "first.h"
static PyObject *ask(PyObject *self, PyObject *value) { return PyLong_FromLong(first()); }
static PyMethodDef methods[] = {{"ask", ask, METH_O, ""}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "user", NULL, -1, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_user(void) { return PyModule_Create(&definition); }
"""
SETUP = (
    "from setuptools import Extension, setup\n"
    'setup(name="user", version="1.0", ext_modules=[Extension("user", ["user.c"], libraries=["first"])])\n'
)
NAMES = ("first", "second", "user")
FAULTS = (
    "run killed",
    "compiler killed",
    "run stopped",
    "disk full",
    "output flipped",
    "source flipped",
    "record flipped",
    "two runs",
    "times changed",
)
DISK = 96 << 20
TIMEOUT = 600


class WrongError(AssertionError):
    """What must never happen, happened."""


class Campaign:
    """The project under fault, and what is known to be right."""

    def __init__(self, project: TinyProject, seed: int) -> None:
        self.project = project
        self.random = random.Random(seed)
        self.right: dict[str, str] = {}
        self.counts: Counter[str] = Counter()
        self.usual = 0.0

    def start(self) -> subprocess.Popen[str]:
        """Start a run of everything."""
        return subprocess.Popen(
            self.project.command("build", "--all", "--no-test", "--no-ccache", "--json"),
            env=self.project.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finish(self, process: subprocess.Popen[str]) -> dict[str, dict]:
        """Wait for a run that has to end right; return its outcomes."""
        out, said = process.communicate(timeout=TIMEOUT)
        if process.returncode:
            raise WrongError(f"a run after the fault ended with {process.returncode}:\n{said}")
        return {row["name"]: row for row in json.loads(out)}

    def due(self) -> set[str]:
        """Return what a plan says is to be built, dependents that may come out the same left aside."""
        done = subprocess.run(
            self.project.command("plan", "--json"), env=self.project.env, capture_output=True, text=True, check=True
        )
        return {row["name"] for row in json.loads(done.stdout) if row["state"] == "to build" and row["certain"]}

    def record(self, name: str) -> Path:
        """Return the file of the record of the build of ``name``."""
        for path in sorted((self.project.cache / "store" / "records" / "builds").glob("*.json")):
            if json.loads(path.read_bytes())["output"]["name"] == name:
                return path
        raise WrongError(f"the record of {name} is gone")

    def forget(self, name: str) -> None:
        """Make ``name`` due again."""
        self.record(name).unlink()

    def flip(self, path: Path) -> None:
        """Change one byte of a file."""
        data = bytearray(path.read_bytes())
        at = self.random.randrange(len(data))
        data[at] ^= 1 << self.random.randrange(8)
        path.chmod(0o644)
        path.write_bytes(data)
        path.chmod(0o444)

    def check(self, allowed: set[str]) -> None:
        """Run again and see that all is right and that only ``allowed`` was built."""
        outcomes = self.finish(self.start())
        built = {name for name, row in outcomes.items() if row["state"] == "built"}
        self.counts["packages built again"] += len(built)
        self.counts["packages reused"] += len(outcomes) - len(built)
        if built - allowed:
            self.counts["built although whole"] += len(built - allowed)
            raise WrongError(f"built although they were whole: {built - allowed}")
        for name in NAMES:
            sha256 = outcomes[name]["output"]["sha256"]
            kind = outcomes[name]["output"]["kind"]
            stored = self.project.cache / "store" / "files" / kind / sha256[:2] / sha256
            if not stored.is_file():
                self.counts["lost"] += 1
                raise WrongError(f"{name} is not in the store")
            if self.right.setdefault(name, sha256) != sha256 or _sha256(stored) != sha256:
                self.counts["wrong"] += 1
                raise WrongError(f"{name} has other bytes than it always had")
        (wheel,) = (self.project.dist / "wheels").glob("*.whl")
        if _sha256(wheel) != self.right["user"]:
            self.counts["wrong"] += 1
            raise WrongError("the published wheel is not the one that was built")
        for _ in range(100):
            left = self.processes()
            if not left:
                break
            time.sleep(0.1)
        else:
            raise WrongError(f"processes were left behind: {left}")
        if unfinished := list((self.project.cache / "work").glob("*-[0-9]*")):
            raise WrongError(f"working folders were left behind: {unfinished}")

    def processes(self) -> list[psutil.Process]:
        """Return the processes, apart from this one, that have to do with the project."""
        found = []
        for process in psutil.process_iter():
            try:
                if str(self.project.cache) in " ".join(process.cmdline()) and process.pid != os.getpid():
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def some_moment(self) -> None:
        """Wait for a random part of what a run usually takes."""
        time.sleep(self.random.random() * self.usual)

    def round(self, fault: str) -> None:
        """Do ``fault`` and see that the next run ends right."""
        victim = self.random.choice(NAMES)
        allowed = {victim}
        match fault:
            case "run killed" | "run stopped":
                self.forget(victim)
                process = self.start()
                self.some_moment()
                process.send_signal(signal.SIGKILL if "killed" in fault else signal.SIGTERM)
                process.communicate(timeout=60)
                self.counts[f"{fault}: exit {process.returncode}"] += 1
                allowed = self.due()
            case "compiler killed":
                self.forget(victim)
                process = self.start()
                killed = self.kill_compiler(process)
                process.communicate(timeout=TIMEOUT)
                self.counts[f"compiler killed: {'exit ' + str(process.returncode) if killed else 'none was seen'}"] += 1
                allowed = self.due()
            case "disk full":
                self.forget(victim)
                filler = self.project.cache / "filler"
                free = shutil.disk_usage(self.project.cache).free
                leave = self.random.randrange(4 << 20)
                with filler.open("wb") as out:
                    os.posix_fallocate(out.fileno(), 0, max(1, free - leave))
                process = self.start()
                _, said = process.communicate(timeout=TIMEOUT)
                filler.unlink()
                if "Traceback" in said.replace("  | Traceback", ""):
                    raise WrongError(f"a full disk gave a traceback:\n{said}")
                self.counts[f"disk full: exit {process.returncode}"] += 1
                allowed = self.due()
            case "output flipped":
                output = json.loads(self.record(victim).read_bytes())["output"]
                path = self.project.cache / "store" / "files" / output["kind"]
                self.flip(path / output["sha256"][:2] / output["sha256"])
            case "source flipped":
                self.forget(victim)
                sources = sorted((self.project.cache / "store" / "files" / "sources").glob("*/*"))
                self.flip(self.random.choice([path for path in sources if path.stat().st_size < 20_000]))
            case "record flipped":
                self.flip(self.record(victim))
            case "two runs":
                self.forget(victim)
                one = self.start()
                time.sleep(self.random.random())
                two = self.start()
                outcomes = [self.finish(process) for process in (one, two)]
                built = [name for found in outcomes for name, row in found.items() if row["state"] == "built"]
                if built != [victim]:
                    raise WrongError(f"two runs together built {built} instead of {victim} once")
                allowed = set()
            case "times changed":
                when = time.time() + self.random.choice([-1, 1]) * 10 * 365 * 86400
                for folder in (self.project.cache / "store", self.project.root):
                    for path in folder.rglob("*"):
                        if path.is_file():
                            os.utime(path, (when, when))
                allowed = set()
        self.check(allowed)

    def kill_compiler(self, process: subprocess.Popen[str]) -> bool:
        """Kill the first compiler that is seen below ``process``; return whether there was one."""
        while process.poll() is None:
            try:
                for child in psutil.Process(process.pid).children(recursive=True):
                    if child.name().startswith(("clang", "emcc")) or "emcc" in " ".join(child.cmdline()[:4]):
                        child.kill()
                        return True
            except psutil.Error:
                continue
            time.sleep(0.01)
        return False


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> int:
    """Run the rounds and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=54, metavar="N", help="how many (54)")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    parser.add_argument(
        "--kills", type=int, default=0, metavar="N", help="in place of rounds: so many runs or compilers"
    )
    parser.add_argument("--disks", type=int, default=0, metavar="N", help="and so many full disks")
    parser.add_argument("--bytes", type=int, default=0, metavar="N", help="and so many flipped bytes")
    arguments = parser.parse_args()
    faults = planned(arguments)
    with small_disk() as folder, serving_folder(folder / "served") as address:
        campaign = Campaign(make_project(folder, address), arguments.seed)
        campaign.finish(campaign.start())
        campaign.check(set())
        campaign.forget("user")
        started = time.monotonic()
        campaign.check({"user"})
        campaign.usual = time.monotonic() - started
        failed = 0
        for number, fault in enumerate(faults):
            started = time.monotonic()
            try:
                campaign.round(fault)
                said = "right"
            except WrongError as error:
                failed += 1
                said = f"WRONG: {error}"
            campaign.counts[f"{fault}: {'right' if said == 'right' else 'wrong'} afterwards"] += 1
            print(f"{number + 1:3} {fault:16} {time.monotonic() - started:6.1f} s  {said}", flush=True)
    print(f"\n{len(faults)} rounds, seed {arguments.seed}: {len(faults) - failed} right, {failed} wrong")
    for what in ("lost", "wrong", "built although whole"):
        campaign.counts.setdefault(what, 0)
    for what, count in sorted(campaign.counts.items()):
        print(f"  {what:45} {count:4}")
    return 1 if failed else 0


def planned(arguments: argparse.Namespace) -> list[str]:
    """Return the faults of all rounds: in turn, or as many of a kind as were asked for, in a random order."""
    asked = {"kill": arguments.kills, "disk": arguments.disks, "flip": arguments.bytes}
    if not any(asked.values()):
        return [FAULTS[number % len(FAULTS)] for number in range(arguments.rounds)]
    kinds = {kind: [fault for fault in FAULTS if kind in fault] for kind in asked}
    faults = [kinds[kind][number % len(kinds[kind])] for kind, count in asked.items() for number in range(count)]
    random.Random(arguments.seed).shuffle(faults)
    return faults


def make_project(folder: Path, address: str) -> TinyProject:
    """Return a project of two libraries and a wheel that links one, with an empty store but for setuptools."""
    real = find_project(CHECKOUT)
    environment = environment_of(real)
    _ = environment.toolchain
    root, cache = folder / "project", folder / "cache"
    for path in (cache, root / "recipes", root / "patches"):
        path.mkdir(parents=True)
    shutil.copyfile(real.targets_file, root / "targets.toml")
    for name in SHARED:
        (cache / name).symlink_to(real.cache / name)
    fetched = environment.fetcher.fetch_requirements(SETUPTOOLS, python=environment.target.python_minor)
    needed = {wheel.sha256 for wheel in fetched}
    store = real.cache / "store"
    copied = [environment.store.path_of("sources", sha256) for sha256 in needed]
    copied += [
        path
        for path in (store / "records" / "fetched").glob("*.json")
        if json.loads(path.read_bytes()).get("sha256") in needed
    ]
    for path in copied:
        copy = cache / "store" / path.relative_to(store)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    no_proxy = f"127.0.0.1,{os.environ.get('no_proxy', '')}"
    env = {**os.environ, "EMWHEELS_CACHE": str(cache), "no_proxy": no_proxy, "NO_PROXY": no_proxy}
    project = TinyProject(root=root, cache=cache, served=folder / "served", address=address, env=env)
    for name in ("first", "second"):
        members = {f"{name}.c": f"int {name}(void) {{ return 1; }}\n", f"{name}.h": f"int {name}(void);\n"}
        project.recipe(name, members, LIBRARY.format(name=name), locked=False)
    pyproject = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    project.recipe("user", {"user.c": C, "setup.py": SETUP, "pyproject.toml": pyproject}, WHEEL)
    return project


@contextmanager
def small_disk():
    """Give a folder on a file system of its own that is no bigger than `DISK`."""
    folder = Path(tempfile.mkdtemp(prefix="emwheels-faults-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


if __name__ == "__main__":
    sys.exit(main())
