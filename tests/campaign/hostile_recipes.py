"""Folders of recipes, as an attacker lays them out."""

from __future__ import annotations

import itertools
import time
from functools import partial
from typing import TYPE_CHECKING

from hostile_ground import PLAIN, SECRET, SHA256, BrokenError, Ground, lay

from emwheels.errors import EmwheelsError
from emwheels.recipe.load import load_recipe, load_recipes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def recipes(ground: Ground) -> Iterator[tuple[str, Callable[[], str]]]:
    """Folders of recipes: what stands in meta.yaml, and what lies in place of its files."""
    texts = {
        "a secret in an address": PLAIN.replace("pkg:pypi/demo@1.0", "https://u:p@example.org/a.tar.gz"),
        "a NUL in an address": PLAIN.replace("pkg:pypi/demo@1.0", "https://example.org/a.tar.gz%00"),
        "a file's address": PLAIN.replace("pkg:pypi/demo@1.0", "file:///etc/passwd"),
        "an option as address": PLAIN.replace("pkg:pypi/demo@1.0", "--upload-pack=evil"),
        "a package URL upwards": PLAIN.replace("pkg:pypi/demo@1.0", "pkg:pypi/..%2f..%2fetc@1.0"),
        "a path outside": PLAIN.replace(f"url: pkg:pypi/demo@1.0\n  sha256: {SHA256}", "path: ../../etc"),
        "an absolute path": PLAIN.replace(f"url: pkg:pypi/demo@1.0\n  sha256: {SHA256}", "path: /etc"),
        "extras outside": PLAIN + "  extras:\n    - [../../../etc/passwd, x]\n",
        "extras to outside": PLAIN + "  extras:\n    - [meta.yaml, ../../x]\n",
        "a name upwards": PLAIN.replace("name: demo", "name: ../demo"),
        "a name that is an option": PLAIN.replace("name: demo", "name: --demo"),
        "a version that is none": PLAIN.replace("'1.0'", "'1.0; rm -rf /'"),
        "a version with a path": PLAIN.replace("'1.0'", "'../../1.0'"),
        "an object of Python": PLAIN + "extra: !!python/object/apply:os.system ['id']\n",
        "aliases without end": "a: &a [*a]\n",
        "a billion laughs": "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in itertools.pairwise("abcdefghij")),
        "deep nesting": "a: " + "[" * 100_000,
        "deep mappings": "".join(" " * n + "a:\n" for n in range(3000)),
        "half a surrogate": PLAIN + 'about:\n  summary: "\\ud800"\n  license: "\\udfff"\n  home: [1]\n',
        "another encoding": "\ufeff" + PLAIN + "\x00",
        "a huge number": PLAIN + "build:\n  script: " + "9" * 100_000 + "\n  type: 1e999999\n",
        "a key twice": PLAIN + "package:\n  name: other\n",
        "an unknown key": PLAIN + "\u202eevil: 1\n",
        "a limit that is none": PLAIN + "extra:\n  emwheels:\n    accepted: {a: 1}\n    limits: [1]\nbuild: {x: 1}\n",
    }
    for name, text in texts.items():
        yield name, partial(_load, ground, text)
    for file, what in itertools.product(
        ("meta.yaml", "requirements.build.txt", "test_demo.py", "upstream.yaml", "0001-x.patch"),
        ("fifo", "zero", "secret", "folder", "ring"),
    ):
        yield f"{what} in place of {file}", partial(_load_with, ground, file, what)


def _load(ground: Ground, text: str) -> str:
    folder = ground.folder() / "demo"
    folder.mkdir()
    (folder / "meta.yaml").write_text(text, errors="surrogatepass")
    load_recipe(folder, patches=folder.parent / "patches")
    raise BrokenError("it was taken for a recipe")


def _load_with(ground: Ground, file: str, what: str) -> str:
    root = ground.folder()
    folder = root / "recipes" / "demo"
    folder.mkdir(parents=True)
    (folder / "meta.yaml").write_text(PLAIN)
    path = root / "patches" / "demo" / file if file.endswith(".patch") else folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    lay(path, what, ground)
    began = time.monotonic()
    try:
        load_recipes(root / "recipes", patches=root / "patches")
    except EmwheelsError as error:
        if SECRET in error.message or time.monotonic() - began > 10:
            raise BrokenError(f"it took {time.monotonic() - began:.0f} s: {error.message}") from error
        raise
    raise BrokenError("it was read")
