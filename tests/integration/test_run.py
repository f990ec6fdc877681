"""A run over several packages: what a failure means for the others, and what the plan said before."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.image, pytest.mark.timeout(400)]

LIBRARY = """
    build:
      type: static_library
      script: |
        {command}
        install -D -t "$WASM_LIBRARY_DIR/include/{name}" file.h
"""
NEEDS = "    requirements:\n      host:\n        - bad\n"


def plan(project):
    return {row["name"]: (row["state"], row["why"], row["certain"]) for row in project.json("plan").json().values()}


def test_a_failure_blocks_what_needs_it_and_nothing_else(tiny_project):
    files = {"file.h": "int x;\n"}
    tiny_project.recipe("bad", files, LIBRARY.format(name="bad", command="false"), locked=False)
    tiny_project.recipe("good", files, LIBRARY.format(name="good", command="true"), locked=False)
    tiny_project.recipe("needy", files, LIBRARY.format(name="needy", command="true") + NEEDS, locked=False)
    assert plan(tiny_project) == {
        "bad": ("to build", ["never built"], True),
        "good": ("to build", ["never built"], True),
        "needy": ("to build", ["never built", "bad is to be built first"], True),
    }

    stopped = tiny_project.json("build", "--all", "--fail-fast", "--jobs", "1", status=6)
    assert stopped.states() == {"bad": "failed", "good": "not started", "needy": "blocked"}

    done = tiny_project.json("build", "--all", status=6)
    assert done.states() == {"bad": "failed", "good": "built", "needy": "blocked"}
    assert done.json()["needy"]["why"] == "needs bad"
    assert plan(tiny_project)["good"] == ("up to date", [], True)

    tiny_project.recipe("bad", files, LIBRARY.format(name="bad", command="true"), locked=False)
    done = tiny_project.json("build", "--all")
    assert done.states() == {"bad": "built", "good": "reused", "needy": "built"}

    # Built again to the same bytes: what needs it is up to date, which only the run can know.
    tiny_project.recipe("bad", files, LIBRARY.format(name="bad", command="true   # again"), locked=False)
    state, why, certain = plan(tiny_project)["needy"]
    assert (state, certain) == ("to build", False)
    assert why == ["bad is to be built first; up to date if that gives the same bytes as before"]
    done = tiny_project.json("build", "--all")
    assert done.states() == {"bad": "built", "good": "reused", "needy": "reused"}
    assert "bad: to build: build.script changed" in done.err
