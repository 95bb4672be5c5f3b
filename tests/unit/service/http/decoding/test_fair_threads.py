import asyncio
import threading
import weakref
from collections.abc import Iterator
from typing import NoReturn

import anyio
import pytest

from service.http.decoding.fair_threads import FairThreads

pytestmark = pytest.mark.anyio


class Gate:
    """Steps that say that they have begun, and end when they may."""

    def __init__(self) -> None:
        self.begun: list[object] = []
        self.entered = threading.Semaphore(0)
        self.opened = threading.Event()

    def step(self, item: object) -> object:
        self.begun.append(item)
        self.entered.release()
        assert self.opened.wait(60)
        return item

    async def wait_begun(self, count: int) -> None:
        for _ in range(count):
            await anyio.to_thread.run_sync(self.entered.acquire)


@pytest.fixture
def threads() -> Iterator[FairThreads]:
    made = FairThreads(2)
    yield made
    made.close()


def double(number: int) -> int:
    return 2 * number


@pytest.mark.parametrize("count", [0, 1, 2, 3, 50])
async def test_results_come_in_order(threads: FairThreads, count: int) -> None:
    assert await threads.map("a", double, range(count)) == [2 * number for number in range(count)]


async def test_many_at_once_all_come_back(threads: FairThreads) -> None:
    results = await asyncio.gather(*(threads.map(str(n % 3), double, [n, n + 1]) for n in range(200)))

    assert results == [[2 * n, 2 * n + 2] for n in range(200)]
    assert (threads.running, threads.waiting) == (0, 0)


async def test_no_more_run_than_there_are_threads(threads: FairThreads) -> None:
    gate = Gate()
    async with asyncio.TaskGroup() as group:
        group.create_task(threads.map("a", gate.step, range(5)))
        await gate.wait_begun(2)

        assert (threads.running, threads.waiting) == (2, 3)
        assert len(gate.begun) == 2
        gate.opened.set()
    assert sorted(map(str, gate.begun)) == ["0", "1", "2", "3", "4"]


async def test_another_task_s_step_comes_before_the_rest_of_a_flood() -> None:
    threads, gate, order = FairThreads(1), Gate(), list[str]()
    async with asyncio.TaskGroup() as group:
        group.create_task(threads.map("flood", gate.step, ["first"]))
        await gate.wait_begun(1)
        for _ in range(3):
            group.create_task(threads.map("flood", order.append, ["flood"] * 10))
        await asyncio.sleep(0)
        group.create_task(threads.map("other", order.append, ["other"]))
        await asyncio.sleep(0)
        gate.opened.set()
    threads.close()

    assert order.index("other") <= 1


async def test_cancelling_spares_what_no_thread_has_begun_with(threads: FairThreads) -> None:
    gate = Gate()
    running = asyncio.create_task(threads.map("a", gate.step, range(2)))
    await gate.wait_begun(2)
    waiting = asyncio.create_task(threads.map("b", gate.step, ["never"] * 3))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert (threads.running, threads.waiting) == (2, 0)
    gate.opened.set()
    assert await running == [0, 1]
    assert "never" not in gate.begun


async def test_a_step_that_outlives_its_request_keeps_only_its_thread(threads: FairThreads) -> None:
    gate = Gate()
    with anyio.move_on_after(0.01):
        await threads.map("slow", gate.step, [1])

    assert await threads.map("other", double, [4]) == [8]
    assert threads.running == 1
    gate.opened.set()
    assert await threads.map("slow", double, [1]) == [2]


async def test_the_first_error_is_raised_and_spares_the_rest(threads: FairThreads) -> None:
    done = []

    def fail(number: int) -> None:
        done.append(number)
        if number >= 3:
            raise KeyError(number)

    with pytest.raises(KeyError, match="3"):
        await threads.map("a", fail, range(1000))
    assert len(done) < 1000
    assert await threads.map("a", double, [1]) == [2]


async def test_whatever_a_step_raises_reaches_who_waits(threads: FairThreads) -> None:
    def leave(_: int) -> NoReturn:
        raise SystemExit

    with pytest.raises(SystemExit):
        await threads.map("a", leave, [1])


async def test_items_go_as_they_are_done_and_not_with_the_last() -> None:
    class Item:
        """Something that can be seen to go."""

    threads, gone, gate = FairThreads(1), threading.Event(), Gate()
    items: list[Item] = [Item(), Item()]
    weakref.finalize(items[0], gone.set)
    last = weakref.ref(items[1])

    def step(item: Item) -> None:
        if item is last():
            gate.step(item)

    mapped = asyncio.create_task(threads.map("a", step, items))
    await asyncio.sleep(0)
    items.clear()
    await gate.wait_begun(1)
    assert gone.is_set()
    gate.opened.set()
    await mapped
    threads.close()
