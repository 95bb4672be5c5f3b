import asyncio
import math

import pytest

from benchmarks.common.http_load import Ask, post, ready
from benchmarks.peers.load import ask_once, offer

ANSWERS = {
    "/length": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
    "/chunks": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n[\r\n2\r\n7]\r\n0\r\n\r\n",
    "/full": b"HTTP/1.1 503 Full\r\ncontent-length: 0\r\n\r\n",
}


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Each request by its path; one that is unknown never."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.rpartition(b"content-length: ")[2]))
            if (path := head.split()[1].decode()) in ANSWERS:
                writer.write(ANSWERS[path])
            if path == "/full":
                break
    except asyncio.IncompleteReadError:
        pass
    finally:
        writer.close()


def ask(path: str) -> Ask:
    return Ask(post(path, "image/jpeg", b"picture", "x-task: a"), 1)


def test_bodies_with_a_length_and_in_chunks_are_read() -> None:
    async def run() -> list[object]:
        async with await asyncio.start_server(answer, "127.0.0.1") as server:
            port = server.sockets[0].getsockname()[1]
            return [await ask_once(port, ask("/length")), await ask_once(port, ask("/chunks"))]

    assert asyncio.run(run()) == [[], [7]]


@pytest.mark.slow
def test_an_open_loop_counts_from_when_a_request_was_due() -> None:
    asks = [ask(path) for path in ("/length", "/full", "/chunks", "/never", "/length")]

    async def run() -> list[float]:
        async with await asyncio.start_server(answer, "127.0.0.1") as server:
            port = server.sockets[0].getsockname()[1]
            return await offer(port, asks, [0.0, 0.0, 0.01, 0.01, 0.02], patience_s=2.0)

    latencies_s = asyncio.run(run())

    assert [math.isfinite(one) for one in latencies_s] == [True, False, True, False, True]
    assert all(one > 0 for one in latencies_s)


def test_a_bad_answer_is_an_error_where_a_good_one_is_needed() -> None:
    async def run() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1") as server:
            await ask_once(server.sockets[0].getsockname()[1], ask("/full"))

    with pytest.raises(RuntimeError, match="answered 503"):
        asyncio.run(run())


def test_waiting_ends_with_the_process_that_is_waited_for() -> None:
    with pytest.raises(RuntimeError, match="ended with 3"):
        asyncio.run(ready(1, lambda: 3))
