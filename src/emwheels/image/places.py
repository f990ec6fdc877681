"""Where things are inside the sandbox."""

from __future__ import annotations

from emwheels.image.toolchain.crossenv import INSIDE as CROSSENV

WORK = "/mnt/work"
"""Where a build's folder is mounted: the same for every build, so that no path of the machine can get in."""


BUILD_PATHS = (WORK, CROSSENV)
"""What must not be found in a wheel."""
