"""Reads the body of a request within its limits, whether or not its length was told before."""

import asyncio
import io
from dataclasses import dataclass

from starlette.requests import Request

from service.errors import ClientGone, RequestTooLarge, UploadTooSlow
from service.http.decoding.fair_threads import FairThreads
from service.http.request.bodies import Body
from service.http.request.body_bytes import BodyBytes, HeldBytes
from service.http.request.codings import Inflater, inflater_for
from service.http.request.limits import RequestLimits
from service.http.request.media_types import Form, form_of
from service.http.request.signatures import START_BYTES


@dataclass(frozen=True)
class BodyReader:
    """Reads the bodies of all requests, within one budget of bytes."""

    limits: RequestLimits
    budget: BodyBytes
    threads: FairThreads

    async def read(self, request: Request, task: str, form: Form | None = None) -> Body:
        """The whole body, limited while it arrives; its bytes need not tell its form where one is given.

        Raises UnreadMediaType, RequestTooLarge and Overloaded, as early as headers or first
        bytes tell; and BadBody, UploadTooSlow, ClientGone.
        """
        body = Body(
            task,
            request.headers.get("content-type", ""),
            self.limits,
            self.threads,
            self.budget.hold(task),
        )
        if form is not None:
            body.form = form
        inflater = inflater_for(request.headers)
        self._check_length(request.headers.get("content-length"), body.held)
        arriving = _Arriving(body, has_form=form is not None)
        try:
            async with asyncio.timeout(self.limits.upload_timeout_ms / 1000):
                await self._receive(request, arriving, inflater)
            arriving.end()
        except TimeoutError as error:
            body.release()
            limit_ms = self.limits.upload_timeout_ms
            raise UploadTooSlow(f"the body did not arrive within {limit_ms} ms") from error
        except BaseException:
            body.release()
            raise
        return body

    async def _receive(self, request: Request, arriving: "_Arriving", inflater: Inflater | None) -> None:
        received, more = 0, True
        while more:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise ClientGone("the client left before its request was complete")
            chunk, more = message.get("body", b""), message.get("more_body", False)
            if inflater is None:
                arriving.add(chunk)
                continue
            received += len(chunk)
            check_size(received, self.limits)
            async for piece in inflater.inflate(chunk, self.threads, arriving.body.task):
                arriving.add(piece)
        if inflater is not None and received:
            inflater.end()

    def _check_length(self, declared: str | None, held: HeldBytes) -> None:
        if declared is None:
            return
        if int(declared) > self.limits.request_bytes:
            raise RequestTooLarge(
                f"the body has {declared} bytes; a request may have {self.limits.request_bytes}"
            )
        held.expect(int(declared))


class _Arriving:
    """A body that is not complete; its first bytes tell its form."""

    def __init__(self, body: Body, *, has_form: bool) -> None:
        self.body = body
        self._data = io.BytesIO()  # its value is no copy, and a piece of one byte costs one byte
        self._size = 0
        self._has_form = has_form

    def add(self, piece: bytes) -> None:
        """Take in what arrived. Raises RequestTooLarge, Overloaded and UnreadMediaType."""
        self._size += len(piece)
        check_size(self._size, self.body.limits)
        self.body.held.add(len(piece))
        self._data.write(piece)
        if not self._has_form and self._size >= START_BYTES:
            self._tell_form()

    def end(self) -> None:
        """All has arrived. Raises UnreadMediaType."""
        if not self._has_form:
            self._tell_form()
        self.body.data = self._data.getvalue()

    def _tell_form(self) -> None:
        self._has_form = True
        self.body.form = form_of(self.body.content_type, bytes(self._data.getbuffer()[:START_BYTES]))


def check_size(size: int, limits: RequestLimits) -> None:
    """Raise RequestTooLarge beyond the bytes of one request."""
    if size > limits.request_bytes:
        raise RequestTooLarge(f"the body has more than the {limits.request_bytes} bytes allowed")
