import asyncio

import pytest

from benchmarks.scheduler.clock import EngineModel, VirtualEngine, VirtualLoop


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
