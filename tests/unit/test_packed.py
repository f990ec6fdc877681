"""The archives that tests make."""

from __future__ import annotations

import time

from packed import tar_gz


def test_an_archive_has_the_same_bytes_whenever_it_is_made(monkeypatch):
    now = tar_gz({"a-1.0/a.py": "1"})
    monkeypatch.setattr(time, "time", lambda: 1.0)
    assert tar_gz({"a-1.0/a.py": b"1"}) == now
