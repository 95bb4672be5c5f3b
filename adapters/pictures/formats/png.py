"""PNG: the chunks that hold the picture, and no others."""

import io
import struct
import zlib
from dataclasses import dataclass, field
from typing import IO

from PIL.PngImagePlugin import PngImageFile

from adapters.errors import PictureDamaged
from adapters.pictures.budget import Budget, Work, check_count
from adapters.pictures.formats.source import Source
from adapters.pictures.formats.splice import spliced
from adapters.pictures.orientation import exif_orientation

SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = b"\0\0\0\0IEND\xaeB`\x82"
HEAD = struct.Struct(">IIBBBBB")
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a pixel, by colour type
GREY, COLOUR, PALETTE = 0, 2, 3
PALETTE_BYTES = 768
MAX_CHUNKS = 65_536
NS_A_BYTE = 4.5
NS_A_PIXEL = 2.0
NS_A_PIXEL_INTERLACED = 12.0


@dataclass
class _Chunks:
    """What of a PNG is its picture; whether its pixels are `together`, and it is `bare` of all else."""

    head: bytes = b""
    palette: bytes = b""
    transparency: bytes = b""
    pixels: list[memoryview] = field(default_factory=list)
    first_at: int = 0
    last_end: int = 0
    together: bool = True
    bare: bool = True
    ended: bool = False
    orientation: int | None = None


def open_png(data: bytes, budget: Budget) -> Source:
    """Raises PictureTooLarge and PictureDamaged.

    A chunk that is not the picture's is left out, whatever it holds and whether its CRC is right. The file
    need not end with one, and IDAT chunks are read as one.
    """
    chunks = _read_chunks(data)
    if len(chunks.head) < HEAD.size or not chunks.pixels:
        raise PictureDamaged(f"a PNG without {'pixels' if chunks.head else 'a header'}: {len(data)} bytes")
    width, height, depth, colour, _, _, interlaced = HEAD.unpack_from(chunks.head)
    budget.check_size(width, height)
    samples = SAMPLES.get(colour, 4)
    unpacked_bytes = height * -(-width * samples * depth // 8)
    pixel_ns = NS_A_PIXEL_INTERLACED if interlaced else NS_A_PIXEL
    file, held_bytes = _plain(data, chunks, depth, colour)
    seconds = (unpacked_bytes * NS_A_BYTE + width * height * pixel_ns) / 1e9
    return Source(PngImageFile(file), Work(held_bytes, seconds), chunks.orientation)


def _read_chunks(data: bytes) -> _Chunks:
    chunks, view, at, count = _Chunks(), memoryview(data), len(SIGNATURE), 0
    while at + 8 <= len(data) and not chunks.ended:
        length, kind = struct.unpack_from(">I4s", data, at)
        start, end, count = at + 8, at + 12 + length, count + 1
        check_count(count, MAX_CHUNKS, "chunks or more")
        if kind == b"IDAT":
            chunks.first_at = chunks.first_at or at
            chunks.together &= chunks.last_end in (0, at) and end <= len(data)
            chunks.last_end = end
            chunks.pixels.append(view[start : start + length])
        elif kind.isalpha():
            _read_chunk(chunks, kind, data, start, length)
        else:
            break
        at = end
    return chunks


def _read_chunk(chunks: _Chunks, kind: bytes, data: bytes, start: int, length: int) -> None:
    if kind == b"IHDR" and not chunks.head:
        chunks.head = _checked(data, start, length)
    elif kind == b"PLTE" and not chunks.pixels:
        chunks.palette = _checked(data, start, length)
        chunks.bare &= length <= PALETTE_BYTES
    elif kind == b"IEND":
        chunks.ended = True
    else:
        chunks.bare = False
        if kind == b"tRNS" and not chunks.pixels and _is_whole(data, start, length):
            chunks.transparency = data[start : start + length]
        elif kind == b"eXIf" and _is_whole(data, start, length):
            chunks.orientation = exif_orientation(data[start : start + length])


def _is_whole(data: bytes, start: int, length: int) -> bool:
    end = start + length
    return zlib.crc32(data[start - 4 : end]).to_bytes(4, "big") == data[end : end + 4]


def _checked(data: bytes, start: int, length: int) -> bytes:
    """The body of a chunk without which there is no picture."""
    if not _is_whole(data, start, length):
        name = data[start - 4 : start].decode("latin-1")
        raise PictureDamaged(f"the PNG's {name} chunk is cut or has a wrong CRC")
    return data[start : start + length]


def _plain(data: bytes, chunks: _Chunks, depth: int, colour: int) -> tuple[IO[bytes], int]:
    """The PNG of these chunks alone, and the bytes of what of it is a copy."""
    if chunks.bare and chunks.ended and chunks.together:
        return io.BytesIO(data), 0
    head = SIGNATURE + _chunk(b"IHDR", chunks.head[: HEAD.size])
    if colour == PALETTE:
        head += _chunk(b"PLTE", chunks.palette[:PALETTE_BYTES])
    if chunks.transparency:
        head += _chunk(b"tRNS", _in_eight_bits(chunks.transparency[:256], depth, colour))
    if chunks.together:
        return spliced(head, data, chunks.first_at, chunks.last_end, END), 0
    length = sum(len(each) for each in chunks.pixels)
    copy = b"".join([head, length.to_bytes(4, "big"), b"IDAT", *chunks.pixels, bytes(4), END])
    return io.BytesIO(copy), len(copy)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return b"".join([len(body).to_bytes(4, "big"), kind, body, zlib.crc32(kind + body).to_bytes(4, "big")])


def _in_eight_bits(key: bytes, depth: int, colour: int) -> bytes:
    """The transparent colour as deep as Pillow unpacks the pixels, with which it compares it."""
    if colour == COLOUR and depth == 16:
        return b"".join(bytes([0, high]) for high in key[:6:2])
    if colour == GREY and depth in (2, 4) and len(key) >= 2:
        return bytes([0, key[1] % (1 << depth) * (255 // ((1 << depth) - 1))])
    return key
