import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from service.ray.cancellation import DisconnectOnCancel

pytestmark = pytest.mark.anyio
BODY: Message = {"type": "http.request", "body": b"picture", "more_body": False}


def receiver(*messages: Message) -> Receive:
    """Gives these, and then nothing for ever."""
    left = list(messages)

    async def receive() -> Message:
        if left:
            return left.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    return receive


async def send(_: Message) -> None:
    """To nobody."""


async def test_messages_pass() -> None:
    got: list[Message] = []

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        got.append(await receive())

    await DisconnectOnCancel(app)({"type": "http"}, receiver(BODY), send)

    assert got == [BODY]


async def test_a_cancelled_request_hears_that_the_client_left_and_ends_itself() -> None:
    seen: list[Any] = []

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        seen.append((await receive())["type"])
        seen.append((await receive())["type"])
        await asyncio.sleep(0.01)
        seen.append("ended")

    request = asyncio.create_task(DisconnectOnCancel(app)({"type": "http"}, receiver(BODY), send))
    await asyncio.sleep(0.01)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request

    assert seen == ["http.request", "http.disconnect", "ended"]


async def test_whom_nothing_can_be_received_from_has_left() -> None:
    seen: list[str] = []

    async def broken() -> Message:
        raise RuntimeError("the task was cancelled")

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        seen.append((await receive())["type"])

    await DisconnectOnCancel(app)({"type": "http"}, broken, send)

    assert seen == ["http.disconnect"]


async def test_a_lifespan_is_left_alone() -> None:
    async def app(scope: Scope, receive: Receive, _send: Send) -> None:
        assert scope["type"] == "lifespan"
        assert receive is given

    given = receiver()
    await DisconnectOnCancel(app)({"type": "lifespan"}, given, send)
