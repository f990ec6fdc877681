"""targets.toml -> `Targets`: what is known of each Pyodide release, and what the images and the harness are made of.

There is a table for each release, one for each part of the images (``[image.build]``, ``[image.test]``,
``[image.rust]``, which may be missing, and ``[image.service]``), and one for the harness.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from emwheels.atomic import read_regular
from emwheels.errors import UsageError
from emwheels.target.limits import Limits, default_limits
from emwheels.target.profiles import OwnProfile, own_profiles

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Pin:
    """A file of upstream's; both are empty until somebody has fetched it and trusts what came."""

    url: str = ""
    """Where upstream has the file."""
    sha256: str = ""
    """Its hash. emwheels refuses any other file."""


@dataclass(frozen=True, kw_only=True)
class EmsdkPins:
    """What the ``emsdk`` toolchain of one target is made of."""

    crossenv: Pin = field(default_factory=Pin)
    """Pyodide's cross-build environment."""
    source: Pin = field(default_factory=Pin)
    """emsdk's repository at the tag of the Emscripten version."""
    binaries: Pin = field(default_factory=Pin)
    """The Emscripten and LLVM binaries that this emsdk downloads for Linux."""
    node: Pin = field(default_factory=Pin)
    """The Node that this emsdk downloads."""

    def by_name(self) -> dict[str, Pin]:
        """Return the pins by the name of their table."""
        return {"crossenv": self.crossenv, "source": self.source, "binaries": self.binaries, "node": self.node}

    @property
    def complete(self) -> bool:
        """Whether every file is pinned."""
        return all(pin.url and pin.sha256 for pin in self.by_name().values())


@dataclass(frozen=True, kw_only=True)
class Target:
    """One Pyodide release and what a wheel for it has to be."""

    name: str
    """Pyodide's version, e.g. ``314.0.7``; the table's name."""
    python: str
    """Full version of the interpreter, e.g. ``3.14.2``."""
    abi: str
    """The platform tag of PEP 783 without its ``_wasm32`` suffix."""
    emscripten: str
    """The Emscripten version that this Pyodide was built with."""
    runtime: str
    """purl of the npm package that holds the runtime."""
    runtime_sha256: str
    """The hash of that package's tarball."""
    cflags: tuple[str, ...]
    """Flags that every side module needs when it is compiled."""
    ldflags: tuple[str, ...]
    """Flags that every side module needs when it is linked."""
    stored: bool = False
    """Wheels are not compressed in themselves; compressed copies lie beside them, for servers that send those."""
    runtimes: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Other releases with this ABI -> the hash of the tarball of each: clients that insist on one find it beside the
    wheels (``emwheels publish --runtime``)."""
    emsdk: EmsdkPins = field(default_factory=EmsdkPins)
    """The files of ``--toolchain emsdk``."""
    profiles: Mapping[str, OwnProfile] = field(default_factory=dict, hash=False)
    """The project's own profiles, the same for every target."""

    def identity(self) -> dict[str, Any]:
        """Return what belongs into the key of everything made for this target.

        A toolchain's own files do not, nor does how a wheel is packed, which is a matter of wheels alone, nor what is
        published beside it. A profile is in the keys of what is built with it.
        """
        aside = ("emsdk", "stored", "profiles", "runtimes")
        return {name: value for name, value in asdict(self).items() if name not in aside}

    def packages_of_runtimes(self) -> dict[str, tuple[str, str]]:
        """Return release -> purl and sha256 of its npm package, for every release with this ABI, this one first."""
        package = self.runtime.rpartition("@")[0]
        others = {name: (f"{package}@{name}", sha256) for name, sha256 in self.runtimes.items()}
        return {self.name: (self.runtime, self.runtime_sha256), **others}

    @property
    def python_minor(self) -> str:
        """E.g. ``3.14``."""
        return ".".join(self.python.split(".")[:2])

    @property
    def python_tag(self) -> str:
        """E.g. ``cp314``."""
        return "cp" + self.python_minor.replace(".", "")

    @property
    def platform_tag(self) -> str:
        """The wheel platform tag, e.g. ``pyemscripten_2026_0_wasm32`` (PEP 783)."""
        return f"{self.abi}_wasm32"


