"""The index as its users meet it: micropip in real engines, pip, uv."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from packaging.utils import canonicalize_name

from emwheels.errors import redacted
from emwheels.fetch.documents import parse_json
from emwheels.fetch.pip_configuration import pip_package
from emwheels.harness import Install, Installed, try_installs
from emwheels.harness.install import INSTALLER, is_record_of, proxy_environment
from emwheels.image.door import Door
from emwheels.image.model import Mount
from emwheels.image.places import CERTIFICATES, OUT, PIP, PROGRAMS, PYTHON, UV
from emwheels.target.limits import default_limits
from emwheels.verify.model import engine_clients, loading_clients
from emwheels.wheel import UNREADABLE, modules_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from emwheels.image.model import Image
    from emwheels.target import Target
    from emwheels.verify.model import Verification


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What every client has to get for a project."""

    project: str
    version: str
    filename: str
    sha256: str | None
    copy: Path | None
    """The file, if it could be fetched and is the right one."""


class TryInstalls(Protocol):
    """`emwheels.harness.try_installs` with its engines and files filled in."""

    def __call__(self, *, installs: Sequence[Install], engines: Sequence[str], lock_url: str = "") -> list[Installed]:
        """Try ``installs`` in ``engines``."""
        ...


def with_engines(*, image: Image, runtime: Path, playwright_core: Path, harness_wheels: Sequence[Path]) -> TryInstalls:
    """Return `try_installs` for these files; an installation, with all that is needed, may take two minutes."""

    def run(*, installs: Sequence[Install], engines: Sequence[str], lock_url: str = "") -> list[Installed]:
        return try_installs(
            image=image,
            runtime=runtime,
            playwright_core=playwright_core,
            harness_wheels=harness_wheels,
            installs=installs,
            engines=engines,
            lock_url=lock_url,
            seconds=120,
        )

    return run


def try_micropip(
    reports: Mapping[str, tuple[Verification, Sequence[Wanted]]], engines: TryInstalls, clients: Sequence[str]
) -> None:
    """Install every project of every index with what it needs, and import its modules, in one start of each engine.

    Nothing but the index is there to install from: no package of Pyodide's own.
    """
    requirements = {
        f"{number} {want.project}": (url, report, want)
        for number, (url, (report, wants)) in enumerate(reports.items())
        for want in wants
    }
    client_of = {name: client for client, name in engine_clients().items() if client in clients}
    if not requirements or not client_of:
        return
    installs = [
        Install(id=name, requirement=want.project, index_urls=(url,), deps=True, code=_code(want, remove=True))
        for name, (url, _, want) in requirements.items()
    ]
    for done in engines(installs=installs, engines=list(client_of)):
        _, report, want = requirements[done.id]
        problem = done.error or _wrong_distribution(done, want)
        _settle(report, client_of[done.engine], want, problem)


def try_lock(
    report: Verification, lock_url: str, wants: Sequence[Wanted], engines: TryInstalls, clients: Sequence[str]
) -> None:
    """Load every project of ``wants`` with ``loadPackage`` from the lock at ``lock_url``, and import its modules."""
    asked = [name for client, name in engine_clients().items() if client in clients]
    if not asked or not wants:
        return
    installs = [
        Install(id=want.project, requirement=want.project, lock=True, code=_code(want, remove=False)) for want in wants
    ]
    of = {want.project: want for want in wants}
    client_of = {name: client for client, name in loading_clients().items()}
    for done in engines(installs=installs, engines=asked, lock_url=lock_url):
        _settle(report, client_of[done.engine], of[done.id], done.error or _wrong_distribution(done, of[done.id]))


_CODE = """
import hashlib, importlib, sys
from importlib import metadata
result = {{}}
for found in metadata.distributions():
    record = (found.read_text("RECORD") or "").encode()
    result[str(found.metadata["Name"])] = [found.version, hashlib.sha256(record).hexdigest()]
try:
    for name in {modules!r}:
        importlib.import_module(name)
finally:
    came = [name for name in result if name not in {kept!r}] if {remove!r} else []
    tops = {{name.partition(".")[0] for name in {modules!r}}} if came else set()
    of_tops = [name for name in sys.modules if name.partition(".")[0] in tops]
    files = [str(getattr(sys.modules[name], "__file__", "")) for name in of_tops]
    if not any(file.endswith(".so") for file in files):  # no extension module is loaded twice
        for name in of_tops:
            del sys.modules[name]
    if came:
        importlib.import_module("micropip").uninstall(came)
"""
"""What is run once a project is installed: what is there is noted, its modules are imported, and all is taken away."""
_NOT_FOR_USERS = frozenset(
    {"benchmark", "benchmarks", "conftest", "doc", "docs", "examples", "setup", "test", "testing", "tests"}
)
"""Modules at the top of many wheels, which nobody imports."""
_MOST_MODULES = 20


