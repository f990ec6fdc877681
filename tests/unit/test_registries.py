from __future__ import annotations

import pytest

from emwheels.errors import ImageError
from emwheels.image.processes import Completed
from emwheels.image.registries import debian_mirror, npm_registry


class Pretended:
    """An image that holds one text file."""

    digest = ""
    environment = ()

    def __init__(self, path: str, text: str) -> None:
        self.files = {path: text}

    def run(self, argv, *, output, **options):
        text = self.files.get(argv[1])
        output.write((text if text is not None else "cat: no such file").encode())
        return Completed(argv=tuple(argv), status=text is None, seconds=0)

    def start(self, argv, **options):
        raise NotImplementedError


def test_npm_registry():
    assert npm_registry(Pretended("/opt/emwheels/npm-registry", "https://npm.example/\n")) == "https://npm.example/"


@pytest.mark.parametrize(
    "line", ["deb http://deb.example/debian forky main", "deb [trusted=yes] http://deb.example/debian x y"]
)
def test_debian_mirror(line):
    assert debian_mirror(Pretended("/etc/apt/sources.list", f"# made\n{line}\n")) == "http://deb.example/debian"


@pytest.mark.parametrize(
    ("ask", "hint"), [(npm_registry, "npm_config_registry"), (debian_mirror, "EMWHEELS_DEBIAN_MIRROR")]
)
def test_an_image_that_does_not_say(ask, hint):
    with pytest.raises(ImageError) as raised:
        ask(Pretended("/other", ""))
    assert hint in raised.value.hint
