"""Builds on the workers of a Dask cluster: stores of their own, a registry between them, one of them killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from registry import LocalRegistry, free_port
from tiny_library import LIBRARY_META

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
def registry(image, tmp_path):
    made = LocalRegistry(image, tmp_path / "registry").start()
    yield made
    made.kill()


@pytest.fixture
def cluster(make_tiny_project, tmp_path):
    """A function that starts a scheduler and workers, each with a cache of its own, and returns its address."""
    processes = []

    def start(*names):
        port = free_port()
        scheduler = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port)]
        processes.append(subprocess.Popen([*scheduler, "--no-dashboard"], stderr=subprocess.DEVNULL))
        address = f"tcp://127.0.0.1:{port}"
        workers = []
        for name in names:
            env = make_tiny_project(tmp_path / name).env
            command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny"]
            command += ["--name", name, "--no-dashboard", "--memory-limit", "0"]
            with (tmp_path / f"{name}.log").open("wb") as log:
                worker = subprocess.Popen(
                    command, env=env, stdout=log, stderr=subprocess.STDOUT, cwd=tmp_path, start_new_session=True
                )
            processes.append(worker)
            workers.append(worker)
        return address, workers

    yield start
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        process.wait()


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


def test_without_a_cluster_or_a_remote_store(plain_project):
    plain_project.root.joinpath("recipes", "x").mkdir()
    done = plain_project.run("build", "x", "--scheduler", "tcp://127.0.0.1:9")
    assert done.status == 2
    assert "--remote" in done.err
