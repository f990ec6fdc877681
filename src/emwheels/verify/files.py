"""The files that an index links to: their bytes, hashes, headers, ranges and metadata."""

from __future__ import annotations

import hashlib
import re
import zipfile
from typing import TYPE_CHECKING

from emwheels.fetch.documents import decoding
from emwheels.serve.rules import FOREVER
from emwheels.verify.pages import BROWSER_CODINGS, judge_way
from emwheels.verify.probe import FILE_LIMIT, sha256_of, sha256_of_file
from emwheels.verify.statements import Statements
from emwheels.wheel import UNREADABLE, metadata_member

if TYPE_CHECKING:
    from pathlib import Path

    from emwheels.verify.model import Verification
    from emwheels.verify.pages import ListedFile
    from emwheels.verify.probe import Answer, Probe
    from emwheels.verify.statements import CheckSignature

_PART = (10, 109)
"""First and last byte that are asked for to see whether ranges work."""
_LONG = 86_400 * 30
_PIECE = 1 << 20
_END = (1 << 16) + 42
"""Bytes at the end of an archive in which its list of members is announced."""
_DIRECTORY_LIMIT = 64 << 20


class Files:
    """Fetches and judges the files of one index."""

    def __init__(self, probe: Probe, report: Verification, check: CheckSignature | None = None) -> None:
        self._probe = probe
        self._report = report
        self._statements = Statements(probe, report, check)

    def judge(self, file: ListedFile, *, secure: bool) -> Path | None:
        """Judge ``file``, and return a copy of it if it is the one that its page names."""
        if secure and file.url.startswith("http:"):
            self._report.add("insecure-link", file.filename, f"an index over https links to {file.url}")
        if file.sha256 is None:
            self._report.add("hash-missing", file.filename, f"{file.url} is linked to without a sha256")
        body = self._wheel(file)
        if body is None:
            return None
        self._judge_range(file, body)
        if file.metadata:
            self._judge_metadata(file, body)
        self._statements.judge(file, body, secure=secure)
        return body

    def _wheel(self, file: ListedFile) -> Path | None:
        limit = min(FILE_LIMIT, 2 * file.size + _PIECE) if file.size else FILE_LIMIT
        answer = self._probe.get(file.url, encoding=BROWSER_CODINGS, limit=limit, patient=True)
        judge_way(self._report, answer, file.filename)
        if answer.status != 200:
            self._report.add("wheel-status", file.filename, f"{file.url}: {answer.status}")
            return None
        if answer.media_type.startswith("text/"):
            self._report.add("wheel-type", file.filename, f"{answer.url} comes as {answer.media_type}")
        self._judge_cache(answer, file.filename)
        coding = answer.headers.get("content-encoding", "")
        if coding:
            plain = self._probe.get(file.url, limit=limit, patient=True)
            if still := plain.headers.get("content-encoding"):
                self._report.add(
                    "wheel-encoding", file.filename, f"{file.url}: {still} though only identity is accepted"
                )
            if not self._encodes(answer, plain, coding, file):
                return None
            answer = plain
        return answer.body if self._is_right(answer, file) else None

    def _encodes(self, encoded: Answer, plain: Answer, coding: str, file: ListedFile) -> bool:
        digest = hashlib.sha256()
        try:
            with encoded.body.open("rb") as stream:
                for piece in decoding(iter(lambda: stream.read(_PIECE), b""), coding, limit=FILE_LIMIT):
                    digest.update(piece)
        except ValueError as error:
            self._report.add("wheel-encoding", file.filename, f"{encoded.url}: {error}")
            return False
        if digest.hexdigest() != sha256_of_file(plain.body):
            self._report.add(
                "wheel-encoding", file.filename, f"{encoded.url}: decoded from {coding}, it is another file"
            )
            return False
        return True

    def _is_right(self, answer: Answer, file: ListedFile) -> bool:
        size = answer.body.stat().st_size
        if answer.cut:
            self._report.add("wheel-truncated", file.filename, f"{answer.url}: {answer.cut}")
            return False
        got = sha256_of_file(answer.body)
        if file.sha256 is not None and got != file.sha256:
            with answer.body.open("rb") as stream:
                begins_well = stream.read(4) == b"PK\x03\x04"
            if begins_well and not zipfile.is_zipfile(answer.body):
                message = f"{answer.url}: {size:,} bytes, and the end of the archive is missing"
                self._report.add("wheel-truncated", file.filename, message)
            else:
                self._report.add("hash-wrong", file.filename, f"{answer.url}: sha256 {got}, listed as {file.sha256}")
            return False
        if file.size is not None and file.size != size:
            self._report.add("size-wrong", file.filename, f"{answer.url}: {size:,} bytes, listed as {file.size:,}")
        if not zipfile.is_zipfile(answer.body):
            self._report.add("wheel-truncated", file.filename, f"{answer.url}: not a zip archive")
            return False
        return True

    def _judge_cache(self, answer: Answer, subject: str) -> None:
        control = answer.headers.get("cache-control", "").lower()
        age = max((int(seconds) for seconds in re.findall(r"max-age=(\d{1,12})", control)), default=0)
        if age < _LONG or "no-store" in control or "no-cache" in control:
            header = f"Cache-Control: {control}" if control else "no Cache-Control"
            self._report.add("cache-wheel", subject, f"{answer.url}: {header}, not {FOREVER}")

    def _judge_range(self, file: ListedFile, body: Path) -> None:
        first, last = _PART
        answer = self._probe.get(file.url, headers={"Range": f"bytes={first}-{last}"}, limit=_PIECE)
        with body.open("rb") as stream:
            stream.seek(first)
            expected = stream.read(last - first + 1)
        if answer.status == 200:
            self._report.add("range-missing", file.filename, f"{answer.url}: 200 for Range: bytes={first}-{last}")
            return
        total = body.stat().st_size
        place = f"bytes {first}-{first + len(expected) - 1}/"
        told = answer.headers.get("content-range", "")
        if answer.status != 206:
            self._report.add("range", file.filename, f"{answer.url}: {answer.status} for Range: bytes={first}-{last}")
        elif told not in (f"{place}{total}", f"{place}*"):
            self._report.add(
                "range", file.filename, f"{answer.url}: Content-Range: {told or 'none'}, not {place}{total}"
            )
        elif answer.body.read_bytes() != expected:
            self._report.add("range", file.filename, f"{answer.url}: bytes {first}-{last} are not those of the file")

    def _judge_metadata(self, file: ListedFile, body: Path) -> None:
        url = f"{file.url}.metadata"
        answer = self._probe.get(url, encoding=BROWSER_CODINGS)
        subject = f"{file.filename}.metadata"
        judge_way(self._report, answer, subject)
        if answer.status != 200 or answer.cut:
            self._report.add("metadata-status", subject, f"{url}: {answer.cut or answer.status}")
            return
        try:
            data = answer.data()
            _check_directory(body)
            own = metadata_member(body, "METADATA") or b""
        except (ValueError, *UNREADABLE) as error:
            self._report.add("metadata-status", subject, f"{url}: {error}")
            return
        if isinstance(file.metadata, str) and sha256_of(data) != file.metadata:
            message = f"{url}: sha256 {sha256_of(data)}, listed as {file.metadata}"
            self._report.add("metadata-hash", subject, message)
        elif data != own:
            self._report.add("metadata-differs", subject, f"{url} is not the METADATA in the wheel")


def _check_directory(wheel: Path) -> None:
    """Raise `ValueError` for an archive whose list of members alone would fill the memory."""
    with wheel.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - _END))
        end = stream.read()
    at = end.rfind(b"PK\5\6")
    listed = int.from_bytes(end[at + 12 : at + 16], "little") if at >= 0 else 0
    if listed > _DIRECTORY_LIMIT or b"PK\6\7" in end[max(0, at - 20) : max(0, at)]:
        raise ValueError("its list of members is too long for a wheel")
