"""What a build leaves for the host to take, and source trees with links where the recipe's own files go."""

from __future__ import annotations

import os
import tarfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hostile_ground import PLAIN, SECRET, SHA256, BrokenError, Ground, lay, tar

from emwheels.build.results import pack_libraries, read_counters, take_wheel
from emwheels.build.source import prepare_source
from emwheels.build.workplace import Workplace
from emwheels.errors import EmwheelsError
from emwheels.fetch.archive import unpack
from emwheels.fetch.fetcher import Fetched
from emwheels.recipe.load import load_recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def leavings(ground: Ground) -> Iterator[tuple[str, Callable[[], str]]]:
    """Folders after a build, as the host reads them."""
    for what in ("fifo", "zero", "secret", "folder", "ring"):
        yield f"{what} in place of the wheel", partial(_wheel_left, ground, what)
        yield f"{what} in place of the counters", partial(_counters_left, ground, what)
        yield f"{what} in place of a licence", partial(_library_left, ground, "source/LICENSE", what)
        yield f"{what} in place of a library", partial(_library_left, ground, "build/.libs/lib/liba.a", what)
    for part in ("packages/demo/dist", "packages/demo", "packages", "build/.libs", "build", "source"):
        yield f"a link in place of {part}", partial(_link_left, ground, part)
    yield "a tree of 5,000 folders", partial(_deep_left, ground)
    yield "a huge file with holes", partial(_sparse_left, ground)


def _place(ground: Ground) -> tuple[Workplace, Any]:
    root = ground.folder()
    folder = root / "demo"
    folder.mkdir()
    (folder / "meta.yaml").write_text(PLAIN)
    place = Workplace(root / "work")
    place.lay_out()
    for name in ("packages/demo/dist", "build/.libs/lib", "source"):
        (place.inside / name).mkdir(parents=True, exist_ok=True)
    return place, load_recipe(folder, patches=root / "patches")


def _wheel_left(ground: Ground, what: str) -> str:
    place, recipe = _place(ground)
    lay(place.inside / "packages/demo/dist/demo-1.0-py3-none-any.whl", what, ground)
    wheel = take_wheel(place, recipe, Path("log"))
    raise BrokenError(f"it was taken: {wheel.read_bytes()[:100]!r}")


def _counters_left(ground: Ground, what: str) -> str:
    place, _ = _place(ground)
    lay(place.inside / "ccache.log", what, ground)
    if text := read_counters(place, "ccache.log"):
        raise BrokenError(f"it was read: {text[:100]}")
    return "nothing was read"


def _library_left(ground: Ground, path: str, what: str) -> str:
    place, recipe = _place(ground)
    (place.inside / "build/.libs/include.h").write_text("x")
    lay(place.inside / path, what, ground)
    archive = pack_libraries(place, recipe, frozenset())
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            stream = tar.extractfile(member) if member.isreg() else None
            if stream and SECRET.encode() in stream.read():
                raise BrokenError(f"{member.name} holds a file of the host")
            if member.issym() and member.linkname.startswith("/"):
                raise BrokenError(f"{member.name} is a link to {member.linkname}")
    return "it is not in the archive"


def _link_left(ground: Ground, part: str) -> str:
    place, recipe = _place(ground)
    path = place.inside / part
    elsewhere = ground.folder()
    path.rename(elsewhere / "moved")
    path.symlink_to(ground.victim)
    (elsewhere / "moved").mkdir(exist_ok=True)
    try:
        take_wheel(place, recipe, Path("log"))
    except EmwheelsError:
        pack_libraries(place, recipe, frozenset())
    raise BrokenError("the link was followed")


def _deep_left(ground: Ground) -> str:
    place, recipe = _place(ground)
    here = os.open(place.inside / "build/.libs", os.O_RDONLY)
    for _ in range(5000):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    pack_libraries(place, recipe, frozenset())
    raise BrokenError("all of it was packed")


def _sparse_left(ground: Ground) -> str:
    place, recipe = _place(ground)
    with (place.inside / "packages/demo/dist/demo-1.0-py3-none-any.whl").open("wb") as stream:
        stream.truncate(1 << 40)
    take_wheel(place, recipe, Path("log"))
    raise BrokenError("a tebibyte was copied")


def patched_sources(ground: Ground) -> Iterator[tuple[str, Callable[[], str]]]:
    """Source trees in which links lie where the recipe's own files go."""
    for name, place, link in (
        ("a link to a folder", "l/x.txt", ("l", str(ground.victim))),
        ("a link to a file", "l", ("l", str(ground.victim / "file"))),
        ("a relative link", "l/x.txt", ("l", "../../victim-of-files")),
    ):
        yield f"{name} where an extra file goes", partial(_extra, ground, place, link)


def _extra(ground: Ground, place: str, link: tuple[str, str]) -> str:
    root = ground.folder()
    folder = root / "demo"
    folder.mkdir()
    (folder / "meta.yaml").write_text(f"{PLAIN}  extras:\n    - [x.txt, {place}]\n")
    (folder / "x.txt").write_text("evil")
    recipe = load_recipe(folder, patches=root / "patches")

    class Patched:
        """Stands for the image: a patch has made a link."""

        def run(self, *_: object, **__: object) -> None:
            raise AssertionError("there is no patch")

    archive = tar(("demo-1.0/setup.py", tarfile.REGTYPE, "", "x"), path=root / "a.tar.gz")
    source = Fetched(path=archive, sha256=SHA256, filename="a.tar.gz", url="")
    tree = root / "tree"
    original = unpack

    def unpack_with_link(*arguments: Any, **options: Any) -> Path:
        done = original(*arguments, **options)
        (done / link[0]).symlink_to(link[1])
        return done

    import emwheels.build.source as module

    module.unpack = unpack_with_link  # type: ignore[attr-defined]
    try:
        prepare_source(recipe, source, tree, Patched())  # type: ignore[arg-type]
    finally:
        module.unpack = original  # type: ignore[attr-defined]
    return "the link was replaced by the file"
