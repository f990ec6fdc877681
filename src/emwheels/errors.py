"""Every failure that a user can cause or mend, each with an exit status and what to do about it."""

from __future__ import annotations

import errno
import re
import unicodedata
from base64 import b64encode
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator


class EmwheelsError(Exception):
    """A failure to be shown as a message, never as a traceback.

    ``hint`` says what to do, in a sentence; ``exit_code`` is the status of the process. Neither has a secret in it,
    whatever they are made of: see `redacted`.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message = redacted(message)
        self.hint = redacted(hint)
        super().__init__(self.message)


class UsageError(EmwheelsError):
    """The command line or the configuration asks for something that does not exist."""

    exit_code = 2


class RecipeError(EmwheelsError):
    """A recipe, its patches or its lock file is wrong."""

    exit_code = 3


class FetchError(EmwheelsError):
    """A source or a build requirement could not be had, or is not the one that was asked for."""

    exit_code = 4


class ImageError(EmwheelsError):
    """An image could not be made, found or entered."""

    exit_code = 5


class BuildError(EmwheelsError):
    """A package did not compile."""

    exit_code = 6


class AuditError(EmwheelsError):
    """A wheel was built that must not be published."""

    exit_code = 7


class HarnessError(EmwheelsError):
    """A wheel's tests failed, or could not be run."""

    exit_code = 8


class StoreError(EmwheelsError):
    """An entry of the store is missing or damaged, so that it has to be made or fetched again."""

    exit_code = 9


class IndexingError(EmwheelsError):
    """Something must not, or cannot, be in an index, or an index could not be written."""

    exit_code = 10


class StoppedError(EmwheelsError):
    """You stopped the run. What was finished is kept, and the same command goes on from there."""

    exit_code = 130

    def __init__(self) -> None:
        super().__init__("stopped")


