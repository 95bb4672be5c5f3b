"""Ray cancels a request whose client left. The service is told that the client left, as by any server."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

DISCONNECT: Message = {"type": "http.disconnect"}


class DisconnectOnCancel:
    """ASGI: turns the cancellation of a request into `http.disconnect`, and waits for its end.

    The service takes a cancellation for its own end, which would be logged and counted as a fault.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        gone = asyncio.Event()
        request = asyncio.ensure_future(self._app(scope, _until(gone, receive), send))
        try:
            await asyncio.shield(request)
        except asyncio.CancelledError:
            gone.set()
            await asyncio.wait([request])
            raise


def _until(gone: asyncio.Event, receive: Receive) -> Receive:
    """`receive`, which says `http.disconnect` as soon as `gone` is set."""

    async def receive_until_gone() -> Message:
        message, left = asyncio.ensure_future(receive()), asyncio.ensure_future(gone.wait())
        try:
            await asyncio.wait([message, left], return_when=asyncio.FIRST_COMPLETED)
            heard = message.done() and message.exception() is None  # not if Ray cancelled that, too
            return message.result() if heard else DISCONNECT
        finally:
            message.cancel()
            left.cancel()

    return receive_until_gone
