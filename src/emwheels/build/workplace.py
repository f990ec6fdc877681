"""The folders of one build: what it may write, what it is given to read, and what the host takes of it afterwards.

The host writes to the first only before the build starts, and reads there through `emwheels.image.door` alone.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from emwheels.build.answers import FOLDER as ANSWERS
from emwheels.build.cmake import DOWNLOADS, FOLDER
from emwheels.image.model import Mount
from emwheels.image.places import WORK

_INSIDE = Path(__file__).parent / "inside"
MODULES = ("sitecustomize.py", "_f2c_fixes.py")
"""What each Python of a build imports before any other of that name."""
PROGRAMS = ("aclocal", "autopoint", "uname")
"""What a build finds before the image's own programs of these names."""

_GIVEN = ("wheels", "python", "programs", "launchers", FOLDER, DOWNLOADS, ANSWERS)


@dataclass(frozen=True)
class Workplace:
    """Everything below ``root``, a folder of the host that was empty when the build started."""

    root: Path

    @property
    def inside(self) -> Path:
        """What the build may write, seen there as `WORK`."""
        return self.root / "inside"

    @property
    def libraries(self) -> Path:
        """The prefix of C libraries, in `inside`."""
        return self.inside / "build" / ".libs"

    def given(self, name: str) -> Path:
        """Return a folder that the build sees below `WORK` and cannot write."""
        return self.root / "given" / name

    def taken(self, name: str) -> Path:
        """Return a folder of the host's own, which no build sees while it could write there."""
        folder = self.root / "taken" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def lay_out(self) -> None:
        """Make the folders, with what every build is given."""
        for name in ("packages", "build", "home", *_GIVEN):
            (self.inside / name).mkdir(parents=True)
        for name in _GIVEN:
            self.given(name).mkdir(parents=True)
        for name in MODULES:
            shutil.copyfile(_INSIDE / name, self.given("python") / name)
        for name in PROGRAMS:
            shutil.copy(_INSIDE / name, self.given("programs") / name)

    def mounts(self) -> list[Mount]:
        """Return the mounts of a build, that of `WORK` first."""
        return [
            Mount(host=self.inside, inside=WORK, writable=True),
            *(Mount(host=self.given(name), inside=f"{WORK}/{name}") for name in _GIVEN),
        ]
