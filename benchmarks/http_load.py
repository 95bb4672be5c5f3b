"""Load over HTTP from a process of its own: as many connections as asked for, each asking on and on."""

import asyncio
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle


@dataclass
class Load:
    """What came back: answers by status, and each request's seconds."""

    seconds: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    elapsed_s: float = 0.0


@dataclass(frozen=True)
class Ask:
    """One request as bytes, and how many pictures it has."""

    head_and_body: bytes
    pictures: int


def single(task: str, picture: bytes, kind: str = "image/jpeg") -> Ask:
    """One picture as the body."""
    return Ask(_request(task, kind, picture), 1)


def several(task: str, pictures: Sequence[bytes]) -> Ask:
    """Several pictures as a form."""
    edge = b"----------------edge"
    parts = b"".join(
        b"--" + edge + b'\r\ncontent-disposition: form-data; name="images"; filename="p"\r\n'
        b"content-type: image/jpeg\r\n\r\n" + picture + b"\r\n"
        for picture in pictures
    )
    kind = f"multipart/form-data; boundary={edge.decode()}"
    return Ask(_request(task, kind, parts + b"--" + edge + b"--\r\n"), len(pictures))


async def run_load(port: int, asks: Sequence[Ask], *, connections: int, requests: int) -> Load:
    """Send `requests` over kept connections, each the next ask in a shuffled order, and read every answer."""
    order = list(asks)
    random.Random(0).shuffle(order)
    source = cycle(order)
    load, left = Load(), requests

    async def connection() -> None:
        nonlocal left
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while left > 0:
            left -= 1
            began = time.perf_counter()
            writer.write(next(source).head_and_body)
            status = await _answer(reader)
            load.seconds.append(time.perf_counter() - began)
            load.statuses[status] = load.statuses.get(status, 0) + 1
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(connection() for _ in range(connections)))
    load.elapsed_s = time.perf_counter() - began
    return load


async def ready(port: int, timeout_s: float = 120) -> None:
    """Wait until the service says that it is ready."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n")
            status = await _answer(reader)
            writer.close()
            if status == 200:
                return
        except OSError:
            pass
        await asyncio.sleep(0.2)
    raise TimeoutError(f"nothing was ready on port {port} within {timeout_s:g} s")


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    length = next(
        int(line.partition(b":")[2])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length:")
    )
    body = await reader.readexactly(length)
    if status == 200 and length:
        json.loads(body)
    return status


def _request(task: str, kind: str, body: bytes) -> bytes:
    head = (
        f"POST /v1/tasks/{task}/classify HTTP/1.1\r\nhost: 127.0.0.1\r\n"
        f"content-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
