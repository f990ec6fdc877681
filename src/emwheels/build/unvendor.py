"""The tests inside of a wheel to a wheel of their own, before anything looks at it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.errors import BuildError
from emwheels.image.door import Door
from emwheels.image.model import Mount
from emwheels.image.places import OUT, PYTHON, SPLIT_TESTS, TAKEN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emwheels.build.workplace import Workplace
    from emwheels.image.model import Image

_PROGRAM = Path(__file__).parent / "inside" / "split_tests.py"


def split_tests(
    wheel: Path, retained: Sequence[str], place: Workplace, image: Image, *, stored: bool
) -> tuple[Path, Path | None]:
    """Return the wheel without its tests, and the wheel that has them; the wheel as it is, and None, if it has none.

    ``retained`` are patterns of files that stay. In the image, whose zlib is the same everywhere. Raises `BuildError`.
    """
    out = place.taken("split")
    with tempfile.TemporaryFile() as output:
        done = image.run(
            [PYTHON, "-I", SPLIT_TESTS, f"{TAKEN}/{wheel.name}", OUT, "stored" if stored else "packed", *retained],
            mounts=[
                Mount(host=out, inside=OUT, writable=True),
                Mount(host=wheel.parent, inside=TAKEN),
                Mount(host=_PROGRAM, inside=SPLIT_TESTS),
            ],
            output=output,
        )
        if done.status:
            output.seek(0)
            text = output.read()[-2000:].decode(errors="replace").strip()
            raise BuildError(f"{wheel.name}: its tests could not be taken out:\n{text}")
    with Door(out) as door:
        names = [left.path for left in door.files(deep=False) if left.link is None]
        tests = [name for name in names if name != wheel.name]
        if not names:
            return wheel, None
        if wheel.name not in names or len(tests) != 1:
            raise BuildError(f"{wheel.name}: taking its tests out made {len(names)} files instead of two")
        for name in names:
            door.take(name, place.taken("parts") / name)
    return place.taken("parts") / wheel.name, place.taken("parts") / tests[0]
