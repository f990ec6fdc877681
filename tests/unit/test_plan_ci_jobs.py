from __future__ import annotations

import json
from graphlib import CycleError

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from emwheels.cli.plan import ci_plan
from emwheels.plan.ci_jobs import GITLAB_NEEDS_LIMIT, ci_levels, github, gitlab
from emwheels.plan.planning import Planned


@st.composite
def graphs(draw):
    names = [f"p{number}" for number in range(draw(st.integers(0, 25)))]
    needs = {
        name: draw(st.sets(st.sampled_from(names[:number]), max_size=4)) if number else set()
        for number, name in enumerate(names)
    }
    seconds = draw(st.dictionaries(st.sampled_from(names), st.floats(0.1, 5000), max_size=30)) if names else {}
    return needs, seconds


@given(graphs(), st.integers(1, 6), st.integers(1, 5) | st.none())
def test_every_package_once_after_what_it_needs(graph, max_jobs, max_levels):
    needs, seconds = graph
    levels = ci_levels(needs, seconds, job_seconds=600, max_jobs=max_jobs, max_levels=max_levels)
    assert max_levels is None or len(levels) <= max_levels
    done: set[str] = set()
    jobs_by_name = {}
    for jobs in levels:
        assert 0 < len(jobs) <= max_jobs
        finished: set[str] = set()
        for job in jobs:
            assert job.name not in jobs_by_name
            jobs_by_name[job.name] = job
            before = {package for need in job.needs for package in jobs_by_name[need].packages}
            for position, package in enumerate(job.packages):
                assert package not in done | finished
                assert set(needs[package]) <= done | set(job.packages[:position])
                assert set(needs[package]) <= before | set(job.packages[:position]), "its needs are all it waits for"
            finished |= set(job.packages)
        done |= finished
    assert done == set(needs)


def test_fat_packages_are_alone_and_small_ones_share():
    needs = {name: set() for name in ("fat", "a", "b", "c", "d")}
    (jobs,) = ci_levels(needs, {"fat": 1000, "a": 300, "b": 200, "c": 100, "d": 50}, job_seconds=600)
    assert [(job.packages, job.seconds) for job in jobs] == [(("fat",), 1000), (("a", "b", "c"), 600), (("d",), 50)]
    assert [job.name for job in jobs] == ["fat", "a and 2 more", "d"]


def test_unknown_times_are_taken_for_the_median():
    (jobs,) = ci_levels({"a": (), "b": (), "new": ()}, {"a": 100, "b": 300}, job_seconds=1)
    assert {job.name: job.seconds for job in jobs} == {"a": 100, "b": 300, "new": 200}


def test_more_packages_than_a_matrix_may_have_jobs():
    needs = {f"p{number}": set() for number in range(1000)}
    (jobs,) = ci_levels(needs, dict.fromkeys(needs, 700.0), job_seconds=600)
    assert len(jobs) == 256
    assert max(job.seconds for job in jobs) == 4 * 700


def test_what_is_there_already_is_no_part_of_the_plan():
    ((job,),) = ci_levels({"b": {"a"}}, {})
    assert (job.packages, job.needs) == (("b",), ())


def test_a_cycle_is_refused():
    with pytest.raises(CycleError):
        ci_levels({"a": {"b"}, "b": {"a"}}, {})


def test_github_is_one_line_of_matrices():
    text = github(ci_levels({"numpy": (), "a": (), "b": ("numpy",)}, {"numpy": 900, "a": 1, "b": 1}))
    assert "\n" not in text
    document = json.loads(text)
    assert document["packages"] == 3
    assert [[row["packages"] for row in level["include"]] for level in document["levels"]] == [["numpy", "a"], ["b"]]
    assert json.loads(github(())) == {"levels": [], "packages": 0}


def test_gitlab_jobs_wait_for_what_they_need():
    pipeline = yaml.safe_load(gitlab(ci_levels({"numpy": (), "a": (), "b": ("numpy",)}, {"numpy": 900, "a": 1})))
    assert pipeline["stages"] == ["level-0", "level-1"]
    assert pipeline["b"] == {
        "extends": ".emwheels-build",
        "stage": "level-1",
        "variables": {"EMWHEELS_PACKAGES": "b"},
        "needs": ["numpy"],
    }
    assert pipeline["numpy"]["needs"] == []
    assert "nothing to build" in yaml.safe_load(gitlab(()))


def test_only_what_is_to_be_built_gets_a_job():
    planned = [
        Planned(name="numpy", state="to build", seconds=900.0),
        Planned(name="zlib", state="remote", seconds=20.0),
        Planned(name="msgpack", state="up to date"),
        Planned(name="opencv", state="to build", needs=("numpy", "zlib")),
        Planned(name="broken", state="blocked"),
    ]
    document = json.loads(ci_plan(planned, "github"))
    packages = [[row["packages"] for row in level["include"]] for level in document["levels"]]
    assert packages == [["numpy"], ["opencv"]]
    assert yaml.safe_load(ci_plan(planned, "gitlab"))["opencv"]["needs"] == ["numpy"]


def test_gitlab_leaves_more_needs_than_it_allows_to_the_stages():
    many = [f"p{number}" for number in range(GITLAB_NEEDS_LIMIT + 1)]
    levels = ci_levels(dict.fromkeys(many, ()) | {"all": tuple(many)}, dict.fromkeys(many, 700.0))
    assert "needs" not in yaml.safe_load(gitlab(levels))["all"]
