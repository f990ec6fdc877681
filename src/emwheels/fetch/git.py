"""A commit of a git repository, with its submodules -> one archive, which has the same bytes for the same commit.

Nothing is checked out. git fetches objects into an empty repository and prints their bytes; names and modes become the
members of an archive, which is unpacked as suspiciously as any other. So no hook, filter, attribute or setting of the
fetched repository has a say. The user's own settings of git (credentials, proxies, ``insteadOf``) count.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import subprocess
import tarfile
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from emwheels.errors import FetchError, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


GIT = "git+"
"""What the address of a commit begins with."""
SCHEMES = ("https", "ssh", "file")
MOST_FILES = 50_000
MOST_BYTES = 2 << 30
_SECONDS = 1800
_BLOCKS = (MOST_BYTES >> 9) * 2
"""Of 512 bytes: what any file of git's may have."""
_DEEPEST = 8
"""Submodules within submodules."""
_MOST_SUBMODULES = 500
_MOST_LISTED = 32 << 20
"""Bytes of a list of files."""
_LISTING_SECONDS = 120
_EPOCH = 315532800
_LINE = 300
_MODES = {"100644": 0o644, "100664": 0o644, "100755": 0o755}
_LINK, _SUBMODULE = "120000", "160000"
_SETTINGS = (
    *("-c", f"core.hooksPath={os.devnull}", "-c", "core.fsmonitor=false", "-c", "safe.directory=*"),
    *("-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "fetch.writeCommitGraph=false"),
    *("-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=60"),
)
_BRANCHES = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_SCP = re.compile(r"([\w.-]+@)([\w.-]+):(?!/)(.+)")
"""``git@HOST:PATH``, which means ssh."""


@dataclass(frozen=True, kw_only=True)
class GitCommit:
    """A commit of a repository."""

    url: str
    """As git takes it."""
    commit: str
    """40 hexadecimal digits."""

    @property
    def name(self) -> str:
        """The last part of the address, without ``.git``."""
        return urlsplit(self.url).path.rstrip("/").rpartition("/")[2].removesuffix(".git") or "source"


def parse_git(url: str) -> GitCommit:
    """Read ``git+https://…@COMMIT``. Raises `FetchError` for a branch or a tag, and for other schemes."""
    address, _, commit = url.removeprefix(GIT).rpartition("@")
    if _scheme(address) not in SCHEMES or not re.fullmatch(r"[0-9a-f]{40}", commit):
        raise FetchError(
            f"{visible(url, lines=False)[:_LINE]} names no commit of a git repository",
            hint="write git+https://HOST/PATH@ and the 40 digits of a commit; git ls-remote URL prints them",
        )
    return GitCommit(url=address, commit=commit)


@dataclass(frozen=True, kw_only=True)
class _TreeEntry:
    """A file, a link or a submodule of a commit."""

    name: str
    mode: str
    digest: str
    size: int


def pack_commit(commit: GitCommit, archive: Path) -> None:
    """Fetch ``commit`` and its submodules, and write their files to ``archive``, a tar file.

    Raises `FetchError` without git, for a repository that cannot be read, a commit that it does not have, a submodule
    without a usable address, and for more than `MOST_FILES` files or `MOST_BYTES` bytes.
    """
    with tempfile.TemporaryDirectory(prefix="emwheels-git-") as folder:
        repository = _EmptyRepository(Path(folder), local=commit.url.startswith("file:"))
        members, size = [], 0
        for member in repository.members(commit):
            members.append(member)
            size += member.size
            if len(members) > MOST_FILES or size > MOST_BYTES:
                raise _too_much(commit)
        top = f"{commit.name}-{commit.commit[:12]}"
        with repository.blobs() as blobs, tarfile.open(archive, "x:", format=tarfile.PAX_FORMAT) as tar:
            for member in sorted(members, key=lambda each: each.name):
                _add(tar, member, blobs, top)


def _add(tar: tarfile.TarFile, member: _TreeEntry, blobs: _Blobs, top: str) -> None:
    info = tarfile.TarInfo(f"{top}/{member.name}")
    info.mtime, info.mode = _EPOCH, _MODES.get(member.mode, 0o644)
    with blobs.reading(member) as content:
        if member.mode == _LINK:
            info.type, info.linkname = tarfile.SYMTYPE, os.fsdecode(content.read(member.size))
            tar.addfile(info)
        else:
            info.size = member.size
            tar.addfile(info, content)


class _EmptyRepository:
    """An empty repository of git's, which fetches into itself."""

    def __init__(self, folder: Path, *, local: bool) -> None:
        found = shutil.which("git")
        if found is None:
            raise FetchError("there is no git on this machine, which the source needs", hint="install git")
        self._program = found
        self._folder = folder
        self._schemes = SCHEMES if local else tuple(scheme for scheme in SCHEMES if scheme != "file")
        self._submodules = 0
        self._git("init", "--quiet", "--bare", "--template=", str(folder))

    def members(self, commit: GitCommit, below: str = "", depth: int = 0) -> Iterator[_TreeEntry]:
        """Fetch a commit and give what is in it, submodules included."""
        if depth > _DEEPEST:
            raise FetchError(f"{commit.url}: submodules lie more than {_DEEPEST} deep")
        self._fetch(commit)
        submodules: Mapping[str, str] | None = None
        for line in filter(None, self._listed(commit).split(b"\0")):
            told, _, path = line.partition(b"\t")
            mode, _, digest, size = told.decode().split()
            name = os.fsdecode(path)
            if mode == _SUBMODULE:
                self._submodules += 1
                if self._submodules > _MOST_SUBMODULES:
                    raise FetchError(f"{commit.url}: there are more than {_MOST_SUBMODULES} submodules")
                submodules = self._addresses(commit) if submodules is None else submodules
                inner = GitCommit(url=self._address(commit, name, submodules), commit=digest)
                yield from self.members(inner, f"{below}{name}/", depth + 1)
            else:
                yield _TreeEntry(name=below + name, mode=mode, digest=digest, size=int(size))

    @contextmanager
    def blobs(self) -> Iterator[_Blobs]:
        """Give what reads files by their hashes."""
        command = [self._program, *_SETTINGS, "-C", str(self._folder), "cat-file", "--batch"]
        with subprocess.Popen(
            command, env=self._environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as running:
            assert running.stdin is not None
            assert running.stdout is not None
            try:
                yield _Blobs(running.stdin, running.stdout)
            finally:
                running.stdin.close()
                running.kill()

    def _fetch(self, commit: GitCommit) -> None:
        """Fetch one commit; from a server that gives none by its hash, everything that branches and tags have."""
        once = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
        if self._has(commit) or self._run(*once, "--depth=1", "--", commit.url, commit.commit).returncode == 0:
            return
        done = self._run(*once, "--", commit.url, *_BRANCHES)
        if done.returncode:
            raise FetchError(f"{commit.url}: git cannot read it: {_words(done.stderr)}", hint=_CHECK)
        if not self._has(commit):
            raise FetchError(f"{commit.url} has no commit {commit.commit}", hint=f"see: git ls-remote {commit.url}")

    def _listed(self, commit: GitCommit) -> bytes:
        """Return what ``git ls-tree`` says of all files. A few trees, each many times in the next, have any number."""
        listing = ("ls-tree", "-r", "-z", "-l", "--full-tree", commit.commit)
        command = [self._program, *_SETTINGS, "-C", str(self._folder), *listing]
        with subprocess.Popen(
            command,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as running:
            assert running.stdout is not None
            patience = threading.Timer(_LISTING_SECONDS, running.kill)
            patience.start()
            try:
                listed = running.stdout.read(_MOST_LISTED + 1)
                if len(listed) > _MOST_LISTED:
                    running.kill()
                running.wait()
            finally:
                patience.cancel()
        if len(listed) > _MOST_LISTED or running.returncode < 0:
            raise _too_much(commit)
        if running.returncode:
            raise FetchError(f"{commit.url}: git cannot list the files of {commit.commit}", hint=_CHECK)
        return listed

    def _has(self, commit: GitCommit) -> bool:
        return self._run("cat-file", "-e", f"{commit.commit}^{{tree}}").returncode == 0

    def _addresses(self, commit: GitCommit) -> dict[str, str]:
        """Return the path of each submodule with its address, as ``.gitmodules`` has them."""
        listed = self._run("config", "-z", "--blob", f"{commit.commit}:.gitmodules", "--list").stdout
        found: dict[str, dict[str, str]] = {}
        for entry in filter(None, listed.split(b"\0")):
            key, _, value = os.fsdecode(entry).partition("\n")
            section, _, variable = key.rpartition(".")
            found.setdefault(section, {})[variable] = value
        return {each["path"]: each["url"] for each in found.values() if {"path", "url"} <= each.keys()}

    def _address(self, commit: GitCommit, name: str, addresses: Mapping[str, str]) -> str:
        shown = _shown(name)
        url = addresses.get(name)
        if url is None:
            raise FetchError(f"{commit.url}: .gitmodules has no address of the submodule {shown}", hint=_OTHER_WAY)
        if url.startswith(("./", "../")):
            parts = urlsplit(commit.url)
            url = urlunsplit(parts._replace(path=posixpath.normpath(posixpath.join(parts.path, url))))
        url = _SCP.sub(r"ssh://\1\2/\3", url)
        if _scheme(url) not in self._schemes:
            raise FetchError(
                f"{commit.url}: the submodule {shown} is at {visible(url, lines=False)[:_LINE]}, and only "
                f"{', '.join(self._schemes)} is fetched",
                hint=_OTHER_WAY,
            )
        return url

    def _git(self, *arguments: str) -> bytes:
        done = self._run(*arguments)
        if done.returncode:
            raise FetchError(f"git {arguments[0]} failed: {_words(done.stderr)}")
        return done.stdout

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        command = [self._program, *_SETTINGS, "-C", str(self._folder), *arguments]
        try:
            return subprocess.run(
                ["/bin/sh", "-c", f'ulimit -f {_BLOCKS}; exec "$@"', "sh", *command],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise FetchError(f"git {arguments[0]} took more than {_SECONDS} s", hint=_CHECK) from error

    def _environment(self) -> dict[str, str]:
        """Return the variables for git: none that says another repository, nothing that asks a person."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        ours = {name: os.environ[name] for name in _OF_THE_USER if name in os.environ}
        return (
            kept
            | {"GIT_SSH_COMMAND": "ssh -oBatchMode=yes"}
            | ours
            | {
                "GIT_ALLOW_PROTOCOL": ":".join(self._schemes),
                "GIT_ASKPASS": "true",
                "GIT_TERMINAL_PROMPT": "0",
                "LC_ALL": "C",
            }
        )


class _Blobs:
    """``git cat-file --batch``: asks for one file after another."""

    def __init__(self, asked: IO[bytes], told: IO[bytes]) -> None:
        self._asked = asked
        self._told = told

    @contextmanager
    def reading(self, member: _TreeEntry) -> Iterator[IO[bytes]]:
        """Give the bytes of ``member`` to read, all of them at the least."""
        self._asked.write(f"{member.digest}\n".encode())
        self._asked.flush()
        header = self._told.readline().split()
        if header != [member.digest.encode(), b"blob", str(member.size).encode()]:
            raise FetchError(f"git does not have {_shown(member.name)}", hint=_CHECK)
        yield self._told
        self._told.read(1)


def _scheme(url: str) -> str:
    """Return what an address begins with, in small letters; nothing for what is none."""
    try:
        return urlsplit(url).scheme
    except ValueError:
        return ""


def _too_much(commit: GitCommit) -> FetchError:
    return FetchError(
        f"{commit.url} has more than {MOST_FILES:,} files or {MOST_BYTES:,} bytes", hint="take an archive instead"
    )


def _shown(name: str) -> str:
    return visible(name.encode(errors="replace").decode(), lines=False)[:_LINE]


def _words(said: bytes) -> str:
    """Return the line in which git says what is wrong."""
    lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith("fatal: ")]
    return visible((fatal or lines)[-1], lines=False)[:_LINE] if lines else "it ended without a word"


_OF_THE_USER = ("GIT_SSH_COMMAND", "GIT_SSH", "GIT_SSL_CAINFO", "GIT_CONFIG_GLOBAL", "GIT_PROXY_SSL_CAINFO")
_CHECK = (
    "try it yourself: git ls-remote URL; git has to sign in without asking, by a credential helper, ~/.netrc or an "
    "agent of ssh"
)
_OTHER_WAY = "take an archive that has its files, or ask the project to mend it"
