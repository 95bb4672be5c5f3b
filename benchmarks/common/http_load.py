"""Load over HTTP from a process of its own: as many connections as asked for, each asking on and on."""

import asyncio
import json
import random
import time
from collections.abc import Callable, Sequence
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
    return Ask(post(_path(task), kind, picture), 1)


def several(task: str, pictures: Sequence[bytes]) -> Ask:
    """Several pictures as a form."""
    edge = b"----------------edge"
    parts = b"".join(
        b"--" + edge + b'\r\ncontent-disposition: form-data; name="images"; filename="p"\r\n'
        b"content-type: image/jpeg\r\n\r\n" + picture + b"\r\n"
        for picture in pictures
    )
    kind = f"multipart/form-data; boundary={edge.decode()}"
    return Ask(post(_path(task), kind, parts + b"--" + edge + b"--\r\n"), len(pictures))


def asks_for(tasks: Sequence[str], files: Sequence[bytes], pictures: int = 1) -> list[Ask]:
    """One request for each task, of so many of the files, which come round in turn."""
    asks = []
    for number, task in enumerate(tasks):
        chosen = [files[(number + offset) % len(files)] for offset in range(pictures)]
        asks.append(single(task, chosen[0]) if pictures == 1 else several(task, chosen))
    return asks


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
            status, body = await read_answer(reader)
            if status == 200:
                json.loads(body)
            load.seconds.append(time.perf_counter() - began)
            load.statuses[status] = load.statuses.get(status, 0) + 1
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(connection() for _ in range(connections)))
    load.elapsed_s = time.perf_counter() - began
    return load


async def ready(port: int, ended: Callable[[], object] = lambda: None, timeout_s: float = 120) -> None:
    """Wait until the service says that it is ready. Raises RuntimeError where `ended` gives its exit code."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if (code := ended()) is not None:
            raise RuntimeError(f"what was to listen on port {port} ended with {code}")
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n")
            status, _ = await read_answer(reader)
            writer.close()
            if status == 200:
                return
        except (OSError, EOFError):
            pass
        await asyncio.sleep(0.2)
    raise TimeoutError(f"nothing was ready on port {port} within {timeout_s:g} s")


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status and body of the next answer."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head[9:12])
    for line in head.split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return status, await reader.readexactly(int(line.partition(b":")[2]))
    return status, await _chunked(reader)


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while length := int(await reader.readuntil(b"\r\n"), 16):
        body += await reader.readexactly(length)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return body


def post(path: str, kind: str, body: bytes, header: str = "") -> bytes:
    """The bytes of a POST; `header` is one more line."""
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {kind}\r\n"
    head += f"{header}\r\n" if header else ""
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def _path(task: str) -> str:
    return f"/v1/tasks/{task}/classify"
