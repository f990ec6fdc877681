"""Builds packages of a few lines that fail, each for a reason of its own: ``tests/unit/logs`` has what tools say.

``python tests/support/failing_packages.py FOLDER [NAME...]`` builds those of failing_packages.toml in a project
of their own below FOLDER, with the real toolchain. What comes of it is in FOLDER/cache/logs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import platformdirs

sys.path.insert(0, str(Path(__file__).parent))
from loopback import serving_folder
from packed import tar_gz

CHECKOUT = Path(__file__).resolve().parents[2]
SHARED = ("images", "npm", "xbuildenvs")


def read_packages() -> dict[str, Any]:
    """Return them by name: ``members``, and ``script`` of a library or ``lock``, the recipe with their lock file."""
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def meta_yaml(package: dict[str, Any]) -> str:
    """Return what follows ``source`` in its meta.yaml."""
    if "script" not in package:
        return package.get("meta", "")
    lines = "".join(f"    {line}\n" for line in package["script"].strip().splitlines())
    return f"build:\n  type: static_library\n  script: |\n{lines}"


def make_project(root: Path, address: str, served: Path, packages: dict[str, Any]) -> Path:
    """Write a project with recipes of ``packages`` below ``root`` and return its folder."""
    cache, project = root / "cache", root / "project"
    for folder in (cache, project / "recipes", project / "patches"):
        folder.mkdir(parents=True, exist_ok=True)
    own = Path(os.environ.get("EMWHEELS_CACHE") or platformdirs.user_cache_dir("emwheels"))
    for name in SHARED:
        if not (cache / name).exists():
            (cache / name).symlink_to(own / name)
    shutil.copyfile(CHECKOUT / "targets.toml", project / "targets.toml")
    for name, package in packages.items():
        data = tar_gz({f"{name}-1.0/{path}": content for path, content in package["members"].items()})
        (served / f"{name}-1.0.tar.gz").write_bytes(data)
        folder = project / "recipes" / name
        folder.mkdir(exist_ok=True)
        (folder / "meta.yaml").write_text(
            f'package:\n  name: {name}\n  version: "1.0"\nsource:\n  url: {address}/{name}-1.0.tar.gz\n'
            f"  sha256: {hashlib.sha256(data).hexdigest()}\n{meta_yaml(package)}",
            encoding="utf-8",
        )
        if "tests" in package:
            (folder / f"test_{name.replace('-', '_')}.py").write_text(package["tests"], encoding="utf-8")
        if "script" not in package:
            lock = CHECKOUT / "recipes" / package["lock"] / "requirements.build.txt"
            shutil.copyfile(lock, folder / "requirements.build.txt")
    return project


def main(root: Path, names: list[str]) -> int:
    """Build them, and return the exit status."""
    served = root / "served"
    served.mkdir(parents=True, exist_ok=True)
    packages = read_packages()
    asked = {name: packages[name] for name in names or packages}
    with serving_folder(served) as address:
        project = make_project(root, address, served, asked)
        env = {**os.environ, "EMWHEELS_CACHE": str(root / "cache"), "no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
        command = [sys.executable, "-m", "emwheels", "--project", str(project), "build", "--engine", "node", *asked]
        return subprocess.run(command, env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), sys.argv[2:]))
