"""``python -m inkreader``."""

from __future__ import annotations

import sys

from inkreader.server import main

sys.exit(main())
