from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from emwheels.errors import ImageError
from emwheels.image import holding
from emwheels.image.holding import in_use, nobody_in

DESCRIPTORS = Path("/proc/self/fd")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "image").mkdir()
    return tmp_path / "image"


def test_many_are_in_an_image_and_then_it_is_not_free(folder):
    with in_use(folder), in_use(folder), pytest.raises(ImageError, match="in use"), nobody_in(folder):
        pass
    with nobody_in(folder):
        pass


def test_an_image_that_is_not_there_is_free(tmp_path):
    with in_use(tmp_path / "none"), nobody_in(tmp_path / "none"):
        pass


def test_a_process_that_is_killed_holds_nothing(folder):
    program = f"from pathlib import Path; from emwheels.image.holding import in_use; folder = Path({str(folder)!r})"
    program += "\nwith in_use(folder): print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline()
        with pytest.raises(ImageError, match="in use"), nobody_in(folder):
            pass
        process.kill()
        process.wait()
    with nobody_in(folder):
        pass


def test_what_is_held_is_what_has_the_name_once_it_is_locked(folder, monkeypatch):
    """Another process replaces the image while the lock is waited for."""
    plain = fcntl.flock

    def replaced(descriptor, kind):
        monkeypatch.setattr(holding.fcntl, "flock", plain)
        folder.rename(folder.with_name("old"))
        folder.mkdir()
        plain(descriptor, kind)

    monkeypatch.setattr(holding.fcntl, "flock", replaced)
    with in_use(folder), pytest.raises(ImageError, match="in use"), nobody_in(folder):
        pass


def test_no_descriptor_is_left(folder):
    before = len(list(DESCRIPTORS.iterdir()))
    for _ in range(3):
        with in_use(folder), pytest.raises(ImageError), nobody_in(folder):
            pass
    assert len(list(DESCRIPTORS.iterdir())) == before
