"""Sets what OpenCV's own runner takes from its command line, and lets the modules' tests find their common part."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "modules" / "python" / "test"))

from tests_common import NewOpenCVTests  # noqa: E402

NewOpenCVTests.repoPath = str(HERE)
