"""PNG: the chunks that hold the picture, and no others."""

import io
import struct
import zlib
from dataclasses import dataclass, field

from PIL.PngImagePlugin import PngImageFile

from adapters.errors import PictureDamaged
from adapters.pictures.budget import Budget, Work, check_count
from adapters.pictures.formats.source import Source
from adapters.pictures.orientation import exif_orientation

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEAD = struct.Struct(">IIBBBBB")
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a pixel, by colour type
GREY, COLOUR, PALETTE = 0, 2, 3
MAX_CHUNKS = 65_536
NS_A_BYTE = 4.5
NS_A_PIXEL = 2.0
NS_A_PIXEL_INTERLACED = 12.0


@dataclass
class _Chunks:
    head: bytes = b""
    palette: bytes = b""
    transparency: bytes = b""
    pixels: list[memoryview] = field(default_factory=list)
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
    plain = _plain(chunks, depth, colour)
    seconds = (unpacked_bytes * NS_A_BYTE + width * height * pixel_ns) / 1e9
    return Source(PngImageFile(io.BytesIO(plain)), Work(len(plain), seconds), chunks.orientation)


def _read_chunks(data: bytes) -> _Chunks:
    chunks, view, at, count = _Chunks(), memoryview(data), len(SIGNATURE), 0
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        start, at, count = at + 8, at + 12 + length, count + 1
        check_count(count, MAX_CHUNKS, "chunks or more")
        if kind == b"IDAT":
            chunks.pixels.append(view[start : start + length])
        elif kind == b"IEND" or not kind.isalpha():
            break
        elif kind == b"IHDR" and not chunks.head:
            chunks.head = _checked(data, start, length)
        elif kind == b"PLTE" and not chunks.pixels:
            chunks.palette = _checked(data, start, length)
        elif kind == b"tRNS" and not chunks.pixels and _is_whole(data, start, length):
            chunks.transparency = data[start : start + length]
        elif kind == b"eXIf" and _is_whole(data, start, length):
            chunks.orientation = exif_orientation(view[start : start + length])
    return chunks


def _is_whole(data: bytes, start: int, length: int) -> bool:
    end = start + length
    return zlib.crc32(data[start - 4 : end]).to_bytes(4, "big") == data[end : end + 4]


def _checked(data: bytes, start: int, length: int) -> bytes:
    """The body of a chunk without which there is no picture."""
    if not _is_whole(data, start, length):
        name = data[start - 4 : start].decode("latin-1")
        raise PictureDamaged(f"the PNG's {name} chunk is cut or has a wrong CRC")
    return data[start : start + length]


def _plain(chunks: _Chunks, depth: int, colour: int) -> bytes:
    """The PNG of these chunks alone."""
    parts: list[bytes | memoryview] = [SIGNATURE, *_chunk(b"IHDR", chunks.head[: HEAD.size])]
    if colour == PALETTE:
        parts += _chunk(b"PLTE", chunks.palette[:768])
    if chunks.transparency:
        parts += _chunk(b"tRNS", _in_eight_bits(chunks.transparency[:256], depth, colour))
    length = sum(len(each) for each in chunks.pixels)
    parts += [length.to_bytes(4, "big"), b"IDAT", *chunks.pixels, bytes(4), *_chunk(b"IEND", b"")]
    return b"".join(parts)


def _chunk(kind: bytes, body: bytes) -> list[bytes | memoryview]:
    return [len(body).to_bytes(4, "big"), kind, body, zlib.crc32(kind + body).to_bytes(4, "big")]


def _in_eight_bits(key: bytes, depth: int, colour: int) -> bytes:
    """The transparent colour as deep as Pillow unpacks the pixels, with which it compares it."""
    if colour == COLOUR and depth == 16:
        return b"".join(bytes([0, high]) for high in key[:6:2])
    if colour == GREY and depth in (2, 4) and len(key) >= 2:
        return bytes([0, key[1] % (1 << depth) * (255 // ((1 << depth) - 1))])
    return key
