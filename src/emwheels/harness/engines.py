"""The engines that tests run in."""

from __future__ import annotations

CHROMIUM = "/usr/bin/chromium"


ENGINES = ("node", "chromium-page", "chromium-worker")
"""Every engine there is."""