@dataclass(frozen=True, kw_only=True)
class ImagePins:
    """What an image is made of."""

    part: str
    """``build``, ``test``, ``rust`` or ``service``; the table's name."""
    suite: str
    """The Debian release, of ``[image]``."""
    packages: Mapping[str, str]
    """Debian package -> what it is there for. A reason is no part of any key."""
    oci_reference: str = ""
    """``registry/name@sha256:…`` of a published image; empty: it is made here."""

    def identity(self) -> dict[str, Any]:
        """Return what belongs into the key of the image that is made of this."""
        given = asdict(self) | {"packages": sorted(self.packages)}
        del given["oci_reference"]
        return given


@dataclass(frozen=True, kw_only=True)
class BuildImagePins(ImagePins):
    """What the image is made of in which packages are compiled, and what must be found in it."""

    emscripten: str
    """The version of Emscripten that must be found in the image."""
    llvm: str
    """The major version of LLVM that must be found in it."""
    pythons: tuple[str, ...]
    """The minor versions of Python that it has: those of all targets."""
    pyodide_build: str
    """The version of pyodide-build that must be found in it."""
    accepted: str = ""
    """The versions of Emscripten (PEP 440) that may take its place, once they are proven, where the suite has moved on
    and no place has the pinned packages any more; empty: none."""
    proof: tuple[str, ...] = ()
    """The recipes that prove another minor version: they have to build and to pass their tests."""

    def identity(self) -> dict[str, Any]:
        """See `ImagePins.identity`: what might be used instead is no part of an image."""
        return {name: value for name, value in super().identity().items() if name not in ("accepted", "proof")}


@dataclass(frozen=True, kw_only=True)
class RustPins(ImagePins):
    """What the layer is made of that compiles Rust, beyond the image it lies over."""

    rust: str
    """The version of rustc that must be found in it."""


@dataclass(frozen=True, kw_only=True)
class HarnessPins:
    """What the harness drives browsers with."""

    playwright_core: str
    """purl of the npm package."""
    playwright_core_sha256: str
    """The hash of that package's tarball."""


@dataclass(frozen=True, kw_only=True)
class Targets:
    """The parsed targets.toml."""

    default: str
    """The target that is used without ``--target``."""
    targets: dict[str, Target]
    image: BuildImagePins
    test_image: ImagePins
    service_image: ImagePins
    harness: HarnessPins
    rust: RustPins | None = None
    """The layer for recipes in Rust; None: targets.toml has no table for it."""
    unused: Mapping[str, Target] = field(default_factory=dict)
    """Targets that the project does not build for. Recipes may have overrides for them all the same."""
    limits: Limits = field(default_factory=default_limits)
    """What a build may use, unless its recipe or the command line says otherwise."""

    @property
    def abis(self) -> dict[str, str]:
        """Name of each target, the unused among them -> its ABI tag."""
        return {name: target.abi for name, target in {**self.targets, **self.unused}.items()}

    def get(self, name: str | None) -> Target:
        """Return the target called ``name``, or the default one. Raises `UsageError` for an unknown name."""
        chosen = name or self.default
        if chosen not in self.targets:
            known = ", ".join(self.targets)
            raise UsageError(f"there is no target {chosen!r}", hint=f"targets.toml has: {known}")
        return self.targets[chosen]


