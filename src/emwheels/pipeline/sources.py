"""The source of a recipe as one archive: a file that is fetched, or a folder that is packed."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.build.source import prepare_source
from emwheels.fetch.fetcher import KIND, Fetched
from emwheels.recipe.source_tree import write_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emwheels.pipeline.environment import Environment
    from emwheels.recipe.model import Recipe


@contextmanager
def source_tree(environment: Environment, recipe: Recipe) -> Iterator[Path]:
    """Give the source of ``recipe`` as a build sees it, patches applied, in a folder that goes away.

    Raises as `source_of` does, and `RecipeError` with what patch(1) says for a patch that does not apply.
    """
    with tempfile.TemporaryDirectory(prefix="emwheels-source-") as folder:
        tree = Path(folder) / "source"
        prepare_source(recipe, source_of(environment, recipe), tree, environment.image)
        yield tree


def source_of(environment: Environment, recipe: Recipe) -> Fetched:
    """Return the source of ``recipe``. Raises `FetchError`, and `RecipeError` for a folder that cannot be packed."""
    if recipe.source.url is not None:
        return environment.fetcher.fetch(recipe.source.url, recipe.source.sha256)
    filename = f"{recipe.spelling}-{recipe.version}.tar"
    with tempfile.TemporaryDirectory(prefix="emwheels-source-") as folder:
        archive = Path(folder) / filename
        with archive.open("xb") as out:
            write_tree(recipe, out)
        sha256 = environment.store.put_file(KIND, archive)
    path = environment.store.path_of(KIND, sha256)
    return Fetched(path=path, sha256=sha256, filename=filename, url=recipe.source.path or "")
