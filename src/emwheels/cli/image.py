"""``emwheels image``: the build image, made, shown, saved or loaded."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emwheels.cli.opening import open_environment
from emwheels.errors import ImageError, UsageError
from emwheels.image import debian

if TYPE_CHECKING:
    import argparse

    from emwheels.checkout import Checkout
    from emwheels.pipeline.environment import Environment
    from emwheels.target import Targets


def add_image(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser."""
    image = verbs.add_parser("image", parents=[common], help="make, show, save or load the build image")
    image.add_argument(
        "action", nargs="?", choices=["show", "save", "load"], default="show", help="what to do with it (show)"
    )
    image.add_argument("file", nargs="?", type=Path, help="the archive to save to or load from")


def run_image(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Do what was asked with the image and return the exit status."""
    environment = open_environment(arguments, project, targets)
    if arguments.action != "show" and arguments.file is None:
        raise UsageError(
            f"image {arguments.action} needs a file", hint=f"emwheels image {arguments.action} image.tar.gz"
        )
    if arguments.action == "load":
        record = debian.load_archive(project.cache, targets.image, arguments.file)
        print(f"loaded {record.digest}")
        return 0
    digest = environment.image_digest
    if arguments.action == "save":
        debian.save_image(project.cache, targets.image, arguments.file)
        print(f"saved {digest} to {arguments.file} ({arguments.file.stat().st_size:,} bytes)")
        return 0
    if arguments.toolchain == "emsdk" and not environment.target.emsdk.complete:
        return _propose_emsdk(arguments, environment)
    toolchain = environment.toolchain
    shown = debian.read_record(debian.image_folder(project.cache, targets.image))
    content = {"digest": digest, "toolchain": toolchain.name, "toolchain_key": toolchain.key} | (
        asdict(shown) if shown and shown.digest == digest else {}
    )
    if arguments.json:
        print(json.dumps(content, indent=1))
        return 0
    print(f"digest     {digest}\ntoolchain  {toolchain.name} for {environment.target.name}, {toolchain.crossenv}")
    if shown and shown.digest == digest:
        print(f"suite      Debian {shown.suite}")
        print(f"kept in    {debian.image_folder(project.cache, targets.image)}\n")
        for package, version in sorted(shown.packages.items()):
            print(f"{package} {version}")
    return 0


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