def load_targets(path: Path, *, use: Sequence[str] = ()) -> Targets:
    """Read targets.toml. Raises `UsageError` that names the file and the key for anything wrong in it.

    With ``use``, only these targets are taken, and the first of them is the default.
    """
    try:
        document = tomllib.loads(read_regular(path, limit=1 << 20).decode())
    except RecursionError as error:
        raise UsageError(f"{path}: its tables or lists lie too deep in each other") from error
    except (OSError, ValueError) as error:  # of TOML, of its encoding, or of a number that is too long for Python
        raise UsageError(f"{path}: {error}") from error
    try:
        profiles = _profiles(_required(document, "", "profiles", dict) if "profiles" in document else {})
        targets = Targets(
            default=_required(document, "", "default", str),
            targets={
                name: _target(name, _required(document["target"], "target", name, dict), profiles)
                for name in _required(document, "", "target", dict)
            },
            **_images(_required(document, "", "image", dict)),
            harness=HarnessPins(**_given(HarnessPins, "harness", _required(document, "", "harness", dict))),
            limits=_limits(_required(document, "", "limits", dict) if "limits" in document else {}),
        )
    except _KeyFault as fault:
        raise UsageError(f"{path}: {fault}", hint="compare with the tables that the project ships") from fault
    targets.get(None)
    if not use:
        return targets
    if lost := [name for name in use if name not in targets.targets]:
        known = ", ".join(targets.targets)
        raise UsageError(f"emwheels.toml: targets.use: there is no target {lost[0]!r}", hint=f"{path} has: {known}")
    unused = {name: target for name, target in targets.targets.items() if name not in use}
    return replace(targets, default=use[0], targets={name: targets.targets[name] for name in use}, unused=unused)


def _limits(table: dict[str, Any]) -> Limits:
    try:
        return default_limits().with_texts(table)
    except ValueError as error:
        raise _KeyFault(f"limits: {error}") from error


def _profiles(table: dict[str, Any]) -> dict[str, OwnProfile]:
    try:
        return own_profiles(table)
    except ValueError as error:
        raise _KeyFault(str(error)) from error


class _KeyFault(Exception):  # noqa: N818  (it becomes a `UsageError`)
    """What is wrong with a key."""


_T = TypeVar("_T")


def _required(table: Mapping[str, Any], where: str, name: str, kind: type[_T]) -> _T:
    dotted = f"{where}.{name}" if where else name
    if name not in table:
        raise _KeyFault(f"{dotted} is missing")
    value = table[name]
    if not isinstance(value, kind):
        raise _KeyFault(f"{dotted} must be {'a table' if kind is dict else 'text'}")
    return value


_KINDS: dict[str, tuple[str, Callable[[object], bool]]] = {
    "str": ("text", lambda value: isinstance(value, str)),
    "bool": ("true or false", lambda value: isinstance(value, bool)),
    "tuple[str, ...]": ("a list of texts", lambda value: isinstance(value, list) and _are_texts(value)),
    "Mapping[str, str]": ("a table of texts", lambda value: isinstance(value, dict) and _are_texts(value.values())),
}
"""Type of a field -> in words, and whether a value of the file is that."""


def _are_texts(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)


def _given(kind: type, where: str, table: Mapping[str, Any], *, aside: Container[str] = ()) -> dict[str, Any]:
    """Return what ``table`` gives for the fields of a class, those ``aside`` apart."""
    known = {each.name: each for each in fields(kind) if each.name not in aside}
    if unknown := sorted(table.keys() - known.keys()):
        raise _KeyFault(f"{where}.{unknown[0]} is no key; {where} has {', '.join(known)}")
    for name, each in known.items():
        if name not in table and each.default is MISSING and each.default_factory is MISSING:
            raise _KeyFault(f"{where}.{name} is missing")
        words, fits_kind = _KINDS[str(each.type)]
        if name in table and not fits_kind(table[name]):
            raise _KeyFault(f"{where}.{name} must be {words}")
        if name in table:
            _check_form(f"{where}.{name}", name, table[name])
    return {name: tuple(value) if isinstance(value, list) else value for name, value in table.items()}


