import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.batcher import Answered, Batcher
from service.errors import (
    DeadlineExceeded,
    DeviceLost,
    Draining,
    InferenceFailed,
    OutOfDeviceMemory,
    OutputNotFinite,
    Overloaded,
)

pytestmark = pytest.mark.anyio

FOREVER = 1e12
Infer = Callable[[Sequence[str]], Sequence[str | InferenceFailed]]


@dataclass
class Observed:
    """What the batcher tells."""

    batches: list[tuple[int, int]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    left: int = 0

    def batch_ran(self, pictures: int, tasks: int, seconds: float) -> None:
        assert seconds >= 0
        self.batches.append((pictures, tasks))

    def batch_failed(self, kind: str) -> None:
        self.faults.append(kind)

    def pictures_left(self, pictures: int) -> None:
        self.left += pictures


class GatedEngine:
    """Answers in capitals, but holds each batch until the test lets it go."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.entered = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)

    def __call__(self, payloads: Sequence[str]) -> list[str | InferenceFailed]:
        self.batches.append(list(payloads))
        self.entered.release()
        assert self.gate.acquire(timeout=60)
        return [payload.upper() for payload in payloads]

    async def wait_entered(self) -> None:
        assert await asyncio.to_thread(self.entered.acquire, timeout=60)

    def release(self, batches: int = 1) -> None:
        self.gate.release(batches)


def upper(payloads: Sequence[str]) -> list[str | InferenceFailed]:
    return [payload.upper() for payload in payloads]


@asynccontextmanager
async def running(
    infer: Infer, observed: Observed | None = None, *, max_batch: int = 8, max_pictures: int = 1000
) -> AsyncIterator[Batcher[str, str]]:
    lost: list[DeviceLost] = []
    with ThreadPoolExecutor(1) as thread:
        batcher: Batcher[str, str] = Batcher(
            infer,
            thread=thread,
            max_batch=max_batch,
            max_pictures=max_pictures,
            observer=observed or Observed(),
            on_device_lost=lost.append,
        )
        loop = asyncio.create_task(batcher.run())
        try:
            yield batcher
        finally:
            batcher.close()
            loop.cancel()
            with suppress(asyncio.CancelledError):
                await loop


def submit(
    batcher: Batcher[str, str],
    payloads: Sequence[str],
    task: str = "a",
    group: str = "g",
    deadline_s: float = FOREVER,
) -> "asyncio.Task[Answered[str]]":
    return asyncio.create_task(batcher.submit(group, task, payloads, deadline_s))


async def tick() -> None:
    """Let every task that can run do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_results_come_back_in_the_order_of_the_pictures() -> None:
    async with running(upper, max_batch=2) as batcher:
        answered = await batcher.submit("g", "a", ["x", "y", "z", "q", "r"], FOREVER)

    assert answered.results == ["X", "Y", "Z", "Q", "R"]
    assert answered.queue_s >= 0
    assert answered.inference_s >= 0


async def test_what_gathers_while_a_batch_runs_becomes_one_batch_of_many_tasks() -> None:
    engine, observed = GatedEngine(), Observed()
    async with running(engine, observed) as batcher:
        first = submit(batcher, ["first"])
        await engine.wait_entered()
        others = [submit(batcher, [f"p{n}"], task=f"task{n}") for n in range(3)]
        await tick()
        engine.release(2)
        await asyncio.gather(first, *others)

    assert engine.batches == [["first"], ["p0", "p1", "p2"]]
    assert observed.batches == [(1, 1), (3, 3)]


async def test_a_free_engine_does_not_wait_for_more() -> None:
    engine = GatedEngine()
    async with running(engine, max_batch=64) as batcher:
        only = submit(batcher, ["alone"])
        await engine.wait_entered()
        engine.release()
        assert (await only).results == ["ALONE"]


async def test_groups_never_share_a_batch() -> None:
    engine = GatedEngine()
    async with running(engine) as batcher:
        first = submit(batcher, ["first"])
        await engine.wait_entered()
        rest = [submit(batcher, [f"{group}{n}"], group=group) for n in range(2) for group in "xy"]
        await tick()
        engine.release(3)
        await asyncio.gather(first, *rest)

    assert engine.batches[1:] == [["x0", "x1"], ["y0", "y1"]]


async def test_a_cancelled_request_costs_no_forward_pass_and_harms_nobody() -> None:
    engine, observed = GatedEngine(), Observed()
    async with running(engine, observed) as batcher:
        first = submit(batcher, ["first"])
        await engine.wait_entered()
        gone, stays = submit(batcher, ["gone1", "gone2"]), submit(batcher, ["stays"], task="b")
        await tick()
        gone.cancel()
        await tick()
        assert batcher.waiting == 1
        engine.release(2)
        assert (await stays).results == ["STAYS"]
        await first

    assert engine.batches == [["first"], ["stays"]]
    assert observed.left == 2


async def test_cancelling_what_runs_harms_nobody_in_its_batch() -> None:
    engine = GatedEngine()
    async with running(engine) as batcher:
        first = submit(batcher, ["first"])
        await engine.wait_entered()
        gone, stays = submit(batcher, ["gone"]), submit(batcher, ["stays"])
        await tick()
        engine.release()
        await engine.wait_entered()
        gone.cancel()
        await tick()
        engine.release()
        assert (await stays).results == ["STAYS"]
        await first


async def test_settled_waits_for_the_batch_that_runs_and_for_no_other() -> None:
    engine = GatedEngine()
    async with running(engine) as batcher:
        await batcher.settled()
        first = submit(batcher, ["first"])
        await engine.wait_entered()
        second = submit(batcher, ["second"])
        settled = asyncio.create_task(batcher.settled())
        await tick()
        assert not settled.done()
        engine.release()
        await first
        await settled
        assert not second.done()
        engine.release()
        await second


async def test_a_request_past_its_deadline_leaves_before_the_launch() -> None:
    engine, observed = GatedEngine(), Observed()
    async with running(engine, observed) as batcher:
        first = submit(batcher, ["first"])
        await engine.wait_entered()
        late = submit(batcher, ["late"], deadline_s=asyncio.get_running_loop().time())
        await tick()
        engine.release()
        with pytest.raises(DeadlineExceeded):
            await late
        await first

    assert engine.batches == [["first"]]
    assert observed.left == 1


async def test_admission_is_bounded_in_pictures_and_frees_itself() -> None:
    async with running(upper, max_pictures=10) as batcher:
        with batcher.admit(7):
            assert batcher.admitted == 7
            with (
                pytest.raises(Overloaded, match="7 pictures are waiting, and at most 10 may"),
                batcher.admit(4),
            ):
                pass
            with batcher.admit(3):
                assert batcher.admitted == 10
        assert batcher.admitted == 0


async def test_retry_after_grows_with_what_waits() -> None:
    async with running(upper, max_batch=4, max_pictures=100) as batcher:
        await batcher.submit("g", "a", ["x"] * 8, FOREVER)

        def retry_after_s(admitted: int) -> float:
            with batcher.admit(admitted), pytest.raises(Overloaded) as overloaded, batcher.admit(101):
                pass
            return overloaded.value.retry_after_s

        assert 0 < retry_after_s(8) < retry_after_s(80)


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
        assert "shape mismatch" not in str(guilty)
        assert "RuntimeError" in str(guilty)


async def test_out_of_memory_halves_the_batch_and_those_after_it() -> None:
    sizes: list[int] = []

    def infer(payloads: Sequence[str]) -> list[str | InferenceFailed]:
        sizes.append(len(payloads))
        if len(payloads) > 3:
            raise OutOfDeviceMemory("too much")
        return upper(payloads)

    async with running(infer, max_batch=8) as batcher:
        await batcher.submit("g", "a", [str(n) for n in range(8)], FOREVER)
        assert sizes == [8, 4, 2, 2, 4, 2, 2]
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

    assert sizes[-1] == 2


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
        with pytest.raises(OutputNotFinite, match="picture 1: NaN"):
            await mixed
        assert (await fine).results == ["FINE"]


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

    async with running(infer) as batcher:
        batcher._on_device_lost = lost.append
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


async def test_a_closed_batcher_refuses() -> None:
    async with running(upper) as batcher:
        batcher.close()
        with pytest.raises(Draining):
            await batcher.submit("g", "a", ["x"], FOREVER)


REQUESTS = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from("gh"),
        st.lists(st.sampled_from(["fine", "bad", "nan"]), min_size=1, max_size=5),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


def sometimes_bad(payloads: Sequence[str]) -> list[str | InferenceFailed]:
    if "bad" in payloads:
        raise RuntimeError("bad")
    return [OutputNotFinite("nan") if payload == "nan" else payload.upper() for payload in payloads]


async def answers_to(
    requests: list[tuple[str, str, list[str], bool]], max_batch: int
) -> list[Answered[str] | BaseException]:
    async with running(sometimes_bad, max_batch=max_batch) as batcher:
        tasks = []
        for task, group, payloads, cancelled in requests:
            tasks.append(submit(batcher, payloads, task, group))
            if cancelled:
                await asyncio.sleep(0)
                tasks[-1].cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert batcher.waiting == 0
        return answers


@given(REQUESTS, st.integers(1, 8))
@settings(deadline=None, max_examples=60)
def test_every_request_is_answered_exactly_once_or_cancelled(
    requests: list[tuple[str, str, list[str], bool]], max_batch: int
) -> None:
    answers = asyncio.run(answers_to(requests, max_batch))

    for (_, _, payloads, cancelled), answer in zip(requests, answers, strict=True):
        if isinstance(answer, Answered):
            assert answer.results == [payload.upper() for payload in payloads]
            assert set(payloads) == {"fine"}
        elif isinstance(answer, asyncio.CancelledError):
            assert cancelled
        else:
            assert isinstance(answer, InferenceFailed)
            assert set(payloads) != {"fine"}
