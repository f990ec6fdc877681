"""The engines that tests run in: one entry an engine, and its module ``inside/NAME.mjs``, which exports ``start``.

Options, tables, the status page and the clients of a verification are made from this table.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What has to be known of an engine outside the image."""

    title: str
    """Its name on pages for people."""
    client: str = ""
    """Its name as a client of an index (``micropip-CLIENT``); empty if a verification leaves it out."""
    place: str = ""
    """Where that client installs, in the words of a finding."""
    cors: bool = False
    """A server has to allow the client's origin."""


ENGINES = {
    "node": Engine(title="Node", client="node", place="Node"),
    "chromium-page": Engine(title="Chromium", client="chromium", place="a page from another origin", cors=True),
    "chromium-worker": Engine(title="Chromium worker"),
}
"""Every engine there is, by name, in the order in which tests run."""

SUITE_ENGINE = "node"
"""The engine of packages' own test suites."""
