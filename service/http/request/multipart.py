"""Multipart bodies in memory: the framework's own parser spools large parts to disk, this one never does."""

import re
from collections.abc import Iterator
from email.message import Message

from multipart import MultipartError, MultipartSegment, PushMultipartParser

from service.errors import BadBody, RequestTooLarge
from service.http.request.base64_text import decode_base64
from service.http.request.media_types import is_data_url

FIELDS = ("images", "image", "files", "file", "pictures", "picture")
_FIELD = re.compile(rf"(?:{'|'.join(FIELDS)})(?:\[(\d{{0,6}})\])?")
AS_IT_IS = ("binary", "8bit", "7bit", "")


def boundary_of(content_type: str) -> bytes:
    """The boundary that a content type names. Raises BadBody for one without."""
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_boundary()
    if not boundary:
        raise BadBody(
            "the multipart content type has no boundary; leave the header to the library that makes the form"
        )
    return boundary.encode("latin-1", "replace")


def multipart_pictures(body: bytes, boundary: bytes, max_pictures: int) -> list[bytes]:
    """The pictures of all parts, each of which must be called as one of `FIELDS`.

    Raises BadBody, and RequestTooLarge at the first picture too many.
    """
    try:
        # Header bytes of any kind will do: of all that stands there only names and codings matter.
        parser = PushMultipartParser(boundary, strict=True, header_charset="latin-1")
        pictures = list(_pictures(parser, body, max_pictures)) if body else []
    except MultipartError as error:
        raise BadBody(f"the multipart body is malformed: {error}") from error
    try:
        parser.close()
    except MultipartError as error:
        raise BadBody("the multipart body ends before its last boundary") from error
    # To the parser a part without its boundary is a preamble; empty lines, which some clients send, are one.
    if not body.lstrip(b"\r\n").startswith(b"--" + boundary):
        raise BadBody("the multipart body is malformed: it does not begin with its boundary")
    return pictures


def _pictures(parser: PushMultipartParser, body: bytes, max_pictures: int) -> Iterator[bytes]:
    """Each part as it ends: the parser tells of its head, its content in pieces, and with None of its end."""
    pieces: list[bytes] = []
    index, coding = 0, ""
    for event in parser.parse(body):
        if event is None:
            yield _decoded(index, coding, b"".join(pieces))
            pieces.clear()
            index += 1
        elif not isinstance(event, MultipartSegment):
            pieces.append(event)
        elif index == max_pictures:
            raise RequestTooLarge(f"more parts than the {max_pictures} pictures that a request may have")
        else:
            _check_name(index, event.name or "")
            coding = event.header("Content-Transfer-Encoding", "").strip().lower()


def _check_name(index: int, name: str) -> None:
    """Libraries call a list of files `images`, `images[]`, or by number, which then must be in order."""
    found = _FIELD.fullmatch(name)
    if found is None:
        others = ", ".join(FIELDS[1:])
        raise BadBody(f"part {index} is called {name[:100]!r}; call each one 'images' (or {others})")
    if found.group(1) and int(found.group(1)) != index:
        raise BadBody(f"part {index} is called {name!r}; the numbers of the parts must be 0, 1, … in order")


def _decoded(index: int, coding: str, content: bytes) -> bytes:
    """RFC 7578 has no transfer codings any more, but libraries for mail still write them."""
    if coding == "base64" or is_data_url(content):
        return decode_base64(content, f"part {index}")
    if coding not in AS_IT_IS:
        raise BadBody(f"part {index} has the transfer coding {coding!r}; binary and base64 are read")
    return content
