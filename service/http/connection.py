"""Notice a client that leaves while its request is being answered."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.types import Receive

from service.errors import ClientGone


@asynccontextmanager
async def cancel_on_disconnect(receive: Receive) -> AsyncIterator[Callable[[], None]]:
    """Cancel the block, which then raises ClientGone, when the connection closes.

    Gives what begins to listen for that: the body must have been read by then.
    """
    owner = _current_task()
    gone = False
    listener: asyncio.Task[None] | None = None

    async def wait() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        owner.cancel()

    def listen() -> None:
        nonlocal listener
        listener = asyncio.create_task(wait())

    try:
        yield listen
    except asyncio.CancelledError:
        # Somebody else's cancellation, a shutdown say, goes on as it is.
        if gone and owner.uncancel() == 0:
            raise ClientGone("the client left before its answer was ready") from None
        raise
    finally:
        if listener is not None:
            listener.cancel()


def _current_task() -> asyncio.Task[object]:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("needs a running task")
    return task
