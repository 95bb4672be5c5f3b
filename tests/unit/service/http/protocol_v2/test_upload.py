"""The body of an inference request: held while it is needed, given back whatever becomes of it."""

import base64
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import Message

from adapters.vit.backbone import Backbone
from service.errors import BadBody, DeadlineExceeded, NoPicture, RequestTooLarge
from service.http.decoding.fair_threads import FairThreads
from service.http.protocol_v2.upload import read_inference
from service.http.request.body_bytes import BodyBytes
from service.http.request.body_reader import BodyReader
from service.http.request.limits import RequestLimits

pytestmark = pytest.mark.anyio
LIMITS = RequestLimits(1_000_000, 500_000, 4, 60_000, 2000, 5000)
LARGE = 100_000


@pytest.fixture
def bodies() -> Iterator[BodyReader]:
    threads = FairThreads(1)
    yield BodyReader(LIMITS, BodyBytes(4_000_000), threads)
    threads.close()


def request(*pictures: bytes, **more: Any) -> Request:
    texts = [base64.b64encode(each).decode() for each in pictures]
    image = {"name": "image", "datatype": "BYTES", "shape": [len(texts)], "data": texts}
    return sent(json.dumps({"inputs": [image], **more}).encode())


def sent(body: bytes) -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


@pytest.mark.parametrize("size", [10, LARGE])
async def test_bytes_are_held_until_the_release(bodies: BodyReader, backbone: Backbone, size: int) -> None:
    upload = await read_inference(bodies, request(b"a" * size, b"b"), "pets", backbone.config)

    assert bodies.budget.held > size
    pictures = await upload.pictures()
    assert pictures == [b"a" * size, b"b"]
    upload.release()
    upload.release()
    assert (bodies.budget.held, pictures) == (0, [])


@pytest.mark.parametrize(
    ("body", "error"),
    [(b"{", BadBody), (b'{"inputs": []}', BadBody), (b"[" * LARGE, RequestTooLarge), (b" " * LARGE, BadBody)],
)
async def test_a_body_that_is_refused_holds_nothing(
    bodies: BodyReader, backbone: Backbone, body: bytes, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await read_inference(bodies, sent(body), "pets", backbone.config)
    assert bodies.budget.held == 0


async def test_what_is_no_picture_is_refused_later_and_released(
    bodies: BodyReader, backbone: Backbone
) -> None:
    upload = await read_inference(bodies, request(b""), "pets", backbone.config)
    with pytest.raises(NoPicture):
        await upload.pictures()
    upload.release()
    assert bodies.budget.held == 0


@pytest.mark.parametrize(
    ("timeout_us", "timeout_ms"), [(0, None), (1, 1), (1000, 1), (1001, 2), (4_000_000, 4000), (10**12, 5000)]
)
async def test_the_client_s_timeout_is_cut_to_the_longest(
    bodies: BodyReader, backbone: Backbone, timeout_us: int, timeout_ms: int | None
) -> None:
    asked = request(b"a", parameters={"timeout": timeout_us})
    upload = await read_inference(bodies, asked, "pets", backbone.config)
    assert upload.timeout_ms == timeout_ms


async def test_a_large_json_does_not_wait_for_a_thread_for_ever(backbone: Backbone) -> None:
    threads, release = FairThreads(1), threading.Event()
    limits = RequestLimits(1_000_000, 500_000, 4, 60_000, 20, 5000)
    bodies = BodyReader(limits, BodyBytes(4_000_000), threads)
    threads._pool.submit(release.wait)  # the only thread is busy
    try:
        with pytest.raises(DeadlineExceeded, match="the JSON was not read within 20 ms"):
            await read_inference(bodies, request(b"a" * LARGE), "pets", backbone.config)
    finally:
        release.set()
        threads.close()
    assert bodies.budget.held == 0
