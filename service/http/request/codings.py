"""Content codings: bodies that were compressed, inflated in small pieces while they arrive."""

import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import islice

from service.errors import BadBody, UnreadMediaType
from service.http.decoding.fair_threads import FairThreads

READ = "gzip, deflate"
PIECE_BYTES = 262_144
"""What is inflated at a time; a thread does `TURN_PIECES` of them in its turn."""
TURN_PIECES = 16
MAX_MEMBERS = 1024
GZIP, ZLIB, RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS


class Inflater:
    """A stream in `gzip` (of one member or many) or `deflate` (with zlib's frame or without it)."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._member: zlib._Decompress | None = None
        self._members = 0

    async def inflate(self, data: bytes, threads: FairThreads, task: str) -> AsyncIterator[bytes]:
        """`pieces` on a thread, for a small body may hold a thousand times its size."""
        pieces = self.pieces(data)
        turn: list[bytes] | None = None
        while turn is None or len(turn) == TURN_PIECES:
            [turn] = await threads.map(task, _next_turn, [pieces])
            for piece in turn:
                yield piece

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """What the next bytes of the body inflate to, in pieces. Raises BadBody."""
        is_full = False
        while data or is_full:
            member = self._member or self._begin(data)
            if member is None:  # zeros behind the last member, to fill up a block
                return
            try:
                piece = member.decompress(data, PIECE_BYTES)
            except zlib.error as error:
                raise BadBody(f"the body is not the {self._coding} it says it is: {error}") from error
            data = member.unconsumed_tail
            is_full = len(piece) == PIECE_BYTES and not member.eof  # there may be more without more input
            if member.eof:
                data, self._member = member.unused_data, None
            if piece:
                yield piece

    def end(self) -> None:
        """The body has ended. Raises BadBody for one that is cut off."""
        if self._member is not None or not self._members:
            raise BadBody(f"the {self._coding} body is cut off")

    def _begin(self, data: bytes) -> "zlib._Decompress | None":
        if self._members and not data.strip(b"\0"):
            return None
        self._members += 1
        if self._members > (MAX_MEMBERS if self._coding == "gzip" else 1):
            raise BadBody(f"there is more behind the end of the {self._coding} body")
        self._member = zlib.decompressobj(GZIP if self._coding == "gzip" else _deflate_bits(data))
        return self._member


def inflater_for(headers: Mapping[str, str]) -> Inflater | None:
    """What inflates a request's body, or None where nothing need. Raises UnreadMediaType."""
    given = headers.get("content-encoding", "")
    codings = [name for part in given.lower().split(",") if (name := part.strip()) not in ("", "identity")]
    if not codings:
        return None
    coding = codings[0].removeprefix("x-")  # RFC 9110, 8.4.1.3
    if len(codings) > 1 or coding not in ("gzip", "deflate"):
        what = "is more than one" if len(codings) > 1 else "is not read"
        raise UnreadMediaType(
            f"content coding {given!r} {what}; send the body in one of {READ}, or none", READ
        )
    return Inflater(coding)


def _next_turn(pieces: Iterator[bytes]) -> list[bytes]:
    return list(islice(pieces, TURN_PIECES))


def _deflate_bits(data: bytes) -> int:
    """With zlib's frame, as RFC 9110 has it, or without, as some clients do."""
    has_frame = data[0] & 0x0F == zlib.DEFLATED and (
        len(data) < 2 or int.from_bytes(data[:2], "big") % 31 == 0
    )
    return ZLIB if has_frame else RAW
