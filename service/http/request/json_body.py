"""JSON bodies: `{"images": ["<base64>", …]}`, its size looked at before it is parsed."""

import json

from service.errors import BadBody, RequestTooLarge
from service.http.request.base64_text import decode_base64

SHAPE = '{"images": ["<base64>", …]}'
MARKS = (b'"', b",", b"[", b"{")
MARKS_PER_PICTURE = 8
"""A base64 string has two quotes and a comma, a data URL one more; the rest is for what is refused later."""
BOM = b"\xef\xbb\xbf"


def json_pictures(body: bytes, max_pictures: int) -> list[bytes]:
    """The pictures of a JSON body. Raises BadBody, and RequestTooLarge before it parses too much."""
    body = _utf8(body)
    if body[:64].lstrip()[:1] not in (b"{", b""):
        raise BadBody(f"the body must be {SHAPE}, and does not begin with {{")
    _check_size(body, max_pictures)
    images = _images(read_json(body))
    if len(images) > max_pictures:
        raise RequestTooLarge(f"{len(images)} pictures; a request may have {max_pictures}")
    return [_picture(index, text) for index, text in enumerate(images)]


def read_json(text: bytes) -> object:
    """What JSON says. Raises BadBody, also for a key that is given twice."""
    try:
        return json.loads(text, object_pairs_hook=_members)
    except (ValueError, RecursionError) as error:
        raise BadBody(f"the body is not JSON: {error}") from error


def _utf8(body: bytes) -> bytes:
    """The same JSON without a byte order mark, in UTF-8 (RFC 8259, 8.1), whatever it came in."""
    encoding = json.detect_encoding(body)
    if encoding.startswith("utf-8"):
        return body.removeprefix(BOM)
    try:
        return body.decode(encoding).encode()
    except UnicodeError as error:
        raise BadBody(f"the body is not JSON: {error}") from error


def _check_size(body: bytes, max_pictures: int) -> None:
    """Parsing holds up every other thread, and what makes it slow is values by the million."""
    allowed = MARKS_PER_PICTURE * (max_pictures + MARKS_PER_PICTURE)
    marks = 0
    for mark in MARKS:
        at = body.find(mark)
        while at >= 0:
            marks += 1
            if marks > allowed:
                raise RequestTooLarge(
                    f"the JSON has more quotes, commas and brackets than the {allowed} that {SHAPE} with "
                    f"{max_pictures} pictures, the most of a request, has room for"
                )
            at = body.find(mark, at + 1)


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise BadBody("a key of the JSON is given twice")
    return members


def _images(content: object) -> list[object]:
    if not isinstance(content, dict):
        raise BadBody(f"the body must be {SHAPE}, not a {type(content).__name__}")
    if set(content) != {"images"}:
        found = ", ".join(sorted(map(repr, content))) or "no key"
        raise BadBody(f"the body must be {SHAPE} and nothing else; it has {found[:200]}")
    images = content["images"]
    if not isinstance(images, list):
        raise BadBody('"images" must be a list of base64 strings')
    return images


def _picture(index: int, text: object) -> bytes:
    name = f"images[{index}]"
    if not isinstance(text, str):
        raise BadBody(f"{name} is not a string; each entry is a picture in base64")
    try:
        return decode_base64(text.encode("ascii"), name)
    except UnicodeEncodeError as error:
        raise BadBody(
            f"{name} is not base64: {text[error.start]!r} at {error.start} is none of its characters"
        ) from error
