"""Builds the demo: the page, Pyodide, the private index with what the page installs, onnxruntime-web; and serves it.

    python demo/build_site.py                     builds dist/demo and serves it at http://127.0.0.1:8000
    python demo/build_site.py --no-serve          builds it
    python demo/build_site.py --difference        shows what differs from the program as it runs on a server

Wheels of recipes that are not in the cache are built, which for opencv-python takes 25 minutes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import brotli

import difference
from emwheels import index
from emwheels.bundle import make_lock
from emwheels.errors import EmwheelsError
from emwheels.index.runtime import RUNTIME
from emwheels.pipeline.environment import Environment, environment_here
from emwheels.pipeline.model import Options
from emwheels.pipeline.run import make_run, run_packages

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HERE = Path(__file__).resolve().parent
RECIPES = ("numpy", "opencv-python")
PROJECTS = ("inkreader", "onnxruntime")
ONNXRUNTIME_WEB = (
    "pkg:npm/onnxruntime-web@1.30.0",
    "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71",
)
ENGINE_FILES = {
    "engine-cpu": ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"),
    "engine-gpu": ("ort.jspi.bundle.min.mjs", "ort-wasm-simd-threaded.jspi.wasm"),
}
"""Group -> files of onnxruntime-web; a page needs one of the groups, by whether the browser has WebGPU."""
MANIFEST = "files.json"
LOCK = "runtime-lock.json"
"""What loadPackage finds: the wheels of this site and no others."""
_GROUPS = {"pyodide": "runtime", "wheels": "packages", "simple": "packages"}
_COMPRESSED_FROM = 100_000


def build_site(site: Path, environment: Environment, recipes: Sequence[str] = RECIPES) -> None:
    """Fill the folder ``site``, which appears whole and takes the place of one that was there.

    Raises `EmwheelsError` for a wheel that cannot be built, `FetchError` for what cannot be had.
    """
    site.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{site.name}-", dir=site.parent) as temporary:
        making = Path(temporary) / "site"
        _publish(making, environment, recipes, Path(temporary))
        _copy_runtime(making, environment)
        package = environment.npm_package(*ONNXRUNTIME_WEB)
        _copy(package / "dist", making / "onnxruntime-web", [name for group in ENGINE_FILES.values() for name in group])
        _copy(HERE / "site", making, [path.name for path in (HERE / "site").iterdir() if path.is_file()])
        _copy(HERE / "samples", making / "samples", ["page.jpg"])
        (making / MANIFEST).write_text(json.dumps(manifest(making), indent=1) + "\n", encoding="utf-8")
        _compress(making)
        making.chmod(0o755)
        if site.exists():
            shutil.move(site, Path(temporary) / "old")
        making.replace(site)


def manifest(site: Path) -> dict[str, object]:
    """Return what the page keeps of ``site``: each file's path, group, bytes and sha256, and one version of it all."""
    rows = []
    for path in sorted(site.rglob("*")):
        name = path.relative_to(site).as_posix()
        if path.is_file() and (group := _group(name)):
            data = path.read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            rows.append({"path": name, "group": group, "bytes": len(data), "sha256": digest})
    version = hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:12]
    return {"version": version, "files": rows}


def _group(name: str) -> str | None:
    """Return the group of a file by its path; None for what the page never asks for."""
    folder, _, file = name.rpartition("/")
    if name.endswith(".br"):
        return None
    if name == LOCK:
        return "runtime"
    if not folder:
        return "page" if file.rpartition(".")[2] in ("html", "css", "mjs", "py", "svg") else None
    if folder == "onnxruntime-web":
        return next(group for group, files in ENGINE_FILES.items() if file in files)
    if folder == "samples":
        return "page"
    return None if name.endswith(".metadata") else _GROUPS.get(folder.split("/")[0])


def project_wheel(name: str, folder: Path) -> Path:
    """Return the wheel of one of `PROJECTS`, made in ``folder`` by ``python -m build``."""
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder / name), str(HERE / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr)[-2000:]
        raise EmwheelsError(f"demo/{name} cannot be built:\n{said}", hint="python -m pip install build")
    (wheel,) = (folder / name).glob("*.whl")
    return wheel


def _publish(site: Path, environment: Environment, recipes: Sequence[str], temporary: Path) -> None:
    wheels = [(project_wheel(name, temporary), "") for name in PROJECTS]
    for outcome in run_packages(make_run(environment, recipes, Options(test=False))):
        if outcome.error is not None:
            raise outcome.error
        if outcome.output is not None and outcome.output.kind == "wheels":
            wheels.append((environment.store.get("wheels", outcome.output.sha256), outcome.output.filename))
    wheels += [(path, "") for path in environment.harness_wheels if path.name.startswith("micropip-")]
    for path, filename in wheels:
        index.publish(site, path, filename or path.name, release=environment.release)


def _copy_runtime(site: Path, environment: Environment) -> None:
    runtime = environment.runtime
    _copy(runtime, site / "pyodide", RUNTIME)
    (site / LOCK).write_bytes(make_lock(site / "wheels", environment.release).dump())


def _copy(source: Path, destination: Path, names: Iterable[str]) -> None:
    destination.mkdir(exist_ok=True)
    for name in names:
        shutil.copyfile(source / name, destination / name)


def _compress(site: Path) -> None:
    """Put a brotli file beside what is large and not compressed: servers send it to whoever takes it."""
    for path in [*site.rglob("*.wasm"), *site.rglob("*.mjs")]:
        if path.stat().st_size > _COMPRESSED_FROM:
            path.with_name(f"{path.name}.br").write_bytes(brotli.compress(path.read_bytes(), quality=5))


def main(argv: list[str] | None = None) -> int:
    """Build, and do what else was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help="the folder (default: dist/demo)")
    parser.add_argument("--no-serve", action="store_true", help="build the folder and end")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one (8000)")
    parser.add_argument("--difference", action="store_true", help="show what the page adds, and build nothing")
    arguments = parser.parse_args(argv)
    try:
        environment = environment_here(HERE)
        site = (arguments.output or environment.project.dist / "demo").resolve()
        if arguments.difference:
            with tempfile.TemporaryDirectory() as folder:
                return difference.show(project_wheel("inkreader", Path(folder)))
        build_site(site, environment)
        size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
        print(f"{site}: {size:,} bytes", flush=True)
        if not arguments.no_serve:
            command = [sys.executable, "-m", "emwheels", "serve", str(site), "--quiet"]
            return subprocess.call([*command, "--host", arguments.host, "--port", str(arguments.port)])
    except EmwheelsError as error:
        print(f"{error.message}\n  {error.hint}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
