"""Sets what OpenCV's own runner takes from its command line, and lets the modules' tests find their common part."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
# What is looked for in opencv_extra, a repository of its own that the source does not bring, is then not found.
os.environ.setdefault("OPENCV_TEST_DATA_PATH", str(HERE))
sys.path.insert(0, str(HERE / "modules" / "python" / "test"))

from tests_common import NewOpenCVTests  # noqa: E402

NewOpenCVTests.repoPath = NewOpenCVTests.extraTestDataPath = str(HERE)
