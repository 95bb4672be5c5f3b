"""Short bodies that say what to change."""

import asyncio
from collections.abc import Sequence

import pytest
from starlette.requests import Request
from starlette.types import Message

from adapters.store.label_rules import LabelTraffic
from service.errors import BadBody, ClientGone, RequestTooLarge, UploadTooSlow
from service.http.request.small_json import MOST_BYTES, read_model

pytestmark = pytest.mark.anyio


def request_with(*messages: Message) -> Request:
    waiting = list(messages)

    async def receive() -> Message:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop(0)

    return Request({"type": "http", "headers": []}, receive)


def in_parts(parts: Sequence[bytes]) -> Request:
    more = [True] * (len(parts) - 1) + [False]
    return request_with(
        *(
            {"type": "http.request", "body": part, "more_body": on}
            for part, on in zip(parts, more, strict=True)
        )
    )


async def test_a_body_may_come_in_parts() -> None:
    assert await read_model(in_parts([b'{"canary_sh', b"", b'are": 0.5}']), LabelTraffic) == LabelTraffic(
        canary_share=0.5
    )


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "Invalid JSON|invalid JSON"),
        (b"[]", "the body"),
        (b'{"canary": 1}', "unknown key 'canary'"),
        (b'{"canary_share": NaN}', "canary_share"),
        (b'{"canary_share": true}', "canary_share"),
    ],
)
async def test_what_is_not_the_model_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(BadBody, match=why):
        await read_model(in_parts([body]), LabelTraffic)


async def test_a_body_is_limited_while_it_arrives() -> None:
    endless = request_with(*[{"type": "http.request", "body": b" " * 40_000, "more_body": True}] * 2)
    with pytest.raises(RequestTooLarge, match=str(MOST_BYTES)):
        await read_model(endless, LabelTraffic)


async def test_a_client_that_leaves_or_stops_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: Message = {"type": "http.request", "body": b"{", "more_body": True}
    with pytest.raises(ClientGone):
        await read_model(request_with(begun, {"type": "http.disconnect"}), LabelTraffic)
    monkeypatch.setattr("service.http.request.small_json.TIMEOUT_S", 0.01)
    with pytest.raises(UploadTooSlow):
        await read_model(request_with(begun), LabelTraffic)
