from collections.abc import Sequence
from typing import Any

import anyio
import pytest
from starlette.requests import Request

from adapters.config import StrictModel
from service.errors import BadBody, ClientGone, RequestTooLarge, UploadTooSlow
from service.http.request.chunks import MAX_JSON_BYTES, chunks, read_json

pytestmark = pytest.mark.anyio


class Wanted(StrictModel):
    version: int
    force: bool = False


def request(*pieces: bytes, ends: bool = True, leaves: bool = False) -> Request:
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": piece, "more_body": not ends or index + 1 < len(pieces)}
        for index, piece in enumerate(pieces)
    ]

    async def receive() -> Any:
        if messages:
            return messages.pop(0)
        if not leaves:
            await anyio.sleep_forever()
        return {"type": "http.disconnect"}

    return Request({"type": "http", "headers": []}, receive)


async def collected(asked: Request, silence_ms: int = 20) -> list[bytes]:
    return [piece async for piece in chunks(asked, silence_ms)]


async def test_a_body_comes_in_pieces() -> None:
    assert await collected(request(b"a", b"", b"b")) == [b"a", b"b"]


async def test_a_body_that_stops_or_whose_client_leaves() -> None:
    with pytest.raises(UploadTooSlow, match="within 20 ms"):
        await collected(request(b"a", ends=False))
    with pytest.raises(ClientGone):
        await collected(request(b"a", ends=False, leaves=True))


async def test_small_json_is_what_the_model_says() -> None:
    assert await read_json(request(b'{"vers', b'ion": 3}'), Wanted, 20) == Wanted(version=3)
    assert await read_json(request(b""), Wanted, 20, empty=Wanted(version=1)) == Wanted(version=1)


@pytest.mark.parametrize(
    "pieces",
    [[b""], [b"{"], [b"[]"], [b'{"version": "3"}'], [b'{"version": 3, "more": 1}'], [b'{"version": true}'],
     [b"\xff"], [b"[" * 100_000]],
)  # fmt: skip
async def test_json_of_another_kind_is_refused(pieces: Sequence[bytes]) -> None:
    with pytest.raises(BadBody):
        await read_json(request(*pieces), Wanted, 20)


async def test_json_without_end_is_not_collected() -> None:
    with pytest.raises(RequestTooLarge):
        await read_json(request(*[b" " * 65_536] * (MAX_JSON_BYTES // 65_536 + 1), ends=False), Wanted, 20)
