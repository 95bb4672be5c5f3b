"""Multipart bodies in memory: the framework's own parser spools large parts to disk, this one never does."""

from collections.abc import Iterator
from email.message import Message

from multipart import MultipartError, MultipartSegment, PushMultipartParser

from service.errors import BadBody


def boundary_of(content_type: str) -> bytes:
    """The boundary that a content type names. Raises BadBody for one without."""
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_boundary()
    if not boundary:
        raise BadBody("the multipart content type has no boundary")
    return boundary.encode("latin-1", "replace")


def multipart_parts(body: bytes, boundary: bytes, *, field: str) -> list[bytes]:
    """The contents of all parts called `field`; any other part is refused. Raises BadBody."""
    try:
        # Header bytes of any kind will do: of all that stands there only the name matters.
        parser = PushMultipartParser(boundary, strict=True, header_charset="latin-1")
        contents = list(_contents(parser, body, field)) if body else []
    except MultipartError as error:
        raise BadBody(f"the multipart body is malformed: {error}") from error
    try:
        parser.close()
    except MultipartError as error:
        raise BadBody("the multipart body ends before its last boundary") from error
    if not body.startswith(b"--" + boundary):  # to the parser a part without its boundary is a preamble
        raise BadBody("the multipart body is malformed: it does not begin with its boundary")
    return contents


def _contents(parser: PushMultipartParser, body: bytes, field: str) -> Iterator[bytes]:
    """Each part as it ends: the parser tells of its head, its content in pieces, and with None of its end."""
    pieces: list[bytes] = []
    index = 0
    for event in parser.parse(body):
        if event is None:
            yield b"".join(pieces)
            pieces.clear()
            index += 1
        elif not isinstance(event, MultipartSegment):
            pieces.append(event)
        elif event.name != field:
            raise BadBody(f"part {index} is called {event.name!r}; call each one {field!r}")
