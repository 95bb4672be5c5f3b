"""Pictures for tests, and their files."""

import io
from pathlib import Path

import numpy as np
import torch
from PIL import ExifTags, Image, ImageOps
from torch import Tensor

from adapters.pictures.convert import to_rgb
from adapters.pictures.decode import MAX_PIXELS, opened


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def write_picture(path: Path, picture: Image.Image) -> None:
    """Save where the folders may not be there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


def pixels(count: int, size: int = 32, seed: int | None = None) -> Tensor:
    """Random pictures [count, 3, size, size] uint8; without a seed, of torch's own generator."""
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=generator)


def plain_png(shade: int, size: tuple[int, int] = (40, 30)) -> bytes:
    """One colour everywhere, whose red is `shade`."""
    return encoded(Image.new("RGB", size, (shade, 0, 0)))


def noise(seed: int, size: tuple[int, int]) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    return Image.fromarray(values)


def gradient(mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> Image.Image:
    ramp = np.linspace(0, 255, size[0] * size[1]).astype(np.uint8).reshape(size[1], size[0])
    return Image.fromarray(ramp, "L").convert(mode)


def decoded(data: bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The whole picture, upright: what a large one looks like that is not made smaller."""
    with opened(data, max_pixels) as source:
        rgb = to_rgb(source.picture)
    rgb.getexif()[ExifTags.Base.Orientation] = source.orientation or 1
    return ImageOps.exif_transpose(rgb)
