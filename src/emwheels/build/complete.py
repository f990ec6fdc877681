"""Documents of its own making into a wheel, before anything looks at it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.errors import BuildError
from emwheels.image.door import Door
from emwheels.image.model import Mount
from emwheels.image.places import ADD_MEMBERS, MEMBERS, OUT, PYTHON, TAKEN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emwheels.build.workplace import Workplace
    from emwheels.image.model import Image

_PROGRAM = Path(__file__).parent / "inside" / "add_members.py"


def add_documents(wheel: Path, documents: Mapping[str, bytes], place: Workplace, image: Image, *, stored: bool) -> Path:
    """Return the wheel with ``documents`` in its .dist-info. In the image, whose zlib is the same everywhere.

    Raises `BuildError` for a wheel that they cannot be added to.
    """
    members, out = place.taken("members"), place.taken("out")
    for name, data in documents.items():
        path = members / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    with tempfile.TemporaryFile() as output:
        done = image.run(
            [PYTHON, "-I", ADD_MEMBERS, f"{TAKEN}/{wheel.name}", MEMBERS, f"{OUT}/{wheel.name}"]
            + (["stored"] if stored else []),
            mounts=[
                Mount(host=out, inside=OUT, writable=True),
                Mount(host=wheel.parent, inside=TAKEN),
                Mount(host=members, inside=MEMBERS),
                Mount(host=_PROGRAM, inside=ADD_MEMBERS),
            ],
            output=output,
        )
        if done.status:
            output.seek(0)
            text = output.read()[-2000:].decode(errors="replace").strip()
            raise BuildError(f"{wheel.name}: its build report could not be added:\n{text}")
    complete = place.taken("complete") / wheel.name
    with Door(out) as door:
        door.take(wheel.name, complete)
    return complete
