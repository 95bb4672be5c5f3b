import asyncio
from collections.abc import Iterator, Sequence

import pytest

from service.errors import (
    DeviceLost,
    InferenceFailed,
    OutOfDeviceMemory,
    OutputNotFinite,
)
from tests.support.gated import (
    FOREVER,
    GatedEngine,
    Infer,
    Observed,
    running,
    submit,
    tick,
    upper,
)

pytestmark = pytest.mark.anyio


def failing_on(*guilty: str) -> Infer:
    def infer(payloads: Sequence[str]) -> list[str | InferenceFailed]:
        if any(payload in guilty for payload in payloads):
            raise RuntimeError("shape mismatch deep inside")
        return upper(payloads)

    return infer


async def one_batch(infer: Infer, payloads: Sequence[str], observed: Observed) -> list[str | BaseException]:
    """Each payload as a request of its own, all in one batch; their results or errors."""
    async with running(infer, observed, max_batch=64) as batcher:
        tasks = [submit(batcher, [payload], task=payload) for payload in payloads]
        answers = await asyncio.gather(*tasks, return_exceptions=True)
    return [answer if isinstance(answer, BaseException) else answer.results[0] for answer in answers]


async def test_a_failed_batch_is_tried_again_whole() -> None:
    attempts: Iterator[int] = iter(range(10))

    def infer(payloads: Sequence[str]) -> list[str | InferenceFailed]:
        if next(attempts) == 0:
            raise RuntimeError("once")
        return upper(payloads)

    observed = Observed()

    assert await one_batch(infer, ["a", "b", "c"], observed) == ["A", "B", "C"]
    assert observed.batches == [(3, 3)]
    assert observed.faults == ["RuntimeError"]


async def test_only_the_guilty_requests_fail() -> None:
    observed = Observed()

    answers = await one_batch(failing_on("c", "g"), list("abcdefgh"), observed)

    assert [answer for answer in answers if isinstance(answer, str)] == list("ABDEFH")
    for guilty in (answers[2], answers[6]):
        assert isinstance(guilty, InferenceFailed)
        assert str(guilty) == "picture 0: the forward pass failed (RuntimeError)"
        assert str(guilty.__cause__) == "shape mismatch deep inside"
    assert observed.faults == ["RuntimeError"] * 8  # the whole one twice, and each part once


async def test_out_of_memory_halves_the_batch_and_those_after_it() -> None:
    sizes: list[int] = []

    def infer(payloads: Sequence[str]) -> list[str | InferenceFailed]:
        sizes.append(len(payloads))
        if len(payloads) > 3:
            raise OutOfDeviceMemory("too much")
        return upper(payloads)

    observed = Observed()
    async with running(infer, observed, max_batch=8) as batcher:
        await batcher.submit("g", "a", [str(n) for n in range(8)], FOREVER)
        assert sizes == [8, 4, 2, 2, 4, 2, 2]
        assert observed.faults == ["OutOfDeviceMemory"] * 3
        sizes.clear()
        await batcher.submit("g", "a", [str(n) for n in range(8)], FOREVER)
        assert sizes == [2, 2, 2, 2]


async def test_larger_batches_are_tried_again_after_memory_ran_out() -> None:
    sizes: list[int] = []

    def infer(payloads: Sequence[str]) -> list[str | InferenceFailed]:
        sizes.append(len(payloads))
        if len(sizes) == 1:
            raise OutOfDeviceMemory("another process had it")
        return upper(payloads)

    async with running(infer, max_batch=2) as batcher:
        await batcher.submit("g", "a", ["x", "y"] * 150, FOREVER)

    assert sizes == [2, 1, 1] + [1] * 98 + [2] * 100


async def test_a_batch_doubles_with_every_hundred_that_went_well() -> None:
    sizes: list[int] = []

    def infer(payloads: Sequence[str]) -> list[str | InferenceFailed]:
        sizes.append(len(payloads))
        if len(sizes) in (1, 2, 5):
            raise OutOfDeviceMemory("another process had it")
        return upper(payloads)

    async with running(infer, max_batch=12) as batcher:
        await batcher.submit("g", "a", ["x"] * (12 + 98 * 3 + 100 * 6 + 24), FOREVER)

    assert sizes == [12, 6, 3, 3, 6, 3, 3] + [3] * 98 + [6] * 100 + [12] * 2


async def test_out_of_memory_for_one_picture_fails_it() -> None:
    def infer(payloads: Sequence[str]) -> list[str | InferenceFailed]:
        raise OutOfDeviceMemory(f"no room for {len(payloads)}")

    answers = await one_batch(infer, ["a", "b"], Observed())

    assert all(isinstance(answer, OutOfDeviceMemory) for answer in answers)


async def test_a_row_that_is_not_finite_fails_its_request_alone() -> None:
    def infer(payloads: Sequence[str]) -> list[str | InferenceFailed]:
        return [OutputNotFinite("NaN") if payload == "bad" else payload.upper() for payload in payloads]

    async with running(infer, max_batch=64) as batcher:
        mixed, fine = submit(batcher, ["ok", "bad"]), submit(batcher, ["fine"], task="b")
        with pytest.raises(OutputNotFinite, match=r"^picture 1: NaN$"):
            await mixed
        assert (await fine).results == ["FINE"]


async def test_a_row_is_told_by_its_number_in_the_request() -> None:
    def infer(payloads: Sequence[str]) -> list[str | InferenceFailed]:
        return [OutputNotFinite("NaN") if payload == "bad" else payload.upper() for payload in payloads]

    async with running(infer, max_batch=2) as batcher:
        with pytest.raises(OutputNotFinite, match=r"^picture 3: NaN$"):
            await batcher.submit("g", "a", ["x", "y", "z", "bad"], FOREVER)


async def test_an_engine_that_gives_too_few_results_is_found_out() -> None:
    def infer(payloads: Sequence[str]) -> list[str | InferenceFailed]:
        return upper(payloads)[1:]

    (answer,) = await one_batch(infer, ["a"], Observed())

    assert isinstance(answer, InferenceFailed)
    assert str(answer.__cause__) == "the engine gave 0 results for 1 pictures"


async def test_the_other_pictures_of_a_failed_request_leave_the_queue() -> None:
    observed = Observed()
    async with running(failing_on("bad"), observed, max_batch=1) as batcher:
        with pytest.raises(InferenceFailed):
            await batcher.submit("g", "a", ["bad", "x", "y"], FOREVER)

    assert observed.left == 2
    assert observed.batches == []


async def test_a_lost_device_fails_everyone_and_is_told() -> None:
    engine = GatedEngine()
    lost: list[DeviceLost] = []

    def infer(payloads: Sequence[str]) -> list[str | InferenceFailed]:
        engine(payloads)
        raise DeviceLost("illegal memory access")

    observed = Observed()
    async with running(infer, observed, on_device_lost=lost.append) as batcher:
        first = submit(batcher, ["first"])
        await engine.wait_entered()
        waits = submit(batcher, ["waits"], group="other")
        await tick()
        engine.release()
        answers = await asyncio.gather(first, waits, return_exceptions=True)
        with pytest.raises(DeviceLost):
            await batcher.submit("g", "a", ["later"], FOREVER)

    assert all(isinstance(answer, DeviceLost) for answer in answers)
    assert [str(error) for error in lost] == ["illegal memory access"]
    assert len(engine.batches) == 1
    assert observed.faults == ["DeviceLost"]
