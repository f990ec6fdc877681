"""The demo's nginx configuration is the one that the project makes."""

from __future__ import annotations

from pathlib import Path

from emwheels.serve import configuration

FILE = Path(__file__).resolve().parents[2] / "demo" / "nginx.conf"


def test_it_is_what_the_command_makes():
    made = configuration("nginx", root="/srv/inkreader", listen="0.0.0.0:80")
    assert FILE.read_text() == made, "emwheels serve --config nginx --root /srv/inkreader --host 0.0.0.0 --port 80"
