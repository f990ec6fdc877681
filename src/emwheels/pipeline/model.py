"""What a run is to do, and what came of a package."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from emwheels.harness.engines import ENGINES

if TYPE_CHECKING:
    from emwheels.build.compiler_cache import Hits
    from emwheels.errors import EmwheelsError
    from emwheels.outputs.builds import Output


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a run is to do."""

    profile: str = "speed"
    engines: tuple[str, ...] = ENGINES
    test: bool = True
    rebuild: bool = False
    retest: bool = False
    test_seconds: float = 120.0
    """Limit for one test."""
    ccache: bool = True
    """Whether compilers look up objects in the compiler cache. The bytes that come out are the same."""
    jobs: int = 0
    """Cores that all builds may use together, and the most packages at the same time; 0 for those of this machine."""
    fail_fast: bool = False
    """Start nothing more after the first failure."""
    aside: tuple[str, ...] = ()
    """Packages that are built otherwise than their recipes say: what comes out is not noted as their latest build."""


@dataclass(kw_only=True)
class Outcome:
    """What a run did with one package."""

    name: str
    state: str
    """``built``, ``reused``, ``failed``, ``blocked`` or ``not started``; in a survey ``reused`` or ``missing``."""
    why: str = ""
    output: Output | None = None
    phases: dict[str, float] = field(default_factory=dict)
    """Phase -> wall seconds."""
    engines: dict[str, str] = field(default_factory=dict)
    """Engine -> ``16 passed``."""
    error: EmwheelsError | None = None
    ccache: Hits | None = None
    """What came out of the compiler cache, if it was used."""
