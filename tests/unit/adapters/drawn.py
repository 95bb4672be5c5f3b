"""Pictures for tests, and their files."""

import io

import numpy as np
from PIL import ExifTags, Image, ImageOps

from adapters.pictures.convert import to_rgb
from adapters.pictures.decode import MAX_PIXELS, opened


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def gradient(mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> Image.Image:
    ramp = np.linspace(0, 255, size[0] * size[1]).astype(np.uint8).reshape(size[1], size[0])
    return Image.fromarray(ramp, "L").convert(mode)


def decoded(data: bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The whole picture, upright: what a large one looks like that is not made smaller."""
    with opened(data, max_pixels) as source:
        rgb = to_rgb(source.picture)
    rgb.getexif()[ExifTags.Base.Orientation] = source.orientation or 1
    return ImageOps.exif_transpose(rgb)
