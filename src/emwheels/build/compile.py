"""One recipe -> a wheel or a library archive, by pyodide-build, in a sandbox without network."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from emwheels.atomic import write_atomically
from emwheels.build import answers, cmake
from emwheels.build.compiler_cache import CompilerCache, Hits, read_hits
from emwheels.build.complete import add_documents
from emwheels.build.cross_packages import add_cross_packages
from emwheels.build.diagnosis import diagnose, first_error
from emwheels.build.diagnosis.logs import end_of
from emwheels.build.diagnosis.nearby import own_words, where_it_lies
from emwheels.build.kept import Surroundings, tree_of
from emwheels.build.libraries import files_below, licences_of, unpack_libraries
from emwheels.build.results import pack_libraries, read_counters, take_wheel
from emwheels.build.rust import rust_environment, with_plain_sbom
from emwheels.build.same_bytes import EPOCH, SAME_ADDRESSES, SAME_ADDRESSES_OPTION
from emwheels.build.source import plain_recipe, prepare_source
from emwheels.build.unvendor import split_tests
from emwheels.build.workplace import Workplace
from emwheels.errors import BuildError
from emwheels.image.door import Door
from emwheels.image.model import Mount
from emwheels.image.places import CROSSENV, WORK
from emwheels.image.removal import remove_tree
from emwheels.image.watch import limit_message
from emwheels.profile import LINK_OPTIONS, profile_environment
from emwheels.target.limits import Limits, default_limits
from emwheels.target.profiles import flags_of, lineage, profile_names

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from emwheels.build.cross_packages import CrossPackage
    from emwheels.build.rust import RustInputs
    from emwheels.fetch.fetcher import Fetched
    from emwheels.image.model import Image
    from emwheels.image.toolchain import Toolchain
    from emwheels.recipe.downloads import Download
    from emwheels.recipe.model import Recipe
    from emwheels.target import Target


_CCACHE_LOG = "ccache.log"
_EMPTY_CACHE = "ccache"


class SharedCores(Protocol):
    """What shares the cores between the builds of a run."""

    @property
    def inside(self) -> str:
        """Where a build sees its pipe."""

    def build(self) -> AbstractContextManager[tuple[Path, dict[str, str]]]:
        """Be one of the builds; give its pipe, and the variables that its programs read."""


@dataclass(frozen=True, kw_only=True)
class BuildInputs:
    """Everything that one build reads."""

    recipe: Recipe
    target: Target
    profile: str
    source: Fetched
    requirements: Sequence[Fetched]
    """The wheels of requirements.build.txt."""
    libraries: Sequence[Path]
    """The archives of the host requirements that are static or shared libraries."""
    cross_packages: Sequence[CrossPackage] = ()
    """The host requirements that are packages to compile against."""
    downloads: Sequence[tuple[Download, Fetched]] = ()
    """What the recipe lists for the build to find instead of fetching it."""
    runtime_names: Collection[str] = ()
    """What a module finds in Pyodide when it is loaded: checks are held against it. Empty: they are not."""
    compiler_cache: CompilerCache | None = None
    """None: an empty one of the build's own. Without any, other arguments reach the compiler: see `SAME_ADDRESSES`."""
    jobserver: SharedCores | None = None
    """Shares the cores with other builds; without one, a build takes what it wants."""
    rust: RustInputs | None = None
    """What a recipe in Rust has beside others."""
    documents: Mapping[str, bytes] = field(default_factory=dict)
    """What a wheel is to carry in its .dist-info: name -> content."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that must not change the bytes that come out: the user, the time zone."""
    personality: str = SAME_ADDRESSES_OPTION
    """One more option of setarch(8), such as ``--uname-2.6`` for another kernel: it must not change them either."""
    limits: Limits = field(default_factory=default_limits)
    user: int | None = None
    """The user that the build sees itself as: it must not change those bytes either."""


@dataclass(frozen=True, kw_only=True)
class Built:
    """What a build made, still in its working folder."""

    file: Path
    seconds: float
    """Wall time of the compile phase."""
    peak_kib: int
    ccache: Hits
    tests: Path | None = None
    """The wheel with the tests of a package whose recipe says ``unvendor-tests``, if it has any."""


def build(inputs: BuildInputs, *, image: Image, toolchain: Toolchain, work: Path, log: Path) -> Built:
    """Build in the empty folder ``work`` and return what was made. The log is written to ``log`` as it grows.

    Raises `BuildError` with the first error that matters, the log's place and, for a failure that is known, what to do;
    `RecipeError` and `FetchError` for the source.
    """
    given = prepare(inputs, image=image, toolchain=toolchain, work=work)
    return build_prepared(inputs, image=image, toolchain=toolchain, work=work, log=log, given=given)


