"""GIF: the first frame, without the extensions around it."""

import io
import struct

from PIL.GifImagePlugin import GifImageFile

from adapters.errors import PictureDamaged
from adapters.pictures.budget import Budget, Work, check_count
from adapters.pictures.formats.source import Source

SIGNATURES = (b"GIF87a", b"GIF89a")
SCREEN_BYTES = 13
EXTENSION, IMAGE, CONTROL = 0x21, 0x2C, 0xF9
MAX_BLOCKS = 200_000
NS_A_PIXEL = 12.0


def open_gif(data: bytes, budget: Budget) -> Source:
    """Raises PictureTooLarge and PictureDamaged."""
    if len(data) < SCREEN_BYTES:
        raise PictureDamaged(f"a GIF of {len(data)} bytes")
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    screen_end = SCREEN_BYTES + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    control, image = _first_image(data, screen_end)
    left, top, image_width, image_height = struct.unpack_from("<HHHH", data, image + 1)
    budget.check_size(max(width, left + image_width), max(height, top + image_height))
    picture = GifImageFile(io.BytesIO(b"".join([data[:screen_end], control, memoryview(data)[image:]])))
    pixels = picture.width * picture.height
    return Source(picture, Work(len(data), pixels * NS_A_PIXEL / 1e9))


def _first_image(data: bytes, at: int) -> tuple[bytes, int]:
    """The graphic control extension before the first image, and where that begins."""
    control, blocks = b"", 0
    while at + 10 <= len(data):
        if data[at] == IMAGE:
            return control, at
        if data[at] != EXTENSION:
            at, blocks = at + 1, blocks + 1  # stray bytes
        else:
            start, at = at, at + 2
            while at < len(data) and data[at]:
                at, blocks = at + 1 + data[at], blocks + 1
                if blocks > MAX_BLOCKS:
                    break
            at += 1
            if data[start + 1] == CONTROL and at - start >= 8:
                control = data[start:at]
        check_count(blocks, MAX_BLOCKS, "blocks or more before the picture")
    raise PictureDamaged("a GIF without a picture")
