"""What the work on packages stands on: store, fetcher, image, toolchain, and the files of the harness."""

from __future__ import annotations

import hashlib
import platform
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property, partial
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels import index
from emwheels.atomic import write_atomically
from emwheels.checkout import find_project
from emwheels.errors import EmwheelsError, ImageError
from emwheels.fetch.npm import npm_package
from emwheels.image import debian, moved, oci, registries
from emwheels.image.debs import pinned
from emwheels.image.host_tools import debian_mirror, default_mirror
from emwheels.image.making import make_image
from emwheels.image.moved import Candidate
from emwheels.image.offer import beyond, choose, offered
from emwheels.image.proof import prove_programs
from emwheels.image.published import Published, headers
from emwheels.image.rootfs import chosen_method
from emwheels.image.supply import MIRROR, Supply, places
from emwheels.image.toolchain import Toolchain, make_toolchain
from emwheels.outputs.named import named_wheel
from emwheels.pipeline.rust import Rust
from emwheels.progress import Board
from emwheels.recipe.overrides import Aim
from emwheels.store import Store
from emwheels.target import BuildImagePins, RustPins, load_targets

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from emwheels.checkout import Checkout
    from emwheels.fetch.fetcher import Fetched, Fetcher
    from emwheels.image.debs import DebSet
    from emwheels.image.model import Image
    from emwheels.image.offer import Choice
    from emwheels.outputs.builds import Output
    from emwheels.target import ImagePins, Target, Targets

_EFFORT = {"build": "about 4 minutes, 1.3 GB", "test": "about a minute, 1 GB", "service": "about a minute, 0.3 GB"}
"""What making an image takes."""
_LIST_PATH = 'IFS=:; for folder in $PATH; do ls "$folder" 2> /dev/null; done'