def of_os_error(error: OSError) -> EmwheelsError:
    """Return a failure of the operating system, such as a full disk, as a message."""
    hint = "free some space, then run the same command again" if error.errno == errno.ENOSPC else ""
    return EmwheelsError(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "), hint=hint)


_USER = re.compile(
    r"""(?:(?<=://)|(?<=:\\/\\/)|(?<=\bhttp:/(?!/))|(?<=\bhttps:/(?!/)))(?:  # with one slash it went through a path
        [^\s/?\#"<>]*  # as RFC 3986 has it, also with @ in the password
        | [^\s/?\#"<>@:\[]* : (?!\d*(?:[/?\#\s"'<>)\],;]|\.(?:\s|$)|$))
            [^\s"<>]{0,256}  # after a colon and no port: a password with a slash
    )@""",
    re.VERBOSE,
)
_SIGNS_IN = (
    r"[\w.~-]*(?:token|secret|passw(?:or)?d|passphrase|signature|credentials?|(?:api|access|private|account)[_.-]?key)"
    r"|(?:aws|google)access(?:key)?id|x-(?:amz|goog|ms)-[\w-]+|key(?:-pair-id)?|sig|auth|authorization|pass|pwd|jwt|sas"
)
"""Parameters of an address that let whoever knows them in: tokens, and what clouds sign an address with."""
_QUERY = re.compile(r"""[?#][^\s"'<>]+""")
_VALUE = r"""(?:[^&;\#\s"'<>\\]|\\[^\s"'])*"""
"""Ends before an escaped quote: what is redacted may be JSON, and has to stay so."""
_PARAMETERS = re.compile(rf"([?&\#;])(?:{_SIGNS_IN})={_VALUE}(?:[&;](?:{_SIGNS_IN})={_VALUE})*(&?)", re.IGNORECASE)
_QUOTED = r"""\\?["']?\s*[:=,]\s*b?\\?["']?"""
"""Between a name and its value, in a header, in JSON, in Python, and where a header is a pair."""
_HEADER = re.compile(
    rf"""(authorization{_QUOTED}(?:basic|bearer|digest|token|negotiate|ntlm|apikey|aws4-hmac-sha256)\s+
        | authorization{_QUOTED}(?=[^\s"',\\]{{0,60}}\d)(?=[^\s"',\\]{{8}})  # without a scheme: no word of a sentence
        | \b(?:private-token|job-token|x-api-key|(?:set-)?cookie)\\?["']?\s*:\s*\\?["']?
        | \b(?:_auth|_authtoken|_password)\s*=\s*\\?["']?
        | \bsignature=(?=[^\s"',\\]{{6}})
        | (?-i:\b[A-Z][A-Z0-9_]*(?:PASSWORD|PASSWD|TOKEN|SECRET|(?:SECRET|ACCESS|API|PRIVATE)_KEY))=["']?)
    (?:[^\s"',\\]|\\[^\s"'])+""",
    re.IGNORECASE | re.VERBOSE,
)


_SIGNS = ("=", ":/", ":\\/", "authorization", "-token", "api-key", "cookie")
"""One of these is in every text, in small letters, that has something to take out."""


def without_secrets(url: str) -> str:
    """Return an address as it may be kept and shown: without user, password, tokens and signatures.

    Two that differ in nothing else come out the same. Anything may be given, also what is no address.
    """
    return _QUERY.sub(lambda query: _PARAMETERS.sub(_without, query[0]), _USER.sub("", url))


def _without(found: re.Match[str]) -> str:
    return found[1] if found[2] else ""


_LEAST = 8
_kept: list[str] = []


def keep_secret(*secrets: str) -> None:
    """Have `redacted` take these out, wherever they stand: a server may say back what it was sent.

    Left alone is what innocent text may have, too: what is shorter than 8 characters, and a word of small letters.
    """
    for secret in secrets:
        if len(secret) >= _LEAST and not (secret.isalpha() and secret.islower()) and secret not in _kept:
            _kept.append(secret)


def keep_secrets_of(*addresses: str) -> None:
    """Have `redacted` take out what `without_secrets` takes out of these, wherever else it stands."""
    for address in addresses:
        keep_secret(*_secrets_of(address))


def _secrets_of(url: str) -> Iterator[str]:
    for found in _USER.finditer(url):
        user, _, password = found[0][:-1].partition(":")
        yield b64encode(f"{unquote(user)}:{unquote(password)}".encode(errors="surrogatepass")).decode()
        yield from (password, unquote(password)) if password else (user, unquote(user))
    for query in _QUERY.findall(url):
        for found in _PARAMETERS.finditer(query):
            values = [part.partition("=")[2] for part in re.split("[?&#;]", found[0])]
            yield from (*values, *map(unquote, values))


def redacted(text: str) -> str:
    """Return ``text`` without secrets: those of every address in it, those that `keep_secret` was told, and headers.

    Addresses come out `without_secrets`; of headers and npm's files what they sign in by is left away. To be called
    before a text is cut: half an address is not known for one.
    """
    if any(secret in text for secret in _kept):
        for secret in sorted(_kept, key=len, reverse=True):
            text = text.replace(secret, "***")
    lowered = text.lower()
    if not any(sign in lowered for sign in _SIGNS):
        return text
    return _HEADER.sub(r"\1***", without_secrets(text))


def visible(text: str, *, lines: bool = True) -> str:
    """Return ``text`` of anybody's as it may go to a terminal: `redacted`, and what would act there is spelled out.

    That is every control and format character of Unicode, among them escapes, bidirectional marks and characters
    without width, and half a surrogate pair. Tabs stay, and with ``lines`` the ends of lines.
    """
    text = redacted(text)
    if text.isascii() and text.isprintable():
        return text
    kept = "\t\n" if lines else "\t"
    return "".join(char if char in kept else _spelled(char) for char in text)


_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@lru_cache(maxsize=4096)
def _spelled(char: str) -> str:
    if unicodedata.category(char) not in _UNSEEN:
        return char
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")
