import asyncio
from collections.abc import Callable

import pytest

from service.errors import DeviceLost, Draining, Starting
from service.lifecycle import Lifecycle, Phase


def test_a_service_starts_and_becomes_ready() -> None:
    lifecycle = Lifecycle()
    with pytest.raises(Starting):
        lifecycle.require_ready()

    lifecycle.become_ready()

    lifecycle.require_ready()
    assert lifecycle.exit_code == 0


def test_a_draining_service_admits_nothing_and_ends_well() -> None:
    lifecycle = Lifecycle()
    lifecycle.become_ready()
    lifecycle.drain()

    with pytest.raises(Draining):
        lifecycle.require_ready()
    assert lifecycle.exit_code == 0


def test_a_signal_during_the_start_is_not_forgotten() -> None:
    lifecycle = Lifecycle()
    lifecycle.drain()
    lifecycle.become_ready()

    assert lifecycle.phase is Phase.DRAINING


def test_a_failed_service_stays_failed() -> None:
    lifecycle = Lifecycle()
    phases: list[Phase] = []
    lifecycle.on_change.append(phases.append)
    lifecycle.become_ready()
    lifecycle.fail("the device is lost")
    lifecycle.fail("again")
    lifecycle.drain()

    assert phases == [Phase.READY, Phase.FAILED]
    assert lifecycle.exit_code == 1
    with pytest.raises(DeviceLost, match="the device is lost"):
        lifecycle.require_ready()


def test_a_lame_duck_answers_and_asks_for_no_more() -> None:
    lifecycle = Lifecycle()
    lifecycle.leave()
    assert lifecycle.phase is Phase.STARTING
    lifecycle.become_ready()
    lifecycle.leave()

    lifecycle.require_admitting()
    with pytest.raises(Draining):
        lifecycle.require_ready()

    lifecycle.drain()
    with pytest.raises(Draining):
        lifecycle.require_admitting()


def test_one_of_several_processes_is_not_wanted_before_all_were_ready() -> None:
    lifecycle = Lifecycle()
    lifecycle.wait_for_others("1 of 2 workers are ready")
    lifecycle.become_ready()

    with pytest.raises(Starting, match="1 of 2 workers"):
        lifecycle.require_ready()
    lifecycle.require_admitting()  # what comes all the same is answered

    lifecycle.others_are_ready("2 of 2 workers are ready")
    lifecycle.require_ready()
    assert lifecycle.told == "answering requests; 2 of 2 workers are ready"


def test_one_that_drains_says_so_whatever_the_others_do() -> None:
    lifecycle = Lifecycle()
    lifecycle.wait_for_others("1 of 2 workers are ready")
    lifecycle.become_ready()
    lifecycle.drain()

    with pytest.raises(Draining):
        lifecycle.require_ready()
    with pytest.raises(Draining):
        lifecycle.require_admitting()


@pytest.mark.anyio
@pytest.mark.parametrize(
    "settle", [Lifecycle.become_ready, Lifecycle.drain, lambda each: each.fail("broken")]
)
async def test_the_start_is_over_however_it_ends(settle: Callable[[Lifecycle], None]) -> None:
    lifecycle = Lifecycle()
    waiting = asyncio.create_task(lifecycle.started())
    await asyncio.sleep(0)
    assert not waiting.done()

    settle(lifecycle)
    await asyncio.wait_for(waiting, 5)