def prepare(inputs: BuildInputs, *, image: Image, toolchain: Toolchain, work: Path) -> frozenset[str]:
    """Lay out all that a build reads in the empty folder ``work``, the source patched; nothing is compiled.

    Returns the names of the files that host libraries gave. Raises `RecipeError` and `FetchError` for the source.
    """
    recipe, place = inputs.recipe, Workplace(work)
    place.lay_out()
    prepare_source(recipe, inputs.source, place.inside / "source", image)
    if inputs.rust is not None:
        inputs.rust.lay_out(place)
    folder = place.inside / "packages" / recipe.spelling
    folder.mkdir()
    (folder / "meta.yaml").write_bytes(_plain(inputs, place))
    for wheel in inputs.requirements:
        shutil.copyfile(wheel.path, place.given("wheels") / wheel.filename)
    python = inputs.target.python_minor
    cmake.lay_out_cmake(place.given(cmake.FOLDER), python=python)
    cmake.lay_out_downloads(inputs.downloads, place.given(cmake.DOWNLOADS))
    answers.lay_out_answers(place.given(answers.FOLDER), inputs.downloads)
    given = {name: place.given(name) for name in (answers.FOLDER, cmake.DOWNLOADS)}
    answers.prepare_tree(place.inside, given, image)
    libraries = unpack_libraries(inputs.libraries, place.libraries)
    for name, data in licences_of(place.libraries).items():
        write_atomically(place.taken("licences") / name, data)
    launchers = place.given("launchers")
    _compiler_cache(inputs, work).add_launchers(launchers, inside=f"{WORK}/launchers", runtime=inputs.runtime_names)
    if inputs.cross_packages:
        # pyodide-build installs the native packages into the environment: it gets one of its own.
        own = work / "crossenv"
        shutil.copytree(toolchain.crossenv / "xbuildenv", own / "xbuildenv", symlinks=True)
        add_cross_packages(inputs.cross_packages, own)
    return libraries


def _plain(inputs: BuildInputs, place: Workplace) -> bytes:
    """Return the meta.yaml that pyodide-build is given."""
    cross = [package.recipe.spelling for package in inputs.cross_packages]
    plain = answers.with_build_folder(plain_recipe(inputs.recipe, f"{WORK}/source", cross), place.inside)
    return json.dumps(plain, indent=1).encode()


def _compiler_cache(inputs: BuildInputs, work: Path) -> CompilerCache:
    return inputs.compiler_cache or CompilerCache(folder=work / _EMPTY_CACHE)


def surroundings(inputs: BuildInputs, *, image: Image, toolchain: Toolchain, work: Path) -> Surroundings:
    """Return what the commands of a build see that is prepared in ``work``."""
    cache = _compiler_cache(inputs, work)
    mounts = [*Workplace(work).mounts(), Mount(host=toolchain.crossenv, inside=CROSSENV)]
    if inputs.cross_packages:
        own = work / "crossenv" / "xbuildenv"
        mounts.append(Mount(host=own, inside=f"{CROSSENV}/xbuildenv", writable=True))
    mounts += inputs.rust.mounts(Workplace(work)) if inputs.rust is not None else []
    return Surroundings(
        mounts=[*mounts, cache.mount()],
        env=_environment(inputs, image, toolchain, cache),
        cwd=f"{WORK}/packages",
        spelling=inputs.recipe.spelling,
        personality=inputs.personality,
    )


def build_prepared(
    inputs: BuildInputs,
    *,
    image: Image,
    toolchain: Toolchain,
    work: Path,
    log: Path,
    given: Collection[str],
    again: bool = False,
) -> Built:
    """Build in the folder ``work`` that `prepare` has filled, else as `build`.

    With ``again`` a build has been at it before: its source tree, as it is now, is taken with all that was made there.
    """
    recipe, place = inputs.recipe, Workplace(work)
    licences = place.taken("licences")
    documents = dict(inputs.documents) | {name: (licences / name).read_bytes() for name in files_below(licences)}
    seen = surroundings(inputs, image=image, toolchain=toolchain, work=work)
    mounts = list(seen.mounts)
    going_on = ["--continue"] if again and _take_up(inputs, place) else []
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output, _shared_cores(inputs.jobserver, mounts) as shared:
        done = image.run(
            [
                *("/bin/sh", "-c", SAME_ADDRESSES, inputs.personality),
                *("pyodide", "build-recipes-no-deps", recipe.spelling, "--force-rebuild", *going_on),
                *("--recipe-dir", f"{WORK}/packages", "--build-dir", f"{WORK}/build"),
            ],
            mounts=mounts,
            env=dict(seen.env) | shared,
            cwd=seen.cwd,
            output=output,
            limits=inputs.limits,
            user=inputs.user,
        )
    if done.reached:
        where = f"the whole log is {log}"
        raise BuildError(f"{recipe.name} was {limit_message(done.reached, inputs.limits)}", hint=where)
    if done.status:
        raise _failure(inputs, log, place)
    tests = None
    if recipe.build.type == "static_library":
        file = pack_libraries(place, recipe, frozenset(given))
    else:
        file = take_wheel(place, recipe, log)
        file = with_plain_sbom(file, place, image) if inputs.rust is not None else file
        if recipe.build.unvendor_tests:
            retained = recipe.build.retain_test_patterns
            file, tests = split_tests(file, retained, place, image, stored=inputs.target.stored)
        file = add_documents(file, documents, place, image, stored=inputs.target.stored) if documents else file
    hits = read_hits(read_counters(place, _CCACHE_LOG)) if inputs.compiler_cache is not None else Hits()
    return Built(file=file, seconds=done.seconds, peak_kib=done.peak_kib, ccache=hits, tests=tests)


