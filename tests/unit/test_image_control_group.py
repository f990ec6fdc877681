"""Control groups: the one around this process, and those that commands of the sandbox get."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from emwheels.image.control_group import own_group, read_control_group
from emwheels.target.limits import Limits


@pytest.fixture
def process(tmp_path):
    """Make a folder as of a process in /proc: its mounts, with POINT for a folder of ours, and its groups."""
    folder = tmp_path / "proc"
    folder.mkdir()

    def make(mounts, groups, **files):
        (folder / "mountinfo").write_text(mounts.replace("POINT", str(tmp_path)))
        (folder / "cgroup").write_text(groups)
        for path, text in files.items():
            file = tmp_path / path.replace("__", "/").replace("_DOT_", ".")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return read_control_group(folder)

    return make


V2 = "35 24 0:30 / POINT/v2 rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = "36 24 0:31 / POINT/mem rw - cgroup cgroup rw,memory\n37 24 0:32 / POINT/pids rw - cgroup cgroup rw,pids\n"


def test_version_2_counts_the_limits_of_all_groups_above(process):
    found = process(
        V2,
        "0::/user/me\n",
        v2__cgroup_DOT_controllers="cpu memory pids\n",
        v2__user__memory_DOT_max="2000000000\n",
        v2__user__me__memory_DOT_max="max\n",
        v2__user__me__pids_DOT_max="500\n",
    )
    assert (found.version, found.memory, found.processes, found.delegated) == (2, 2_000_000_000, 500, False)


def test_version_1_has_a_hierarchy_for_each_beside_an_empty_version_2(process):
    found = process(
        V2 + V1,
        "4:memory:/box\n3:pids:/\n0::/\n",
        mem__box__memory_DOT_limit_in_bytes="3000000000\n",
        mem__memory_DOT_limit_in_bytes=f"{2**63 - 4096}\n",
    )
    assert (found.version, found.memory, found.processes, found.delegated) == (1, 3_000_000_000, None, False)


def test_a_group_that_is_out_of_sight_counts_by_what_is_seen(process):
    found = process(V2, "0::/../outside\n", v2__cgroup_DOT_controllers="memory pids", v2__memory_DOT_max="1000000000\n")
    assert found.memory == 1_000_000_000


def test_no_control_group(process, tmp_path):
    assert process("", "").version == 0
    assert read_control_group(tmp_path / "none").version == 0


# A command's own.


@pytest.fixture
def delegated(process, tmp_path, monkeypatch):
    """Lay out a process whose group is below one that a service manager has left to this user."""
    for path in ("v2/user/cgroup.procs", "v2/user/me/cgroup.procs"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    process(
        V2,
        "0::/user/me\n",
        v2__cgroup_DOT_controllers="cpu memory pids\n",
        v2__cgroup_DOT_subtree_control="memory pids\n",
        v2__user__cgroup_DOT_subtree_control="memory pids\n",
        v2__user__me__cgroup_DOT_subtree_control="\n",
    )
    monkeypatch.setattr("emwheels.image.control_group.os.geteuid", lambda: (tmp_path / "v2").stat().st_uid)
    marks = {str(tmp_path / "v2" / "user"): b"1"}
    monkeypatch.setattr("emwheels.image.control_group.os.getxattr", lambda path, name: marks.get(str(path), b"0"))
    return tmp_path


def test_a_command_gets_a_group_beside_this_process_with_its_limits(delegated):
    assert read_control_group(delegated / "proc").delegated
    with own_group(Limits(memory=5_000_000, processes=77), delegated / "proc") as group:
        assert group.folder.parent == delegated / "v2" / "user", "not in its own group, which has processes"
        assert group.held == ("memory", "processes")
        files = {path.name: path.read_text() for path in group.folder.iterdir()}
        assert files == {"memory.max": "5000000", "memory.swap.max": "0", "memory.oom.group": "1", "pids.max": "77"}
        assert group.reached() == ""
        (group.folder / "pids.events").write_text("max 2\n")
        assert group.reached() == "processes"
        (group.folder / "memory.events").write_text("low 0\noom 3\noom_kill 1\n")
        assert group.reached() == "memory"
        done = subprocess.run(group.entered(["/bin/sh", "-c", "echo $$"]), capture_output=True, text=True, check=True)
        assert (group.folder / "cgroup.procs").read_text() == done.stdout, "the command itself, from its first moment"
        for path in group.folder.iterdir():  # the kernel's go by themselves
            path.unlink()
    assert not group.folder.exists()


def test_without_a_limit_the_kernel_holds_none(delegated):
    with own_group(Limits(memory=0, processes=0), delegated / "proc") as group:
        assert group.held == ()


@pytest.mark.parametrize("lacking", ["mark", "controllers", "access"])
def test_where_nothing_is_delegated_there_is_no_group(delegated, monkeypatch, lacking):
    if lacking == "mark":
        monkeypatch.setattr("emwheels.image.control_group.os.getxattr", lambda path, name: b"0")
        monkeypatch.setattr("emwheels.image.control_group.os.geteuid", lambda: 0)
    elif lacking == "controllers":
        (delegated / "v2" / "user" / "cgroup.subtree_control").write_text("cpu\n")
    else:
        monkeypatch.setattr("emwheels.image.control_group.os.access", lambda path, mode: False)
    with own_group(Limits(), delegated / "proc") as group:
        assert group is None
    assert [path.name for path in (delegated / "v2" / "user").iterdir() if path.is_dir()] == ["me"]


def test_the_kernel_holds_the_processes_of_a_command_where_this_machine_lets_us():
    with own_group(Limits(processes=5)) as group:
        if group is None or "processes" not in group.held:
            pytest.skip("this user has no delegated control group of version 2")
        script = "for i in 1 2 3 4 5 6 7 8; do sleep 30 & done; echo all"
        done = subprocess.run(group.entered(["/bin/sh", "-c", script]), capture_output=True, text=True, check=False)
        assert (done.returncode != 0, group.reached()) == (True, "processes")
        left = [int(number) for number in (group.folder / "cgroup.procs").read_text().split()]
        assert left
    assert not group.folder.exists()
    assert not any(Path("/proc", str(number)).exists() for number in left)
