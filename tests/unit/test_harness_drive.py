"""The driver of the engines, with a script of the shell in its place: what it is given, and how its end is told."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from synthetic_wheels import make_wheel

from emwheels.errors import HarnessError
from emwheels.harness import install as installing
from emwheels.harness import stage as staging
from emwheels.harness.drive import drive, runtime_mounts
from emwheels.harness.install import Install, Installed, installer_wheels, try_installs
from emwheels.image.processes import WatchedProcess

BOOT = {"event": "boot", "seconds": 2.0}
CASE = {"event": "case", "nodeid": "t.py::a", "outcome": "passed", "seconds": 0.5, "message": "", "output": ""}
END = {"event": "end", "seconds": 3.0}


class Driver:
    """Stands for the image: driver.mjs says ``lines``, then something to standard error, and waits to be killed."""

    def __init__(self, lines, *, said="", waits=True):
        self.lines, self.said, self.waits = lines, said, waits
        self.processes, self.job, self.wheels = [], None, []

    def start(self, argv, *, mounts, env, network, stderr, seconds):
        assert seconds == 0, "the driver has limits of time of its own"
        self.argv, self.mounts, self.env, self.network = argv, mounts, dict(env), network
        stage = [mount.host for mount in mounts if mount.inside == staging.STAGE]
        for folder in stage:
            self.job = json.loads((folder / "job.json").read_text())
            self.wheels = sorted(path.name for path in (folder / "wheels").iterdir())
        text = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in self.lines)
        script = 'printf %s "$1"; printf %s "$2" >&2' + ("; exec 1>&-; exec sleep 600" if self.waits else "")
        command = ["/bin/sh", "-c", script, "sh", text, self.said]
        process = WatchedProcess(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr)
        self.processes.append(process)
        return process


def of(engine, *lines):
    return [{"engine": engine} | line for line in lines]


def run(driver, tmp_path, engines=("node",), **options):
    return drive(driver, (), engines=engines, output=tmp_path / "out", on_event=None, **options)


def test_a_result_for_each_engine_in_the_order_asked_for(tmp_path):
    driver = Driver([*of("node", BOOT, CASE, END), *of("chromium", BOOT, CASE | {"outcome": "failed"}, END)])
    found = run(driver, tmp_path, engines=("node", "chromium"), content="c" * 64)
    assert [(name, result.passed, result.failed) for name, result in found.items()] == [
        ("node", 1, 0),
        ("chromium", 0, 1),
    ]
    assert found["node"].content == "c" * 64
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("chromium.log", "chromium.xml", "node.log", "node.xml")
    ]


def test_the_driver_has_nothing_of_the_host_but_what_it_needs(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "x")
    driver = Driver(of("node", CASE, END))
    run(driver, tmp_path)
    assert driver.env == {"HOME": "/tmp", "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    assert driver.network is False
    assert driver.argv == ("/usr/bin/node", "/mnt/harness/driver.mjs", "/mnt/stage/job.json")


def test_network_and_variables_are_given_where_they_are_asked_for(tmp_path):
    driver = Driver(of("node", CASE, END))
    run(driver, tmp_path, network=True, environment={"HOME": "/mnt", "https_proxy": "http://proxy"})
    assert driver.network
    assert driver.env["HOME"] == "/mnt"
    assert driver.env["https_proxy"] == "http://proxy"


def test_what_happens_is_told_as_it_does(tmp_path):
    seen = []
    driver = Driver(of("node", BOOT, {"event": "log", "stream": "out", "text": "hello"}, CASE, END))
    drive(driver, (), engines=["node"], output=tmp_path / "out", on_event=lambda event: seen.append(event.kind))
    assert seen == ["boot", "case", "end"]
    assert (tmp_path / "out" / "node.log").read_text() == "[out] hello\n"


def test_the_driver_is_ended_when_the_results_are_there(tmp_path):
    driver = Driver(of("node", CASE, END))
    run(driver, tmp_path)
    assert driver.processes[0].returncode is not None


def test_a_driver_that_dies_is_told_with_the_end_of_what_it_said(tmp_path):
    driver = Driver(of("node", BOOT, CASE), said="x" * 5000 + "Error: no chromium here", waits=False)
    with pytest.raises(HarnessError, match="node: the test driver ended before the engine did") as caught:
        run(driver, tmp_path)
    assert caught.value.hint.endswith("Error: no chromium here")
    assert len(caught.value.hint) == 2000
    assert driver.processes[0].returncode == 0
    assert not (tmp_path / "out" / "node.xml").exists()


def test_a_driver_that_says_something_else_is_ended(tmp_path):
    driver = Driver(["a warning of node\n"])
    with pytest.raises(HarnessError, match="not JSON: b'a warning of node"):
        run(driver, tmp_path)
    assert driver.processes[0].returncode is not None


def test_every_job_sees_runtime_driver_and_browser_and_can_write_none(tmp_path):
    mounts = {mount.inside: mount for mount in runtime_mounts(tmp_path / "runtime", tmp_path / "playwright")}
    assert mounts[staging.RUNTIME].host == tmp_path / "runtime"
    assert mounts[staging.PLAYWRIGHT].host == tmp_path / "playwright"
    assert (mounts[staging.HARNESS].host / "driver.mjs").is_file()
    assert not any(mount.writable for mount in mounts.values())


# Installations.


@pytest.fixture
def wheels(tmp_path):
    return [make_wheel(tmp_path / "harness", name) for name in ("micropip", "packaging", "pytest")]


@pytest.fixture
def attempt(tmp_path, wheels, monkeypatch):
    """Try installations; the driver says ``lines``. Returns what came of them; ``attempt.driver`` is that driver."""
    for name in installing._PROXIES:
        monkeypatch.delenv(name, raising=False)

    def attempt(lines, *installs, engines=("node",), **options):
        attempt.driver = Driver(lines)
        return try_installs(
            image=attempt.driver,
            runtime=tmp_path / "runtime",
            playwright_core=tmp_path / "playwright",
            harness_wheels=wheels,
            installs=installs,
            engines=engines,
            **options,
        )

    return attempt


def tried(name, **more):
    output = {"installed": {"numpy": ["2.5", "r" * 64]}, "result": {"sum": 6}}
    return CASE | {"nodeid": name, "output": json.dumps(output)} | more


NUMPY = Install(id="0", requirement="numpy", index_urls=("https://wheels.example.org/simple",), deps=True)


def test_what_was_installed(attempt):
    assert attempt(of("node", BOOT, tried("0"), END), NUMPY) == [
        Installed(
            engine="node",
            id="0",
            error="",
            seconds=0.5,
            distributions={"numpy": ("2.5", "r" * 64)},
            result={"sum": 6},
        )
    ]


def test_what_failed_has_its_message_and_traceback(attempt):
    output = json.dumps({"traceback": "Traceback: deep"})
    (found,) = attempt(of("node", tried("0", outcome="failed", message="no wheel", output=output), END), NUMPY)
    assert (found.error, found.traceback, found.distributions, found.result) == (
        "no wheel",
        "Traceback: deep",
        {},
        None,
    )


def test_a_hang_is_a_failed_installation(attempt):
    (found,) = attempt(of("node", tried("0", outcome="failed", message="hung for 9 s", output=""), END), NUMPY)
    assert (found.error, found.distributions) == ("hung for 9 s", {})


def test_each_installation_in_each_engine(attempt):
    other = Install(id="1", requirement="scipy", lock=True)
    lines = [*of("node", tried("1"), tried("0"), END), *of("chromium", tried("0"), tried("1"), END)]
    found = attempt(lines, NUMPY, other, engines=("node", "chromium"))
    assert [(each.engine, each.id) for each in found] == [
        *(("node", "0"), ("node", "1"), ("chromium", "0"), ("chromium", "1"))
    ]


def test_the_job(attempt):
    attempt(of("node", tried("0"), END), NUMPY, seconds=7, boot_seconds=9, lock_url="https://x.example.org/lock.json")
    job = attempt.driver.job
    assert job["installs"] == [
        {
            "id": "0",
            "requirement": "numpy",
            "index_urls": ["https://wheels.example.org/simple"],
            "deps": True,
            "lock": False,
            "code": "",
        }
    ]
    assert (job["test_seconds"], job["boot_seconds"], job["lock_url"]) == (7, 9, "https://x.example.org/lock.json")
    assert job["micropip"] == "micropip-1.0-py3-none-any.whl"
    assert attempt.driver.wheels == [f"{name}-1.0-py3-none-any.whl" for name in ("micropip", "packaging", "pytest")]
    assert attempt.driver.network


def test_an_engine_that_does_not_come_up_is_an_error_with_its_log(attempt):
    lines = of(
        "node",
        {"event": "log", "stream": "err", "text": "no such file: pyodide.mjs"},
        CASE | {"nodeid": "boot", "outcome": "error", "message": "boot: it ended"},
        END,
    )
    with pytest.raises(HarnessError, match="node did not come to 0: boot: it ended") as caught:
        attempt(lines, NUMPY)
    assert "no such file: pyodide.mjs" in caught.value.hint


def test_nothing_is_left_of_a_job(attempt):
    attempt(of("node", tried("0"), END), NUMPY)
    (stage,) = [mount.host for mount in attempt.driver.mounts if mount.inside == staging.STAGE]
    assert not stage.exists()


def test_without_micropip_nothing_can_be_installed(attempt, wheels):
    del wheels[0]
    with pytest.raises(HarnessError, match="no micropip"):
        attempt([], NUMPY)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {}),
        ({"no_proxy": "intranet"}, {}),
        (
            {"https_proxy": "http://proxy:3128"},
            {"https_proxy": "http://proxy:3128", "direct": "127.0.0.1,localhost,::1"},
        ),
        (
            {"HTTP_PROXY": "http://proxy", "https_proxy": "", "NO_PROXY": "intranet"},
            {"HTTP_PROXY": "http://proxy", "direct": "127.0.0.1,localhost,::1,intranet"},
        ),
    ],
)
def test_proxies_of_this_machine_reach_the_engines_but_not_the_harness_s_own_server(
    attempt, monkeypatch, given, expected
):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    attempt(of("node", tried("0"), END), NUMPY)
    env = {name: value for name, value in attempt.driver.env.items() if name not in ("HOME", "PATH", "LANG")}
    if direct := expected.pop("direct", None):
        expected |= {"no_proxy": direct, "NO_PROXY": direct, "NODE_USE_ENV_PROXY": "1"}
    assert env == expected


def test_the_installer_s_wheels(wheels):
    assert installer_wheels([*wheels, Path("Packaging_Extra-1.0-py3-none-any.whl")]) == wheels[:2]
