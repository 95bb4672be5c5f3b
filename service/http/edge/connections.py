"""All open connections of the service: how many, and which of them wait for their client."""

import asyncio
import logging
from typing import Protocol

from service.http.edge.limits import EdgeLimits
from service.logs import log_event

logger = logging.getLogger("service.http")
COMPLAINTS_S = 10.0
SWEEPS = 4
"""Looks at each connection within the shortest of the timeouts."""
TURNED_AWAY = 32
"""Connections above the limit that are told so at a time; they take from the descriptors in reserve."""


class Connection(Protocol):
    """One connection, as whoever counts them sees it."""

    def expire(self, now_s: float) -> None:
        """Do what is due, by the clock of the event loop."""

    def evict(self) -> None:
        """Close at once: another client needs the place."""


class Connections:
    """The open connections. At the limit, those that wait for their client make room, the oldest first."""

    def __init__(self, limits: EdgeLimits) -> None:
        self.limits = limits
        self._open: set[Connection] = set()
        self._turned_away: set[Connection] = set()
        self._waiting: dict[Connection, None] = {}
        self._sweeping = False
        self._complain_s = 0.0
        timeouts = (limits.head_timeout_s, limits.keep_alive_s, limits.send_timeout_s)
        self._interval_s = max(0.02, min(1.0, min(timeouts) / SWEEPS))

    def __len__(self) -> int:
        return len(self._open) + len(self._turned_away)

    def admit(self, connection: Connection) -> bool:
        """Count a connection, which waits for its client now; False where there is no place for it."""
        if len(self._open) >= self.limits.connections and not self._evict_one():
            return False
        self._open.add(connection)
        self._waiting[connection] = None
        self._sweep_on()
        return True

    def turn_away(self, connection: Connection) -> bool:
        """Whether a connection that was not admitted can still be told."""
        self._complain()
        if len(self._turned_away) >= TURNED_AWAY:
            return False
        self._turned_away.add(connection)
        return True

    def waits(self, connection: Connection) -> None:
        """A connection has begun to wait for its client."""
        if connection in self._open:
            self._waiting.pop(connection, None)
            self._waiting[connection] = None

    def busy(self, connection: Connection) -> None:
        """A connection has a request to answer."""
        self._waiting.pop(connection, None)

    def remove(self, connection: Connection) -> None:
        """A connection is closed."""
        self._open.discard(connection)
        self._turned_away.discard(connection)
        self._waiting.pop(connection, None)

    def _evict_one(self) -> bool:
        oldest = next(iter(self._waiting), None)
        if oldest is None:
            return False
        self.remove(oldest)
        oldest.evict()
        return True

    def _complain(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s >= self._complain_s:
            self._complain_s = now_s + COMPLAINTS_S
            log_event(logger, logging.WARNING, "connections_full", limit=self.limits.connections)

    def _sweep_on(self) -> None:
        if not self._sweeping:  # one look at all costs less than a timer for each request
            self._sweeping = True
            asyncio.get_running_loop().call_later(self._interval_s, self._sweep)

    def _sweep(self) -> None:
        now_s = asyncio.get_running_loop().time()
        for connection in (*self._open, *self._turned_away):
            connection.expire(now_s)
        self._sweeping = False
        if self:
            self._sweep_on()
