"""Builds on the workers of a Dask cluster: stores of their own, a registry between them, one of them killed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import distributed
import pytest
from registry import LocalRegistry
from tiny_library import LIBRARY_META

import emwheels
from emwheels.schedule import Task
from emwheels.schedule.cluster import ClusterError, DaskExecutor

pytestmark = [pytest.mark.image, pytest.mark.timeout(600)]

SLOW_META = LIBRARY_META.replace("emcc", "sleep 4\n        emcc", 1)
USER_META = """
    build:
      type: static_library
      script: |
        emcc $SIDE_MODULE_CFLAGS -I$WASM_LIBRARY_DIR/include -c user.c -o user.o
        mkdir -p "$WASM_LIBRARY_DIR/lib"
        emar rcsD "$WASM_LIBRARY_DIR/lib/lib$PKG_NAME.a" user.o
    requirements:
      host:
        - library
"""
LIBRARY = {"library.c": "int answer(void) { return 41; }\n", "library.h": "int answer(void);\n"}


@pytest.fixture
def registry(service_image, tmp_path):
    made = LocalRegistry(service_image, tmp_path / "registry").start()
    yield made
    made.kill()


@pytest.fixture
def cluster(make_tiny_project, tmp_path):
    """A function that starts a scheduler and workers, each with a cache of its own, and returns its address."""
    processes = []

    def start(*names, env=None, address=""):
        if not address:
            file = tmp_path / f"scheduler{len(processes)}"
            scheduler = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
            scheduler += ["--scheduler-file", str(file), "--no-dashboard"]
            with file.with_suffix(".log").open("wb") as log:
                processes.append(subprocess.Popen(scheduler, stdout=log, stderr=log))
            address = scheduler_address(file, processes[-1])
        workers = []
        for name in names:
            own = make_tiny_project(tmp_path / name).env | (env or {}).get(name, {})
            command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny"]
            command += ["--name", name, "--no-dashboard", "--memory-limit", "0"]
            with (tmp_path / f"{name}.log").open("wb") as log:
                worker = subprocess.Popen(
                    command, env=own, stdout=log, stderr=subprocess.STDOUT, cwd=tmp_path, start_new_session=True
                )
            processes.append(worker)
            workers.append(worker)
        return address, workers

    yield start
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        process.wait()


def scheduler_address(file, process):
    """Return what a scheduler writes to its file when it listens."""
    while True:
        with contextlib.suppress(FileNotFoundError, ValueError):
            return json.loads(file.read_text())["address"]
        assert process.poll() is None, file.with_suffix(".log").read_text()
        time.sleep(0.05)


def recipes(project):
    project.recipe("library", LIBRARY, SLOW_META, locked=False)
    for name in ("left", "right"):
        code = f'#include "library.h"\nint {name}(void) {{ return answer(); }}\n'
        project.recipe(name, {"user.c": code}, USER_META.replace("$PKG_NAME", name), locked=False)


def test_a_worker_that_dies_loses_nothing(registry, cluster, make_tiny_project, tmp_path):
    here, client = (make_tiny_project(tmp_path / name) for name in ("here", "client"))
    for project in (here, client):
        recipes(project)
    expected = {name: row["output"]["sha256"] for name, row in here.json("build", "--all").json().items()}

    address, workers = cluster("alpha", "beta")

    def kill_the_busy_one():
        """Kill the worker that builds the library, with all that it has started, while it does."""
        while True:
            for name, worker in zip(("alpha", "beta"), workers, strict=True):
                if list((tmp_path / name / "cache" / "work").glob("library-*")):
                    time.sleep(1)
                    os.killpg(worker.pid, signal.SIGKILL)
                    return
            time.sleep(0.05)

    killer = threading.Thread(target=kill_the_busy_one, daemon=True)
    killer.start()
    done = client.json("build", "--all", "--scheduler", address, "--remote", registry.url)
    killer.join(1)
    assert not killer.is_alive(), "no worker was killed"
    assert sorted(worker.poll() is None for worker in workers) == [False, True]
    assert {name: row["output"]["sha256"] for name, row in done.json().items()} == expected
    assert done.states() == dict.fromkeys(expected, "built")
    assert len(registry.tags()) == 3
    again = client.json("build", "--all", "--scheduler", address, "--remote", registry.url)
    assert again.states() == dict.fromkeys(expected, "reused")


@pytest.fixture
def other_code(tmp_path):
    """A PYTHONPATH with this library, a line of it changed."""
    root = Path(emwheels.__file__).parent
    copy = shutil.copytree(root, tmp_path / "other" / "emwheels", ignore=shutil.ignore_patterns("__pycache__"))
    changed = copy / "errors.py"
    changed.write_text(f"{changed.read_text()}# changed\n")
    return str(copy.parent)


def test_a_worker_with_other_code_is_named_before_anything_is_built(cluster, make_tiny_project, other_code, tmp_path):
    client = make_tiny_project(tmp_path / "client")
    recipes(client)
    address, workers = cluster("alpha", "beta", env={"beta": {"PYTHONPATH": other_code}})
    with distributed.Client(address, set_as_default=False) as watching:
        watching.wait_for_workers(2, timeout=60)
        names = {row["name"]: at for at, row in watching.scheduler_info()["workers"].items()}
    done = client.run("build", "--all", "--scheduler", address, "--remote", "oci://127.0.0.1:9/none", seconds=120)
    assert done.status == 1, done.err
    assert f"{names['beta']}: emwheels" in done.err
    assert names["alpha"] not in done.err.replace(address, "")
    assert "install the same emwheels there" in done.err
    assert "Traceback" not in done.err
    assert all(worker.poll() is None for worker in workers)


def test_a_worker_without_emwheels_or_that_comes_later_is_no_hang(cluster, tmp_path, other_code):
    """Dask hangs on what a worker fails to unpickle: what is sent must never get that far."""
    broken = tmp_path / "broken" / "emwheels"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('there is none')\n")
    address, _ = cluster("alpha", env={"alpha": {"PYTHONPATH": str(broken.parent)}})
    with distributed.Client(address, set_as_default=False) as watching:
        watching.wait_for_workers(1, timeout=60)
    with pytest.raises(ClusterError, match="there is none"):
        DaskExecutor(address, work, receive=str, end=print)
    empty, _ = cluster()
    executor = DaskExecutor(empty, work, receive=str, end=print)
    waiting = executor.submit(Task(identity="one"), {})
    cluster("beta", env={"beta": {"PYTHONPATH": other_code}}, address=empty)
    try:
        with pytest.raises(ClusterError, match="a worker that came later is another"):
            waiting.result(timeout=120)
    finally:
        executor.close()


def work(name, given):
    return name


def test_without_a_cluster_or_a_remote_store(plain_project):
    plain_project.root.joinpath("recipes", "x").mkdir()
    done = plain_project.run("build", "x", "--scheduler", "tcp://127.0.0.1:9")
    assert done.status == 2
    assert "--remote" in done.err
