"""The body of a request as it arrives, and small ones whole."""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from adapters.store.strict_json import first_error
from service.errors import BadBody, ClientGone, RequestTooLarge, UploadTooSlow

MAX_JSON_BYTES = 262_144
Model = TypeVar("Model", bound=BaseModel)


async def chunks(request: Request, silence_ms: int) -> AsyncIterator[bytes]:
    """The body, piece by piece. Raises ClientGone, and UploadTooSlow where nothing comes for so long."""
    more = True
    while more:
        try:
            async with asyncio.timeout(silence_ms / 1000):
                message = await request.receive()
        except TimeoutError as error:
            raise UploadTooSlow(f"nothing of the body arrived within {silence_ms} ms") from error
        if message["type"] == "http.disconnect":
            raise ClientGone("the client left before its request was complete")
        more = message.get("more_body", False)
        if piece := message.get("body", b""):
            yield piece


async def read_json(
    request: Request, model: type[Model], silence_ms: int, *, empty: Model | None = None
) -> Model:
    """A small body of JSON as the model has it, unknown keys refused; `empty` where there is no body.

    Raises BadBody, RequestTooLarge, UploadTooSlow and ClientGone.
    """
    data = bytearray()
    async for piece in chunks(request, silence_ms):
        data += piece
        if len(data) > MAX_JSON_BYTES:
            raise RequestTooLarge(f"the body has more than the {MAX_JSON_BYTES} bytes allowed")
    if not data and empty is not None:
        return empty
    try:
        return model.model_validate_json(bytes(data), strict=True)
    except ValidationError as error:
        raise BadBody(f"the body is not what is expected here: {first_error(error)}") from error
