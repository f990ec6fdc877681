"""Takes the pictures of the page that are in docs/: as wide as a phone and as a desktop.

    python demo/screenshots.py                writes docs/demo-phone.jpg and docs/demo-desktop.jpg

Builds the demo into a temporary folder first, and what is missing of its wheels.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from build_site import build_site
from emwheels.errors import EmwheelsError
from emwheels.pipeline.environment import environment_here

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "support"))

from demo_browser import drive, served  # noqa: E402


def main() -> int:
    """Build, take the pictures, and return the exit status."""
    environment = environment_here(HERE)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "pictures"
        folder.mkdir()
        try:
            build_site(Path(name) / "site", environment)
        except EmwheelsError as error:
            print(f"{error.message}\n  {error.hint}", file=sys.stderr)
            return error.exit_code
        with served(Path(name) / "site", folder / "requests.log") as address:
            drive(environment, "ways", address, folder, {"only_shots": True})
        for size in ("phone", "desktop"):
            picture = environment.project.root / "docs" / f"demo-{size}.jpg"
            shutil.copyfile(folder / f"{size}.jpg", picture)
            print(f"{picture}: {picture.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
