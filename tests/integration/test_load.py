"""A short run of the load benchmark: thousands of requests, no error, no wrong byte."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.mark.image
@pytest.mark.timeout(600)
def test_both_servers_send_every_byte_right_under_load():
    script = CHECKOUT / "benchmarks" / "serving.py"
    command = [sys.executable, str(script), "--seconds", "1", "--fetches", "400", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=550, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert {row["server"] for row in rows} == {"built-in", "nginx"}
    assert all(row["errors"] == 0 for row in rows)
    assert sum(row["requests"] for row in rows) > 800
