"""HTTP/1.1 of one connection: uvicorn's httptools protocol within limits and deadlines.

uvicorn 0.54 trusts whoever speaks to it: heads have no limit, silent clients no deadline, an upgrade loses
the body, an answer before the end of a body is followed by a reset. What is overridden here and in
`answering` hangs on uvicorn's own names; tests/integration/test_service_connections.py holds it.
"""

import asyncio
from math import inf
from typing import Any, cast
from urllib.parse import unquote

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.server import ServerState

from service.errors import (
    HeadTooLarge,
    RequestError,
    ServiceError,
    TooManyConnections,
    UnreadHttpVersion,
    UnreadMethod,
    UrlTooLong,
)
from service.http.edge.answering import AnsweringProtocol, Reading
from service.http.edge.connections import Connections
from service.http.edge.heads import check_head, declared_length, expects_continue, head_without_upgrade
from service.http.edge.limits import LINGER_IDLE_S, MAX_FIELDS, PIECE_BYTES
from service.http.edge.refusal import refusal

METHODS = "GET, HEAD, POST, OPTIONS"


class EdgeProtocol(AnsweringProtocol):
    """Reads requests from one connection within the limits of `connections`."""

    def __init__(
        self,
        connections: Connections,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(connections, config, server_state, app_state, _loop)
        self._head_bytes = self._begun = self._framing_bytes = 0

    # The transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a head, or turn the client away."""
        super().connection_made(cast("asyncio.Transport", transport))
        if self._all.admit(self):
            self._wait(self._limits.head_timeout_s)
        elif self._all.turn_away(self):
            error = TooManyConnections(f"all {self._limits.connections} connections are in use")
            self._write(refusal(error))
            self._linger(LINGER_IDLE_S)
        else:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the request that is being answered."""
        self._all.remove(self)
        self._end_reading()
        self.pipeline.clear()
        if self._answering is not None and not self._answering.response_complete:
            self._answering.disconnected = True
            self._answering.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what fits beside the requests that wait, and keep the rest."""
        if self._reading is Reading.DISCARDED:
            self._deadline_s = min(self._last_deadline_s, self.loop.time() + LINGER_IDLE_S)
        elif len(data) + self._head_bytes <= PIECE_BYTES and not self._unread and not self.pipeline:
            self._feed(data)
        else:
            self._unread = memoryview(bytes(self._unread) + data if self._unread else data)
            self._read_on()

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn never keeps the transport
        """Answer a client that only closed its writing side: True keeps the transport.

        One that left for good looks the same, so that the answer has a time of grace.
        """
        self._half_closed = True
        if self._reading is Reading.HEAD and not self._busy():
            self._refuse(RequestError("the request ends within its head"))
        cut = self._reading is Reading.BODY and not self._unread
        if not self._busy() or cut or not self._limits.half_closed_grace_s:
            return False
        self.loop.call_later(self._limits.half_closed_grace_s, self._leave)
        return True

    # The parser's side

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._reading = Reading.HEAD
        self._head_bytes = 0
        self._begun += 1

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field of the head; those after a body are not used."""
        if self._reading is Reading.BODY:
            return
        self.headers.append((name.lower(), value))
        if len(self.headers) > MAX_FIELDS:
            raise HeadTooLarge(f"the head has more than {MAX_FIELDS} fields")

    def on_headers_complete(self) -> None:
        """Start to answer, or queue behind what is being answered on this connection."""
        parser = self.parser
        if parser.should_upgrade():  # the parser gives up here: `_without_upgrade` begins again
            return
        self._head_bytes = 0
        version = parser.get_http_version()
        names = check_head(version, self.headers)
        self._complete_scope(parser.get_method().decode("ascii"), version)
        expects = b"expect" in names and version != "1.0" and expects_continue(self.headers)
        keep_alive = version != "1.0" and parser.should_keep_alive()
        self.cycle = self._exchange(keep_alive=keep_alive, expects_continue=expects)
        self._reading, self._deadline_s = Reading.BODY, inf
        self._all.busy(self)
        self._start(self.cycle, self.app)

    def on_body(self, body: bytes) -> None:
        """More of the body, which nobody needs once its request was answered."""
        exchange = self.cycle
        exchange.received_bytes += len(body)
        self._framing_bytes -= len(body)
        if exchange.response_complete:
            return
        exchange.body += body
        if len(exchange.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        exchange.message_event.set()

    def on_message_complete(self) -> None:
        """The body is whole."""
        if self._reading is not Reading.BODY:
            return  # of a head that is read again without its upgrade
        self._reading = Reading.NOTHING
        self.cycle.more_body = False
        if self.cycle.response_complete:
            self._wait(self._limits.keep_alive_s)
        else:
            self.cycle.message_event.set()

    def on_response_complete(self) -> None:
        """Close, begin with the next request, or wait for one."""
        exchange = self._answering
        self.server_state.total_requests += 1
        if exchange is None or self.transport.is_closing():
            return
        if exchange.closes:
            self._close_after(exchange)
            return
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        self._read_on()
        if not self._unread and not self.pipeline:
            self.flow.resume_reading()
        if not self._busy():
            self._wait_for_more()

    # Reading

    def _read_on(self) -> None:
        # A client may send thousands of small requests before it reads an answer; they wait as bytes.
        while self._unread and not self.pipeline:
            size = self._next_bytes()
            piece, self._unread = self._unread[:size], self._unread[size:]
            self._feed(piece)
        if self._unread:
            self.flow.pause_reading()

    def _next_bytes(self) -> int:
        """A piece with little more than one head, or the rest of a body."""
        if self._reading is not Reading.BODY:
            return min(PIECE_BYTES, self._limits.head_bytes - self._head_bytes)
        declared = declared_length(self.headers)
        return PIECE_BYTES if declared is None else declared - self.cycle.received_bytes

    def _wait_for_more(self) -> None:
        if self._half_closed:
            self.transport.close()
        elif self._reading is Reading.HEAD:
            self._wait(self._limits.head_timeout_s)
        elif self._reading is Reading.BODY:
            self._wait(LINGER_IDLE_S)
        else:
            self._wait(self._limits.keep_alive_s)

    def _feed(self, piece: bytes | memoryview) -> None:
        before, self._begun = self._reading, 0
        if before is Reading.DISCARDED:
            return
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            self._without_upgrade(piece[upgrade.args[0] :])
            return
        except httptools.HttpParserError as error:
            self._refuse(_cause(error))
        if self._reading is Reading.HEAD:
            self._count_head(before, len(piece))
        elif self._reading is Reading.BODY:
            self._count_framing(before, len(piece))

    def _count_head(self, before: Reading, size: int) -> None:
        # Where a piece holds the end of something else as well, what it has of this head is not known.
        if self._begun == 0 or (self._begun == 1 and before is Reading.NOTHING):
            self._head_bytes += size
        if self._begun and not self._busy():
            self._wait(self._limits.head_timeout_s)
        limit = self._limits.head_bytes
        if self._head_bytes >= limit:
            self._head_bytes = 0
            long_url = len(self.url) > limit // 2
            kind, what = (UrlTooLong, "URL") if long_url else (HeadTooLarge, "head")
            self._refuse(kind(f"the {what} is longer than the {limit} bytes that a head may have"))

    def _count_framing(self, before: Reading, size: int) -> None:
        """Bound what a body in chunks has beside its bytes: sizes, extensions, trailers."""
        if before is not Reading.BODY or self._begun:
            self._framing_bytes = 0  # some of the piece was a head
            return
        self._framing_bytes += size
        if self._framing_bytes > self._limits.head_bytes + self.cycle.received_bytes:
            self._refuse(HeadTooLarge("chunk sizes, extensions and trailers are longer than the body itself"))

    def _without_upgrade(self, rest: bytes | memoryview) -> None:
        """Read the request as one that stays with HTTP/1.1 (RFC 9110, 7.8), body and all."""
        method, version = self.parser.get_method(), self.parser.get_http_version()
        if method == b"CONNECT":
            self._refuse(UnreadMethod("this is no proxy: it takes no CONNECT"), Allow=METHODS)
            return
        head = head_without_upgrade(method, self.url, version, self.headers)
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._reading = Reading.NOTHING
        self._feed(head)
        self._feed(rest)

    def _complete_scope(self, method: str, version: str) -> None:
        scope, url = self.scope, httptools.parse_url(self.url)
        path = url.path or b"/"
        scope["method"], scope["http_version"] = method, version
        scope["path"] = unquote(path) if b"%" in path else path.decode("ascii")
        scope["raw_path"], scope["query_string"] = path, url.query or b""


def _cause(error: httptools.HttpParserError) -> ServiceError:
    cause = error.__context__
    if isinstance(cause, ServiceError):
        return cause
    if "PRI" in str(error):
        return UnreadHttpVersion("HTTP/2 is not spoken here; use HTTP/1.1")
    return RequestError(f"this is no HTTP request: {error or type(error).__name__}")
