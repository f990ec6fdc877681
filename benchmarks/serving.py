"""Load on an index: the built-in server and nginx under wrk, and whether every byte of what they send is right.

    python benchmarks/serving.py                 both servers, 10 s a file
    python benchmarks/serving.py --seconds 1     a quick look

Makes an index of a few wheels in a temporary folder, with one precompressed. For each server and each kind of file wrk
(of the service image) asks over 32 connections, or 4 for the large one; then, from 16 threads, every file is fetched
many times, whole, in parts and compressed, and compared byte by byte with what is published. Prints a table; ends with
status 1 for any error or wrong byte.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import brotli
import httpx

from emwheels.pipeline.environment import environment_here

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from web_servers import nginx

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emwheels.image.model import Image

FETCHES = 2000
SMALL = "simple/demo/index.html"
WHEEL = "wheels/demo-1.0-py3-none-any.whl"
LARGE = "wheels/large-1.0-py3-none-any.whl"
CONNECTIONS = {SMALL: 32, WHEEL: 32, LARGE: 4}


def make_site(root: Path) -> None:
    """Write a page, a wheel of 30 kB with a brotli file beside it, and one of 3 MB."""
    generator = random.Random(1)
    for name, size in ((WHEEL, 30_000), (LARGE, 3_000_000)):
        path = root / name
        path.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("data.bin", generator.randbytes(size))
    (root / f"{WHEEL}.br").write_bytes(brotli.compress((root / WHEEL).read_bytes(), quality=5))
    page = root / SMALL
    page.parent.mkdir(parents=True)
    page.write_text("".join(f'<a href="../../wheels/demo-1.{n}.whl#sha256={n:064}">demo</a>\n' for n in range(30)))


@contextmanager
def built_in(root: Path) -> Iterator[str]:
    """Serve ``root`` with `emwheels serve`."""
    command = [sys.executable, "-m", "emwheels", "serve", str(root), "--port", "0", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        try:
            yield found(r"http://\S+:\d+", run.stdout.readline())[0]
        finally:
            run.terminate()


def found(pattern: str, text: str) -> re.Match[str]:
    """Return where ``pattern`` is in ``text``."""
    match = re.search(pattern, text)
    if match is None:
        raise SystemExit(f"there is no {pattern} in: {text}")
    return match


def load(image: Image, url: str, seconds: int, connections: int) -> dict[str, float]:
    """Run wrk against ``url``: requests, errors, requests and megabytes a second, latency in ms."""
    with tempfile.TemporaryFile() as output:
        argv = ["wrk", "--latency", "-t2", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", url]
        done = image.run(argv, env={"PATH": "/usr/bin:/bin"}, network=True, output=output, seconds=seconds + 60)
        output.seek(0)
        text = output.read().decode()
    if done.status:
        raise SystemExit(f"wrk ended with {done.status}: {text}")
    errors = sum(int(number) for number in re.findall(r"(?:connect|read|write|timeout) (\d+)", text))
    errors += sum(int(number) for number in re.findall(r"Non-2xx or 3xx responses: (\d+)", text))
    units = {"us": 0.001, "ms": 1.0, "s": 1000.0}
    times = [found(rf"{share}%\s+([\d.]+)(us|ms|s)", text) for share in ("50", "99")]
    median, p99 = (float(match[1]) * units[match[2]] for match in times)
    return {
        "requests": int(found(r"(\d+) requests in", text)[1]),
        "errors": errors,
        "per second": float(found(r"Requests/sec:\s+([\d.]+)", text)[1]),
        "median ms": median,
        "p99 ms": p99,
    }


def compare(root: Path, address: str, fetches: int) -> int:
    """Fetch whole files, parts and compressed ones, many at a time; return how many answers were wrong."""
    content = {name: (root / name).read_bytes() for name in (SMALL, WHEEL, LARGE)}
    with httpx.Client(trust_env=False, limits=httpx.Limits(max_connections=16), timeout=60) as client:

        def wrong(number: int) -> bool:
            name = (SMALL, WHEEL, WHEEL, LARGE)[number % 4]
            data = content[name]
            if number % 3 == 0:
                start = number * 7919 % len(data)
                end = min(start + 5000, len(data)) - 1
                headers = {"Range": f"bytes={start}-{end}", "Accept-Encoding": "identity"}
                answer = client.get(f"{address}/{name}", headers=headers)
                return answer.status_code != 206 or answer.content != data[start : end + 1]
            coding = "br" if number % 3 == 1 else "identity"
            answer = client.get(f"{address}/{name}", headers={"Accept-Encoding": coding})
            return answer.status_code != 200 or answer.content != data

        with ThreadPoolExecutor(16) as pool:
            return sum(pool.map(wrong, range(fetches)))


def main() -> int:
    """Measure, print and return the status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--fetches", type=int, default=FETCHES)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    image = environment_here(Path(__file__).resolve().parent).service_image
    rows: list[dict[str, str | float]] = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "site"
        root.mkdir()
        make_site(root)
        configured = Path(folder) / "nginx"
        configured.mkdir()
        for server, running in (("built-in", built_in(root)), ("nginx", nginx(image, root, configured))):
            with running as address:
                rows += [
                    {
                        "server": server,
                        "file": name,
                        **load(image, f"{address}/{name}", arguments.seconds, CONNECTIONS[name]),
                    }
                    for name in (SMALL, WHEEL, LARGE)
                ]
                began = time.monotonic()
                wrong = compare(root, address, arguments.fetches)
                rows.append(
                    {
                        "server": server,
                        "file": "all, compared",
                        "requests": arguments.fetches,
                        "errors": wrong,
                        "per second": round(arguments.fetches / (time.monotonic() - began), 1),
                    }
                )
    if arguments.json:
        print(json.dumps({"load average": os.getloadavg(), "rows": rows}, indent=1))
    else:
        print(f"load average before: {os.getloadavg()[2]:.1f}")
        columns = ("server", "file", "requests", "errors", "per second", "median ms", "p99 ms")
        for row in [dict[str, str | float](zip(columns, columns, strict=True)), *rows]:
            print("  ".join(f"{row.get(column, '')!s:>{30 if column == 'file' else 10}}" for column in columns))
    return 1 if any(row["errors"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
