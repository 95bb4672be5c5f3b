"""Around the application: each change that is asked for is written down before its answer leaves."""

from asyncio import CancelledError
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.audit import DONE
from service.audit import Audit
from service.errors import Draining
from service.http.problems import problem_of
from service.http.request_log import Note, note_of

MAX_CHARACTERS = 200


class AuditTrail:
    """ASGI middleware. `anonymous` stands for whoever has shown no valid key.

    A route says by its note that it changes something (`service.http.routes.lean`), before anybody is
    asked for a key, so that what is refused is written down too.
    """

    def __init__(self, app: ASGIApp, audit: Audit, anonymous: str) -> None:
        self._app = app
        self._audit = audit
        self._anonymous = anonymous

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        note, is_written = note_of(scope), False

        async def write(result: str) -> None:
            nonlocal is_written
            if note.action and not is_written:
                is_written = True
                await self._write(scope, note, result)

        async def send_when_written(message: Message) -> None:
            if note.action and message["type"] == "http.response.start":
                await write(note.code or DONE)
            await send(message)

        try:
            await self._app(scope, receive, send_when_written)
        except CancelledError:
            await write(problem_of(Draining()).code)
            raise
        except Exception as error:
            await write(problem_of(error).code)
            raise

    async def _write(self, scope: Scope, note: Note, result: str) -> None:
        given = dict(scope.get("path_params", {}))
        task = given.pop("task", None)
        facts: dict[str, Any] = {name: _cut(value) for name, value in given.items()} | note.facts
        if scope.get("client"):
            facts["client"] = scope["client"][0]
        who = note.key or self._anonymous
        await self._audit.write(
            who, note.action, task and _cut(task), result, **facts, request_id=note.request_id
        )


def _cut(text: str) -> str:
    """A client may ask for anything, at any length."""
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}…"
