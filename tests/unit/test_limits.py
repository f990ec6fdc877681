"""What a command may use: how limits are written, what is said of one, and how one that is reached ends a command."""

from __future__ import annotations

import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emwheels.image.watch import Watch, limit_message
from emwheels.target.limits import LIMITS, WORDS, Limits, default_limits, machine_memory, shown


def test_each_limit_has_words_and_a_default():
    assert set(WORDS) == set(LIMITS) == {each.name for each in fields(Limits)}
    limits = default_limits()
    assert all(getattr(limits, name) > 0 for name in LIMITS)
    assert limits.memory < machine_memory()
    assert limits.scratch <= machine_memory() // 4


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("time", "90", 90), ("time", "1.5h", 5400), ("idle", "30m", 1800), ("idle", "2d", 172800), ("time", 7, 7),
        ("memory", "8G", 8 << 30), ("memory", "500MB", 500 << 20), ("disk", "1TiB", 1 << 40), ("log", "0", 0),
        ("scratch", "none", 0), ("processes", "100", 100), ("files", 20, 20), ("idle", "off", 0),
    ],
)  # fmt: skip
def test_a_limit_is_read(name, text, value):
    assert getattr(Limits().with_texts({name: text}), name) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("memory", "much"), ("time", "1y"), ("processes", "1.5"), ("processes", "-1"), ("memory", True), ("log", None),
        ("disk", [1]), ("time", "9" * 400), ("memory", "٣G"), ("speed", "1"), ("time", ""), ("memory", "1e9"),
    ],
)  # fmt: skip
def test_what_is_no_limit_is_told_with_its_name(name, text):
    with pytest.raises(ValueError, match=name):
        Limits().with_texts({name: text})


@given(st.sampled_from(LIMITS), st.text(max_size=50))
def test_any_text_is_a_number_or_an_error(name, text):
    with suppress(ValueError):
        assert getattr(Limits().with_texts({name: text}), name) >= 0


@given(st.sampled_from(LIMITS), st.integers(1, 1 << 45))
def test_what_is_shown_can_be_read_and_is_about_the_same(name, value):
    again = getattr(Limits().with_texts({name: shown(name, value) if name in ("processes", "files") else value}), name)
    text = shown(name, value)
    if name not in ("processes", "files"):
        again = getattr(Limits().with_texts({name: text}), name)
        assert abs(again - value) <= value / 50
    elif value < 1_000_000:
        assert again == value


def test_the_message_names_the_limit_its_value_and_how_to_raise_it():
    message = limit_message("memory", replace(Limits(), memory=8 << 30))
    assert "`memory`" in message
    assert "8G" in message
    assert "--limit memory=VALUE" in message
    assert "targets.toml" in message
    assert "extra.emwheels.limits" in message


def reached(script, *, seconds=20, folders=(), **limits):
    """Run a script of the shell until it ends or a limit is reached, and return which."""
    with tempfile.TemporaryFile() as output:
        watch = Watch(limits=Limits(**limits), output=output, folders=folders)
        with subprocess.Popen(["/bin/bash", "-c", script], stdout=output, start_new_session=True) as process:
            until = time.monotonic() + seconds
            try:
                while process.poll() is None and time.monotonic() < until:
                    if name := watch.reached(process.pid):
                        return name
                    time.sleep(0.02)
            finally:
                subprocess.run(["pkill", "-KILL", "-s", str(process.pid)], check=False)
    return ""


ALLOCATE = "python3 -c 'import time; x = b\"1\" * (300 << 20); time.sleep(20)'"


@pytest.mark.parametrize(
    ("script", "limits", "name"),
    [
        ("sleep 20", {"time": 0.3}, "time"),
        ("sleep 20", {"idle": 0.6}, "idle"),
        ("while :; do echo x; sleep 0.1; done", {"idle": 1, "time": 3}, "time"),
        ("while :; do echo 0123456789012345678901234567890123456789; done", {"log": 10_000}, "log"),
        ("for i in 1 2 3 4 5 6 7 8; do sleep 20 & done; wait", {"processes": 8}, "processes"),
        (ALLOCATE, {"memory": 100 << 20}, "memory"),
        ("echo done", {"time": 20, "processes": 50, "memory": 1 << 30}, ""),
    ],
)
def test_a_limit_is_seen(script, limits, name):
    assert reached(script, **limits) == name


def test_what_is_written_is_counted_once_the_disk_has_got_fuller(tmp_path, monkeypatch):
    (tmp_path / "before").write_bytes(b"x" * 5_000_000)
    script = f"sleep 0.7; head -c 60000000 /dev/zero > {tmp_path}/large; sync {tmp_path}/large; sleep 20"
    assert reached(script, folders=[tmp_path], disk=20 << 20) == "disk"
    assert reached("sleep 1.2", seconds=2, folders=[tmp_path], disk=20 << 20) == "", "what was there does not count"


def test_memory_that_is_shared_counts_once():
    script = """python3 -c '
import mmap, os, time
shared = mmap.mmap(-1, 150 << 20)
shared.write(b"1" * (150 << 20))
[os.fork() or (sum(shared[::4096]), time.sleep(3), os._exit(0)) for _ in range(3)]
time.sleep(3)'"""
    assert reached(script, memory=400 << 20) == ""
