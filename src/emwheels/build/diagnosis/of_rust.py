"""Kinds of failures of cargo and rustc."""

from __future__ import annotations

from emwheels.build.diagnosis.kind import Kind

OF_RUST = (
    Kind(
        id="crate-missing",
        pattern=r"no matching package named `([\w-]+)` found|failed to select a version for the requirement `([\w-]+)",
        sees="`no matching package named ...`, `location searched: directory source`",
        means="cargo asks for the crate {what}. Cargo.lock does not name it, so it was not fetched.",
        do=(
            "Delete the Cargo.lock in the recipe's folder, if there is one, and run `emwheels lock NAME`. A workspace "
            "may have several: put the right one into the recipe's folder."
        ),
    ),
    Kind(
        id="crate-lock",
        pattern=r"cannot update the lock file|lock file \S+ needs to be updated",
        sees="`cannot update the lock file ... because --locked was passed`",
        means="Cargo.lock does not fit Cargo.toml, as after a patch of the one without the other.",
        do="Change both in the patch, or put a Cargo.lock of your own into the recipe's folder.",
    ),
    Kind(
        id="rust-version",
        pattern=r"rustc [\d.]+ is not supported by the following packages?:\s+(\S+)",
        sees="`rustc ... is not supported by the following package`",
        means="The crate {what} wants a newer Rust than the image's layer has.",
        do="Lock an older version of the crate by a Cargo.lock in the recipe's folder, or take an older release.",
    ),
    Kind(
        id="rust-nightly",
        pattern=r"E0554\]|may not be used on the stable release channel",
        sees="`#![feature] may not be used on the stable release channel`",
        means="The source uses features of a nightly Rust.",
        do="Look for an option of the package that does without, or `export RUSTC_BOOTSTRAP=1` in build.script.",
    ),
)
