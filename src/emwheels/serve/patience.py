"""Connections of the built-in server: those of clients that take too long, or say too much, are closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

SECONDS = 20
"""From the first byte of a request to its end, and from the connection to that byte."""
LONGEST = 64 << 10
"""Bytes of a request: nothing here takes a body."""


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's protocol on httptools, which by itself waits for ever and reads headers of any length."""

    _timer: asyncio.TimerHandle | None = None
    _received = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Count, and hand on what is not too much."""
        self._received += len(data)
        if self._received > LONGEST:
            self.transport.close()
            return
        if self._timer is None:
            self._wait()
        super().data_received(data)

    def on_message_complete(self) -> None:
        """Wait no longer: the answer may take its time."""
        self._received = 0
        self._stop_waiting()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._timer = self.loop.call_later(SECONDS, self._give_up)

    def _give_up(self) -> None:
        self._timer = None
        self.transport.close()

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
