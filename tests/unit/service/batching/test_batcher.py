import asyncio
import threading
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.batching.queued_request import Answered
from service.errors import (
    InferenceFailed,
    OutputNotFinite,
)
from tests.support.gated import FOREVER, GatedEngine, Observed, running, submit, tick, upper

pytestmark = pytest.mark.anyio


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


async def test_batches_run_on_the_thread_that_was_given() -> None:
    names: list[str] = []

    def infer(payloads: Sequence[str]) -> list[str | InferenceFailed]:
        names.append(threading.current_thread().name)
        return upper(payloads)

    async with running(infer) as batcher:
        await batcher.submit("g", "a", ["x"], FOREVER)

    assert names == ["engine_0"]


async def test_a_flood_gets_what_its_batches_cost_beside_their_pictures() -> None:
    now_s, sizes = 0.0, list[int]()

    def infer(payloads: Sequence[str]) -> list[str | InferenceFailed]:
        nonlocal now_s
        now_s += 0.01 + 0.001 * len(payloads)
        sizes.append(len(payloads))
        return upper(payloads)

    async with running(infer, max_batch=256, clock=lambda: now_s) as batcher:
        await batcher.submit("g", "light", ["x"], FOREVER)
        await batcher.submit("g", "flood", ["x"] * 64, FOREVER)
        flood, light = submit(batcher, ["x"] * 100, "flood"), submit(batcher, ["x"], "light")
        await asyncio.gather(flood, light)

    assert sizes[:3] == [1, 64, 10 + 1]  # a batch takes as long as 10 pictures beside its pictures


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


async def test_idle_is_when_nothing_runs_or_waits() -> None:
    engine = GatedEngine()
    async with running(engine) as batcher:
        await batcher.idle()
        first = submit(batcher, ["first"])
        await tick()
        idle = asyncio.create_task(batcher.idle())
        await engine.wait_entered()
        second = submit(batcher, ["second"])
        engine.release()
        await first
        await engine.wait_entered()
        assert not idle.done()
        engine.release()
        await second
        await asyncio.wait_for(idle, 20)
        left = submit(batcher, ["left"])
        await tick()
        left.cancel()
        engine.release()
        await asyncio.wait_for(batcher.idle(), 20)
