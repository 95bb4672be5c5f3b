import base64
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from service.errors import BadBody, ClientGone, NoPicture, RequestTooLarge, UnreadMediaType, UploadTooSlow
from service.http.request.bodies import check_media_type, json_pictures, read_pictures
from service.http.request.limits import RequestLimits

pytestmark = pytest.mark.anyio
LIMITS = RequestLimits(
    request_bytes=100,
    picture_bytes=50,
    pictures=2,
    upload_timeout_ms=60_000,
    default_timeout_ms=1000,
    max_timeout_ms=1000,
)


def request(chunks: Sequence[bytes], headers: dict[str, str], *, leaves: bool = False) -> Request:
    messages: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.disconnect"} if leaves else {"type": "http.request", "more_body": False})

    async def receive() -> Message:
        return messages.pop(0)

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "headers": raw}, receive)


async def read(*chunks: bytes, **headers: str) -> list[bytes]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await read_pictures(request(chunks, named), LIMITS)


@pytest.mark.parametrize(
    "content_type", ["image/jpeg", "IMAGE/PNG", "image/x-odd; q=1", "application/octet-stream"]
)
async def test_a_raw_body_is_one_picture(content_type: str) -> None:
    assert await read(b"ab", b"cd", content_type=content_type) == [b"abcd"]


async def test_without_a_content_type_a_body_is_a_picture() -> None:
    assert await read(b"abcd") == [b"abcd"]


async def test_json_brings_many() -> None:
    body = json.dumps({"images": [base64.b64encode(data).decode() for data in (b"one", b"two")]}).encode()

    assert await read(body, content_type="application/json; charset=utf-8") == [b"one", b"two"]


async def test_multipart_brings_many() -> None:
    head = b'--cut\r\nContent-Disposition: form-data; name="images"\r\n\r\n'
    limits = replace(LIMITS, request_bytes=1000)
    body = head + b"one\r\n" + head + b"two\r\n--cut--\r\n"
    form = request([body], {"content-type": 'multipart/form-data; boundary="cut"'})

    assert await read_pictures(form, limits) == [b"one", b"two"]


async def test_a_length_told_beforehand_spares_the_reading() -> None:
    with pytest.raises(RequestTooLarge, match="101 bytes; a request may have 100"):
        await read_pictures(request([], {"content-length": "101"}, leaves=True), LIMITS)


async def test_a_length_not_told_is_limited_on_the_way() -> None:
    with pytest.raises(RequestTooLarge, match="more than the 100 bytes"):
        await read_pictures(request([b"x" * 60, b"x" * 60], {}, leaves=True), LIMITS)


async def test_a_picture_has_a_limit_of_its_own() -> None:
    with pytest.raises(RequestTooLarge, match="picture 0 has 60 bytes; a picture may have 50"):
        await read(b"x" * 60)


async def test_the_number_of_pictures_is_limited() -> None:
    with pytest.raises(RequestTooLarge, match="3 pictures; a request may have 2"):
        await read(b'{"images": ["eA==", "eA==", "eA=="]}', content_type="application/json")


@pytest.mark.parametrize(
    ("body", "content_type"), [(b"", "image/png"), (b'{"images": []}', "application/json")]
)
async def test_a_request_needs_a_picture(body: bytes, content_type: str) -> None:
    with pytest.raises(NoPicture):
        await read(body, content_type=content_type)


async def test_a_client_that_leaves_while_sending_is_gone() -> None:
    with pytest.raises(ClientGone):
        await read_pictures(request([b"x"], {}, leaves=True), LIMITS)


async def test_a_body_that_does_not_arrive_is_given_up() -> None:
    limits = replace(LIMITS, upload_timeout_ms=1)
    stalled = request([], {})

    async def never() -> Message:
        await anyio.sleep_forever()
        raise AssertionError

    stalled._receive = never
    with pytest.raises(UploadTooSlow, match="within 1 ms"):
        await read_pictures(stalled, limits)


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"content-type": "image/heic"}, "HEIC is not read"),
        ({"content-type": "application/dicom"}, "DICOM is not read"),
        ({"content-type": "image/svg+xml"}, "SVG is not read"),
        ({"content-type": "application/x-www-form-urlencoded"}, "Content-Type: image/jpeg"),
        ({"content-type": "text/plain"}, "'text/plain' is not read"),
        ({"content-type": ""}, "is not read"),
        ({"content-type": "image/png", "content-encoding": "gzip"}, "'gzip' is not read"),
    ],
)
def test_media_types_that_are_not_read_are_named(headers: dict[str, str], message: str) -> None:
    with pytest.raises(UnreadMediaType, match=message):
        check_media_type(headers)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "nothing else"),
        (b"null", "nothing else"),
        (b'{"image": "eA=="}', "nothing else"),
        (b'{"images": ["eA=="], "top_k": 3}', "nothing else"),
        (b'{"images": "eA=="}', "must be a list"),
        (b'{"images": [1]}', r"images\[0\] is not a string"),
        (b'{"images": ["eA==", "%%%"]}', r"images\[1\] is not base64"),
        (b'{"images": ["eA"]}', r"images\[0\] is not base64"),
        ('{"images": ["é"]}'.encode(), r"images\[0\] is not base64"),
        (b'{"images": ["data:image/png;base64,eA=="]}', "data URL"),
    ],
)
def test_json_that_is_wrong_is_named(body: bytes, message: str) -> None:
    with pytest.raises(BadBody, match=message):
        json_pictures(body)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@given(JSON_VALUES | st.fixed_dictionaries({"images": JSON_VALUES}))
def test_any_json_gets_an_answer(content: Any) -> None:
    try:
        pictures = json_pictures(json.dumps(content).encode())
    except BadBody:
        return
    assert all(isinstance(picture, bytes) for picture in pictures)