def _take_up(inputs: BuildInputs, place: Workplace) -> bool:
    """Give a folder that a build was at the recipe of now; tell whether the build's own source tree is there."""
    recipe = inputs.recipe
    for name in ("wheel", "archive"):
        remove_tree(place.taken(name))
    with Door(place.inside) as door:
        door.write(f"packages/{recipe.spelling}/meta.yaml", _plain(inputs, place))
        return door.has_folder(tree_of(recipe.spelling, recipe.document["package"]))


def _environment(inputs: BuildInputs, image: Image, toolchain: Toolchain, cache: CompilerCache) -> dict[str, str]:
    own = inputs.target.profiles
    compiler = toolchain.key if toolchain.name == "emsdk" else image.digest
    env = (
        dict(inputs.environment)
        | profile_environment(inputs.recipe, lineage(inputs.profile, own), profile_names(own))
        | _ENVIRONMENT
        | answers.ENVIRONMENT
        | cmake.ENVIRONMENT
        | toolchain.environment(inputs.target.python_minor, image_path(image))
        | side_module_flags(toolchain, flags_of(inputs.profile, own))
        | cache.environment(
            compiler, f"{WORK}/{_CCACHE_LOG}", launchers=f"{WORK}/launchers", runtime=inputs.runtime_names
        )
    )
    path = f"{WORK}/programs:{env['PATH']}"
    more = rust_environment(flags_of(inputs.profile, own), path) if inputs.rust is not None else {"PATH": path}
    return env | more


@contextmanager
def _shared_cores(server: SharedCores | None, mounts: list[Mount]) -> Iterator[dict[str, str]]:
    if server is None:
        yield {}
        return
    with server.build() as (pipe, variables):
        mounts.append(Mount(host=pipe, inside=server.inside, writable=True))
        yield variables


def image_path(image: Image) -> str:
    """Return the image's own PATH."""
    return dict(image.environment)["PATH"]


def side_module_flags(toolchain: Toolchain, flags: Sequence[str]) -> dict[str, str]:
    """Return the variables by which pyodide-build takes flags from outside: those of a profile instead of its own."""
    cflags, ldflags = toolchain.module_flags()
    optimise = " ".join(flags)
    common = f"{cflags} {optimise} -ffile-prefix-map={WORK}/="
    if any(flag.startswith("-g") and flag != "-g0" for flag in flags):
        # Line numbers name headers as well.
        common += f" -ffile-prefix-map={CROSSENV}/= -ffile-prefix-map=/tmp/="
    return {
        "SIDE_MODULE_CFLAGS": common,
        "SIDE_MODULE_CXXFLAGS": common,
        "SIDE_MODULE_LDFLAGS": f"{ldflags} {' '.join(LINK_OPTIONS)} {optimise}",
    }


_ENVIRONMENT = {
    "HOME": f"{WORK}/home",
    "PIP_NO_INDEX": "1",
    "PIP_FIND_LINKS": f"{WORK}/wheels",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "SOURCE_DATE_EPOCH": str(EPOCH),
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONPATH": f"{WORK}/python",
    "TERM": "dumb",
    "NO_COLOR": "1",
}


def _failure(inputs: BuildInputs, log: Path, place: Workplace) -> BuildError:
    text = end_of(log)
    error = first_error(text)
    found = diagnose(text, [wheel.filename.partition("-")[0] for wheel in inputs.requirements])
    shown = "\n".join(f"  | {line}" for line in (*error, *own_words(place.inside, error)))
    advice = f"{found.advice} {where_it_lies(place.inside, found)}".rstrip() if found else ""
    said = f"{inputs.recipe.name} did not build:\n{shown}"
    return BuildError(said, hint=f"{advice}\n  the whole log is {log}".lstrip())
