"""The attacks of tests/campaign/hostile.py that need no build: each is contained or a clear error."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

CAMPAIGN = Path(__file__).resolve().parents[1] / "campaign"
sys.path.insert(0, str(CAMPAIGN))

import hostile  # noqa: E402

pytestmark = [pytest.mark.image, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def trials(image):
    with hostile.trials() as trials:
        yield trials


@pytest.mark.parametrize(
    ("area", "least"),
    [
        ("sandbox", 120), ("limits", 14), ("archives", 26), ("recipes", 49), ("wheels", 35), ("leavings of builds", 28),
        ("patched sources", 3), ("remote stores", 100), ("indexes", 220), ("images", 60), ("serve", 18),
    ],
)  # fmt: skip
def test_every_attack_is_stopped(trials, area, least):
    verdicts = list(hostile.run_trials([trial for trial in trials if trial.area == area]))
    assert [(each.trial.name, each.said) for each in verdicts if each.verdict == "BROKEN"] == []
    assert len(verdicts) >= least


def test_an_attack_that_gets_through_is_seen():
    def through():
        raise hostile.BrokenError("it was read")

    def crash():
        raise RecursionError

    for attack in (through, crash):
        trial = hostile.Trial(area="a", name="b", attack=attack)
        assert hostile.run_trial(trial).verdict == "BROKEN"
    table = hostile.table([hostile.run_trial(hostile.Trial(area="a", name="b", attack=through))])
    assert table.splitlines()[-1] == "| all | 1 | 0 | 0 | 1 |"
