import asyncio
from collections.abc import Sequence

import pytest

from service.errors import (
    DeadlineExceeded,
    Draining,
    InferenceFailed,
)
from tests.support.gated import FOREVER, GatedEngine, Observed, running, submit, tick, upper

pytestmark = pytest.mark.anyio


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
        with pytest.raises(
            DeadlineExceeded, match=r"^the timeout passed while the pictures waited for a batch$"
        ):
            await late
        await first

    assert engine.batches == [["first"]]
    assert observed.left == 1


async def test_a_closed_batcher_refuses() -> None:
    async with running(upper) as batcher:
        batcher.close()
        with pytest.raises(Draining, match=r"^the service is ending$"):
            await batcher.submit("g", "a", ["x"], FOREVER)


async def test_a_deadline_that_passes_within_a_request_takes_the_rest_out() -> None:
    now_s, observed = 100.0, Observed()

    def infer(payloads: Sequence[str]) -> Sequence[str | InferenceFailed]:
        nonlocal now_s
        now_s += 1.0
        return upper(payloads)

    async with running(infer, observed, max_batch=2, clock=lambda: now_s) as batcher:
        with pytest.raises(DeadlineExceeded):
            await batcher.submit("g", "a", list("vwxyz"), deadline_s=100.5)

    assert observed.batches == [(2, 1)]
    assert observed.seconds == [1.0]
    assert observed.left == 3
