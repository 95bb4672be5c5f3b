"""The answers of one connection, one after the other, and how it ends after the last of them."""

import asyncio
import logging
from collections import deque
from enum import Enum, auto
from math import inf
from typing import Any, cast

from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from service.errors import HeadTooSlow, ServiceError, TooManyConnections
from service.http.edge.connections import Connections
from service.http.edge.exchange import Exchange
from service.http.edge.limits import LINGER_IDLE_S
from service.http.edge.refusal import refusal
from service.http.problem_json import ProblemResponse

logger = logging.getLogger("service.http")


class Reading(Enum):
    """What the next bytes of a connection belong to."""

    NOTHING = auto()
    HEAD = auto()
    BODY = auto()
    DISCARDED = auto()


class AnsweringProtocol(HttpToolsProtocol):
    """Answers what the parser reads."""

    cycle: Exchange  # the request that was read last
    pipeline: deque[tuple[Exchange, ASGI3Application]]  # type: ignore[assignment]

    def __init__(
        self,
        connections: Connections,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._all, self._limits = connections, connections.limits
        self._answering: Exchange | None = None
        self._reading = Reading.NOTHING
        self._unread = memoryview(b"")
        self._deadline_s = self._send_deadline_s = self._last_deadline_s = inf
        self._half_closed = self._ending = False

    def pause_writing(self) -> None:
        """The client does not read as fast as it is answered."""
        self._send_deadline_s = self.loop.time() + self._limits.send_timeout_s
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._send_deadline_s = inf
        super().resume_writing()

    def expire(self, now_s: float) -> None:
        """Close, or refuse what has begun, when the client took too long."""
        if self.transport.is_closing() and self._send_deadline_s == inf:
            self._send_deadline_s = now_s + self._limits.send_timeout_s
        if now_s >= self._send_deadline_s:
            self.transport.abort()
        elif now_s < self._deadline_s:
            return
        elif self._reading is Reading.HEAD:
            self._refuse(HeadTooSlow(f"the head did not arrive within {self._limits.head_timeout_s:g} s"))
        elif self._reading is Reading.DISCARDED:
            self.transport.abort()
        else:
            self.transport.close()

    def evict(self) -> None:
        """Give the place to another client; one that has begun a request is told."""
        if self._reading is Reading.HEAD and not self.transport.is_closing():
            self._write(refusal(TooManyConnections("the head came too slowly for a service this busy")))
            self.transport.close()
        else:
            self.transport.abort()

    def shutdown(self) -> None:
        """The service ends: answer what there is, and close."""
        self._ending = True
        super().shutdown()

    def _exchange(self, *, keep_alive: bool, expects_continue: bool = False) -> Exchange:
        return Exchange(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=expects_continue,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )

    def _busy(self) -> bool:
        return self._answering is not None and not self._answering.response_complete

    def _start(self, exchange: Exchange, app: ASGI3Application) -> None:
        if self._busy():
            self.flow.pause_reading()
            self.pipeline.appendleft((exchange, app))
        else:
            self._start_asgi_task(exchange, app)

    def _start_asgi_task(self, cycle: Any, app: ASGI3Application) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _refuse(self, error: ServiceError, **headers: str) -> None:
        """Answer what cannot be read any further, after what came before it, and close."""
        problem = refusal(error)
        problem.headers.update(headers)
        broken = self.cycle if self._reading is Reading.BODY else None
        self._end_reading()
        if broken is not None and not self._drop(broken):
            return
        self.scope = {**self._scope_so_far(), "headers": []}  # type: ignore[typeddict-item]
        self.cycle = self._exchange(keep_alive=False)  # its body counts as unread
        self._all.busy(self)
        self._start(self.cycle, cast("ASGI3Application", problem))

    def _drop(self, broken: Exchange) -> bool:
        """Take back a request whose body went wrong. False where its answer has begun: then all ends."""
        if broken is not self._answering:
            self.pipeline.popleft()
        elif broken.response_complete:
            self._linger(broken.linger_s)
            return False
        elif broken.response_started:
            broken.closes = True
            return False
        else:
            broken.disconnected = True
            broken.message_event.set()
            self._answering = None
        return True

    def _scope_so_far(self) -> dict[str, Any]:
        empty = {"method": "GET", "path": "", "raw_path": b"", "query_string": b""}
        return empty | cast("dict[str, Any]", self.scope)

    def _write(self, problem: ProblemResponse) -> None:
        head = [STATUS_LINE[problem.status_code], b"connection: close\r\n"]
        fields = [*self.server_state.default_headers, *problem.raw_headers]
        head += [b"%s: %s\r\n" % (name, value) for name, value in fields]
        self.transport.write(b"".join([*head, b"\r\n", bytes(problem.body)]))

    # Waiting and ending

    def _wait(self, timeout_s: float) -> None:
        self._deadline_s = self.loop.time() + timeout_s
        self._all.waits(self)

    def _end_reading(self) -> None:
        self._reading, self._unread = Reading.DISCARDED, memoryview(b"")
        self._deadline_s = self._last_deadline_s = inf

    def _close_after(self, exchange: Exchange) -> None:
        self.pipeline.clear()
        if exchange.more_body:
            self._linger(exchange.linger_s)
        else:
            self.transport.close()

    def _linger(self, most_s: float) -> None:
        """Close the writing side and read on for a while: closing both resets a client that still sends."""
        if self._half_closed:
            self.transport.close()
            return
        self._end_reading()
        now_s = self.loop.time()
        self._last_deadline_s = now_s + (LINGER_IDLE_S if self._ending else most_s)
        self._deadline_s = min(self._last_deadline_s, now_s + LINGER_IDLE_S)
        self._all.waits(self)
        self.flow.resume_reading()
        self.transport.write_eof()

    def _leave(self) -> None:
        """The grace of a half-closed connection is over, unless its answer is on its way."""
        if self._answering is not None and not self._answering.response_started:
            self.transport.abort()
