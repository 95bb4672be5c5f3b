import asyncio

import pytest

from service.http.edge.connections import TURNED_AWAY, Connections
from service.http.edge.limits import EdgeLimits


class Known:
    """A connection that remembers what it was told."""

    def __init__(self) -> None:
        self.evicted = False
        self.expired = asyncio.Event()

    def expire(self, now_s: float) -> None:
        del now_s
        self.expired.set()

    def evict(self) -> None:
        self.evicted = True


def full(count: int) -> tuple[Connections, list[Known]]:
    connections, known = Connections(EdgeLimits(connections=count)), [Known() for _ in range(count)]
    assert all(connections.admit(each) for each in known)
    return connections, known


@pytest.mark.anyio
async def test_the_one_that_waits_longest_makes_room() -> None:
    connections, known = full(3)
    connections.busy(known[0])
    connections.waits(known[0])  # answered meanwhile
    connections.waits(known[1])

    assert connections.admit(Known())
    assert [each.evicted for each in known] == [False, False, True]
    assert len(connections) == 3


@pytest.mark.anyio
async def test_busy_ones_do_not() -> None:
    connections, known = full(2)
    for each in known:
        connections.busy(each)
    more = Known()

    assert not connections.admit(more)
    assert not any(each.evicted for each in known)
    connections.remove(known[0])
    assert connections.admit(more)


@pytest.mark.anyio
async def test_only_so_many_are_told_at_a_time() -> None:
    connections = Connections(EdgeLimits(connections=1))
    told = [Known() for _ in range(TURNED_AWAY)]

    assert all(connections.turn_away(each) for each in told)
    assert not connections.turn_away(Known())
    connections.remove(told[0])
    assert connections.turn_away(Known())


@pytest.mark.anyio
async def test_a_closed_connection_waits_for_nobody() -> None:
    connections, known = full(1)
    connections.remove(known[0])
    connections.waits(known[0])

    other = Known()
    assert connections.admit(other)
    connections.busy(other)
    assert not connections.admit(Known())
    assert not known[0].evicted


@pytest.mark.anyio
async def test_all_are_looked_at_again_and_again_turned_away_ones_too() -> None:
    connections, told = Connections(EdgeLimits(head_timeout_s=0.04)), Known()
    for each in (admitted := Known(), Known()):
        connections.admit(each)
    connections.turn_away(told)
    for _ in range(3):
        for each in (admitted, told):
            each.expired.clear()
            await asyncio.wait_for(each.expired.wait(), 60)


@pytest.mark.anyio
async def test_looking_stops_with_the_last_and_begins_with_the_next() -> None:
    connections, known = full(1)
    connections.remove(known[0])
    await asyncio.sleep(0)
    connections.admit(other := Known())

    await asyncio.wait_for(other.expired.wait(), 60)
