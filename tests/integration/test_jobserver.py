"""Builds at the same time share the cores: the image's make and Ninja take their jobs from one pipe."""

from __future__ import annotations

import threading

import pytest

from emwheels.image.model import Mount
from emwheels.schedule import JobServer

pytestmark = [pytest.mark.image, pytest.mark.timeout(200)]

COUNT = """\
import fcntl, time

def add(number):
    with open("/mnt/work/counts", "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        now, most = map(int, file.read().split())
        file.seek(0)
        file.truncate()
        file.write(f"{now + number} {max(now + number, most)}")
        return max(now + number, most)

most, until = add(1), time.monotonic() + 60
while most < 3 and time.monotonic() < until:  # however slow the others start
    time.sleep(0.01)
    most = add(0)
time.sleep(0.3)  # a fourth would come up
add(-1)
"""
GOALS = [f"goal{number}" for number in range(5)]
MAKEFILE = f"all: {' '.join(GOALS)}\n{' '.join(GOALS)}:\n\tpython3 /mnt/work/count.py\n"
NINJA = "rule count\n  command = python3 /mnt/work/count.py\n" + "".join(f"build {goal}: count\n" for goal in GOALS)


@pytest.mark.parametrize("tools", [("make", "make"), ("ninja", "ninja"), ("make", "ninja")])
def test_two_builds_together_have_no_more_jobs_than_there_are_cores(image, tmp_path, tools):
    work, folder = tmp_path / "work", tmp_path / "server"
    work.mkdir()
    for name, text in (("counts", "0 0"), ("count.py", COUNT), ("Makefile", MAKEFILE), ("build.ninja", NINJA)):
        (work / name).write_text(text)
    server = JobServer(folder, cores=3, inside="/mnt/jobserver")
    statuses = []

    def build(tool):
        with server.build() as (pipe, variables):
            done = image.run(
                [tool],
                mounts=[
                    Mount(host=work, inside="/mnt/work", writable=True),
                    Mount(host=pipe, inside="/mnt/jobserver", writable=True),
                ],
                env=variables,
                cwd="/mnt/work",
            )
            statuses.append(done.status)

    threads = [threading.Thread(target=build, args=(tool,)) for tool in tools]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    server.close()
    assert statuses == [0, 0]
    assert (work / "counts").read_text() == "0 3"
