"""The three forms of a request body: one raw picture, multipart `images`, JSON `{"images": [base64]}`."""

import asyncio
import binascii
import json
from base64 import b64decode
from collections.abc import Mapping

from starlette.requests import ClientDisconnect, Request

from service.errors import BadBody, ClientGone, NoPicture, RequestTooLarge, UnreadMediaType, UploadTooSlow
from service.http.request.limits import RequestLimits
from service.http.request.multipart import boundary_of, multipart_parts

INLINE_BYTES = 65_536
NOT_READ = {
    "image/heic": "HEIC",
    "image/heif": "HEIF",
    "image/avif": "AVIF",
    "image/svg+xml": "SVG",
    "application/dicom": "DICOM",
    "application/pdf": "PDF",
}
READ = "image/*, application/octet-stream, multipart/form-data or application/json"


async def read_pictures(request: Request, limits: RequestLimits) -> list[bytes]:
    """The encoded pictures of a request, at least one.

    Raises UnreadMediaType and RequestTooLarge, before reading the body where its headers suffice; and
    BadBody, NoPicture, UploadTooSlow, ClientGone.
    """
    headers = request.headers
    media_type = check_media_type(headers)
    body = await read_body(request, limits)
    if media_type in {"application/json", "multipart/form-data"}:
        content_type = headers["content-type"]
        if len(body) <= INLINE_BYTES:
            pictures = split_body(body, media_type, content_type)
        else:  # megabytes of base64 would hold up the event loop
            pictures = await asyncio.to_thread(split_body, body, media_type, content_type)
    else:
        pictures = [body]
    check_pictures(pictures, limits)
    return pictures


def check_media_type(headers: Mapping[str, str]) -> str:
    """The body's media type, or UnreadMediaType, which says what is read."""
    coding = headers.get("content-encoding", "identity")
    if coding.strip().lower() not in ("", "identity"):
        raise UnreadMediaType(f"content coding {coding!r} is not read; send the body as it is")
    given = headers.get("content-type", "application/octet-stream")
    media_type = given.partition(";")[0].strip().lower()
    if media_type in NOT_READ:
        raise UnreadMediaType(f"{NOT_READ[media_type]} is not read; send JPEG, PNG or WebP")
    if media_type.startswith("image/"):
        return media_type
    if media_type not in ("application/octet-stream", "multipart/form-data", "application/json"):
        raise UnreadMediaType(
            f"content type {given!r} is not read; send {READ} (curl: -H 'Content-Type: image/jpeg')"
        )
    return media_type


async def read_body(request: Request, limits: RequestLimits) -> bytes:
    """The whole body, limited while it arrives whether or not its length was declared before."""
    _check_length(request.headers.get("content-length"), limits.request_bytes)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.upload_timeout_ms / 1000):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limits.request_bytes:
                    raise RequestTooLarge(f"the body has more than the {limits.request_bytes} bytes allowed")
                chunks.append(chunk)
    except TimeoutError as error:
        raise UploadTooSlow(f"the body did not arrive within {limits.upload_timeout_ms} ms") from error
    except ClientDisconnect as error:
        raise ClientGone("the client left before its request was complete") from error
    return b"".join(chunks)


def split_body(body: bytes, media_type: str, content_type: str) -> list[bytes]:
    """The pictures in a JSON or multipart body."""
    if media_type == "application/json":
        return json_pictures(body)
    return multipart_parts(body, boundary_of(content_type), field="images")


def json_pictures(body: bytes) -> list[bytes]:
    """`{"images": ["<base64>", …]}` → the pictures. Raises BadBody."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadBody(f"the body is not JSON: {error}") from error
    if not isinstance(content, dict) or set(content) != {"images"}:
        raise BadBody('the body must be {"images": ["<base64>", …]} and nothing else')
    images = content["images"]
    if not isinstance(images, list):
        raise BadBody('"images" must be a list of base64 strings')
    return [_from_base64(index, text) for index, text in enumerate(images)]


def check_pictures(pictures: list[bytes], limits: RequestLimits) -> None:
    """Raise NoPicture or RequestTooLarge."""
    if not pictures or pictures == [b""]:
        raise NoPicture("the request has no picture: the body is empty, or has no part or entry 'images'")
    if len(pictures) > limits.pictures:
        raise RequestTooLarge(f"{len(pictures)} pictures; a request may have {limits.pictures}")
    for index, data in enumerate(pictures):
        if len(data) > limits.picture_bytes:
            raise RequestTooLarge(
                f"picture {index} has {len(data)} bytes; a picture may have {limits.picture_bytes}"
            )


def _check_length(declared: str | None, limit: int) -> None:
    if declared is not None and int(declared) > limit:
        raise RequestTooLarge(f"the body has {declared} bytes; a request may have {limit}")


def _from_base64(index: int, text: object) -> bytes:
    if not isinstance(text, str):
        raise BadBody(f"images[{index}] is not a string; each entry is a picture in base64")
    if text.startswith("data:"):
        raise BadBody(f"images[{index}] is a data URL; send only what stands behind its comma")
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadBody(f"images[{index}] is not base64: {error}") from error
