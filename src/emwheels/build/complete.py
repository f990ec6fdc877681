"""Documents of its own making into a wheel, before anything looks at it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.errors import BuildError
from emwheels.image.model import Mount
from emwheels.image.places import ADD_MEMBERS, PYTHON, WORK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emwheels.image.model import Image

_PROGRAM = Path(__file__).parent / "inside" / "add_members.py"


def add_documents(wheel: Path, documents: Mapping[str, bytes], work: Path, image: Image, *, stored: bool) -> Path:
    """Return the wheel with ``documents`` in its .dist-info. In the image, whose zlib is the same everywhere."""
    for name, data in documents.items():
        path = work / "members" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    out = work / "complete" / wheel.name
    out.parent.mkdir()
    with tempfile.TemporaryFile() as output:
        done = image.run(
            [PYTHON, "-I", ADD_MEMBERS]
            + [f"{WORK}/{path.relative_to(work)}" for path in (wheel, work / "members", out)]
            + (["stored"] if stored else []),
            mounts=[
                Mount(host=work, inside=WORK, writable=True),
                Mount(host=_PROGRAM, inside=ADD_MEMBERS),
            ],
            output=output,
        )
        if done.status:
            output.seek(0)
            text = output.read()[-2000:].decode(errors="replace").strip()
            raise BuildError(f"{wheel.name}: its build report could not be added:\n{text}")
    return out
