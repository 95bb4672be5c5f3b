"""Notice a client that leaves while its request is being answered."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import Receive

from service.errors import ClientGone


@asynccontextmanager
async def cancel_on_disconnect(receive: Receive) -> AsyncIterator[None]:
    """Cancel the block, which then raises ClientGone, when the connection closes. The body must be read."""
    owner = _current_task()
    gone = False

    async def listen() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        owner.cancel()

    listener = asyncio.ensure_future(listen())
    try:
        yield
    except asyncio.CancelledError:
        # Somebody else's cancellation, a shutdown say, goes on as it is.
        if gone and owner.uncancel() == 0:
            raise ClientGone("the client left before its answer was ready") from None
        raise
    finally:
        listener.cancel()


def _current_task() -> asyncio.Task[object]:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("needs a running task")
    return task
