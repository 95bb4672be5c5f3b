import asyncio

import pytest
from starlette.types import Message

from service.errors import ClientGone
from service.http.connection import LISTEN_AFTER_S, CancelOnDisconnect

LISTENING_S = 2 * LISTEN_AFTER_S
pytestmark = pytest.mark.anyio


class Client:
    """The other end of a connection, whose closing the test decides."""

    def __init__(self) -> None:
        self.left = asyncio.Event()

    async def receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}


async def test_a_block_that_ends_first_is_left_alone() -> None:
    client = Client()

    async with CancelOnDisconnect(client.receive) as watched:
        watched.listen()
        await asyncio.sleep(LISTENING_S)

    client.left.set()
    await asyncio.sleep(0.01)


async def test_a_client_that_leaves_cancels_the_block() -> None:
    client = Client()
    cancelled = False

    async def answer() -> None:
        nonlocal cancelled
        async with CancelOnDisconnect(client.receive) as watched:
            watched.listen()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled = True
                raise

    task = asyncio.create_task(answer())
    await asyncio.sleep(LISTENING_S)
    client.left.set()

    with pytest.raises(ClientGone):
        await task
    assert cancelled


async def test_leaving_as_the_block_ends_does_not_strike_later() -> None:
    client = Client()

    async with CancelOnDisconnect(client.receive) as watched:
        watched.listen()
        await asyncio.sleep(LISTENING_S)
        client.left.set()

    for _ in range(5):
        await asyncio.sleep(0)  # would raise what was left over


async def test_another_s_cancellation_goes_on_as_it_is() -> None:
    client = Client()

    async def answer() -> None:
        async with CancelOnDisconnect(client.receive) as watched:
            watched.listen()
            await asyncio.Event().wait()

    task = asyncio.create_task(answer())
    await asyncio.sleep(LISTENING_S)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_errors_of_the_block_pass() -> None:
    async def answer() -> None:
        async with CancelOnDisconnect(Client().receive) as watched:
            watched.listen()
            raise KeyError

    with pytest.raises(KeyError):
        await answer()


async def test_a_timeout_inside_still_counts_as_one() -> None:
    async with CancelOnDisconnect(Client().receive) as watched:
        watched.listen()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(LISTENING_S):
                await asyncio.Event().wait()


async def test_until_it_listens_the_messages_are_the_block_s() -> None:
    client = Client()
    client.left.set()

    async with CancelOnDisconnect(client.receive):
        for _ in range(5):
            await asyncio.sleep(0)


async def test_an_answer_that_comes_at_once_is_not_listened_for() -> None:
    client = Client()
    client.left.set()

    async with CancelOnDisconnect(client.receive) as watched:
        watched.listen()
    await asyncio.sleep(LISTENING_S)  # would be cancelled here
