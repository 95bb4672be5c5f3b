"""Processor time that the batcher takes for each picture, with an engine that answers at once."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Coroutine, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import uvloop

from benchmarks.scheduler.simulation import FOREVER, Unobserved
from service.batching.batcher import Batcher

S = TypeVar("S", bound=Hashable)
PICTURES = 30_000
STRIDE = 7919  # a prime: clients walk through the tasks out of step


@dataclass(frozen=True)
class Load:
    """Requests of `pictures` each, of which so many wait or run that there are `queue` pictures."""

    tasks: int = 1000
    layouts: int = 4
    queue: int = 1024
    pictures: int = 1
    max_batch: int = 256

    @property
    def clients(self) -> int:
        """Requests at a time."""
        return max(1, self.queue // self.pictures)

    @property
    def requests(self) -> int:
        """Requests of one client; at least four, so that the queue is full for most of the run."""
        return max(4, PICTURES // (self.clients * self.pictures))

    @property
    def total(self) -> int:
        """Pictures of all clients."""
        return self.clients * self.requests * self.pictures


def batcher_us(batcher_class: type[Batcher[Any, Any]], load: Load) -> float:
    """Microseconds of processor time for each picture: client, batcher and the engine's thread."""
    return _spent_us(_through_batcher(batcher_class, load), load)


def bare_us(load: Load) -> float:
    """The same clients, each waiting for a bare future: what asyncio takes to hand an answer over."""
    return _spent_us(_bare(load), load)


def in_turn(sides: Mapping[S, Callable[[], float]], rounds: int) -> dict[S, list[float]]:
    """What each side tells, one of each a round, in an order drawn anew each time."""
    told: dict[S, list[float]] = {name: [] for name in sides}
    order, shuffle = list(sides), random.Random(0)
    for _ in range(rounds):
        shuffle.shuffle(order)
        for name in order:
            told[name].append(sides[name]())
    return told


def _spent_us(run: Coroutine[Any, Any, float], load: Load) -> float:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return 1e6 * runner.run(run) / load.total


async def _spent_s(clients: Iterable[Coroutine[Any, Any, None]], start: asyncio.Event) -> float:
    """Processor time from the start to the last client's end; that it took to make them is left out."""
    every = asyncio.gather(*clients)
    await asyncio.sleep(0)
    began = time.process_time()
    start.set()
    await every
    return time.process_time() - began


async def _through_batcher(batcher_class: type[Batcher[Any, Any]], load: Load) -> float:
    with ThreadPoolExecutor(1) as thread:
        batcher = batcher_class(
            _at_once,
            thread=thread,
            max_batch=load.max_batch,
            max_pictures=load.total,
            observer=Unobserved(),
            on_device_lost=lambda _: None,
        )
        running, start = asyncio.create_task(batcher.run()), asyncio.Event()
        names = [f"task-{index}" for index in range(load.tasks)]
        payloads = [None] * load.pictures

        async def client(index: int) -> None:
            await start.wait()
            task = index * STRIDE
            for _ in range(load.requests):
                task = (task + STRIDE) % load.tasks
                await batcher.submit(task % load.layouts, names[task], payloads, FOREVER)

        spent_s = await _spent_s((client(index) for index in range(load.clients)), start)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        return spent_s


def _at_once(payloads: Sequence[None]) -> Sequence[None]:
    return payloads


async def _bare(load: Load) -> float:
    loop, start = asyncio.get_running_loop(), asyncio.Event()
    waiting: deque[asyncio.Future[None]] = deque()
    left = load.clients

    async def client() -> None:
        nonlocal left
        await start.wait()
        for _ in range(load.requests):
            waiting.append(loop.create_future())
            await waiting[-1]
        left -= 1

    async def answer() -> None:
        while left:
            for _ in range(min(len(waiting), load.max_batch)):
                waiting.popleft().set_result(None)
            await asyncio.sleep(0)

    return await _spent_s([*(client() for _ in range(load.clients)), answer()], start)
