"""Bodies that say what to change: one JSON object, short, checked strictly."""

import asyncio
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from adapters.store.strict_json import first_error
from service.errors import BadBody, ClientGone, RequestTooLarge, UploadTooSlow

MOST_BYTES = 65_536
TIMEOUT_S = 30.0
Model = TypeVar("Model", bound=BaseModel)


async def read_model(request: Request, model: type[Model]) -> Model:
    """The body of a request as a `model`. Raises BadBody, RequestTooLarge, UploadTooSlow and ClientGone."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            body = await _read(request)
    except TimeoutError as error:
        raise UploadTooSlow(f"the body did not arrive within {TIMEOUT_S:g} s") from error
    try:
        return model.model_validate_json(body, strict=True)
    except ValidationError as error:
        raise BadBody(f"the body: {first_error(error)}") from error


async def _read(request: Request) -> bytes:
    body, more = bytearray(), True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientGone("the client left before its request was complete")
        body += message.get("body", b"")
        if len(body) > MOST_BYTES:
            raise RequestTooLarge(f"the body has more than the {MOST_BYTES} bytes allowed")
        more = message.get("more_body", False)
    return bytes(body)
