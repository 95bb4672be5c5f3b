"""BMP: rows as they are, or runs that Pillow reads in Python."""

import io

from PIL.BmpImagePlugin import BmpImageFile

from adapters.pictures.budget import Budget, Work
from adapters.pictures.formats.source import Source

SIGNATURE = b"BM"
NS_A_PIXEL = 5.0
RUN_BYTES_A_PIXEL = 3.5
RUN_NS_A_PIXEL = 90.0
RUN_NS_A_BYTE = 250.0


def open_bmp(data: bytes, budget: Budget) -> Source:
    """Raises PictureTooLarge, and what Pillow raises."""
    picture = BmpImageFile(io.BytesIO(data))
    budget.check_size(*picture.size)
    pixels = picture.width * picture.height
    if picture.tile[0][0] == "raw":
        return Source(picture, Work(0, pixels * NS_A_PIXEL / 1e9))
    seconds = (pixels * RUN_NS_A_PIXEL + len(data) * RUN_NS_A_BYTE) / 1e9
    return Source(picture, Work(pixels * RUN_BYTES_A_PIXEL, seconds))
