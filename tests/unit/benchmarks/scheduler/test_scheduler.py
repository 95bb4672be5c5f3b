import asyncio
from collections import Counter

import pytest

from benchmarks.scheduler.clock import EngineModel, VirtualEngine, VirtualLoop
from benchmarks.scheduler.cost import Load, bare_us, batcher_us, in_turn
from benchmarks.scheduler.traffic import FLOOD, Traffic, arrivals
from service.batching.batcher import Batcher


def test_virtual_time_leaps_to_what_is_due_and_stands_still_meanwhile() -> None:
    leaps: list[float] = []

    async def sleep_long() -> float:
        loop = asyncio.get_running_loop()
        await asyncio.gather(asyncio.sleep(1000), asyncio.sleep(3600))
        return loop.time()

    with asyncio.Runner(loop_factory=lambda: VirtualLoop(leaps.append)) as runner:
        assert runner.run(sleep_long()) == pytest.approx(3600)

    assert leaps == pytest.approx([1000, 2600])


def test_waiting_for_what_never_comes_is_an_error() -> None:
    async def wait() -> None:
        await asyncio.get_running_loop().create_future()

    loop = VirtualLoop()
    try:
        waiting = loop.create_task(wait())
        with pytest.raises(RuntimeError, match="nothing is due any more"):
            loop.run_until_complete(waiting)
        waiting.cancel()
        loop.run_until_complete(asyncio.gather(waiting, return_exceptions=True))
    finally:
        loop.close()


def test_the_engine_takes_its_time_and_one_batch_at_a_time() -> None:
    async def run() -> float:
        loop = asyncio.get_running_loop()
        engine = VirtualEngine(loop, EngineModel(fixed_s=1.0, per_picture_s=0.5))
        first = loop.run_in_executor(engine, list, [1, 2])
        with pytest.raises(RuntimeError, match="one batch at a time"):
            engine.submit(list, [3])
        assert await first == [1, 2]
        return loop.time()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(run()) == pytest.approx(2.0)


def test_traffic_is_of_the_rate_the_tasks_and_the_layouts_asked_for() -> None:
    traffic = Traffic(
        1000, tasks=10, layouts=5, seconds=10, popularity="zipf", flood_rate=320, flood_apart=True
    )

    requests = arrivals(traffic)
    counts = Counter(request.task for request in requests)

    assert [each.at_s for each in requests] == sorted(each.at_s for each in requests)
    assert len(requests) - counts[FLOOD] == pytest.approx(10_000, rel=0.05)
    assert counts[FLOOD] == pytest.approx(200, rel=0.3)
    assert counts["task-0"] == pytest.approx(2 * counts["task-1"], rel=0.2)
    assert {each.layout for each in requests if each.task == FLOOD} == {5}
    assert all(each.layout == int(each.task[5:]) % 5 for each in requests if each.task != FLOOD)
    assert arrivals(traffic) == requests


def test_bursts_come_at_one_moment() -> None:
    moments = Counter(each.at_s for each in arrivals(Traffic(1000, burst=50, seconds=5)))

    assert set(moments.values()) == {50}


def test_processor_time_is_told_for_every_side_and_round() -> None:
    load = Load(tasks=10, queue=64, pictures=4, max_batch=16)

    told = in_turn({"batcher": lambda: batcher_us(Batcher, load), "bare": lambda: bare_us(load)}, rounds=2)

    assert {side: len(times) for side, times in told.items()} == {"batcher": 2, "bare": 2}
    assert all(us > 0 for times in told.values() for us in times)
