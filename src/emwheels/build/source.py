"""The source and the recipe as pyodide-build is to see them."""

from __future__ import annotations

import copy
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emwheels.build.cmake import PRELUDE
from emwheels.errors import RecipeError
from emwheels.fetch.archive import NoFolderError, unpack
from emwheels.image.door import Door, DoorError
from emwheels.image.model import Mount
from emwheels.image.places import PATCH, SOURCE
from emwheels.recipe.rust import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emwheels.fetch.fetcher import Fetched
    from emwheels.image.model import Image
    from emwheels.recipe.model import Recipe


def prepare_source(recipe: Recipe, source: Fetched, destination: Path, image: Image | None) -> None:
    """Unpack the source at ``destination``, apply the patches, add the extra files.

    Without patches, no ``image`` is needed. Raises `FetchError` for an archive that is not to be trusted and
    `RecipeError` for a patch that does not apply, with what patch said of it.
    """
    unpack_source(recipe, source, destination)
    for patch in recipe.patches:
        assert image is not None
        apply_patch(patch, destination, image)
    with Door(destination) as tree:
        for name, inside in recipe.source.extras:
            _add(recipe, name, inside, tree)


def unpack_source(recipe: Recipe, source: Fetched, destination: Path) -> Path:
    """Unpack the source at ``destination``, which is not there yet, and return that.

    It is what is in ``source.extract_dir``, else in the one folder that holds everything, if there is such. Raises
    `FetchError` for an archive that is not to be trusted and `RecipeError` for one without that folder.
    """
    with tempfile.TemporaryDirectory(dir=destination.parent) as folder:
        # The store names files by hash; the archive's kind is told by its name where its bytes do not.
        named = Path(folder) / source.filename
        named.symlink_to(source.path)
        try:
            return unpack(named, destination, strip_single_top=True, only=recipe.source.extract_dir or "")
        except NoFolderError as error:
            raise RecipeError(
                f"{recipe.folder / 'meta.yaml'}: source.extract_dir: {error.message}", hint=error.hint
            ) from error


def _add(recipe: Recipe, name: str, inside: str, tree: Door) -> None:
    """Write a file of the recipe into the tree, in which an archive or a patch may have laid links."""
    try:
        tree.write(inside, (recipe.folder / name).read_bytes())
    except DoorError as error:
        raise RecipeError(
            f"{recipe.folder / 'meta.yaml'}: source.extras: {inside}: {error.message}",
            hint="give a place in the source tree that no link leads to",
        ) from error


def apply_patch(patch: Path, tree: Path, image: Image) -> None:
    """Apply one patch in the sandbox. Raises `RecipeError`, with what patch said, if it does not apply."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryDirectory(dir=tree.parent) as folder:
        Path(folder).chmod(0o755)
        copy = Path(folder) / "patch"
        shutil.copyfile(patch, copy)
        done = image.run(
            ["patch", "-p1", "--binary", "--batch", "--forward", "--fuzz=0", "-i", PATCH],
            mounts=[Mount(host=tree, inside=SOURCE, writable=True), Mount(host=copy, inside=PATCH)],
            cwd=SOURCE,
            output=output,
        )
        if done.status:
            output.seek(0)
            text = output.read().decode(errors="replace").strip()
            raise RecipeError(
                f"{patch}: does not apply to the source:\n{text}",
                hint="make the patch again from the source of this version, or remove it if upstream has it now",
            )


def plain_recipe(recipe: Recipe, source: str, cross: Sequence[str] = ()) -> dict[str, Any]:
    """Return meta.yaml as pyodide-build is to see it: a source tree that is already there, no dependencies.

    ``cross`` names the host requirements that are packages: pyodide-build installs those before the build script runs.
    It never installs the package that it builds: each build that is compiled against that has it from its own lock.
    """
    document: dict[str, Any] = copy.deepcopy(dict(recipe.document))
    document["source"] = {"path": source}
    document["package"]["version"] = str(document["package"]["version"])
    build = document.setdefault("build", {})
    build["script"] = PRELUDE + (build.get("script") or "")
    if recipe.build.cross_build_env:
        document["build"]["_cross-build-env-skip-install"] = True
    requirements = document.get("requirements", {})
    requirements.pop("run", None)
    requirements.pop("host", None)
    if wanted := requirements.get("executable"):  # pyodide-build would have rustup download a Rust
        requirements["executable"] = [name for name in wanted if name not in PROGRAMS]
    if cross:
        document["requirements"] = requirements | {"host": list(cross)}
    document.pop("extra", None)
    return document
