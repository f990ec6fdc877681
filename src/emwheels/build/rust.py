"""What a build of a recipe in Rust has beside others: the layer, crates, cargo's configuration, a plain SBOM."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.errors import BuildError, RecipeError
from emwheels.fetch.archive import unpack
from emwheels.image.door import Door, DoorError
from emwheels.image.model import Mount
from emwheels.image.places import OUT, PLAIN_SBOM, PYTHON, RUST, TAKEN, WORK
from emwheels.image.removal import remove_tree
from emwheels.profile import RUST_OPTIONS, rust_flags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emwheels.build.workplace import Workplace
    from emwheels.fetch.cargo_lock import Crate
    from emwheels.fetch.fetcher import Fetched
    from emwheels.image.model import Image
    from emwheels.image.rust import RustLayer

HOME = f"{WORK}/home/.cargo"
"""cargo's own folder in a build."""
_FOLDER = "crates"
"""The folder in `WORK` with the crates, unpacked."""
_PROGRAM = Path(__file__).parent / "inside" / "plain_sbom.py"
_LARGEST_CRATE = 1 << 30
_CONFIGURATION = f"""\
[source.crates-io]
replace-with = "emwheels"
[source.emwheels]
directory = "{WORK}/{_FOLDER}"
"""
ENVIRONMENT = {
    "CARGO_HOME": HOME,
    "CARGO_NET_OFFLINE": "true",
    "CARGO_INCREMENTAL": "0",
    "CARGO_TERM_COLOR": "never",
    # The cc crate compiles C++ without exceptions for this target, so that `try` would be an error.
    "CXXFLAGS_wasm32_unknown_emscripten": "-fcxx-exceptions",
    "MATURIN_NO_INSTALL_RUST": "1",
}
"""What cargo, crates and maturin read by themselves, whatever the profile is."""
_LEVELS = {"-O1": "1", "-O2": "2", "-Os": "s", "-Oz": "z"}
"""Of -O3, cargo's own default stays: 3, unless the package says otherwise."""


@dataclass(frozen=True, kw_only=True)
class RustInputs:
    """What a build reads because its recipe is in Rust."""

    layer: RustLayer
    crates: Sequence[tuple[Crate, Fetched]] = ()
    """Those of Cargo.lock; none if the source has its own."""
    lock: tuple[str, bytes] | None = None
    """The recipe's own Cargo.lock, and where it goes in the source tree."""

    def lay_out(self, place: Workplace) -> None:
        """Write everything into the folders of a build. Raises `FetchError` for a crate that is not to be trusted."""
        if self.lock is not None:
            try:
                with Door(place.inside / "source") as tree:
                    tree.write(*self.lock)
            except DoorError as error:
                raise RecipeError(f"Cargo.lock of the recipe: {error.message}") from error
        if self.crates:
            (place.inside / _FOLDER).mkdir()
            lay_out_crates(self.crates, place.given(_FOLDER))
            home = place.inside / HOME.removeprefix(f"{WORK}/")
            home.mkdir(parents=True)
            (home / "config.toml").write_text(_CONFIGURATION)

    def mounts(self, place: Workplace) -> list[Mount]:
        """Return what a build sees beside what every build does."""
        crates = [Mount(host=place.given(_FOLDER), inside=f"{WORK}/{_FOLDER}")] if self.crates else []
        return [self.layer.mount(), *crates]


def lay_out_crates(crates: Sequence[tuple[Crate, Fetched]], folder: Path) -> None:
    """Unpack crates as a directory source of cargo's: a folder each, with the sha256 that Cargo.lock names."""
    folder.mkdir()
    for crate, fetched in crates:
        unpack(fetched.path, folder / crate.folder, strip_single_top=True, limit_bytes=_LARGEST_CRATE)
        with Door(folder / crate.folder) as door:
            door.write(".cargo-checksum.json", json.dumps({"files": {}, "package": crate.sha256}).encode())


def rust_environment(flags: Sequence[str], path: str) -> dict[str, str]:
    """Return the variables of a build in Rust: those of a profile's ``flags``, and a PATH with the layer's programs."""
    options = [f"--remap-path-prefix={WORK}/=", *RUST_OPTIONS, *rust_flags(flags)]
    levels = [_LEVELS[flag] for flag in flags if flag in _LEVELS]
    lines = any(flag.startswith("-g") and flag != "-g0" for flag in flags)
    return {
        **ENVIRONMENT,
        "CARGO_TARGET_WASM32_UNKNOWN_EMSCRIPTEN_RUSTFLAGS": " ".join(options),
        **({"CARGO_PROFILE_RELEASE_OPT_LEVEL": levels[-1]} if levels else {}),
        **({"CARGO_PROFILE_RELEASE_DEBUG": "true"} if lines else {}),
        "PATH": f"{path}:{RUST}/bin",
    }


def with_plain_sbom(wheel: Path, place: Workplace, image: Image) -> Path:
    """Return the wheel without the build's paths in the SBOM that maturin wrote. Raises `BuildError`."""
    for name in ("plain", "plain-taken"):  # a build before may have left them
        remove_tree(place.taken(name))
    out = place.taken("plain")
    with tempfile.TemporaryFile() as output:
        done = image.run(
            [PYTHON, "-I", PLAIN_SBOM, f"{TAKEN}/{wheel.name}", f"{OUT}/{wheel.name}", f"file://{WORK}/"],
            mounts=[
                Mount(host=out, inside=OUT, writable=True),
                Mount(host=wheel.parent, inside=TAKEN),
                Mount(host=_PROGRAM, inside=PLAIN_SBOM),
            ],
            output=output,
        )
        if done.status:
            output.seek(0)
            text = output.read()[-2000:].decode(errors="replace").strip()
            raise BuildError(f"{wheel.name}: its SBOM could not be read:\n{text}")
    plain = place.taken("plain-taken") / wheel.name
    with Door(out) as door:
        door.take(wheel.name, plain)
    return plain
