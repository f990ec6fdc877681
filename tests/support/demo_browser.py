"""The demo's site, served by the built-in server, and scenarios in Chromium on it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from contextlib import contextmanager

from browser_script import run_script

from emwheels.image.model import Mount


@contextmanager
def served(site, log):
    """Serve the folder ``site``, write a line for each request to ``log`` and give the address."""
    command = [sys.executable, "-u", "-m", "emwheels", "serve", str(site), "--port", "0"]
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process:
        try:
            yield _address(process, log)
        finally:
            process.terminate()
            process.wait()


def _address(process, log):
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        if found := re.search(r" at (http://[\d.:]+)", log.read_text()):
            return found[1]
        time.sleep(0.05)
    raise AssertionError(f"the server did not come up: {log.read_text()}")


def requests(log):
    """Return what was asked of the server, in order: path without query, and the status of the answer."""
    found = re.findall(r'"[A-Z]+ (\S+) HTTP/1\.1" (\d+)', log.read_text())
    return [(path.partition("?")[0], int(status)) for path, status in found]


def drive(environment, scenario, address, folder, given=None, *, seconds=900):
    """Run the scenario of that name, with ``folder`` for its profiles and files, and return what it returns."""
    (folder / "given.json").write_text(json.dumps(given or {}))
    return run_script(
        environment.test_image,
        environment.playwright_core,
        "demo_drive.mjs",
        *(f"/mnt/support/demo/{scenario}.mjs", address, "/mnt/folder", "/mnt/folder/given.json"),
        mounts=[Mount(host=folder, inside="/mnt/folder", writable=True)],
        network=True,
        seconds=seconds,
    )
