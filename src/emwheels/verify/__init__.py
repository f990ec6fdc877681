"""Prove an index from outside: pages, files and headers, then the real clients. Knows nothing of how it was made."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

from packaging.utils import InvalidName, canonicalize_name

from emwheels.errors import UsageError, keep_secrets_of, visible, without_secrets
from emwheels.target.tags import Policy, fits, fitting_tags
from emwheels.verify.clients import (
    Wanted,
    lock_entries,
    try_lock,
    try_micropip,
    try_pip,
    try_uv,
    with_engines,
    with_programs,
)
from emwheels.verify.files import Files
from emwheels.verify.model import Check, Fault, Verification, all_checks, all_clients, engine_clients
from emwheels.verify.needs import judge_needs
from emwheels.verify.pages import Pages, is_list, judge_way
from emwheels.verify.probe import Probe, Unreachable
from emwheels.verify.signatures import with_identity
from emwheels.verify.statements import CheckSignature

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from packaging.version import Version

    from emwheels.target import Target
    from emwheels.verify.clients import RunInside, TryInstalls
    from emwheels.verify.pages import ListedFile

__all__ = [
    "Check",
    "CheckSignature",
    "Fault",
    "Verification",
    "all_checks",
    "all_clients",
    "engine_clients",
    "verify",
    "with_engines",
    "with_identity",
    "with_programs",
]

_AT_ONCE = 6
_CHUNK = 50
_ENOUGH = 200
"""Errors after which no more projects are looked at: more of the same tell nobody anything."""
_LOST = 12
"""Projects that were not reached after which no more are: each may have taken all its time."""
_WASM = "../pyodide/pyodide.asm.wasm"
"""Where a bundle keeps the runtime beside its index."""


def verify(
    urls: Sequence[str],
    *,
    target: Target,
    others: Sequence[Target] = (),
    clients: Sequence[str] | None = None,
    engines: TryInstalls | None = None,
    programs: RunInside | None = None,
    only: Sequence[str] = (),
    every_file: bool = False,
    signed: CheckSignature | None = None,
    seconds: float = 30,
    say: Callable[[str], None] = lambda _text: None,
) -> list[Verification]:
    """Verify the index at each of ``urls``, for users of ``target``, and return a report for each.

    ``others`` are further targets that the index may serve; ``engines`` runs micropip, ``programs`` pip and uv: they
    are needed if ``clients`` ask for these. ``clients`` and the projects to look at, ``only``, are all by default. Of
    each project the file is fetched that a client would take, or with ``every_file`` all of them. ``signed`` checks
    whose signature provenance has; without it none is checked. ``seconds`` is the limit for a server to answer. The
    real clients start each engine once for all of ``urls``. Raises `UsageError` for what is no URL, and for a site
    with an index below.
    """
    clients = all_clients() if clients is None else clients
    reports: dict[str, tuple[Verification, list[Wanted]]] = {}
    probes: dict[str, Probe] = {}
    with ExitStack() as stack:
        for url in dict.fromkeys(urls):
            keep_secrets_of(url)
            root = root_of(url)
            probe = probes[root] = stack.enter_context(Probe(root, seconds=seconds))
            _refuse_site(probe, root)
            report = Verification(url=root, target=target.name)
            began = time.monotonic()
            say(f"{root}: pages and files")
            files = Files(probe, report, signed)
            looking = _Index(probe, report, root, files, target=target, others=others, every_file=every_file)
            reports[root] = (report, looking.judge(only))
            report.seconds = time.monotonic() - began
        asked = [client for client in engine_clients() if client in clients]
        if engines is not None and asked:
            say("micropip in " + " and ".join(client.partition("-")[2] for client in asked))
            try_micropip(reports, engines, clients)
        for root, (report, wants) in reports.items():
            began = time.monotonic()
            if "pip" in clients and programs is not None:
                say(f"{root}: pip")
                try_pip(report, root, wants, target, programs)
            if "uv" in clients and programs is not None:
                say(f"{root}: uv")
                try_uv(report, root, wants, target, programs)
            if engines is not None:
                _judge_lock(probes[root], report, wants, engines, clients)
            report.findings.sort(key=lambda finding: (finding.severity, finding.check, finding.subject))
            report.seconds += time.monotonic() - began
    return [report for report, _ in reports.values()]


def root_of(url: str) -> str:
    """Return the address of an index without a final slash or micropip's placeholder. Raises `UsageError`."""
    root = url.replace("{package_name}", "").rstrip("/")
    try:
        parts = urlsplit(root)
    except ValueError:  # half a bracket of IPv6
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{url!r} is not the URL of an index", hint="for example https://wheels.example.org/simple")
    folder, _, file = parts.path.rpartition("/")
    if file.endswith((".json", ".html", ".whl")):
        above = folder.removesuffix("/wheels").removesuffix("/simple")
        raise UsageError(
            f"{without_secrets(url)} is a file of an index, not its list of projects",
            hint=f"try {without_secrets(parts._replace(path=f'{above}/simple').geturl())}",
        )
    return root


