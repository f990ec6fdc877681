"""Which tags of wheels (PEP 425) fit a Pyodide, by whose rule."""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from packaging.tags import Tag, compatible_tags, cpython_tags

if TYPE_CHECKING:
    from collections.abc import Iterable


class Policy(Enum):
    """Whose rule says which tags fit a Pyodide: three of the audit's, two of installers."""

    COMPILED = "compiled"
    """What emwheels publishes with shared libraries: the interpreter's own ABI, or the stable ABI of its version or an
    older one (PEP 384), for the target's platform alone (PEP 783)."""
    OPENED = "opened"
    """What emwheels publishes with shared libraries of which none is an extension module: Python opens them by name
    (ctypes, cffi's ABI mode), so that any version may (``py3-none-PLATFORM``)."""
    PURE = "pure"
    """What emwheels publishes without: ``py3-none-any`` (PEP 425)."""
    MICROPIP = "micropip"
    """``sys_tags`` of ``micropip/_utils.py`` (micropip 0.11.1): those of packaging, each platform also under the name
    that it had before PEP 783. loadPackage asks no tag, so that this decides about Pyodide's lock as well."""
    PIP = "pip"
    """``cpython_tags`` and ``compatible_tags`` of packaging (26.3), by which pip and uv choose, for the platform of
    PEP 783 alone."""


class Interpreter(Protocol):
    """What tags have to fit: a `Target`, or what an index recorded of one."""

    @property
    def python(self) -> str:
        """Full version of the interpreter, e.g. ``3.14.2``."""

    @property
    def platform_tag(self) -> str:
        """The wheel platform tag of PEP 783."""


def fits(tags: Iterable[Tag], interpreter: Interpreter, policy: Policy) -> bool:
    """Tell whether a wheel with these ``tags`` is one for ``interpreter``: one tag that fits is enough (PEP 425)."""
    return not _known(interpreter.python, interpreter.platform_tag, policy).keys().isdisjoint(tags)


def preference(tags: Iterable[Tag], interpreter: Interpreter, policy: Policy) -> int:
    """Return how far down the list of what ``interpreter`` takes the best of ``tags`` stands: the lowest is taken."""
    places = _known(interpreter.python, interpreter.platform_tag, policy)
    return min((places[tag] for tag in tags if tag in places), default=len(places))


def fitting_tags(interpreter: Interpreter, policy: Policy) -> tuple[Tag, ...]:
    """Return all tags that fit, those that an installer prefers first."""
    return tuple(_known(interpreter.python, interpreter.platform_tag, policy))


@lru_cache(maxsize=64)
def _known(python: str, platform: str, policy: Policy) -> dict[Tag, int]:
    major, minor = (int(part) for part in python.split(".")[:2])
    own = f"cp{major}{minor}"
    older = platform.replace("pyemscripten_", "pyodide_")
    platforms = [platform, older] if policy is Policy.MICROPIP else [platform]
    native = list(cpython_tags((major, minor), abis=[own], platforms=platforms))
    match policy:
        case Policy.PURE:
            tags = [Tag("py3", "none", "any")]
        case Policy.COMPILED:
            tags = [tag for tag in native if tag.abi != "none"]
        case Policy.OPENED:
            every = [*native, *compatible_tags((major, minor), interpreter=own, platforms=platforms)]
            tags = [tag for tag in every if tag.platform != "any"]
        case Policy.MICROPIP | Policy.PIP:
            tags = [*native, *compatible_tags((major, minor), interpreter=own, platforms=platforms)]
    return {tag: place for place, tag in enumerate(dict.fromkeys(tags))}
