"""Connections that say nothing are closed after a while, and sooner where there are too many, so that others get in.

Without this, somebody without a token could hold every descriptor of the process with requests that never end.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_DESCRIPTORS = 65_536


class Connection(H11Protocol):
    """One connection; while the head of a request is waited for, time runs."""

    head_seconds: ClassVar[float] = 10.0
    """For a whole head to arrive."""
    most: ClassVar[int] = 4096
    """Connections; with one more, the one that waits for its head longest is closed."""
    waiting: ClassVar[dict[H11Protocol, asyncio.TimerHandle]] = {}
    """Those whose head has not arrived, the oldest first."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A new one; the oldest that waits makes room."""
        super().connection_made(transport)
        if len(self.connections) > self.most and self.waiting:
            oldest = next(iter(self.waiting))
            self.waiting.pop(oldest).cancel()
            oldest.transport.abort()
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Some of a request."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """The next request may come."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        super().connection_lost(exc)
        self._forget()

    def _watch(self) -> None:
        if self.transport.is_closing() or self.conn.their_state is not h11.IDLE:
            self._forget()
        elif self not in self.waiting:
            self.waiting[self] = self.loop.call_later(self.head_seconds, self.transport.abort)

    def _forget(self) -> None:
        if timer := self.waiting.pop(self, None):
            timer.cancel()


def listening_options() -> dict[str, Any]:
    """How uvicorn listens, with as many descriptors as this process may have: half of them for connections."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    limited = type("Connection", (Connection,), {"most": most // 2, "waiting": {}})
    return {"http": limited, "backlog": min(1024, most // 4)}  # accepted at once, before any can make room
