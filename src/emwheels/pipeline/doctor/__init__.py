"""What works on this machine and what to do where something does not: the content of a report of a defect."""

from __future__ import annotations

import os
import queue
import shutil
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.errors import EmwheelsError
from emwheels.fetch.download import Downloader
from emwheels.fetch.registries import Registries
from emwheels.image import host_tools, oci, registries
from emwheels.image.control_group import read_control_group
from emwheels.image.rootfs import RootFs, chosen_method, usable_method
from emwheels.pipeline.doctor import images, machine, network, sandbox
from emwheels.pipeline.doctor.model import Observation, fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from emwheels.pipeline.environment import Environment

    Check = tuple[str, float, Callable[[], Iterable[Observation]]]
    """What it looks at, the most seconds that it may take, and what yields what it found."""

_NETWORK_SECONDS = 10
_LOCAL_SECONDS = 25
_CONNECT_SECONDS = 8


def examine(environment: Environment) -> list[Observation]:
    """Look at everything that builds depend on, all of it at the same time, and return what was found in order.

    Nothing is made, installed or changed. Takes at most as long as the slowest check may. With an environment that is
    offline no registry is asked.
    """
    checks = list(_local(environment))
    if environment.offline:
        unknown = fault("network", "not looked at: --offline", "to check the registries, leave --offline away")
        return [*run_checks(checks), unknown]
    return run_checks([*checks, *_remote(environment)])


def run_checks(checks: Sequence[Check]) -> list[Observation]:
    """Run the checks in threads. One that fails, or is not done in its time, is a warning, and the others go on."""
    started = time.monotonic()
    answers = [_started(name, check) for name, _, check in checks]
    found = []
    for (name, seconds, _), answer in zip(checks, answers, strict=True):
        try:
            left = started + seconds - time.monotonic()
            found += answer.get(timeout=max(left, 0.01))
        except queue.Empty:
            found.append(fault(name, f"no answer in {seconds:g} s", "try again; if it stays so, look what holds it up"))
    return found


def _started(name: str, check: Callable[[], Iterable[Observation]]) -> queue.SimpleQueue[list[Observation]]:
    """Start a check in a daemon: one that hangs does not keep the command from ending."""
    answer: queue.SimpleQueue[list[Observation]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answer.put(list(check()))
        except Exception as error:  # noqa: BLE001  whatever is wrong with one check, the report is to be had
            known = isinstance(error, EmwheelsError | OSError)  # others may quote an address with a password
            detail = f"{type(error).__name__}: {error}" if known else type(error).__name__
            answer.put([fault(name, f"the check failed: {detail}", "report this line as a defect")])

    threading.Thread(target=run, daemon=True).start()
    return answer


def _local(environment: Environment) -> Iterator[Check]:
    project, targets = environment.project, environment.targets
    missing = images.missing_parts(project.cache, targets)
    yield "emwheels", _LOCAL_SECONDS, lambda: machine.versions(project.root)
    yield "sandbox", _LOCAL_SECONDS, lambda: _sandbox(environment)
    yield "memory", _LOCAL_SECONDS, lambda: _resources(environment)
    yield "cache", _LOCAL_SECONDS, lambda: _rooms(environment, missing)
    yield "tools", _LOCAL_SECONDS, lambda: [_tools(missing)]
    yield "images", _LOCAL_SECONDS, lambda: [images.image(project.cache, targets.image)]
    yield "images", _LOCAL_SECONDS, lambda: [images.image(project.cache, targets.test_image)]
    yield "images", _LOCAL_SECONDS, lambda: images.rust_layer(project.cache, targets)


def _sandbox(environment: Environment) -> Iterator[Observation]:
    yield sandbox.user_namespaces()
    yield sandbox.call_filter()
    chosen = os.environ.get("EMWHEELS_ENTER", "")
    if reference := oci.configured_reference(environment.targets.image):
        root = images.pulled_root(environment.project.cache, reference)
        yield sandbox.for_published(root, chosen=chosen)
        return
    root = images.any_root(environment.project.cache, environment.targets)
    yield sandbox.ways_in(root, chosen=chosen)


def _resources(environment: Environment) -> Iterator[Observation]:
    limits = environment.targets.limits
    yield machine.this_memory(limits)
    yield machine.limits_held(limits, read_control_group())
    yield machine.clock(time.time(), Path(__file__).stat().st_mtime)
    yield machine.loopback()


def _rooms(environment: Environment, missing: Sequence[str]) -> Iterator[Observation]:
    yield machine.room("cache", environment.project.cache, "images" if missing else "builds")
    yield machine.room("project", environment.project.root, "files")
    yield machine.room("temporary files", Path(tempfile.gettempdir()), "files")


def _tools(missing: Sequence[str]) -> Observation:
    lacking = host_tools.missing_host_packages() + ([] if shutil.which("tar") else ["tar"])
    return machine.tools(lacking, needed="build" in missing, installs=host_tools.can_install())


def _remote(environment: Environment) -> Iterator[Check]:
    targets, target = environment.targets, environment.target
    cache = environment.project.cache
    image_missing = "build" in images.missing_parts(cache, targets)
    downloader = Downloader(attempts=1, connect_seconds=_CONNECT_SECONDS)
    asked = Registries(downloader, npm_registry=lambda: registries.npm_registry(_image(environment)))
    no_runtime = not (cache / "npm" / target.runtime_sha256[:24]).is_dir()
    yield (
        "PyPI",
        _NETWORK_SECONDS,
        lambda: [network.package_index(asked, targets.image.pyodide_build, needed=image_missing)],
    )
    yield "npm", _NETWORK_SECONDS, lambda: [network.npm(asked, target, needed=no_runtime)]
    yield (
        "Debian",
        _NETWORK_SECONDS,
        lambda: network.debian_suite(
            host_tools.debian_mirror() or _mirror_of_image(environment),
            targets.image,
            lambda url: network.read_address(url, downloader),
            needed=image_missing,
            now=datetime.now(UTC),
        ),
    )


def _image(environment: Environment) -> RootFs:
    """Return a way into an image that is here; to ask the environment for one would make it."""
    root = images.any_root(environment.project.cache, environment.targets)
    if root is None:
        raise EmwheelsError("there is no image that says which registry to ask", hint="set npm_config_registry")
    return RootFs(root=root, digest="", method=chosen_method() or usable_method(root))


def _mirror_of_image(environment: Environment) -> str:
    try:
        return registries.debian_mirror(_image(environment))
    except EmwheelsError:
        return ""
