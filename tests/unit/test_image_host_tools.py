"""What this machine needs to make an image, with scripts of the shell in place of its tools."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from emwheels.errors import ImageError, StoppedError
from emwheels.image import host_tools


def test_what_the_machine_lacks_is_told_with_the_line_to_run(monkeypatch):
    monkeypatch.setattr("emwheels.image.host_tools.shutil.which", lambda tool: None)
    monkeypatch.setattr("emwheels.image.host_tools.os.geteuid", lambda: 1000)
    with pytest.raises(ImageError, match="this machine lacks mmdebstrap, bubblewrap, dpkg, uidmap") as caught:
        host_tools.require_host_tools(lambda text: None)
    assert "apt-get update && apt-get install -y --no-install-recommends mmdebstrap" in caught.value.hint


def test_nothing_is_installed_where_nothing_lacks(monkeypatch):
    monkeypatch.setattr("emwheels.image.host_tools.subprocess.run", lambda *_, **__: pytest.fail("it ran"))
    host_tools.install_on_host([], pytest.fail)


@pytest.mark.parametrize(("status", "fails"), [(0, False), (100, True)])
def test_root_has_it_installed(tools, monkeypatch, status, fails):
    monkeypatch.setattr("emwheels.image.host_tools.os.geteuid", lambda: 0)
    asked = tools(apt_get=f"echo 'E: broken' >&2\nexit {status}")
    said = []
    if fails:
        with pytest.raises(ImageError, match="apt-get update failed:\nE: broken"):
            host_tools.install_on_host(["bubblewrap"], said.append)
        return
    host_tools.install_on_host(["bubblewrap"], said.append)
    assert said == ["installing bubblewrap"]
    assert asked("apt-get") == ["update", "install -y --no-install-recommends bubblewrap"]


@pytest.mark.parametrize(
    ("listed", "mirror"),
    [
        (
            "https://a.example.org/debian-security Debian\\nhttps://b.example.org/debian Debian\\n",
            "https://b.example.org/debian",
        ),
        ("https://a.example.org/other Other\\n", ""),
        ("", ""),
    ],
)
def test_the_mirror_is_that_of_this_machine_s_apt(tools, monkeypatch, listed, mirror):
    monkeypatch.delenv("EMWHEELS_DEBIAN_MIRROR", raising=False)
    tools(apt_get=f"printf '{listed}'")
    assert host_tools.debian_mirror() == mirror


def test_what_a_program_starts_is_debians_own_where_a_user_has_another(tools, tmp_path):
    tools(python3="echo a user has this one")
    output = tmp_path / "output"
    with output.open("wb") as file:
        assert host_tools.run_to_end(["sh", "-c", "command -v sh"], file) == 0
        assert host_tools.run_to_end(["sh", "-c", "python3 -c 'import sys; print(sys.executable)'"], file) == 0
    assert output.read_text().splitlines() == ["/usr/bin/sh", "/usr/bin/python3"]


def test_a_program_in_a_thread_is_asked_to_end_and_waited_for(tmp_path):
    output, stopping = tmp_path / "output", threading.Event()
    script = "trap 'echo cleaned; exit 3' TERM; echo started; while :; do sleep 0.1; done"
    with output.open("wb") as file, ThreadPoolExecutor(1) as pool:
        running = pool.submit(host_tools.run_to_end, ["sh", "-c", script], file, stopping=stopping)
        while not output.read_text():
            time.sleep(0.05)
        stopping.set()
        with pytest.raises(StoppedError):
            running.result()
    assert output.read_text().splitlines() == ["started", "cleaned"]
    with output.open("wb") as file:
        assert host_tools.run_to_end(["sh", "-c", "exit 4"], file, stopping=threading.Event()) == 4