_VERSION = re.compile(r"[0-9]{1,4}(\.[0-9]{1,4}){2}((a|b|rc)[0-9]{1,4}|\.(dev|post)[0-9]{1,4})?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MINOR = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}")
_RANGE = r"((<|>|<=|>=|==|!=)[0-9]{1,4}(\.[0-9]{1,4}){0,2}|~=[0-9]{1,4}(\.[0-9]{1,4}){1,2})"
_FORMS: dict[str, tuple[str, re.Pattern[str]]] = {
    "python": ("a full version, such as 3.14.2", _VERSION),
    "emscripten": ("a full version, such as 5.0.3", _VERSION),
    "pyodide_build": ("a full version, such as 0.39.2", _VERSION),
    "rust": ("a full version, such as 1.97.1", _VERSION),
    "llvm": ("a major version, such as 21", re.compile(r"[0-9]{1,4}")),
    "accepted": ("versions, such as >=6.0.5,<7", re.compile(rf"({_RANGE}(,{_RANGE}){{0,9}})?")),
    "proof": ("names of recipes, such as numpy", _NAME),
    "pythons": ("minor versions, such as 3.14", _MINOR),
    "suite": ("the name of a Debian release, such as forky", _NAME),
    "abi": ("a platform tag, such as pyemscripten_2026_0", re.compile(r"[A-Za-z0-9_]{1,99}")),
}
"""Key -> in words, and what its text or each of its texts has to be: programs and file names are made of them."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
"""What no name, flag or reason has. A NUL ends a word of a command line."""


def _check_form(dotted: str, name: str, value: object) -> None:
    """Raise `_KeyFault` for a text that is not what its key is for."""
    texts = [value] if isinstance(value, str) else []
    if isinstance(value, (list, dict)):
        texts = [*value, *(value.values() if isinstance(value, dict) else ())]
    if wrong := [text for text in texts if _CONTROL.search(text)]:
        raise _KeyFault(f"{dotted} has a control character in {wrong[0]!r}")
    words, form = _FORMS.get(name, ("", re.compile(".*")))
    if wrong := [text for text in texts if not form.fullmatch(text)]:
        raise _KeyFault(f"{dotted} must be {words}, not {wrong[0]!r}")


def _target(name: str, table: dict[str, Any], profiles: Mapping[str, OwnProfile]) -> Target:
    where = f'target."{name}"'
    if not _NAME.fullmatch(name):
        raise _KeyFault(f"target.{name!r} is no name of a release, such as 314.0.7")
    own = {key: value for key, value in table.items() if key != "emsdk"}
    files = _required(table, where, "emsdk", dict) if "emsdk" in table else {}
    if unknown := sorted(files.keys() - EmsdkPins().by_name().keys()):
        raise _KeyFault(f"{where}.emsdk.{unknown[0]} is no file; there are {', '.join(EmsdkPins().by_name())}")
    pins = {
        file: Pin(**_given(Pin, f"{where}.emsdk.{file}", _required(files, f"{where}.emsdk", file, dict)))
        for file in files
    }
    given = _given(Target, where, own, aside=("name", "emsdk", "profiles"))
    for release, sha256 in given.get("runtimes", {}).items():
        if not _NAME.fullmatch(release) or not _SHA256.fullmatch(sha256):
            raise _KeyFault(
                f"{where}.runtimes.{release!r} must be a release, such as 314.0.0, with the sha256 of its file"
            )
    return Target(name=name, emsdk=EmsdkPins(**pins), profiles=profiles, **given)


_PARTS: dict[str, type[ImagePins]] = {
    "build": BuildImagePins,
    "test": ImagePins,
    "service": ImagePins,
    "rust": RustPins,
}
_OWN = ("part", "suite")
_ASIDE = {"build": _OWN, "test": _OWN, "service": (*_OWN, "oci_reference"), "rust": (*_OWN, "oci_reference")}
"""Part -> the fields that its table does not give. Servers and the layer are made here only."""
_DEBIAN_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")
"""A package's name (Debian Policy Manual 4.7, 5.6.1)."""


def _images(table: dict[str, Any]) -> dict[str, Any]:
    if unknown := sorted(table.keys() - _PARTS.keys() - {"suite"}):
        raise _KeyFault(f"image.{unknown[0]} is no key; image has suite, and the tables {', '.join(_PARTS)}")
    suite = _required(table, "image", "suite", str)
    _check_form("image.suite", "suite", suite)
    pins = {}
    for part, kind in _PARTS.items():
        if part == "rust" and part not in table:
            continue
        where = f"image.{part}"
        given = _given(kind, where, _required(table, "image", part, dict), aside=_ASIDE[part])
        if wrong := [name for name in given["packages"] if not _DEBIAN_PACKAGE.fullmatch(name)]:
            raise _KeyFault(f"{where}.packages: {wrong[0]!r} is not the name of a Debian package")
        pins[part] = kind(part=part, suite=suite, **given)
    names = {"build": "image", "test": "test_image", "service": "service_image", "rust": "rust"}
    return {names[part]: each for part, each in pins.items()}
