"""``emwheels reproduce``: what comes out the same, and each thing that must not get into the bytes but does."""

from __future__ import annotations

import json

import pytest
from tiny_library import LIBRARY_META

pytestmark = [pytest.mark.image, pytest.mark.timeout(400)]

LIBRARY = {"library.c": "int answer(void) { return 42; }\n", "library.h": "int answer(void);\n"}
WRITES = """
    build:
      type: static_library
      script: |
        install -D /dev/null "$WASM_LIBRARY_DIR/include/said.h"
        {command} > "$WASM_LIBRARY_DIR/include/said.h"
"""


def reproduce(project, *arguments):
    done = project.run("reproduce", "--json", *arguments)
    [row] = json.loads(done.out)
    assert done.status == (0 if row["same"] else 6), done.err
    return row | {"said": done.err}


def test_a_library_comes_out_the_same_elsewhere_on_another_day(tiny_project):
    tiny_project.recipe("library", LIBRARY, LIBRARY_META, locked=False)
    twice = reproduce(tiny_project, "library")
    assert (twice["same"], twice["as_stored"], len(twice["seconds"])) == (True, True, 2)
    built = tiny_project.json("build", "library").json()["library"]
    assert built["state"] == "reused"
    once = reproduce(tiny_project, "library", "--once")
    assert once["same"]
    assert len(once["seconds"]) == 1
    assert once["sha256"] == twice["sha256"] == built["output"]["sha256"]
    assert not list((tiny_project.cache / "work").glob("*"))


@pytest.mark.parametrize("dated", [False, True])
def test_what_another_machine_has_pushed_is_held_against_its_recipe(make_tiny_project, tmp_path, dated):
    one, two = (make_tiny_project(tmp_path / name) for name in ("one", "two"))
    add_date = '        date +%F >> "$WASM_LIBRARY_DIR/include/library.h"\n' if dated else ""
    for project in (one, two):
        project.recipe("library", LIBRARY, LIBRARY_META + add_date, locked=False)
    built = one.json("build", "library").json()["library"]
    shared = one.served / f"builds-{tmp_path.name}"
    assert one.run("cache", "export", str(shared)).status == 0
    row = reproduce(two, "library", "--once", "--remote", f"{one.address}/{shared.name}/")
    assert "library: compile" not in row["said"], "it was to be taken, not built"
    assert row["same"] == row["as_stored"] == (not dated)
    assert (row["sha256"] == built["output"]["sha256"]) == (not dated)
    assert ("include/library.h" in row["difference"]) == dated


@pytest.mark.parametrize(
    ("what", "command"),
    [
        ("jobs", "printenv MAKEFLAGS"),
        ("user name", 'echo "$USER"'),
        ("user", "id -u"),
        ("time zone", "date -d @0"),
        ("date", "date +%Y"),
        ("date", "python3 -c 'import time; print(time.gmtime().tm_year)'"),
    ],
)
def test_what_gets_into_the_bytes_is_found(tiny_project, image, what, command):
    tiny_project.recipe("telltale", {"file": ""}, WRITES.format(command=command), locked=False)
    row = reproduce(tiny_project, "telltale", "--once")
    if what == "user" and what not in row["varied"] and getattr(image, "method", "") != "bwrap":
        pytest.skip("neither a chroot nor a container engine's filter of system calls allows another user")
    assert what in row["varied"]
    assert not row["same"]
    assert "include/said.h" in row["difference"]
    assert len(row["files"]) == 2


def test_the_compiler_is_not_given_the_clock_of_another_day(tiny_project):
    # What it writes for __DATE__ is SOURCE_DATE_EPOCH's day.
    files = LIBRARY | {"library.c": 'const char *day = __DATE__ " " __TIME__;\nint answer(void) { return *day; }\n'}
    tiny_project.recipe("library", files, LIBRARY_META, locked=False)
    assert reproduce(tiny_project, "library", "--once")["same"]