class Environment:
    """Everything but the packages, of one project and one target; each part is made when it is first asked for."""

    def __init__(
        self,
        project: Checkout,
        targets: Targets,
        target: Target,
        *,
        board: Board,
        offline: bool = False,
        toolchain_name: str = "debian",
    ) -> None:
        self.project = project
        self.asked = targets
        """What targets.toml says; a compiler that took the place of the pinned one is in `targets` alone."""
        image, self.candidate = moved.in_force(project.cache, targets.image)
        self.targets = replace(targets, image=image)
        self.target = target
        self.board = board
        self.offline = offline
        self.toolchain_name = toolchain_name
        self.store = Store(project.cache / "store")
        self._stopping = threading.Event()
        """Ends the making of an image in another thread."""

    def with_project(self, project: Checkout) -> Environment:
        """Return the same for another project with the same cache."""
        return Environment(
            project,
            self.asked,
            self.target,
            board=self.board,
            offline=self.offline,
            toolchain_name=self.toolchain_name,
        )

    @property
    def aim(self) -> Aim:
        """What recipes are read for."""
        return Aim(target=self.target.name, abis=self.asked.abis)

    @cached_property
    def programs(self) -> frozenset[str]:
        """The programs that a build finds by their names."""
        unmade = Toolchain(crossenv=Path(), key="", name=self.toolchain_name)
        path = unmade.environment(self.target.python_minor, dict(self.image.environment)["PATH"])["PATH"]
        with tempfile.TemporaryFile() as output:
            self.image.run(["/bin/sh", "-c", _LIST_PATH], env={"PATH": path}, output=output)
            output.seek(0)
            return frozenset(output.read().decode(errors="replace").splitlines())

    @cached_property
    def fetcher(self) -> Fetcher:
        """What is fetched goes through this."""
        from emwheels.fetch.fetcher import Fetcher

        return Fetcher(
            self.store,
            offline=self.offline,
            progress=self.board.download,
            npm_registry=lambda: registries.npm_registry(self.image),
            debian_mirror=lambda: registries.debian_mirror(self.image),
            crates=lambda: self.rust.layer.registry,
        )

    @property
    def logs(self) -> Path:
        """Where logs are kept, by package."""
        return self.project.cache / "logs"

    @cached_property
    def image_digest(self) -> str:
        """The digest of the image that compiles; see `digest_of`."""
        return self.digest_of(self.targets.image)

    @cached_property
    def image(self) -> Image:
        """The way into the image that compiles."""
        return self._entered(self.targets.image, self.image_digest)

    @cached_property
    def test_image_digest(self) -> str:
        """The digest of the image that has the engines; see `digest_of`."""
        return self.digest_of(self.targets.test_image)

    @cached_property
    def test_image(self) -> Image:
        """The way into the image that has the engines."""
        return self._entered(self.targets.test_image, self.test_image_digest)

    @cached_property
    def service_image(self) -> Image:
        """The way into the image that has servers, which only this project's own tests need."""
        return self._entered(self.targets.service_image, self.digest_of(self.targets.service_image))

    @cached_property
    def rust(self) -> Rust:
        """The layer that compiles Rust, which is not made before somebody asks for it."""
        return Rust(self)

    def make_images(self) -> None:
        """Make what is missing of the images that compile and test, both at the same time. Raises as `digest_of` does.

        Emscripten's libraries, which take most of the time, leave a core idle now and then.
        """
        with ThreadPoolExecutor(1) as pool:
            test = pool.submit(lambda: self.test_image_digest)
            try:
                _ = self.image_digest
                test.result()
            except BaseException:
                self._stopping.set()
                raise

    def digest_of(self, pins: ImagePins) -> str:
        """Return the digest of an image, which is made first if it is not there; entering it is not needed.

        Raises `ImageError` when it cannot be made, and offline, where it is not tried.
        """
        if reference := oci.configured_reference(pins):
            return oci.digest_of(reference, pins.part)
        record = debian.read_record(debian.image_folder(self.project.cache, pins))
        return record.digest if record is not None else self._made(pins).digest

    def supply(self) -> Supply:
        """Return where files of Debian's packages come from."""
        mirror = "" if self.offline else debian_mirror() or default_mirror(self.asked.image.suite)
        return Supply(places(mirror, offline=self.offline))

    def _made(self, pins: ImagePins) -> debian.ImageRecord:
        supply = self.supply()
        if self.offline and not supply.places:
            raise ImageError(
                f"the {pins.part} image is not on this machine, and this is offline",
                hint="load one that was saved (emwheels image load FILE), name one in "
                f"{MIRROR} (a folder that emwheels image mirror wrote), or run the same command once without --offline",
            )
        with self.board.phase(f"{pins.part} image", f"made once ({_EFFORT[pins.part]})"):
            choice = choose(pins, pinned(pins, platform.machine()), supply, lambda: self.offered(pins))
            return self.make_choice(pins, choice, supply)

    def offered(self, pins: ImagePins) -> DebSet:
        """Return what the suite has now for an image. Raises `ImageError`, offline as well."""
        if self.offline:
            raise ImageError("this is offline, and no suite is asked", hint="run the command without --offline")
        ask = partial(offered, mirror=debian_mirror(), say=self.say_of_image)
        return beyond(pins, self.asked.image, ask) if isinstance(pins, RustPins) else ask(pins)

    def make_choice(self, pins: ImagePins, choice: Choice, supply: Supply) -> debian.ImageRecord:
        """Make the image that was chosen for ``pins``; another compiler, once it is proven, is used from now on."""
        say = partial(self.board.say, f"{pins.part} image")
        if choice.news:
            say(choice.news)
        record = make_image(
            self.project.cache,
            choice.pins,
            choice.debs,
            supply,
            self.fetcher,
            say=say,
            log=self.logs / f"image-{pins.part}.log",
            proof=self._proof(choice.pins) if choice.proof else None,
            stopping=self._stopping,
        )
        if isinstance(choice.pins, BuildImagePins) and choice.proof:
            candidate = Candidate(
                emscripten=choice.pins.emscripten, llvm=choice.pins.llvm, needs=choice.proof, proven=moved.PROGRAMS
            )
            moved.remember(self.project.cache, self.asked.image, candidate)
            image, self.candidate = moved.in_force(self.project.cache, self.asked.image)
            self.targets = replace(self.asked, image=image)
        return record

    def as_candidate(self) -> Environment:
        """Return the same with the compiler that may take the place of the pinned one, even where that is there."""
        other = self.with_project(self.project)
        candidate = moved.candidate_for(self.project.cache, self.asked.image)
        if candidate is not None:
            other.candidate = candidate
            other.targets = replace(self.asked, image=candidate.pins(self.asked.image))
        return other

    def proven(self) -> None:
        """Note that the compiler in place of the pinned one has passed the proof with packages."""
        if self.candidate is not None:
            self.candidate = replace(self.candidate, proven=moved.PACKAGES)
            moved.remember(self.project.cache, self.asked.image, self.candidate)

    def _proof(self, pins: ImagePins) -> Callable[[Image], None]:
        """Return the first proof of a compiler. The image says itself which npm to ask, where this machine does not."""

        def prove(image: Image) -> None:
            fetcher = Fetcher(self.store, offline=self.offline, npm_registry=lambda: registries.npm_registry(image))
            runtime = npm_package(self.target.runtime, self.target.runtime_sha256, fetcher, self.project.cache)
            self.say_of_image("proving the compiler with a few programs")
            prove_programs(image, getattr(pins, "emscripten", ""), self.target, runtime)

        from emwheels.fetch.fetcher import Fetcher

        return prove

    def say_of_image(self, text: str) -> None:
        """Say what happens to an image."""
        self.board.say("image", text)

    def _entered(self, pins: ImagePins, digest: str) -> Image:
        method = chosen_method()
        if reference := oci.configured_reference(pins):
            published = Published(reference=reference, part=pins.part, cache=self.project.cache, method=method)
            return published.open(
                debian.environment(pins),
                offline=self.offline,
                phase=lambda text: self.board.phase("image", text),
                progress=self.board.download,
            )
        loaded = debian.load_image(self.project.cache, pins, method=method)
        if loaded is None or loaded[0].digest != digest:  # removed or replaced since the digest was read
            raise EmwheelsError(f"the image {digest} vanished while it was in use", hint="run the command again")
        return loaded[0]

    @cached_property
    def toolchain(self) -> Toolchain:
        """The folders of the target beside the image."""
        embedded = debian.image_folder(self.project.cache, self.targets.image) / "rootfs"
        with headers(self.image, embedded, self.project.cache) as root:
            return make_toolchain(
                self.target,
                runtime=self.runtime,
                name=self.toolchain_name,
                image=self.image,
                image_root=root,
                fetcher=self.fetcher,
                cache=self.project.cache,
                say=lambda text: self.board.say("toolchain", text),
                log=self.logs / f"toolchain-{self.target.name}.log",
            )

    @cached_property
    def playwright_core(self) -> Path:
        """The unpacked npm package."""
        pins = self.targets.harness
        return self.npm_package(pins.playwright_core, pins.playwright_core_sha256)

    @cached_property
    def harness_wheels(self) -> tuple[Path, ...]:
        """What the harness installs beside the wheels, under the files' own names."""
        with as_file(files("emwheels.harness") / "requirements.txt") as lock:
            return self.pure_wheels(lock)

    def pure_wheels(self, lock: Path) -> tuple[Path, ...]:
        """Return the pure-Python wheels of a hash-pinned requirements file, under the files' own names."""
        return self._named_wheels(lock, ("any",))

    def run_wheels(self, lock: Path) -> tuple[Path, ...]:
        """Return the wheels of a recipe's lock that fit the target, pure or published for it, under their own names."""
        tag = self.target.platform_tag
        return self._named_wheels(lock, (tag, tag.replace("pyemscripten_", "pyodide_"), "any"))

    def _named_wheels(self, lock: Path, platforms: Sequence[str]) -> tuple[Path, ...]:
        fetched = self.fetcher.fetch_requirements(lock, python=self.target.python_minor, platforms=platforms)
        folder = self.project.cache / "harness" / hashlib.sha256(lock.read_bytes()).hexdigest()[:24]
        return tuple(under_own_name(wheel, folder) for wheel in fetched)

    @cached_property
    def runtime(self) -> Path:
        """The unpacked npm package ``pyodide`` of the target."""
        return self.runtime_of(self.target)

    def runtime_of(self, target: Target) -> Path:
        """Return the unpacked npm package ``pyodide`` of any target."""
        return self.npm_package(target.runtime, target.runtime_sha256)

    def npm_package(self, purl: str, sha256: str) -> Path:
        """Return an unpacked npm package, fetched and verified if it is not there yet."""
        return npm_package(purl, sha256, self.fetcher, self.project.cache)

    @cached_property
    def release(self) -> index.Release:
        """What the target's own lock says, for the one that the index has."""
        return index.read_release(self.target, self.runtime)

    def named_wheel(self, output: Output) -> Path:
        """Return a wheel of the store under its own name."""
        return named_wheel(output, self.store, self.project.cache / "named")

    def dist(self, profile: str) -> Path:
        """Where wheels of ``profile`` are published: those of the default profile in dist itself."""
        return self.project.dist_of(profile)


def under_own_name(fetched: Fetched, folder: Path) -> Path:
    """Return a copy of a file of the store in ``folder``, under its own name."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / fetched.filename, fetched.path.read_bytes())
    return folder / fetched.filename


def environment_of(project: Checkout, target: str | None = None) -> Environment:
    """Return the environment of ``project`` for the target of that name (the default one), with a board of its own."""
    targets = load_targets(project.targets_file, use=project.settings.targets)
    return Environment(project, targets, targets.get(target), board=Board())


def environment_here(folder: Path | None = None, target: str | None = None) -> Environment:
    """Return the environment of the project that ``folder`` (the working folder by default) is in.

    Raises `UsageError` outside of a project.
    """
    return environment_of(find_project(folder), target)