def _code(want: Wanted, *, remove: bool) -> str:
    """Return what is run once a project is installed; ``remove`` takes everything away again, for the next."""
    modules: list[str] = []
    if want.copy is not None:
        with suppress(*UNREADABLE):
            modules = modules_of(want.copy)
    tops = [name for name in modules if not any(name.startswith(f"{other}.") for other in modules)]
    tops = [name for name in tops if name.partition(".")[0] not in _NOT_FOR_USERS]
    return _CODE.format(modules=tops[:_MOST_MODULES], kept=INSTALLER, remove=remove)


def _wrong_distribution(done: Installed, want: Wanted) -> str:
    """Say what is wrong with what was installed; nothing if it is the file that the page names."""
    found = done.result if isinstance(done.result, dict) else done.distributions
    normal = {re.sub(r"[-_.]+", "-", name).lower(): installed for name, installed in found.items()}
    if want.project not in normal:
        return f"nothing was installed (there is: {', '.join(normal) or 'nothing new'})"
    version, record = normal[want.project]
    if version != want.version:
        return f"{version} was installed, not {want.version}"
    if want.copy is not None and not is_record_of(record, want.copy):
        return f"what was installed is not {want.filename}: its RECORD differs"
    return ""


def _settle(report: Verification, client: str, want: Wanted, problem: str) -> None:
    report.projects.setdefault(want.project, {})[client] = "failed" if problem else want.version
    if problem:
        report.add(client, want.project, _last_line(problem))


class RunInside(Protocol):
    """A way to run a program in the sandbox, with this machine's network."""

    def __call__(self, argv: Sequence[str], *, mounts: Sequence[Mount], env: Mapping[str, str]) -> str:
        """Run ``argv`` and return what is wrong; nothing if it ended with status 0."""
        ...


def with_programs(image: Image) -> RunInside:
    """Return a way to run programs in ``image``: what a foreign index has them do, they do there."""

    def run(argv: Sequence[str], *, mounts: Sequence[Mount], env: Mapping[str, str]) -> str:
        certificates = _certificates()
        with tempfile.TemporaryFile() as output:
            done = image.run(
                argv,
                mounts=[*mounts, *certificates],
                env={"HOME": "/tmp", "PATH": PROGRAMS, "LANG": "C.UTF-8"}  # noqa: S108  (a fresh /tmp)
                | proxy_environment()
                | (dict.fromkeys(("SSL_CERT_FILE", "PIP_CERT"), CERTIFICATES) if certificates else {})
                | dict(env),
                network=True,
                output=output,
                limits=replace(default_limits(), time=_SECONDS, disk=_LARGEST, log=16 << 20),
            )
            if done.reached == "time":
                return f"no end after {_SECONDS} s"
            output.seek(max(0, output.seek(0, os.SEEK_END) - 20_000))
            text = output.read().decode(errors="replace").strip()
        return (text or f"exit status {done.status}") if done.status else ""

    return run


_SECONDS = 300
_LARGEST = 8 << 30


def _certificates() -> list[Mount]:
    """Return the mount of the certificates that this machine trusts, where its user has named a file of them."""
    names = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
    paths = (Path(os.environ[name]) for name in names if os.environ.get(name))
    return [Mount(host=path, inside=CERTIFICATES) for path in paths if path.is_file()][:1]


