"""Around the whole application: gives each request its id, and each one that failed its line in the log."""

import asyncio
import logging
from dataclasses import dataclass, field
from http import HTTPStatus
from time import monotonic
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.answers.recent_answers import Asked
from service.errors import Draining
from service.http.problem_json import problem_response
from service.http.problems import INTERNAL
from service.http.protocol_v2.errors import as_clients_read_it
from service.http.request_id import HEADER, new_request_id, request_id_of

logger = logging.getLogger("service.http")
NOTE = "dvpt.note"
SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)
PROBES = ("/readyz", "/v2/health/ready")  # a 503 is what it is there to tell, once a second
MAX_LOGGED_CHARACTERS = 200


@dataclass(slots=True)
class Note:
    """What is known of a request while it is answered; the application adds what went wrong."""

    request_id: str
    code: str = ""
    key: str = ""
    error: BaseException | None = None
    action: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    """Of a request that changes something: what its line in the audit trail says."""


def note_of(scope: Scope) -> Note:
    """The note of the request with this ASGI scope."""
    note: Note | None = scope.get(NOTE)
    if note is None:  # an application that is not wrapped, in a test say
        note = scope[NOTE] = Note(new_request_id())
    return note


def asked_by(scope: Scope) -> Asked:
    """Who asked, for what is told later about the answer."""
    note = note_of(scope)
    return Asked(note.request_id, note.key)


class RequestLog:
    """ASGI middleware: id and browsers' rules on every answer, faults of our own as a problem, and the log.

    One line for a request that failed: id, what was asked, status, code and duration, never its query, its
    headers or its body. One for any other if `access_log`. A readiness probe that gets a 503 has not failed.
    """

    def __init__(self, app: ASGIApp, *, access_log: bool) -> None:
        self._app = app
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_s = monotonic()
        note = scope[NOTE] = Note(request_id_of(scope["headers"]))
        header = (HEADER, note.request_id.encode())
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), header, *SECURITY_HEADERS]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except asyncio.CancelledError:  # only the end of the service cancels a request
            note.error = Draining("the service ended before the answer was ready")
        except Exception as error:
            note.error = error
        if note.error is not None and not status:
            response = problem_response(note.error, request_id=note.request_id)
            note.code = response.code
            await as_clients_read_it(scope, response)(scope, receive, send_with_id)
        failed = status >= HTTPStatus.BAD_REQUEST and not scope["path"].endswith(PROBES)
        if failed or self._access_log:
            self._log(scope, note, status, monotonic() - started_s, failed=failed)

    def _log(self, scope: Scope, note: Note, status: int, duration_s: float, *, failed: bool) -> None:
        fields: dict[str, Any] = {"id": note.request_id, "method": scope["method"], "status": status}
        task = scope.get("path_params", {}).get("task")
        fields |= {"path": _cut(scope["path"])} if task is None else {"task": _cut(task)}
        fields |= {"duration_ms": 1000 * duration_s}
        if self._access_log and scope.get("client"):
            fields["client"] = scope["client"][0]
        if note.key:
            fields["key"] = note.key
        if failed:
            fields["code"] = note.code
        if note.error is not None and status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            fields["error"] = note.error  # ours to mend; of a client's error it is in the answer
            if note.error.__cause__ is not None:
                fields["cause"] = repr(note.error.__cause__)
        logger.log(
            _level(status),
            "request_failed" if failed else "request",
            extra={"fields": fields},
            exc_info=note.error if note.code == INTERNAL.code else None,
        )


def _level(status: int) -> int:
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return logging.ERROR
    return logging.WARNING if status > HTTPStatus.INTERNAL_SERVER_ERROR else logging.INFO


def _cut(text: str) -> str:
    """A client may ask for anything, at any length."""
    return text if len(text) <= MAX_LOGGED_CHARACTERS else f"{text[:MAX_LOGGED_CHARACTERS]}…"
