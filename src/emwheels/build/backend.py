"""Build backends (PEP 517) in the sandbox: what one asks for when it runs, and wheels of build tools."""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename

from emwheels.errors import BuildError, visible
from emwheels.fetch.archive import unpack
from emwheels.image.door import Door, DoorError
from emwheels.image.model import Mount
from emwheels.image.places import BACKEND, BUILD_PYTHON, WORK
from emwheels.image.removal import remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from emwheels.fetch.fetcher import Fetched
    from emwheels.image.model import Image

_PROGRAM = Path(__file__).parent / "inside" / "run_backend.py"
_SECONDS = 900
_ENVIRONMENT = {
    "HOME": f"{WORK}/home",
    "PIP_NO_INDEX": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "NO_COLOR": "1",
    # Rust comes with the build: maturin is not to ask for a package that downloads one.
    "MATURIN_NO_INSTALL_RUST": "1",
}
_ANSWER_LIMIT = 1 << 20
_MOST = 200
_LINE = 300


@contextmanager
def workplace() -> Iterator[Path]:
    """Give a folder in which `ask_backend` finds its tree, at ``inside/source``, which the caller puts there."""
    root = Path(tempfile.mkdtemp(prefix="emwheels-backend-"))
    try:
        root.chmod(0o755)
        for name in ("inside/out", "inside/home", "inside/wheels", "wheels"):
            (root / name).mkdir(parents=True)
        yield root
    finally:
        remove_tree(root)


def ask_backend(place: Path, wheels: Sequence[Fetched], *, image: Image, python: str) -> list[str]:
    """Return what the backend of the tree in ``place`` asks for to build a wheel, with ``wheels`` installed.

    Raises `BuildError` with the backend's last words when it cannot say.
    """
    _call("requires", place, wheels, image=image, python=python)
    try:
        with Door(place / "inside") as door:
            answer = json.loads(door.read("out/answer.json", limit=_ANSWER_LIMIT))
    except (DoorError, ValueError, RecursionError) as error:
        raise BuildError(f"its answer cannot be read: {visible(str(error), lines=False)[:_LINE]}") from error
    if not isinstance(answer, list) or len(answer) > _MOST or not all(isinstance(each, str) for each in answer):
        raise BuildError("its answer is no list of requirements")
    return answer


def build_tool(source: Fetched, wheels: Sequence[Fetched], *, image: Image, python: str, to: Path) -> Path:
    """Build a tool that has a source archive only for the image's Python, and return its wheel in the folder ``to``.

    Raises `BuildError` when it does not build, `FetchError` for an archive that is not to be trusted.
    """
    with workplace() as place:
        unpack_at(source, place / "inside" / "source")
        try:
            _call("wheel", place, wheels, image=image, python=python)
        except BuildError as error:
            raise BuildError(
                f"{source.filename}, a build tool without a wheel, did not build: {error.message}"
            ) from error
        with Door(place / "inside") as door:
            made = [left.path for left in door.files("out", deep=False) if left.path.endswith(".whl")]
            filename = made[0].rpartition("/")[2] if len(made) == 1 else ""
            if not _is_of(filename, source.filename):
                raise BuildError(f"{source.filename}: its backend made no wheel of it")
            door.take(made[0], to / filename)
    return to / filename


def unpack_at(source: Fetched, destination: Path) -> None:
    """Unpack an archive of the store, whose kind its name tells where its bytes do not. Raises `FetchError`."""
    with tempfile.TemporaryDirectory() as folder:
        named = Path(folder) / source.filename
        named.symlink_to(source.path)
        unpack(named, destination, strip_single_top=True)


def _is_of(filename: str, source: str) -> bool:
    try:
        return parse_wheel_filename(filename)[:2] == parse_sdist_filename(source)
    except (InvalidWheelFilename, InvalidSdistFilename):
        return False


def _call(action: str, place: Path, wheels: Sequence[Fetched], *, image: Image, python: str) -> None:
    for wheel in wheels:
        shutil.copyfile(wheel.path, place / "wheels" / wheel.filename)
    with tempfile.TemporaryFile() as output:
        done = image.run(
            [
                *(BUILD_PYTHON.format(minor=python), "-I", BACKEND, action),
                *(f"{WORK}/source", f"{WORK}/wheels", f"{WORK}/out"),
            ],
            mounts=[
                Mount(host=place / "inside", inside=WORK, writable=True),
                Mount(host=place / "wheels", inside=f"{WORK}/wheels"),
                Mount(host=_PROGRAM, inside=BACKEND),
            ],
            env=_ENVIRONMENT,
            cwd=WORK,
            output=output,
            seconds=_SECONDS,
        )
        if done.reached:
            raise BuildError(f"it was ended at a limit ({done.reached})")
        if done.status:
            raise BuildError(_last_words(output))


def _last_words(output: IO[bytes]) -> str:
    size = output.seek(0, 2)
    output.seek(max(0, size - 20_000))
    lines = [line.strip() for line in output.read().decode(errors="replace").splitlines() if line.strip()]
    return visible(lines[-1], lines=False)[:_LINE] if lines else "it ended without a word"
