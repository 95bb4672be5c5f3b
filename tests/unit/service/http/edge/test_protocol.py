"""The protocol alone: however bytes are cut, the same requests are answered in their order."""

import asyncio
import re
from typing import Any

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.server import ServerState

from service.http.edge.connections import Connections
from service.http.edge.limits import EdgeLimits
from service.http.edge.protocol import EdgeProtocol

ANSWERED = re.compile(rb"\r\n\r\n(\d+):(\d+);")
UPGRADE = b"Connection: upgrade\r\nUpgrade: h2c\r\n"


class Written(asyncio.Transport):
    """Takes what is written; nobody is on the other side."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = self.ended = self.paused = False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def write_eof(self) -> None:
        self.ended = True

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True


async def answer_its_number(scope: Any, receive: Any, send: Any) -> None:
    """Answers `number:bytes of the body;`, and listens for the client meanwhile, as the service does."""
    size, message = 0, await receive()
    while True:
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
        message = await receive()
    listener = asyncio.ensure_future(receive())
    await asyncio.sleep(0.001)
    listener.cancel()
    body = f"{scope['path'][1:]}:{size};".encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]}
    )
    await send({"type": "http.response.body", "body": body})


def connected() -> tuple[EdgeProtocol, Written]:
    config = uvicorn.Config(answer_its_number, ws="none", log_config=None, proxy_headers=False)
    protocol = EdgeProtocol(Connections(EdgeLimits()), config, ServerState(), {})
    transport = Written()
    protocol.connection_made(transport)
    return protocol, transport


def request(number: int, kind: str, size: int) -> bytes:
    head = f"POST /{number} HTTP/1.1\r\nHost: x\r\n".encode() + (UPGRADE if "upgrade" in kind else b"")
    if "chunks" not in kind:
        return head + b"Content-Length: %d\r\n\r\n" % size + b"b" * size
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in (b"b" * (size // 2), b"b" * 7) if part]
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunks) + b"0\r\n\r\n"


def body_bytes(kind: str, size: int) -> int:
    return size if "chunks" not in kind else size // 2 + 7


async def settled(transport: Written, count: int) -> list[tuple[int, int]]:
    for _ in range(3000):
        found = [(int(number), int(size)) for number, size in ANSWERED.findall(transport.written)]
        if len(found) >= count or transport.closed:
            return found
        await asyncio.sleep(0.001)
    raise AssertionError(f"only {len(found)} of {count} answers")


KINDS = st.sampled_from(["plain", "chunks", "upgrade", "upgrade chunks"])
REQUESTS = st.lists(st.tuples(KINDS, st.integers(0, 9000)), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(REQUESTS, st.lists(st.integers(1, 20_000), min_size=1, max_size=6), st.booleans())
def test_requests_are_answered_in_their_order_however_they_are_cut(
    kinds: list[tuple[str, int]], cuts: list[int], heeds_pauses: bool
) -> None:
    sent = b"".join(request(number, *each) for number, each in enumerate(kinds))

    async def run() -> None:
        protocol, transport = connected()
        start = turn = 0
        while start < len(sent):
            if heeds_pauses and transport.paused:
                await asyncio.sleep(0.001)
                continue
            size = cuts[turn % len(cuts)]
            protocol.data_received(sent[start : start + size])
            start, turn = start + size, turn + 1
            if turn % 3 == 0:
                await asyncio.sleep(0)
        if not protocol.eof_received():
            transport.close()  # as every transport does

        answers = await settled(transport, len(kinds))
        assert answers == [(number, body_bytes(*each)) for number, each in enumerate(kinds)]

    asyncio.run(run())


@pytest.mark.anyio
async def test_thousands_of_requests_at_once_wait_as_bytes() -> None:
    protocol, transport = connected()
    protocol.data_received(request(0, "plain", 0) * 5000)

    assert len(protocol.pipeline) < 200
    assert transport.paused


@pytest.mark.anyio
async def test_a_request_cut_by_the_end_is_not_answered() -> None:
    protocol, _ = connected()
    protocol.data_received(request(0, "plain", 5000)[:-1])

    assert not protocol.eof_received()


@pytest.mark.anyio
async def test_a_whole_one_is_and_then_the_connection_closes() -> None:
    protocol, transport = connected()
    protocol.data_received(request(0, "plain", 5000))

    assert protocol.eof_received()
    assert await settled(transport, 1) == [(0, 5000)]
    await asyncio.sleep(0)
    assert transport.closed
