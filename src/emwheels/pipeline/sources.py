"""The source of a recipe as one archive: a file that is fetched, or a folder that is packed."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.fetch.fetcher import KIND, Fetched
from emwheels.recipe.source_tree import write_tree

if TYPE_CHECKING:
    from emwheels.pipeline.environment import Environment
    from emwheels.recipe.model import Recipe


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
