"""A real environment and real runs of recipes on disk; what would need an image or a registry is given by hand."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import asdict
from io import BytesIO
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from sample_target import TARGET
from synthetic_wheels import make_wheel
from wasm_encoding import HEADER

from emwheels.build.compile import Built
from emwheels.build.compiler_cache import Hits
from emwheels.build.kept import Surroundings
from emwheels.checkout import Checkout
from emwheels.fetch.fetcher import Fetched
from emwheels.image.toolchain import Toolchain
from emwheels.index import Release
from emwheels.outputs.builds import Output
from emwheels.outputs.latest import latest_key
from emwheels.pipeline.environment import Environment
from emwheels.pipeline.known import key_of
from emwheels.progress import Board
from emwheels.target import BuildImagePins, HarnessPins, ImagePins, Targets
from emwheels.wheel import content_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    import pytest

    from emwheels.build.compile import BuildInputs
    from emwheels.pipeline.model import Run
    from emwheels.store import Store

IMAGE = "sha256:" + "1" * 64
TEST_IMAGE = "sha256:" + "7" * 64
LIBRARY = "build:\n  type: static_library\n  script: make\n"
RELEASE = Release(
    name=TARGET.name,
    python=TARGET.python,
    platform_tag=TARGET.platform_tag,
    packages_url="https://packages.example.org/full/",
    lock={"info": {"platform": "emscripten_5_0_3"}, "packages": {}},
)


class Lines(Board):
    """Keeps what is said, as ``PACKAGE: TEXT``, and shows nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def say(self, package: str, text: str) -> None:
        self.lines.append(f"{package}: {text}")

    @contextmanager
    def phase(self, package: str, phase: str) -> Iterator[None]:
        self.say(package, phase)
        yield


