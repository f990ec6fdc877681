"""Whose a wheel is, and what it reaches beyond its own modules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import NormalizedName
from sample_target import TARGET
from synthetic_wheels import make_wheel

from emwheels.audit import Owner, Runtime, audit_wheel
from emwheels.audit.ownership import top_level

OWNER = Owner(name=NormalizedName("tiny"), version="1.0", modules=("tiny",), others={"numpy": "numpy", "cv2": "opencv"})


@pytest.fixture
def found(tmp_path):
    """Audit a wheel of ``tiny`` with more files, and return severity, rule and member of each finding that is new."""

    def found(files=None, *, name="tiny", owner=OWNER, accepted=(), **more):
        wheel = make_wheel(tmp_path / "dist", name, files=files or {}, **more)
        report = audit_wheel(
            wheel, target=TARGET, runtime=Runtime(exports={}, functions={}, libraries={}), owner=owner, accepted=accepted
        )
        return [(finding.severity, finding.rule, finding.member) for finding in report.findings]

    return found
