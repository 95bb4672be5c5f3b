"""WebP: the chunks that hold the picture or an animation's first frame, and no others."""

import io
import struct
from dataclasses import dataclass

from PIL.WebPImagePlugin import WebPImageFile

from adapters.errors import PictureDamaged
from adapters.pictures.budget import Budget, Work, check_count
from adapters.pictures.formats.source import Source
from adapters.pictures.orientation import exif_orientation

SIGNATURE = b"RIFF"
KIND = b"WEBP"
HEAD_BYTES = 12
PIXELS = (b"ALPH", b"VP8 ", b"VP8L", b"ANMF")
MAX_CHUNKS = 20_000
# libwebp's reader of animations holds two pictures, and Pillow copies one; lossless decoding holds one more.
BYTES_A_PIXEL = 9.0
NS_A_PIXEL = 32.0
NS_A_PIXEL_LOSSLESS = 45.0


class _WebP(WebPImageFile):
    """Pillow's, which gives back the reader's memory before it makes the picture."""

    def _get_next(self) -> tuple[bytes, int, int]:
        frame = super()._get_next()
        del self._decoder
        return frame


@dataclass
class _Chunks:
    extended: bytes = b""
    animation: bytes = b""
    alpha: bytes = b""
    pixels: bytes = b""
    orientation: int | None = None


def open_webp(data: bytes, budget: Budget) -> Source:
    """Raises PictureTooLarge and PictureDamaged."""
    chunks = _read_chunks(data)
    if not chunks.pixels:
        raise PictureDamaged(f"a WebP without pixels: {len(data)} bytes")
    plain = _plain(chunks)
    width, height = _size(chunks)
    budget.check_size(width, height)
    lossless = b"VP8L" in (chunks.pixels[:4], chunks.pixels[24:28]) or bool(chunks.alpha)
    work = Work(
        width * height * BYTES_A_PIXEL + 3 * len(plain),
        width * height * (NS_A_PIXEL_LOSSLESS if lossless else NS_A_PIXEL) / 1e9,
    )
    # Pillow's own decoded pixels come on top of it; they must be bounded before its reader takes memory.
    budget.check_work(
        Work(work.held_bytes + 4 * width * height, work.seconds), f"a WebP of {width}x{height} pixels"
    )
    return Source(_WebP(io.BytesIO(plain)), work, chunks.orientation)


def _read_chunks(data: bytes) -> _Chunks:
    chunks, at, count = _Chunks(), HEAD_BYTES, 0
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        start, end, count = at, at + 8 + length, count + 1
        at = end + length % 2
        check_count(count, MAX_CHUNKS, "chunks or more")
        if end > len(data):
            break  # what is cut cannot be read, and nothing comes after it
        if kind == b"VP8X":
            chunks.extended = chunks.extended or data[start:end]
        elif kind == b"ANIM":
            chunks.animation = data[start:end]
        elif kind == b"EXIF":
            chunks.orientation = exif_orientation(memoryview(data)[start + 8 : end])
        elif kind in PIXELS and not chunks.pixels:
            if kind == b"ALPH":
                chunks.alpha = data[start:end]
            else:
                chunks.pixels = data[start:end]
    return chunks


def _size(chunks: _Chunks) -> tuple[int, int]:
    """Of the canvas."""
    if len(chunks.extended) >= 18:
        body = chunks.extended
        return int.from_bytes(body[12:15], "little") + 1, int.from_bytes(body[15:18], "little") + 1
    body = chunks.pixels
    if body[:4] == b"VP8L" and len(body) >= 13:
        bits = int.from_bytes(body[9:13], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if body[:4] == b"VP8 " and len(body) >= 18:
        width, height = struct.unpack_from("<HH", body, 14)
        return width & 0x3FFF, height & 0x3FFF
    raise PictureDamaged("a WebP whose header is cut")


def _plain(chunks: _Chunks) -> bytes:
    """The WebP of these chunks alone; of an animation, of one frame."""
    parts = [KIND]
    if chunks.extended:
        parts += [chunks.extended, chunks.animation]
    for each in (chunks.alpha if chunks.extended else b"", chunks.pixels):
        parts += [each, bytes(len(each) % 2)]
    body = b"".join(parts)
    return SIGNATURE + len(body).to_bytes(4, "little") + body
