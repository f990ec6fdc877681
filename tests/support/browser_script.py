"""A script of this folder that drives Chromium, run by Node in the test image."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from emwheels.image.model import Mount

SUPPORT = Path(__file__).resolve().parent


def run_script(image, playwright_core, script, *arguments, mounts=(), network, seconds=600):
    """Run ``script`` with Playwright's folder and ``arguments``; return the JSON of the last line that it prints.

    It finds this folder in /mnt/support. ``seconds`` is how long it may take.
    """
    with tempfile.TemporaryFile() as output:
        done = image.run(
            ["/usr/bin/node", f"/mnt/support/{script}", "/mnt/playwright", *arguments],
            mounts=[
                Mount(host=SUPPORT, inside="/mnt/support"),
                Mount(host=playwright_core, inside="/mnt/playwright"),
                *mounts,
            ],
            env={"HOME": "/tmp", "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            network=network,
            output=output,
            seconds=seconds,
        )
        output.seek(0)
        said = output.read().decode(errors="replace")
    assert done.status == 0, said
    return json.loads(said.splitlines()[-1])
