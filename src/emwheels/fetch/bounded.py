"""A server that nobody here runs: how long it may take, and the networks that its redirects and links may lead to."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpcore
import httpx

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Iterator

MOST_REDIRECTS = 5
SLOWEST = 16 << 10
"""Bytes a second that the transfer of a file has to have on average, once its time for an answer is over."""
_MOMENT = 0.01
"""Seconds in which nothing can be received any more."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_REACH = {
    "loopback": ("loopback", "private", "public"),
    "private": ("private", "public"),
    "link-local": ("link-local", "public"),
    "public": ("public",),
}
"""Network that a host is in -> those that it may lead to."""


class TooSlowError(httpx.ReadTimeout):
    """The answer was not whole in the time that there is for it."""


class RefusedAddressError(httpx.UnsupportedProtocol):
    """A redirect or a link leads to where that server must not lead to."""


@dataclass(kw_only=True)
class _Limits:
    """What holds for a request, its redirects and its body."""

    home: str
    seconds: float
    slowest: int | None
    began: float = field(default_factory=time.monotonic)
    received: int = 0

    def timeout(self, asked: float | None) -> float:
        """Return how long one operation may take. Raises `TooSlowError` when the time is over."""
        allowed = self.seconds + (self.received / self.slowest if self.slowest else 0)
        left = self.began + allowed - time.monotonic()
        if left <= _MOMENT:
            raise TooSlowError(f"it is too slow: not whole after {round(allowed, 1):g} s")
        return left if asked is None else min(left, asked)


_limits: ContextVar[_Limits | None] = ContextVar("_limits", default=None)


@contextlib.contextmanager
def limited(home: str, *, seconds: float, slowest: int | None = None) -> Iterator[None]:
    """Bound every request of this thread to a client of `bound` in the block.

    ``home`` is the host that was meant, by a user or a configuration: what it may lead to depends on where it is.
    ``seconds`` is for all; with ``slowest`` there is a second more for each so many bytes. A request raises
    `TooSlowError` or `RefusedAddressError`.
    """
    token = _limits.set(_Limits(home=home.lower(), seconds=seconds, slowest=slowest))
    try:
        yield
    finally:
        _limits.reset(token)


def current_home() -> str:
    """Return the host that was meant by the request of this thread; empty outside of `limited`."""
    limits = _limits.get()
    return limits.home if limits else ""


def network_of(address: str) -> str:
    """Return which network an IP address is in: ``loopback``, ``link-local``, ``private`` or ``public``."""
    number = _inner(ipaddress.ip_address(address))
    if number.is_loopback or number.is_unspecified:
        return "loopback"
    if number.is_link_local:
        return "link-local"
    return "public" if number.is_global and not number.is_multicast else "private"


def _inner(number: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the IPv4 address that one of IPv6 leads to: mapped, by 6to4 (RFC 3056), or by NAT64 (RFC 6052)."""
    if isinstance(number, ipaddress.IPv4Address):
        return number
    translated = ipaddress.IPv4Address(int(number) & 0xFFFFFFFF) if number in _NAT64 else None
    return number.ipv4_mapped or number.sixtofour or translated or number


def addresses_of(host: str, port: int) -> list[str]:
    """Return the IP addresses of a host. Raises `OSError`."""
    return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


def bound(client: httpx.Client) -> httpx.Client:
    """Have ``client`` keep to what `limited` says, and return it.

    httpx has no public place for httpcore's network backend, and a transport of its own would lose the proxies.
    """
    guard = _Guard()
    direct = getattr(client, "_transport", None)
    for transport in (direct, *client._mounts.values()):
        if pool := getattr(transport, "_pool", None):
            pool._network_backend = guard if transport is direct else _Guard(proxy=True)
    return client


def check_address(url: httpx.URL, home: str) -> None:
    """Raise `RefusedAddressError` for what ``home`` must not lead to, as far as the URL alone tells.

    A connection tells the rest, but behind a proxy, which makes it.
    """
    if url.scheme not in ("http", "https"):
        raise RefusedAddressError(f"it leads to {url.scheme}:, which is refused")
    network = _network_by_name(url.host)
    if network and url.host.lower() != home.lower() and network not in _reach_of(_networks(home)):
        raise _refused(url.host, network)


def _network_by_name(host: str) -> str | None:
    """Return the network of a host that is an address, however it is written; None for a name."""
    if host.lower().rstrip(".") == "localhost" or host.lower().rstrip(".").endswith(".localhost"):
        return "loopback"
    with contextlib.suppress(ValueError):
        return network_of(host)
    with contextlib.suppress(OSError):
        return network_of(socket.inet_ntoa(socket.inet_aton(host)))
    return None


def _networks(host: str) -> frozenset[str]:
    """Return the networks that a host is in; of one that has no address here, the public one."""
    try:
        return frozenset(network_of(address) for address in addresses_of(host, 80)) or frozenset({"public"})
    except (OSError, UnicodeError, ValueError):
        return frozenset({"public"})


def _reach_of(networks: frozenset[str]) -> tuple[str, ...]:
    """Return what may be led to from a host in ``networks``: the least, if it is in several."""
    return min((_REACH[network] for network in networks), key=len)


def _refused(host: str, network: str) -> RefusedAddressError:
    return RefusedAddressError(f"it leads to {host}, a {network} address, which is refused")


class _Guard(httpcore.NetworkBackend):
    """Connects in bounded time, and only to where the host that was meant may lead."""

    def __init__(self, *, proxy: bool = False) -> None:
        self._backend = httpcore.SyncBackend()
        self._proxy = proxy
        self._homes: dict[str, frozenset[str]] = {}

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        limits = _limits.get()
        if limits is None or self._proxy:
            allowed = timeout if limits is None else limits.timeout(timeout)
            return _Stream(self._backend.connect_tcp(host, port, allowed, local_address, socket_options))
        error: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in self._permitted(host, port, limits.home):
            try:
                found = self._backend.connect_tcp(address, port, limits.timeout(timeout), local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failure:
                error = failure
            else:
                return _Stream(found)
        raise error

    def _permitted(self, host: str, port: int, home: str) -> list[str]:
        """Return the addresses of ``host`` that may be connected to: whatever a name is resolved to later."""
        try:
            addresses = addresses_of(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        if home not in self._homes:
            self._homes[home] = _networks(home)
        own = self._homes[home]
        reach = {*_reach_of(own), *(own if host.lower() == home else ())}
        permitted = [address for address in addresses if network_of(address) in reach]
        if addresses and not permitted:
            raise _refused(host, network_of(addresses[0]))
        return permitted

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


class _Stream(httpcore.NetworkStream):
    """A connection whose every operation ends with the time of the request that uses it."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        limits = _limits.get()
        if limits is None:
            return self._stream.read(max_bytes, timeout)
        try:
            data = self._stream.read(max_bytes, limits.timeout(timeout))
        except httpcore.ReadTimeout:
            limits.timeout(timeout)  # says so if all the time is over
            raise
        limits.received += len(data)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        limits = _limits.get()
        self._stream.write(buffer, limits.timeout(timeout) if limits else timeout)
        if limits:
            limits.received += len(buffer)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        limits = _limits.get()
        return _Stream(
            self._stream.start_tls(ssl_context, server_hostname, limits.timeout(timeout) if limits else timeout)
        )

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
