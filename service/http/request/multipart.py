"""Multipart bodies in memory: the framework's own parser spools large parts to disk, ours never does."""

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from service.errors import BadBody


def multipart_parts(body: bytes, boundary: bytes, *, field: str) -> list[bytes]:
    """The contents of all parts called `field`; any other part is refused. Raises BadBody."""
    if not boundary:
        raise BadBody("the multipart content type has no boundary")
    parts = _Parts(field)
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": parts.begin,
                "on_header_field": parts.header_name,
                "on_header_value": parts.header_value,
                "on_header_end": parts.header_end,
                "on_headers_finished": parts.headers_end,
                "on_part_data": parts.data,
                "on_part_end": parts.end,
                "on_end": parts.finish,
            },
        )
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise BadBody(f"the multipart body is malformed: {error}") from error
    if not parts.complete:
        raise BadBody("the multipart body ends before its last boundary")
    return [bytes(content) for content in parts.contents]


class _Parts:
    """Collects the parts of one body as the parser finds them."""

    def __init__(self, field: str) -> None:
        self.field = field
        self.contents: list[bytearray] = []
        self.complete = False
        self._name = bytearray()
        self._value = bytearray()
        self._disposition = b""

    def begin(self) -> None:
        self._disposition = b""
        self.contents.append(bytearray())

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def headers_end(self) -> None:
        name = parse_options_header(self._disposition)[1].get(b"name", b"").decode("latin-1")
        if name != self.field:
            raise BadBody(f"part {len(self.contents) - 1} is called {name!r}; call each one {self.field!r}")

    def data(self, data: bytes, start: int, end: int) -> None:
        self.contents[-1] += data[start:end]

    def end(self) -> None:
        """Nothing is left to do for a part."""

    def finish(self) -> None:
        self.complete = True