def try_pip(report: Verification, index_url: str, wants: Sequence[Wanted], target: Target, inside: RunInside) -> None:
    """``pip download`` every project for ``target``, with this machine's pip but not its configuration."""
    package = pip_package()
    if package is None:
        return
    start = f"import runpy, sys; sys.path.insert(0, {PIP!r}); runpy.run_module('pip', run_name='__main__')"

    def download(names: Sequence[str]) -> str:
        with tempfile.TemporaryDirectory(prefix="emwheels-pip-") as folder:
            command = [PYTHON, "-I", "-c", start, "--isolated", "--no-input", "--disable-pip-version-check", "download"]
            command += ["--no-cache-dir", "--quiet", "--no-deps", "--only-binary", ":all:", "--index-url", index_url]
            command += ["--dest", OUT, "--platform", target.platform_tag, "--python-version", target.python_minor]
            command += ["--implementation", "cp", "--abi", target.python_tag, "--abi", "abi3", "--abi", "none"]
            command += ["--retries", "0", "--timeout", "20", "--", *names]
            mounts = [Mount(host=Path(folder), inside=OUT, writable=True), Mount(host=package, inside=f"{PIP}/pip")]
            if problem := inside(command, mounts=mounts, env={}):
                return problem
            with Door(Path(folder)) as door:
                got = {left.path: _digest(door, left.path) for left in door.files() if left.link is None}
            for want in wants:
                if want.project in names and want.filename not in got:
                    return f"{want.project}: pip took {', '.join(got)}, not {want.filename}"
                if want.project in names and want.sha256 not in (None, got[want.filename]):
                    return f"{want.filename} has sha256 {got[want.filename]}"
        return ""

    _each(report, "pip", wants, download)


def _digest(door: Door, path: str) -> str:
    with door.opened(path) as stream:
        digest = hashlib.sha256()
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def try_uv(report: Verification, index_url: str, wants: Sequence[Wanted], target: Target, inside: RunInside) -> None:
    """Resolve every project with uv, which reads pages, hashes and metadata.

    uv 0.13 knows no platform of PEP 783 later than 2025_0, so that it can resolve for it but not install.
    """
    from uv import find_uv_bin  # noqa: PLC0415  (it looks for the program when it is imported)

    def compile_(names: Sequence[str]) -> str:
        with tempfile.TemporaryDirectory(prefix="emwheels-uv-") as folder:
            (Path(folder) / "requirements.in").write_text("".join(f"{name}\n" for name in names))
            command = [UV, "pip", "compile", "--quiet", "--no-config", "--no-cache", "--universal", "--no-deps"]
            command += ["--no-build", "--generate-hashes", "--python-version", target.python_minor]
            command += ["--default-index", index_url, "--output-file", f"{OUT}/requirements.txt"]
            mounts = [
                Mount(host=Path(folder), inside=OUT, writable=True),
                Mount(host=Path(find_uv_bin()), inside=UV),
            ]
            env = {"UV_HTTP_RETRIES": "0", "UV_HTTP_TIMEOUT": "20"}
            if problem := inside([*command, f"{OUT}/requirements.in"], mounts=mounts, env=env):
                return problem
            with Door(Path(folder)) as door:
                text = door.read("requirements.txt", limit=_LONGEST_LOCK).decode(errors="replace")
            for want in wants:
                if want.project not in names:
                    continue
                pinned = re.search(rf"(?m)^{re.escape(want.project)}==(\S+)((?: \\\n\s+--hash=\S+)*)", text)
                if pinned is None or pinned[1] != want.version:
                    return f"{want.project}: uv took {pinned[1] if pinned else 'nothing'}, not {want.version}"
                if want.sha256 and want.sha256 not in pinned[2]:
                    return f"{want.project}: uv has none of the page's hashes"
        return ""

    _each(report, "uv", wants, compile_)


_LONGEST_LOCK = 64 << 20


def _each(report: Verification, client: str, wants: Sequence[Wanted], attempt: Callable[[Sequence[str]], str]) -> None:
    """Try all projects at once, and one by one only if that fails."""
    if not wants:
        return
    together = attempt([want.project for want in wants])
    for want in wants:
        problem = attempt([want.project]) if together and len(wants) > 1 else together
        _settle(report, client, want, problem)


def _last_line(text: str) -> str:
    """Return what a reader wants of an error: its last lines on one, without pip's and uv's own advice."""
    stripped = map(str.strip, redacted(text).splitlines())
    lines = [line for line in stripped if line and not line.startswith("hint:")]
    errors = [line for line in lines if line.lower().startswith(("error", "cause"))] or lines[-2:]
    return " ".join(errors)[:600]


def lock_entries(data: bytes) -> Mapping[str, Mapping[str, str]]:
    """Return the packages of a ``pyodide-lock.json`` by name. Raises `ValueError` if it is none."""
    try:
        packages = parse_json(data)["packages"]
        entries: dict[str, dict[str, str]] = {
            canonicalize_name(name): {key: entry[key] for key in ("file_name", "sha256")}
            for name, entry in packages.items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    for name, entry in entries.items():
        if not all(isinstance(value, str) for value in entry.values()):
            raise ValueError(f"the entry of {name!r} has no file_name and sha256: {entry}")
    return entries
