"""Which release of a package a new recipe takes, and whether a wheel of upstream's does without one."""

from __future__ import annotations

import pytest
from packaging.specifiers import SpecifierSet

from emwheels.author.new_release import choose
from emwheels.fetch.index_pages import Offer
from emwheels.fetch.registries import Resource

WASM = "tiny-{}-cp314-cp314-pyemscripten_2026_0_wasm32.whl"
PURE, SOURCE = "tiny-{}-py3-none-any.whl", "tiny-{}.tar.gz"


def offers(version, *names, **options):
    resources = [Resource(url="", filename=name.format(version)) for name in names]
    return [Offer(resource=resource, version=version, **options) for resource in resources]


@pytest.fixture
def target(targets):
    return targets.get("314.0.7")


def chosen(target, *given, wanted="", sources=True):
    return choose([each for group in given for each in group], target, SpecifierSet(wanted), sources=sources)


def test_the_newest_with_a_source_is_taken_and_the_others_are_named(target):
    release = chosen(
        target,
        offers("1.0", SOURCE),
        offers("2.0", SOURCE, yanked="broken"),
        offers("3.0", "tiny-{}-cp314-cp314-win_amd64.whl"),
        offers("4.0", SOURCE, requires_python=">=3.15"),
        offers("5.0a1", SOURCE),
    )
    assert release.version == "1.0"
    assert release.passed_over[-3:] == ("4.0: not for Python 3.14", "3.0: no source archive", "2.0: yanked")
    assert chosen(target, offers("1.0", SOURCE), wanted=">=2") is None


@pytest.mark.parametrize(
    ("names", "pure", "published"),
    [
        ([SOURCE], False, False),
        ([SOURCE, PURE], True, False),
        ([SOURCE, "tiny-{}-py2.py3-none-any.whl"], True, False),
        ([SOURCE, WASM], False, True),
        # A compiled variant may stand beside one in Python.
        ([SOURCE, PURE, "tiny-{}-cp314-cp314-manylinux_2_28_x86_64.whl"], True, False),
        # A library that is opened by name stands in the wheels of platforms, and is missing in that for any.
        ([SOURCE, PURE, "tiny-{}-py3-none-manylinux_2_28_x86_64.whl"], False, False),
        ([SOURCE, PURE, "tiny-{}-py2.py3-none-win32.whl"], False, False),
    ],
)
def test_a_wheel_for_any_platform_may_do(target, names, pure, published):
    release = chosen(target, offers("1.0", *names))
    assert (release.pure is not None, release.published is not None) == (pure, published)
