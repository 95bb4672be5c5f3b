"""Notice a client that leaves while its request is being answered."""

import asyncio
from types import TracebackType
from typing import Self

from starlette.types import Receive

from service.errors import ClientGone

LISTEN_AFTER_S = 0.02
"""Most requests are answered before anything listens; a task for each would cost them 3 %."""


class CancelOnDisconnect:
    """Cancels its block, which then raises ClientGone, when the connection closes."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._gone = False
        self._owner: asyncio.Task[object] | None = None
        self._later: asyncio.TimerHandle | None = None
        self._listener: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._owner = asyncio.current_task()
        return self

    def listen(self) -> None:
        """Listen from a moment later on: the body must have been read by now."""
        self._later = asyncio.get_running_loop().call_later(LISTEN_AFTER_S, self._start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._later is not None:
            self._later.cancel()
        if self._listener is not None:
            self._listener.cancel()
        # Somebody else's cancellation, a shutdown say, goes on as it is.
        if kind is asyncio.CancelledError and self._gone and self._owner and self._owner.uncancel() == 0:
            raise ClientGone("the client left before its answer was ready") from None

    def _start(self) -> None:
        self._listener = asyncio.create_task(self._wait())

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        if self._owner is not None:
            self._owner.cancel()
