"""What a stored (not deflated) wheel with compressed copies beside it would save on the way to a browser, and cost.

    python benchmarks/precompressed.py                 the wheels of dist/
    python benchmarks/precompressed.py FILE.whl…       these

For each wheel: its bytes as it is (deflated by zip); the same members stored; and what a web server would send of that
as brotli (quality 11, window 2^22, the largest that browsers take) and gzip (level 9), and of the wheel as it is as
brotli. Times are those of one core. Every compressed copy is unpacked again and compared.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import sys
import time
import zipfile
from pathlib import Path

import brotli

from emwheels.pipeline.environment import environment_here


def main() -> int:
    """Measure, print and return the status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheels", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    dist = environment_here(Path(__file__).parent).project.dist
    wheels = arguments.wheels or sorted((dist / "wheels").glob("*.whl"))
    if not wheels:
        print(f"there is no wheel in {dist}: build some first", file=sys.stderr)
        return 1
    rows = [(path.name, measure(path)) for path in wheels]
    numbers = list(rows[0][1])
    rows.append(("all", {key: round(sum(row[key] for _, row in rows), 3) for key in numbers}))
    if arguments.json:
        print(json.dumps([{"wheel": name, **row} for name, row in rows], indent=1))
        return 0
    print("  ".join(["wheel".ljust(14), *(key.rjust(12) for key in numbers), "stored br / wheel", "stored / wheel"]))
    for name, row in rows:
        shares = f"{row['stored br'] / row['wheel as it is']:17.3f}", f"{row['stored'] / row['wheel as it is']:14.2f}"
        cells = [f"{row[key]:12,}" for key in numbers]
        print("  ".join([name.split("-")[0].ljust(14), *cells, *shares]))
    return 0


def measure(path: Path) -> dict[str, float]:
    """Return sizes in bytes and times in seconds for one wheel."""
    wheel = path.read_bytes()
    plain = stored(wheel)
    began = time.perf_counter()
    small = brotli.compress(plain, quality=11, lgwin=22)
    packing = time.perf_counter() - began
    began = time.perf_counter()
    if brotli.decompress(small) != plain:
        raise SystemExit(f"{path}: brotli gives other bytes back")
    unpacking = time.perf_counter() - began
    zipped = gzip.compress(plain, 9, mtime=0)
    if gzip.decompress(zipped) != plain:
        raise SystemExit(f"{path}: gzip gives other bytes back")
    return {
        "wheel as it is": len(wheel),
        "its br": len(brotli.compress(wheel, quality=11, lgwin=22)),
        "stored": len(plain),
        "stored br": len(small),
        "stored gz": len(zipped),
        "br, s": round(packing, 3),
        "un-br, s": round(unpacking, 3),
    }


def stored(wheel: bytes) -> bytes:
    """Return the same members in the same order, not compressed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(wheel)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as target:
        for info in source.infolist():
            plain = zipfile.ZipInfo(info.filename, info.date_time)
            plain.external_attr = info.external_attr
            target.writestr(plain, source.read(info))
    return out.getvalue()


if __name__ == "__main__":
    sys.exit(main())
