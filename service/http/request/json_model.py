"""A JSON body that is one strict model: what a change asks for."""

import asyncio
from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from adapters.store.strict_json import first_error
from service.errors import BadBody, ClientGone, RequestTooLarge, UploadTooSlow

Model = TypeVar("Model", bound=BaseModel)
MOST_BYTES = 1_000_000
TIMEOUT_S = 30.0


async def read_model(request: Request, model: type[Model]) -> Model:
    """The body of a request. Raises BadBody, RequestTooLarge, UploadTooSlow and ClientGone."""
    body = bytearray()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            more = True
            while more:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone("the client left before its request was complete")
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > MOST_BYTES:
                    raise RequestTooLarge(f"the body has more than the {MOST_BYTES} bytes allowed")
    except TimeoutError as error:
        raise UploadTooSlow(f"the body did not arrive within {TIMEOUT_S:.0f} s") from error
    try:
        return model.model_validate_json(bytes(body), strict=True)
    except ValidationError as error:
        raise BadBody(f"the body: {first_error(error)}") from error