def _refuse_site(probe: Probe, root: str) -> None:
    """Raise `UsageError` for the address of a site with an index below it."""
    below = f"{root}/simple"
    if not root.endswith("/simple") and is_list(probe, below) and not is_list(probe, root):
        raise UsageError(f"{root} is no index: the list of projects is below it", hint=f"try {below}")


class _Index:
    """Looks at one index by plain requests."""

    def __init__(
        self,
        probe: Probe,
        report: Verification,
        root: str,
        files: Files,
        *,
        target: Target,
        others: Sequence[Target],
        every_file: bool,
    ) -> None:
        self._probe = probe
        self._report = report
        self._root = root
        self._pages = Pages(probe, report, root)
        self._files = files
        self._tags = {tag: place for place, tag in enumerate(fitting_tags(target, Policy.PIP))}
        self._target = target
        self._others = others
        self._every_file = every_file
        self._lost = 0
        self._versions: dict[str, set[Version]] = {}
        """Project -> the versions that a client can take."""

    def judge(self, only: Sequence[str]) -> list[Wanted]:
        """Judge everything and return what clients have to get."""
        try:
            every = self._pages.project_names()
            known = {canonicalize_name(name) for name in every}
            if known and (missing := [name for name in only if canonicalize_name(name) not in known]):
                raise UsageError(
                    f"the index {self._root} has no project {', '.join(missing)}",
                    hint=f"it has {', '.join(visible(name, lines=False)[:60] for name in sorted(every)[:20])}",
                )
            names = list(only) or every
            self._pages.judge_absence()
            self._judge_wasm()
        except Unreachable as error:
            self._report.add("unreachable", self._root, str(error))
            return []
        verdicts: list[Wanted | None] = []
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for start in range(0, len(names), _CHUNK):
                verdicts += pool.map(self._project, names[start : start + _CHUNK])
                if (len(self._report.errors) > _ENOUGH or self._lost > _LOST) and start + _CHUNK < len(names):
                    left = len(names) - start - _CHUNK
                    message = f"{left:,} more projects were not looked at, after {len(self._report.errors):,} errors"
                    self._report.add("gave-up", self._root, message)
                    break
        wants = [verdict for verdict in verdicts if verdict is not None]
        judge_needs(self._report, wants, known, self._versions, self._target.python_minor)
        return wants

    def _project(self, name: str) -> Wanted | None:
        if self._lost > _LOST:
            return None
        try:
            project = canonicalize_name(name, validate=True)
        except InvalidName:
            message = f"{visible(name, lines=False)[:100]!r} is no name of a project: no client is asked for it"
            self._report.add("project-name", self._root, message)
            return None
        try:
            page = self._pages.project(name, project)
            if page is None:
                return None
            fitting = [file for file in page.files if fits(file.tags, self._target, Policy.PIP) and not file.yanked]
            self._versions[project] = {file.version for file in fitting}
            chosen = self._choose(name, page.files)
            copies = {
                file.filename: self._files.judge(file, secure=self._root.startswith("https:"))
                for file in (page.files if self._every_file else (chosen,))
                if file is not None
            }
        except Unreachable as error:
            self._lost += 1
            self._report.add("unreachable", name, str(error))
            return None
        if chosen is None or chosen.yanked:
            return None
        return Wanted(
            project=project,
            version=str(chosen.version),
            filename=chosen.filename,
            sha256=chosen.sha256,
            copy=copies[chosen.filename],
        )

    def _choose(self, name: str, files: Sequence[ListedFile]) -> ListedFile | None:
        """Return the file that a client takes; record why there is none, or none that should be taken."""
        fitting = [file for file in files if fits(file.tags, self._target, Policy.PIP)]
        if not fitting:
            platforms = sorted({tag.platform for file in files for tag in file.tags})
            message = f"nothing for {self._target.platform_tag}; there is: {', '.join(platforms) or 'no wheel at all'}"
            elsewhere = any(fits(file.tags, other, Policy.PIP) for file in files for other in self._others)
            self._report.add("abi-other-target" if elsewhere else "abi", name, message)
            return None
        good = [file for file in fitting if not file.yanked]
        if not good:
            self._report.add("only-yanked", name, f"every file that fits is yanked: {fitting[-1].filename}")
        final = [file for file in good if not file.version.is_prerelease]
        return max(
            final or good or fitting,
            key=lambda file: (file.version, -min(self._tags[tag] for tag in file.tags & self._tags.keys())),
        )

    def _judge_wasm(self) -> None:
        """Look at the runtime, where the index is part of a bundle."""
        url = urljoin(f"{self._root}/", _WASM)
        answer = self._probe.get(url, limit=1 << 16)
        with answer.body.open("rb") as stream:
            is_wasm = stream.read(4) == b"\0asm"
        if answer.status == 200 and (is_wasm or "content-encoding" in answer.headers):
            judge_way(self._report, answer, url)
            if answer.media_type != "application/wasm":
                self._report.add("wasm-type", url, f"{url} comes as {answer.media_type or 'nothing'}")


