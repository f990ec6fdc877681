"""``emwheels image``: the images that compile and test: made, shown, saved, loaded, mirrored, pinned or tried."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emwheels.cli.opening import local_path, open_environment
from emwheels.errors import FetchError, ImageError, UsageError
from emwheels.image import debian, oci
from emwheels.image.archives import check_destination, load_images, save_images
from emwheels.image.mirror import pin_packages, write_mirror
from emwheels.image.offer import accepted
from emwheels.image.supply import MIRROR
from emwheels.pipeline.run import prove_compiler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emwheels.checkout import Checkout
    from emwheels.pipeline.environment import Environment
    from emwheels.target import ImagePins, Targets

PARTS = ("build", "test")
"""The images that users have."""
_LAYER = "rust"
"""The layer over the one that compiles, which only recipes in Rust need."""


_EXAMPLES = """\
examples:
  emwheels image                            make both images and show what is in them
  emwheels image --part build               the one that compiles: enough for builds that run no tests
  emwheels image --rust                     make the Rust layer too, before a recipe in Rust needs it
  emwheels image save images.tar.gz         write both to one archive
  emwheels image load images.tar.gz         take them, on another machine
  emwheels image mirror DIR                 write all that they are made of to a folder
  emwheels image pin                        pin the Debian packages of today by hash (in a checkout of emwheels)
  emwheels image try                        try the compiler that Debian has today, and prove it
