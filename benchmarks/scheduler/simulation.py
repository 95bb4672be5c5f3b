"""The service's own batcher in virtual time: what requests wait, and whether the engine idles."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from benchmarks.scheduler.clock import EngineModel, VirtualEngine, VirtualLoop
from benchmarks.scheduler.traffic import FLOOD, Arrival, Traffic, arrivals
from service.batching.batcher import Batcher
from service.batching.fair_queue import DEFAULT_QUANTUM
from service.errors import DeviceLost, Overloaded

FOREVER = 1e12


class Unobserved:
    """Takes what the batcher tells and keeps nothing."""

    def batch_ran(self, pictures: int, tasks: int, seconds: float) -> None:
        """Nothing."""

    def batch_failed(self, kind: str) -> None:
        """Nothing."""

    def pictures_left(self, pictures: int) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Limits:
    """The batcher's two limits, in pictures; `fair=False` queues all as one task, in order of arrival."""

    max_batch: int = 256
    max_pictures: int = 4096
    fair: bool = True


@dataclass(frozen=True)
class Outcome:
    """What came of the tasks that do not flood, and what the engine did. Waits are to the answer."""

    p50_ms: float
    p99_ms: float
    longest_ms: float
    longest_lone_queue_ms: float
    answered: int
    refused: int
    flood_pictures: int
    mean_batch: float
    busy: float
    idle_with_work_s: float


@dataclass(eq=False)
class _Record:
    """`lone_queue_s` has the requests whose task had nothing else in the service."""

    latencies_s: list[float] = field(default_factory=list)
    lone_queue_s: list[float] = field(default_factory=list)
    refused: int = 0
    flood_pictures: int = 0
    idle_with_work_s: float = 0.0
    in_service: Counter[str] = field(default_factory=Counter)


def simulate(traffic: Traffic, model: EngineModel, limits: Limits) -> Outcome:
    """Run the traffic through the batcher to the last answer."""
    return replay(arrivals(traffic), model, limits)


def replay(requests: Sequence[Arrival], model: EngineModel, limits: Limits) -> Outcome:
    """Run requests, in order of time, through the batcher to the last answer."""
    record = _Record()

    def leap(seconds: float) -> None:
        if batcher.waiting and not engine.running:
            record.idle_with_work_s += seconds

    with asyncio.Runner(loop_factory=lambda: VirtualLoop(leap)) as runner:
        loop = runner.get_loop()
        engine = VirtualEngine(loop, model)
        batcher: Batcher[None, None] = Batcher(
            lambda payloads: payloads,
            thread=engine,
            max_batch=limits.max_batch,
            max_pictures=limits.max_pictures,
            observer=Unobserved(),
            on_device_lost=_no_device,
            clock=loop.time,
        )
        runner.run(_serve(batcher, requests, record, fair=limits.fair))
        elapsed_s = loop.time()
    return Outcome(
        p50_ms=_quantile_ms(record.latencies_s, 0.5),
        p99_ms=_quantile_ms(record.latencies_s, 0.99),
        longest_ms=_quantile_ms(record.latencies_s, 1.0),
        longest_lone_queue_ms=_quantile_ms(record.lone_queue_s, 1.0),
        answered=len(record.latencies_s),
        refused=record.refused,
        flood_pictures=record.flood_pictures,
        mean_batch=round(sum(engine.batches) / max(1, len(engine.batches)), 2),
        busy=round(engine.busy_s / elapsed_s, 4) if elapsed_s else 0.0,
        idle_with_work_s=record.idle_with_work_s,
    )


def longest_turn_s(traffic: Traffic, model: EngineModel, max_batch: int) -> float:
    """The longest that a picture may queue whose task has no other: the batch that runs, then one turn each.

    All tasks wait, each with a full quantum or more.
    """
    floods = int(traffic.flood_rate > 0)
    tasks = Counter(task % traffic.layouts for task in range(traffic.tasks))
    tasks[traffic.layouts if traffic.flood_apart else 0] += floods
    batches = sum(-(-turns * DEFAULT_QUANTUM // max_batch) for turns in tasks.values())
    return (1 + batches) * model.seconds(max_batch)


async def _serve(
    batcher: Batcher[None, None], requests: Iterable[Arrival], record: _Record, *, fair: bool
) -> None:
    loop = asyncio.get_running_loop()
    running = asyncio.create_task(batcher.run())
    clients = set()
    for arrival in requests:
        if arrival.at_s > loop.time():
            await asyncio.sleep(arrival.at_s - loop.time())
        client = asyncio.create_task(_client(batcher, arrival, record, fair=fair))
        clients.add(client)
        client.add_done_callback(clients.discard)
    await asyncio.gather(*clients)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def _client(batcher: Batcher[None, None], arrival: Arrival, record: _Record, *, fair: bool) -> None:
    loop, task = asyncio.get_running_loop(), arrival.task
    came_s = loop.time()
    record.in_service[task] += 1
    lone = record.in_service[task] == 1
    try:
        with batcher.admit(task if fair else "all", arrival.pictures):
            answered = await batcher.submit(
                arrival.layout, task if fair else "all", [None] * arrival.pictures, FOREVER
            )
    except Overloaded:
        record.refused += task != FLOOD
        return
    finally:
        record.in_service[task] -= 1
    if task == FLOOD:
        record.flood_pictures += arrival.pictures
        return
    record.latencies_s.append(loop.time() - came_s)
    if lone:
        record.lone_queue_s.append(answered.queue_s)


def _quantile_ms(latencies_s: list[float], share: float) -> float:
    return round(1000 * float(np.quantile(latencies_s, share)), 3) if latencies_s else 0.0


def _no_device(error: DeviceLost) -> None:
    raise error
