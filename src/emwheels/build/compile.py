"""One recipe -> a wheel or a library archive, by pyodide-build, in a sandbox without network."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.build.compiler_cache import CompilerCache, Hits, read_hits
from emwheels.build.complete import add_documents
from emwheels.build.cross_packages import add_cross_packages
from emwheels.build.diagnosis import diagnose
from emwheels.build.libraries import LICENCES, files_below, licences_of, unpack_libraries
from emwheels.build.same_bytes import EPOCH, SAME_ADDRESSES
from emwheels.build.source import plain_recipe, prepare_source
from emwheels.errors import BuildError
from emwheels.image.model import Mount
from emwheels.image.places import CROSSENV, WORK
from emwheels.profile import LINK_OPTIONS, PROFILES, profile_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from emwheels.build.cross_packages import CrossPackage
    from emwheels.fetch.fetcher import Fetched
    from emwheels.image.model import Image
    from emwheels.image.toolchain import Toolchain
    from emwheels.recipe.model import Recipe
    from emwheels.schedule import JobServer
    from emwheels.target import Target


_CCACHE_LOG = "ccache.log"
_LAUNCHERS = "launchers"
_EMPTY_CACHE = "ccache"
_INSIDE = Path(__file__).parent / "inside"
_MODULES = ("sitecustomize.py", "_f2c_fixes.py")
"""What each Python of a build imports before any other of that name."""

_TAIL_LINES = 15
_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


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
    compiler_cache: CompilerCache | None = None
    """None: an empty one of the build's own. Without any, other arguments reach the compiler: see `SAME_ADDRESSES`."""
    jobserver: JobServer | None = None
    """Shares the cores with other builds; without one, a build takes what it wants."""
    documents: Mapping[str, bytes] = field(default_factory=dict)
    """What a wheel is to carry in its .dist-info: name -> content."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that must not change the bytes that come out: the user, the time zone."""
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


def build(inputs: BuildInputs, *, image: Image, toolchain: Toolchain, work: Path, log: Path) -> Built:
    """Build in the empty folder ``work`` and return what was made. The log is written to ``log`` as it grows.

    Raises `BuildError` with the log's last lines, its place and, for a failure that is known, what to do;
    `RecipeError` and `FetchError` for the source.
    """
    recipe = inputs.recipe
    for name in ("packages", "build", "wheels", "home"):
        (work / name).mkdir(parents=True)
    prepare_source(recipe, inputs.source, work / "source", image)
    folder = work / "packages" / recipe.spelling
    folder.mkdir()
    cross = [package.recipe.spelling for package in inputs.cross_packages]
    (folder / "meta.yaml").write_text(json.dumps(plain_recipe(recipe, f"{WORK}/source", cross), indent=1))
    for wheel in inputs.requirements:
        shutil.copyfile(wheel.path, work / "wheels" / wheel.filename)
    libs = work / "build" / ".libs"
    given = unpack_libraries(inputs.libraries, libs)
    documents = dict(inputs.documents) | licences_of(libs)

    mounts = [Mount(host=work, inside=WORK, writable=True), Mount(host=toolchain.crossenv, inside=CROSSENV)]
    if inputs.cross_packages:
        # pyodide-build installs the native packages into the environment: it gets one of its own.
        own = work / "crossenv"
        shutil.copytree(toolchain.crossenv / "xbuildenv", own / "xbuildenv", symlinks=True)
        add_cross_packages(inputs.cross_packages, own)
        mounts.append(Mount(host=own / "xbuildenv", inside=f"{CROSSENV}/xbuildenv", writable=True))

    (work / "python").mkdir()
    for name in _MODULES:
        shutil.copyfile(_INSIDE / name, work / "python" / name)
    env = (
        profile_environment(recipe, inputs.profile)
        | _ENVIRONMENT
        | toolchain.environment(inputs.target.python_minor, image_path(image))
        | side_module_flags(toolchain, inputs.profile)
    )
    cache = inputs.compiler_cache or CompilerCache(folder=work / _EMPTY_CACHE)
    mounts.append(cache.mount())
    compiler = toolchain.key if toolchain.name == "emsdk" else image.digest
    launchers = f"{WORK}/{_LAUNCHERS}"
    cache.add_launchers(work / _LAUNCHERS, inside=launchers)
    env |= cache.environment(compiler, f"{WORK}/{_CCACHE_LOG}", launchers=launchers)

    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output, _shared_cores(inputs.jobserver, mounts) as shared:
        done = image.run(
            [
                *("/bin/sh", "-c", SAME_ADDRESSES, "sh"),
                *("pyodide", "build-recipes-no-deps", recipe.spelling, "--force-rebuild"),
                *("--recipe-dir", f"{WORK}/packages", "--build-dir", f"{WORK}/build"),
            ],
            mounts=mounts,
            env=dict(inputs.environment) | env | shared,
            cwd=f"{WORK}/packages",
            output=output,
            user=inputs.user,
        )
    if done.status:
        raise _failure(recipe, log)
    if recipe.build.type == "static_library":
        file = _library_archive(work, recipe, given)
    else:
        file = _wheel(folder, recipe, log)
        file = add_documents(file, documents, work, image, stored=inputs.target.stored) if documents else file
    hits = read_hits(work / _CCACHE_LOG) if inputs.compiler_cache is not None else Hits()
    return Built(file=file, seconds=done.seconds, peak_kib=done.peak_kib, ccache=hits)


