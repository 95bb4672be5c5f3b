"""Open loop over HTTP: requests come when they come, whether or not the last ones were answered.

A request's time begins at the moment it was due, so a client that falls behind is no excuse for a server.
"""

import asyncio
import json
import math
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.common.http_load import Ask, read_answer, run_load

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
SETTLE_S = 120.0


class Connections:
    """Kept connections to one port: a free one is taken, or a new one made."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._free: list[Connection] = []

    async def ask(self, ask: Ask) -> tuple[int, bytes]:
        """Status and body of one answer; a kept connection that the server has closed is replaced."""
        while self._free:
            try:
                return await self._over(self._free.pop(), ask)
            except (ConnectionError, asyncio.IncompleteReadError):
                continue
        return await self._over(await asyncio.open_connection("127.0.0.1", self._port), ask)

    def close(self) -> None:
        """Close those that are free."""
        for _, writer in self._free:
            writer.close()

    async def _over(self, connection: Connection, ask: Ask) -> tuple[int, bytes]:
        reader, writer = connection
        try:
            writer.write(ask.head_and_body)
            answer = await read_answer(reader)
        except BaseException:
            writer.close()
            raise
        self._free.append(connection)
        return answer


async def offer(port: int, asks: Sequence[Ask], moments_s: Sequence[float], patience_s: float) -> list[float]:
    """Seconds from due to answered of each request, infinite where none came or it was no good one.

    `moments_s` rise. Nobody waits longer than `patience_s` after the last moment.
    """
    connections, latencies = Connections(port), [math.inf] * len(asks)

    async def request(number: int, due_s: float) -> None:
        try:
            status, _ = await connections.ask(asks[number])
        except (OSError, asyncio.IncompleteReadError):
            return
        if status == 200:
            latencies[number] = time.perf_counter() - due_s

    began_s, tasks = time.perf_counter(), []
    for number, moment_s in enumerate(moments_s):
        due_s = began_s + moment_s
        await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
        tasks.append(asyncio.create_task(request(number, due_s)))
    _, late = await asyncio.wait(tasks, timeout=patience_s)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    connections.close()
    return latencies


async def capacity_per_s(port: int, asks: Sequence[Ask], *, connections: int, seconds: float) -> float:
    """Answers per second with so many clients asking on and on, over about `seconds`."""
    first = await run_load(port, asks, connections=connections, requests=connections)
    requests = max(2 * connections, int(len(first.seconds) / first.elapsed_s * seconds))
    load = await run_load(port, asks, connections=connections, requests=requests)
    if set(load.statuses) != {200}:
        raise RuntimeError(f"port {port} answered {load.statuses}")
    return requests / load.elapsed_s


async def ask_once(port: int, ask: Ask) -> Any:
    """The JSON of a good answer, however long it takes: what was asked before is then done."""
    connections = Connections(port)
    async with asyncio.timeout(SETTLE_S):
        status, body = await connections.ask(ask)
    connections.close()
    if status != 200:
        raise RuntimeError(f"port {port} answered {status}: {body[:200]!r}")
    return json.loads(body)