"""
_WORDS = (
    "show makes what is missing, and tells what is in them; save and load go to and from an archive; mirror writes the "
    "packages that they are made of; pin takes the packages of today, for all of them; try builds "
    "and proves an image with the compiler of today, which takes minutes (show)"
)
_ACTIONS = {"show": "", "save": "images.tar.gz", "load": "images.tar.gz", "mirror": "DIR", "pin": "", "try": ""}
"""What can be done -> an example of the file or folder that it takes."""


def add_image(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser."""
    image = verbs.add_parser(
        "image",
        parents=[common],
        help="make, show, save, load, mirror, pin or try the images that compile and test",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    image.add_argument("action", nargs="?", choices=[*_ACTIONS], default="show", help=_WORDS)
    image.add_argument("file", nargs="?", type=local_path, help="the archive to save or load, or the mirror's folder")
    image.add_argument("--part", choices=PARTS, help="only the image that compiles, or only the one that runs tests")
    image.add_argument("--rust", action="store_true", help="the layer that compiles Rust as well: 0.5 GB more")


def run_image(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Do what was asked with the images and return the exit status."""
    environment = open_environment(arguments, project, targets)
    given = {"build": environment.targets.image, "test": targets.test_image}
    images = [given[part] for part in ([arguments.part] if arguments.part else PARTS)]
    both = len(images) == len(PARTS)
    images += [environment.rust.pins] if arguments.rust else []
    file = _file(arguments)
    if arguments.action == "load":
        for loaded in load_images(project.cache, [*images, *_layer(targets)], file):
            print(f"{'loaded' if loaded.new else 'already here:'} {loaded.record.digest}")
        return 0
    if arguments.action in _WITHOUT_IMAGES:
        return _WITHOUT_IMAGES[arguments.action](environment, images, file)
    if arguments.action == "save":
        _check_saving(images, file)
    if both:
        environment.make_images()
    digests = {pins.part: _digest(environment, pins.part) for pins in images}
    if arguments.action == "save":
        save_images(project.cache, images, file)
        print(f"saved {' and '.join(digests.values())} to {file} ({file.stat().st_size:,} bytes)")
        return 0
    if "build" in digests and arguments.toolchain == "emsdk" and not environment.target.emsdk.complete:
        return _propose_emsdk(arguments, environment)
    output = {pins.part: _description(environment, pins, digests[pins.part]) for pins in images}
    if arguments.json:
        print(json.dumps(output, indent=1))
    else:
        print("\n".join(_lines(part, content) for part, content in output.items()), end="")
    return 0


def _digest(environment: Environment, part: str) -> str:
    """Return the digest of an image or of the layer, which is made if it is not there."""
    if part == _LAYER:
        return environment.rust.layer.digest
    return environment.image_digest if part == "build" else environment.test_image_digest


def _layer(targets: Targets) -> list[ImagePins]:
    return [targets.rust] if targets.rust is not None else []


def _file(arguments: argparse.Namespace) -> Path:
    """Return the archive or folder that an action takes. Raises `UsageError` for one too few or too many."""
    action, example = arguments.action, _ACTIONS[arguments.action]
    if not example and arguments.file is not None:
        raise UsageError(
            f"image {action} takes no file: {str(arguments.file)!r} is one too many", hint=f"emwheels image {action}"
        )
    if example and arguments.file is None:
        kind = "folder" if example == "DIR" else "file"
        raise UsageError(f"image {action} needs a {kind}", hint=f"emwheels image {action} {example}")
    return arguments.file or Path()


def _mirror(environment: Environment, images: Sequence[ImagePins], folder: Path) -> int:
    asked = environment.asked
    pins = [asked.image if each.part == "build" else each for each in images]
    size = write_mirror(folder, pins, environment.supply(), environment.fetcher, say=environment.say_of_image)
    print(f"{folder}: {size:,} bytes; use it with {MIRROR}={folder.resolve()}")
    return 0


def _pin(environment: Environment, _: Sequence[ImagePins], __: Path) -> int:
    """Pin the packages of both images and of the layer, whichever were asked for: they are in one file."""
    images = [environment.asked.image, environment.asked.test_image, *_layer(environment.asked)]
    path, sets = pin_packages(images, environment.offered)
    counts = (f"{len([*debs])} of the {pins.part} image" for pins, debs in zip(images, sets, strict=True))
    print(f"{path}: {', '.join(counts)}")
    return 0


def _try(environment: Environment, _: Sequence[ImagePins], __: Path) -> int:
    """Make an image with the compiler that the suite has now, and prove it as far as it needs."""
    pins = environment.asked.image
    choice = accepted(pins, environment.offered(pins))
    if not choice.proof:
        print(f"Debian {pins.suite} has the compiler that is pinned: Emscripten {pins.emscripten}, LLVM {pins.llvm}")
        return 0
    environment.make_choice(pins, choice, environment.supply())
    names = prove_compiler(environment.as_candidate())
    more = f" and {', '.join(names)} in all engines" if names else ""
    print(f"Emscripten {getattr(choice.pins, 'emscripten', '')} has proven itself by programs{more}")
    print(
        "It is used on this machine where the pinned build image is not in the cache. To use it everywhere, write its"
    )
    print("version into [image.build] of targets.toml and run: emwheels image pin")
    return 0


_WITHOUT_IMAGES = {"mirror": _mirror, "pin": _pin, "try": _try}
"""What is done without the images that are in use."""


def _check_saving(images: Sequence[ImagePins], file: Path) -> None:
    """Raise `UsageError` for what `save_images` cannot save, before an image is made for it."""
    check_destination(file)
    for pins in images:
        if reference := oci.configured_reference(pins):
            variable = oci.VARIABLES[pins.part]
            raise UsageError(
                f"the {pins.part} image is a published one, {reference}: it is in its registry and is not saved",
                hint=f"set {variable}=embedded to save the one made on this machine, or name the other with --part",
            )


def _description(environment: Environment, pins: ImagePins, digest: str) -> dict[str, Any]:
    """Return what is known of an image: of a published one, nothing but its digest."""
    content: dict[str, Any] = {"digest": digest}
    if pins.part == "build":
        content |= _toolchain(environment)
    folder = debian.image_folder(environment.project.cache, pins)
    record = debian.read_record(folder)
    if record is not None and record.digest == digest:
        content |= {"folder": str(folder)} | asdict(record)
    return content


def _toolchain(environment: Environment) -> dict[str, Any]:
    """Return what is known of the folders beside the image; offline, what they are made of may be missing."""
    try:
        toolchain = environment.toolchain
    except FetchError as error:
        return {"toolchain": environment.toolchain_name, "toolchain_key": None, "crossenv": f"not yet: {error.message}"}
    return {"toolchain": toolchain.name, "toolchain_key": toolchain.key, "crossenv": str(toolchain.crossenv)}


def _lines(part: str, content: dict[str, Any]) -> str:
    lines = [f"image      {part}", f"digest     {content['digest']}"]
    if part == "build":
        lines.append(f"toolchain  {content['toolchain']}, {content['crossenv']}")
    if "packages" in content:
        lines += [f"suite      Debian {content['suite']}", f"kept in    {content['folder']}", ""]
        lines += [f"{package} {version}" for package, version in sorted(content["packages"].items())]
    return "".join(f"{line}\n" for line in lines)


def _propose_emsdk(arguments: argparse.Namespace, environment: Environment) -> int:
    """Print the lines of targets.toml that pin the emsdk toolchain; nothing is used before they are there."""
    from emwheels.image.toolchain.emsdk import propose_pins

    target = environment.target
    pins = propose_pins(target, environment.fetcher)
    if arguments.json:
        print(json.dumps(asdict(pins), indent=1))
        return ImageError.exit_code
    print("# targets.toml does not pin these files yet. Compare them with what upstream publishes, then add:\n")
    for name, pin in pins.by_name().items():
        print(f'[target."{target.name}".emsdk.{name}]\nurl = "{pin.url}"\nsha256 = "{pin.sha256}"\n')
    return ImageError.exit_code
