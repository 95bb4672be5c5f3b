import asyncio
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.errors import Starting
from service.lifecycle import Lifecycle
from service.settings import Settings
from service.workers.membership import Membership
from service.workers.messages import Assignment, Group, Line, Report

pytestmark = pytest.mark.anyio


@pytest.fixture
def line() -> Iterator[tuple[Line, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Line(ours), theirs


@pytest.fixture
def membership(line: tuple[Line, socket.socket], tmp_path: Path) -> Iterator[Membership]:
    settings = Settings(store=tmp_path, workers=3).model_dump(mode="json")
    assignment = Assignment(worker=1, listener=0, folder=tmp_path, replaces=False, settings=settings)
    made = Membership(assignment, line[1])
    yield made
    assert made.peers.listener is not None
    made.peers.listener.close()


async def test_it_asks_all_others_and_not_itself(membership: Membership, tmp_path: Path) -> None:
    others = [address.path for address in await membership.others() if address]

    assert others == [str(tmp_path / "worker-0.sock"), str(tmp_path / "worker-2.sock")]


async def test_what_the_supervisor_tells_decides_on_readiness(
    membership: Membership, line: tuple[Line, socket.socket]
) -> None:
    lifecycle = Lifecycle()
    membership.join(lifecycle)
    lifecycle.become_ready()
    with pytest.raises(Starting, match="0 of 3"):
        lifecycle.require_ready()

    living = asyncio.create_task(membership.run(lifecycle))
    line[0].send(Group(ready=3, all=3, complete=True, processes={0: 5, 1: 6, 2: 7}))
    for _ in range(1_000):
        await asyncio.sleep(0.01)
        if "3 of 3" in lifecycle.told:
            break
    lifecycle.require_ready()
    living.cancel()

    assert membership.processes == {0: 5, 1: 6, 2: 7}
    assert (line[0].receive() or [])[:2] == [Report(ready=True), Report()]


async def test_a_start_that_fails_is_told_and_a_later_fault_is_not(
    membership: Membership, line: tuple[Line, socket.socket]
) -> None:
    lifecycle, later = Lifecycle(), Lifecycle()
    membership.join(lifecycle)
    lifecycle.fail("other weights")
    assert line[0].receive() == [Report(fault="other weights", code=1)]

    membership.join(later)
    later.become_ready()
    later.fail("the device is lost")
    assert line[0].receive() == [Report(ready=True)]


async def test_without_its_supervisor_it_ends_as_by_a_signal(
    membership: Membership, line: tuple[Line, socket.socket]
) -> None:
    got = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, got.set)
    try:
        living = asyncio.create_task(membership.run(Lifecycle()))
        line[0].end.close()
        async with asyncio.timeout(10):
            await got.wait()
            await living
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


async def test_a_supervisor_that_was_killed_with_something_unread_is_gone_too(
    membership: Membership, line: tuple[Line, socket.socket]
) -> None:
    """The system tells that as a reset, not as an end."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    membership.tell(Report())
    line[0].end.close()
    try:
        await membership.run(Lifecycle())
        await asyncio.wait_for(ended.wait(), 60)
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
