"""Rust for the recipes that need it: the layer over the build image, made when the first of them asks for it."""

from __future__ import annotations

import platform
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from emwheels.errors import ImageError, UsageError
from emwheels.image.debs import pinned
from emwheels.image.offer import choose
from emwheels.image.rust import RustLayer, layer_digest, load_layer, make_layer
from emwheels.image.supply import MIRROR

if TYPE_CHECKING:
    from pathlib import Path

    from emwheels.checkout import Checkout
    from emwheels.image.debs import DebSet
    from emwheels.image.model import Image
    from emwheels.image.supply import Supply
    from emwheels.progress import Board
    from emwheels.target import ImagePins, RustPins, Targets

EFFORT = "2 to 5 minutes, 0.5 GB"
"""What making the layer takes."""


class Maker(Protocol):
    """What of an environment the layer is made with."""

    project: Checkout
    targets: Targets
    board: Board
    offline: bool

    @property
    def image(self) -> Image:
        """The image that it lies over, in which it is made."""

    @property
    def logs(self) -> Path:
        """Where logs are kept."""

    def supply(self) -> Supply:
        """Return where files of Debian's packages come from."""

    def offered(self, pins: ImagePins) -> DebSet:
        """Return what the suite has now."""


class Rust:
    """The layer of one environment. Nothing is made before `layer` is asked for."""

    def __init__(self, environment: Maker) -> None:
        self._environment = environment

    @property
    def pins(self) -> RustPins:
        """What the layer is made of. Raises `UsageError` where targets.toml does not say."""
        if (pins := self._environment.targets.rust) is None:
            raise UsageError(
                "targets.toml has no table image.rust, and a recipe in Rust needs the layer that it describes",
                hint="copy the tables [image.rust] and [image.rust.packages] of the targets.toml that emwheels ships",
            )
        return pins

    @cached_property
    def digest(self) -> str:
        """The layer's digest. It is known before the layer is made, if its packages are pinned for this machine."""
        return layer_digest(self._environment.project.cache, self.pins) or self.layer.digest

    @cached_property
    def layer(self) -> RustLayer:
        """The layer, made if it is not there. Raises `ImageError` when it cannot be made; offline it may not be."""
        cache = self._environment.project.cache
        layer = load_layer(cache, self.pins) or self._made()
        asked = self.__dict__.get("digest", layer.digest)
        if layer.digest != asked:
            raise ImageError(
                "the Rust layer was made of other packages than the pinned ones, which no place has any more",
                hint="run the command again: the keys of recipes in Rust are other ones with it",
            )
        return layer

    def _made(self) -> RustLayer:
        environment, pins = self._environment, self.pins
        supply = environment.supply()
        if environment.offline and not supply.places:
            raise ImageError(
                "the Rust layer is not on this machine, and this is offline",
                hint=f"load one that was saved (emwheels image load FILE), name a folder in {MIRROR}, or run the same "
                "command once without --offline",
            )
        with environment.board.phase("Rust layer", f"made once ({EFFORT})"):
            choice = choose(pins, pinned(pins, platform.machine()), supply, lambda: environment.offered(pins))
            if choice.news:
                environment.board.say("Rust layer", choice.news)
            make_layer(
                environment.project.cache,
                pins,
                choice.debs,
                supply,
                environment.image,
                say=lambda text: environment.board.say("Rust layer", text),
                log=environment.logs / "image-rust.log",
            )
        if (layer := load_layer(environment.project.cache, pins)) is None:
            raise ImageError("the Rust layer vanished while it was in use", hint="run the command again")
        return layer