def _judge_lock(
    probe: Probe, report: Verification, wants: Sequence[Wanted], engines: TryInstalls, clients: Sequence[str]
) -> None:
    """Judge ``pyodide-lock.json`` beside ``simple/``, if there is one, and load the projects from it."""
    url = urljoin(f"{report.url}/", "../pyodide-lock.json")
    try:
        answer = probe.get(url, encoding="gzip, br")
    except Unreachable:
        return  # said already
    if answer.status != 200:
        return
    try:
        data = answer.data()
        if not data.lstrip().startswith(b"{"):
            return
        judge_way(report, answer, url)
        entries = lock_entries(data)
    except ValueError as error:
        report.add("lock", url, str(error))
        return
    listed = []
    for want in wants:
        entry = entries.get(want.project)
        address = urljoin(answer.url, entry["file_name"]) if entry else ""
        if not address.startswith(urljoin(answer.url, ".")):
            what = f"it has {address}" if entry else "it does not have it"
            report.add("lock-foreign", want.project, f"{url}: {what}, the page has {want.filename}")
            continue
        if entry is None or unquote(address.rpartition("/")[2]) != want.filename:
            report.add("lock-older", want.project, f"{url}: it has {address}, the page has {want.filename}")
            continue
        if want.sha256 is not None and entry["sha256"] != want.sha256:
            report.add("lock-hash", want.project, f"{url}: {entry['sha256']}, the page has {want.sha256}")
        listed.append(want)
    try_lock(report, answer.url, listed, engines, clients)