class Files:
    """Stands for a `Fetcher`: what a URL or a lock file gets was given by hand, or is made up; ``asked`` are those."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._given: dict[str, tuple[Fetched, ...]] = {}
        self.asked: list[str] = []

    def give(self, where: str | Path, *files: tuple[str, bytes]) -> None:
        """Answer ``where``, a URL or a lock file, with files: pairs of a name and bytes."""
        self._given[str(where)] = tuple(
            Fetched(
                path=self._store.path_of("sources", sha256 := self._store.put_file("sources", BytesIO(data))),
                sha256=sha256,
                filename=name,
                url=f"https://files.example.org/{name}",
            )
            for name, data in files
        )

    def fetch(self, url: str, sha256: str | None) -> Fetched:
        self.asked.append(url)
        if url not in self._given:
            self.give(url, (f"{url.rpartition('/')[2].replace('@', '-')}.tar.gz", url.encode()))
        return self._given[url][0]

    def fetch_requirements(
        self, lock: Path, *, python: str, platforms: Sequence[str] | None = None, sources: bool = False
    ) -> tuple[Fetched, ...]:
        self.asked.append(f"{lock.parent.name}/{lock.name} {python} {' '.join(platforms or ['native'])}")
        return self._given.get(str(lock), ())


def make_environment(root: Path) -> Environment:
    """Return an environment without recipes below ``root``, whose parts are there, although there is no image."""
    project = Checkout(root=root / "project", cache=root / "cache")
    for folder in (project.recipes, project.patches, project.cache):
        folder.mkdir(parents=True)
    targets = Targets(
        default=TARGET.name,
        targets={TARGET.name: TARGET},
        image=BuildImagePins(
            part="build",
            suite="sid",
            packages={},
            emscripten="6.0",
            llvm="21",
            pythons=("3.14",),
            pyodide_build="0.39",
        ),
        test_image=ImagePins(part="test", suite="sid", packages={}),
        service_image=ImagePins(part="service", suite="sid", packages={}),
        harness=HarnessPins(playwright_core="pkg:npm/playwright-core@1", playwright_core_sha256="0" * 64),
    )
    environment = Environment(project, targets, TARGET, board=Lines())
    runtime = root / "runtime"
    runtime.mkdir()
    (runtime / "pyodide.asm.wasm").write_bytes(HEADER)
    (runtime / "pyodide.asm.mjs").write_text("var wasmImports = {/** @export */ emscripten_log: _log};")
    given: dict[str, Any] = {
        "image_digest": IMAGE,
        "image": "the image",
        "test_image_digest": TEST_IMAGE,
        "test_image": "the image with the engines",
        "toolchain": Toolchain(crossenv=root / "crossenv", key="2" * 64),
        "fetcher": Files(environment.store),
        "runtime": runtime,
        "release": RELEASE,
        "harness_wheels": (make_wheel(root / "harness", "pytest", "9.0"),),
        "playwright_core": root / "playwright-core",
    }
    for name, part in given.items():
        vars(environment)[name] = part  # where a cached property keeps what it found
    return environment


def add_recipe(
    environment: Environment,
    name: str,
    meta: str = "",
    *,
    version: str = "1.0",
    source: str = "",
    locked: bool = True,
    files: Mapping[str, str] | None = None,
) -> Path:
    """Write a recipe and return its folder. ``meta`` is the rest of its meta.yaml, ``files`` lie beside that."""
    folder = environment.project.recipes / name
    folder.mkdir(exist_ok=True)
    source = source or f"url: pkg:pypi/{name}@{version}\n  sha256: {hashlib.sha256(name.encode()).hexdigest()}"
    (folder / "meta.yaml").write_text(
        f'package:\n  name: {name}\n  version: "{version}"\nsource:\n  {source}\n{dedent(meta)}'
    )
    if locked:
        (folder / "requirements.build.txt").write_text(f"setuptools==1 --hash=sha256:{'0' * 64}\n")
    for file, text in (files or {}).items():
        (folder / file).write_text(dedent(text))
    return folder


def wheel_of(run: Run, name: str, text: str = "VALUE = 1\n", **options: Any) -> Path:
    """Return a wheel that recipe ``name`` might come out as; ``text`` is what its module holds."""
    module = name.replace("-", "_").lower()
    folder = run.environment.project.root.parent / "made" / hashlib.sha256(text.encode()).hexdigest()[:8]
    return make_wheel(folder, module, run.recipes[name].version, **{"files": {f"{module}.py": text}, **options})


def keep(
    run: Run,
    name: str,
    outputs: Mapping[str, Output] | None = None,
    *,
    file: Path | None = None,
    latest: bool = True,
    **record: Any,
) -> Output:
    """Keep ``file``, or what `wheel_of` makes, as what a build of recipe ``name`` against ``outputs`` came out as."""
    recipe, store = run.recipes[name], run.environment.store
    key = key_of(run, recipe, outputs or {})
    made = file or wheel_of(run, name)
    library = recipe.build.type == "static_library"
    kind = "libraries" if library else "wheels"
    output = Output(
        name=name,
        kind=kind,
        filename=f"{name}-{recipe.version}.tar.gz" if library else made.name,
        sha256=store.put_file(kind, made),
        size=made.stat().st_size,
        seconds=1.5,
        key=key.digest,
        content="" if library else content_of(made),
    )
    kept = {
        "output": asdict(output),
        "inputs": dict(key.inputs),
        "log": store.put_file("logs", BytesIO(b"log")),
        "audit": {},
        "peak_kib": 1000,
        **record,
    }
    run.builds.add(key.digest, kept)
    if latest:
        store.add_record("latest", latest_key(name, run.environment.target.name, run.options.profile), kept)
    return output


_NOTHING = Surroundings(mounts=(), env={}, cwd="/", spelling="", personality="")


class Compiler:
    """Stands for `emwheels.build.compile.build`: writes a log, and a wheel or an archive into the working folder.

    ``error`` is raised in place of that; ``inputs`` and ``work`` are what it was given last.
    """

    def __init__(self, *, hits: Hits | None = None, error: Exception | None = None, **options: Any) -> None:
        self.hits = hits or Hits()
        self.error = error
        self.options = options
        self.inputs: list[BuildInputs] = []
        self.given: list[tuple[object, object]] = []
        self.work: list[Path] = []

    def put_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have `emwheels.pipeline.building` build with this, in a folder in which nothing is laid out."""
        monkeypatch.setattr("emwheels.pipeline.building.prepare", lambda *_, **__: frozenset())
        monkeypatch.setattr("emwheels.pipeline.building.build_prepared", self)
        monkeypatch.setattr("emwheels.pipeline.leaving.surroundings", lambda *_, **__: _NOTHING)

    def __call__(
        self,
        inputs: BuildInputs,
        *,
        image: object,
        toolchain: object,
        work: Path,
        log: Path,
        given: Collection[str] = (),
    ) -> Built:
        self.inputs.append(inputs)
        self.given.append((image, toolchain))
        self.work.append(work)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("it compiles\n")
        (work / "source").mkdir()
        if self.error is not None:
            raise self.error
        recipe = inputs.recipe
        if recipe.build.type == "static_library":
            file = work / f"{recipe.name}-{recipe.version}.tar.gz"
            file.write_bytes(b"archive of " + recipe.name.encode())
        else:
            file = make_wheel(work / "dist", recipe.name.replace("-", "_"), recipe.version, **self.options)
        return Built(file=file, seconds=2.3456, peak_kib=4321, ccache=self.hits)
