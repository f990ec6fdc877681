"""What a recipe says, as immutable values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from packageurl import PackageURL

from emwheels.errors import without_secrets
from emwheels.recipe.own_tests import OwnTests

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.utils import NormalizedName

    from emwheels.recipe.downloads import Download

BUILD_TYPES = ("package", "static_library")
EXPORTS = ("pyinit", "requested", "whole_archive")


@dataclass(frozen=True, kw_only=True)
class Package:
    """The ``package`` section."""

    name: NormalizedName
    """As written it is the name of the recipe's folder."""
    version: str
    top_level: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    disabled: bool = False
    pinned: bool = False


@dataclass(frozen=True, kw_only=True)
class Source:
    """The ``source`` section: either ``url`` with ``sha256``, or ``path``."""

    url: str | None = None
    extract_dir: str | None = None
    path: str | None = None
    """A folder, relative to the recipe's own or absolute."""
    sha256: str | None = None
    patches: tuple[str, ...] = ()
    """As written, relative to the recipe's folder; `Recipe.patches` has all that are to be applied."""
    extras: tuple[tuple[str, str], ...] = ()
    """Pairs of a file in the recipe's folder and where it goes in the source tree."""

    @property
    def address(self) -> str | None:
        """``url`` as it may be kept: without tokens and signatures."""
        return None if self.url is None else without_secrets(self.url)

    @property
    def purl(self) -> PackageURL | None:
        """``url`` parsed, if it is a package URL."""
        return PackageURL.from_string(self.url) if self.url and self.url.startswith("pkg:") else None


@dataclass(frozen=True, kw_only=True)
class Build:
    """The ``build`` section."""

    exports: str | tuple[str, ...] = "pyinit"
    """One of `EXPORTS`, or the names of the symbols."""
    backend_flags: str = ""
    cflags: str = ""
    cxxflags: str = ""
    ldflags: str = ""
    type: str = "package"
    """One of `BUILD_TYPES`."""
    cross_script: str | None = None
    script: str | None = None
    post: str | None = None
    unvendor_tests: bool = False
    """Whether the tests inside of the package go to a wheel of their own; in pyodide-build that is so by default."""
    retain_test_patterns: tuple[str, ...] = ()
    vendor_sharedlib: bool = True
    cross_build_env: bool = False
    cross_build_env_skip_install: bool = False
    cross_build_files: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """The ``requirements`` section.

    ``host`` names other recipes; ``run`` names other recipes or pure-Python packages; ``build_extras`` and
    ``constraint`` are requirements in the sense of PEP 508.
    """

    run: tuple[NormalizedName, ...] = ()
    host: tuple[NormalizedName, ...] = ()
    build_extras: tuple[str, ...] = ()
    executable: tuple[str, ...] = ()
    constraint: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Test:
    """The ``test`` section."""

    __test__: ClassVar[bool] = False  # or pytest takes it for a test class

    imports: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class About:
    """The ``about`` section."""

    home: str | None = None
    pypi: str | None = None
    summary: str | None = None
    license: str | None = None


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One package: its meta.yaml, and the files that go with it."""

    folder: Path
    package: Package
    source: Source
    build: Build = Build()
    requirements: Requirements = Requirements()
    test: Test = Test()
    own_tests: OwnTests = field(default_factory=OwnTests)
    about: About = About()
    downloads: tuple[Download, ...] = ()
    """What the build would fetch by itself: it is fetched before it."""
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)
    patches: tuple[Path, ...] = ()
    """In the order in which they are applied: those of the patches folder, then those of ``source.patches``."""
    tests: tuple[Path, ...] = ()
    build_lock: Path | None = None
    """requirements.build.txt, the hash-pinned build requirements."""
    run_lock: Path | None = None
    """requirements.run.txt, hash-pinned packages that ``requirements.run`` needs beside other recipes. Recipes that
    these need are in ``requirements.run`` as well."""
    test_lock: Path | None = None
    """requirements.test.txt, hash-pinned pure-Python packages that the recipe's own tests need."""
    document: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)
    """meta.yaml as plain dicts, lists and scalars without sharing. To change it, copy it deeply first."""

    @property
    def own(self) -> Mapping[str, Any]:
        """``extra.emwheels`` of meta.yaml, which pyodide-build does not read."""
        table = self.extra.get("emwheels", {})
        return table if isinstance(table, Mapping) else {}

    @property
    def name(self) -> NormalizedName:
        """The package's name (PEP 503), by which everything knows it."""
        return self.package.name

    @property
    def spelling(self) -> str:
        """The name as written: what pyodide-build is told, and what stands in the output."""
        return self.folder.name

    @property
    def is_tested(self) -> bool:
        """Whether there is something to try in the engines: tests, or modules to import."""
        return self.build.type != "static_library" and (bool(self.tests) or self.build.type == "package")

    @property
    def takes_wheels(self) -> bool:
        """Whether its build has the wheels of requirements.build.txt: a package's has, a library's if it names any."""
        return self.build.type == "package" or bool(self.requirements.build_extras)

    @property
    def version(self) -> str:
        """The package's version as written."""
        return self.package.version
