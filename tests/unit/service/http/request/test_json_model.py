"""A body that is one model, and all that is none."""

import asyncio

import pytest
from fastapi import Request
from starlette.types import Message

from adapters.store.label_rules import LabelThresholds
from service.errors import BadBody, ClientGone, RequestTooLarge, UploadTooSlow
from service.http.request import json_model
from service.http.request.json_model import MOST_BYTES, read_model

pytestmark = pytest.mark.anyio


def request(*pieces: bytes, ends: bool = True) -> Request:
    left = [
        {"type": "http.request", "body": piece, "more_body": not ends or index < len(pieces) - 1}
        for index, piece in enumerate(pieces)
    ]

    async def receive() -> Message:
        return left.pop(0) if left else {"type": "http.disconnect"}

    return Request({"type": "http", "method": "PUT", "headers": []}, receive)


async def test_a_body_in_pieces_is_a_model() -> None:
    assert await read_model(request(b'{"default"', b": 0.5}"), LabelThresholds) == LabelThresholds(
        default=0.5
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"", "JSON"), (b"{", "JSON"), (b"[]", "object"), (b'{"defaul": 0.5}', "unknown key 'defaul'"),
     (b'{"default": 2}', "'default'"), (b'{"default": NaN}', "'default'"), (b"[" * 100_000, "JSON")],
)  # fmt: skip
async def test_what_is_no_such_model_is_named(body: bytes, said: str) -> None:
    with pytest.raises(BadBody, match=said):
        await read_model(request(body), LabelThresholds)


async def test_a_body_has_an_end_in_bytes_and_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RequestTooLarge):
        await read_model(request(*[b" " * 300_000] * (MOST_BYTES // 300_000 + 1)), LabelThresholds)
    with pytest.raises(ClientGone):
        await read_model(request(b"{", ends=False), LabelThresholds)
    monkeypatch.setattr(json_model, "TIMEOUT_S", 0.01)

    async def never() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(UploadTooSlow):
        await read_model(Request({"type": "http", "headers": []}, never), LabelThresholds)
