"""The body of an inference request, held until its pictures are decoded."""

import asyncio
from dataclasses import dataclass, field
from functools import partial

from starlette.requests import Request

from adapters.config import BackboneConfig
from service.errors import DeadlineExceeded
from service.http.decoding.decoder import Picture
from service.http.protocol_v2.inference_request import AskedFor, Inference, header_length, parse_inference
from service.http.protocol_v2.pictures import input_pictures
from service.http.request.bodies import INLINE_BYTES, Body
from service.http.request.body_reader import BodyReader
from service.http.request.media_types import Form


@dataclass(eq=False)
class InferenceUpload:
    """What one request brought: what it asks for, and its pictures."""

    asked: AskedFor
    timeout_ms: int | None
    backbone: BackboneConfig
    body: Body
    size_bytes: int
    _inference: list[Inference]
    _pictures: list[Picture] = field(default_factory=list)

    async def pictures(self) -> list[Picture]:
        """The pictures, at least one; they are gone once the body is released.

        Raises BadBody, NoPicture and RequestTooLarge.
        """
        inference = self._inference.pop()
        if self.size_bytes <= INLINE_BYTES:
            self._pictures = self._split(inference)
        else:
            [self._pictures] = await self.body.threads.map(self.body.task, self._split, [inference])
        return self._pictures

    def release(self) -> None:
        """Give the bytes back: the pictures are decoded, or nobody wants them any more."""
        self._inference.clear()
        self._pictures.clear()
        self.body.release()

    def _split(self, inference: Inference) -> list[Picture]:
        return input_pictures(inference.image, inference.raw, self.body.limits, self.backbone)


async def read_inference(
    bodies: BodyReader, request: Request, task: str, backbone: BackboneConfig
) -> InferenceUpload:
    """Read a request and its JSON. Raises what `BodyReader.read` does, BadBody and DeadlineExceeded."""
    json_bytes = header_length(request.headers)
    body = await bodies.read(request, task, Form.JSON)
    try:
        data, body.data = body.data, b""
        inference = await _parsed(body, data, json_bytes)
    except BaseException:
        body.release()
        raise
    asked = inference.asked
    timeout_ms = asked.timeout_ms and min(asked.timeout_ms, bodies.limits.max_timeout_ms)
    return InferenceUpload(asked, timeout_ms, backbone, body, len(data), [inference])


async def _parsed(body: Body, data: bytes, json_bytes: int | None) -> Inference:
    if (len(data) if json_bytes is None else json_bytes) <= INLINE_BYTES:
        return parse_inference(data, json_bytes)
    timeout_ms = body.limits.default_timeout_ms  # the client's own stands in what is not read yet
    try:
        async with asyncio.timeout(timeout_ms / 1000):
            [inference] = await body.threads.map(
                body.task, partial(parse_inference, json_bytes=json_bytes), [data]
            )
    except TimeoutError as error:
        raise DeadlineExceeded(f"the JSON was not read within {timeout_ms} ms") from error
    return inference