@contextmanager
def _shared_cores(server: JobServer | None, mounts: list[Mount]) -> Iterator[dict[str, str]]:
    if server is None:
        yield {}
        return
    mounts.append(Mount(host=server.folder, inside=server.inside, writable=True))
    with server.build() as variables:
        yield variables


def image_path(image: Image) -> str:
    """Return the image's own PATH."""
    return dict(image.environment)["PATH"]


def side_module_flags(toolchain: Toolchain, profile: str) -> dict[str, str]:
    """Return the variables by which pyodide-build takes flags from outside: those of ``profile`` instead of its own."""
    cflags, ldflags = toolchain.module_flags()
    optimise = " ".join(PROFILES[profile])
    common = f"{cflags} {optimise} -ffile-prefix-map={WORK}/="
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


def _failure(recipe: Recipe, log: Path) -> BuildError:
    text = log.read_text(errors="replace")
    # What pyodide-build adds of its own, a traceback in dim print, comes after the reason.
    shown = _ESCAPE.sub("", text.partition("\x1b[2mTraceback")[0]) or text
    lines = "\n".join(f"  | {line}" for line in shown.rstrip().splitlines()[-_TAIL_LINES:])
    advice = diagnose(text)
    where = f"the whole log is {log}"
    return BuildError(f"{recipe.name} did not build:\n{lines}", hint=f"{advice} ({where})" if advice else where)


def _wheel(folder: Path, recipe: Recipe, log: Path) -> Path:
    wheels = sorted((folder / "dist").glob("*.whl"))
    if len(wheels) != 1:
        raise BuildError(f"{recipe.name}: the build made {len(wheels)} wheels instead of one", hint=f"see {log}")
    return wheels[0]


_LICENCES = re.compile(r"(licen[cs]e|copying|copyright|notice)", re.IGNORECASE)


def _add_licences(source: Path, folder: Path) -> None:
    """Have a library carry the licence files of its source, unless its own build has installed some."""
    if folder.is_dir():
        return
    licences = [path for path in source.iterdir() if path.is_file() and _LICENCES.match(path.name)]
    for path in licences:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / path.name)


def _library_archive(work: Path, recipe: Recipe, given: frozenset[str]) -> Path:
    """Pack what the recipe installed into ${WASM_LIBRARY_DIR}: same files, same bytes."""
    libs = work / "build" / ".libs"
    _add_licences(work / "source", libs / LICENCES / recipe.spelling)
    made = [name for name in files_below(libs) if name not in given]
    if not made:
        raise BuildError(f"{recipe.name} installed nothing into ${{WASM_LIBRARY_DIR}}", hint="check its build script")
    archive = work / f"{recipe.spelling}-{recipe.version}.tar.gz"

    def plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        info.mtime = EPOCH
        info.mode = 0o755 if info.mode & 0o100 else 0o644
        return info

    with (
        archive.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in made:
            tar.add(libs / name, arcname=name, recursive=False, filter=plain)
    return archive
