"""The engines that tests run in."""

from __future__ import annotations

ENGINES = ("node", "chromium-page", "chromium-worker")
"""Every engine there is."""
