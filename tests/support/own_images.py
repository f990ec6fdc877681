"""Images of a test's own beside the real ones, on the file system of the cache: its links are the real ones' files."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def own_images(cache: Path, project: Any, *, with_real: bool = True) -> Iterator[Path]:
    """Give ``project`` a folder of images of its own, and that folder; unless ``with_real``, there is none in it."""
    images = cache / f"images-of-tests-{os.getpid()}"
    images.mkdir()
    try:
        for path in (cache / "images").iterdir():
            if path.is_dir() and with_real:
                (images / path.name).symlink_to(path)
        for name in ("images", "xbuildenvs"):
            (project.cache / name).unlink()
        (project.cache / "images").symlink_to(images)
        yield images
    finally:
        shutil.rmtree(images)
