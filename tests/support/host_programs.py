"""pip and uv on this machine, for indexes that the tests make themselves: no image is needed."""

from __future__ import annotations

import os
import subprocess
import sys

from emwheels.image.places import PIP, PYTHON


def run_on_host(argv, *, mounts, env):
    """Do what a sandbox would with places of this machine; see `emwheels.verify.clients.RunInside`."""
    places = {PIP if mount.inside.startswith(f"{PIP}/") else mount.inside: mount for mount in mounts}
    words = [sys.executable if word == PYTHON else word for word in argv]
    for inside, mount in places.items():
        host = mount.host.parent if inside == PIP else mount.host
        words = [word.replace(inside, str(host)) for word in words]
    variables = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "NO_PROXY": "127.0.0.1", **env}
    done = subprocess.run(words, env=variables, capture_output=True, text=True, check=False, timeout=300)
    return (done.stderr.strip() or f"exit status {done.returncode}") if done.returncode else ""
