"""The one transform from a picture to the backbone's pixels, for training and serving alike."""

import math
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from adapters.config import PreprocessConfig
from adapters.errors import PictureError, PictureTooLarge
from adapters.pictures.convert import Factors, to_rgb
from adapters.pictures.decode import MAX_PIXELS, Extent, opened
from adapters.pictures.deep import Box

MAX_FILE_BYTES = 1 << 30  # a picture of MAX_PIXELS has less; a device may never end
RESIZE_GAP = 2
MOST_UNEVEN = 4
RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
# EXIF orientation → whether rows become columns, and then along which axes of [3, H, W] to flip.
TURNS: dict[int, tuple[bool, tuple[int, ...]]] = {
    2: (False, (2,)),
    3: (False, (1, 2)),
    4: (False, (1,)),
    5: (True, ()),
    6: (True, (2,)),
    7: (True, (1, 2)),
    8: (True, (1,)),
}


def preprocess(picture: Image.Image, config: PreprocessConfig, image_size: int) -> Tensor:
    """Upright RGB picture → pixels [3, H, W] uint8 with H = W = `image_size`."""
    return _fit(picture, picture.size, config, image_size)


def to_pixels(
    data: bytes, config: PreprocessConfig, image_size: int, *, max_pixels: int = MAX_PIXELS
) -> Tensor:
    """Bytes of a picture → upright pixels [3, H, W] uint8 with H = W = `image_size`.

    A picture far larger than that is made smaller on the way (docs/adr/0018), and turned when it is small.
    Takes no more memory and time than `adapters.pictures.budget.Budget` allows (docs/adr/0023).
    Raises PictureFormat, PictureTooLarge and PictureDamaged as `adapters.pictures.decode.opened`.
    """
    least_px = least_side_px(config, image_size)
    with opened(data, max_pixels, least_px) as source:
        factors = _factors(source.extent, config, least_px)
        box, extent = _box(source.picture, source.extent, factors, config, image_size)
        rgb = to_rgb(source.picture, factors, box)
    extent = (extent[0] / factors[0], extent[1] / factors[1])
    return _turn(_fit(rgb, extent, config, image_size), source.orientation)


def read_pixels(path: Path, config: PreprocessConfig, image_size: int) -> Tensor:
    """`to_pixels` of a picture file or a pipe; its errors name the file. Raises OSError too."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise PictureTooLarge(f"more than the {MAX_FILE_BYTES} bytes that are read of one picture")
        return to_pixels(data, config, image_size)
    except PictureError as error:
        raise type(error)(f"{path}: {error}") from error


def least_side_px(config: PreprocessConfig, image_size: int) -> int:
    """How many pixels a side a picture needs, so that resizing it is as good as from the whole."""
    short = image_size if config.fit == "squash" else round(image_size * config.resize_ratio)
    return RESIZE_GAP * short


def _factors(extent: Extent, config: PreprocessConfig, least_px: int) -> Factors:
    """Sides of the blocks of pixels to average, so that at least `least_px` a side are left.

    They are as wide as high, but for a squashed picture of extreme sides, which would stay as large as it is.
    """
    across, down = (max(int(side // least_px), 1) for side in extent)
    if config.fit == "squash" and max(across, down) > MOST_UNEVEN * min(across, down):
        return across, down
    least = min(across, down)
    return least, least


def _box(
    picture: Image.Image, extent: Extent, factors: Factors, config: PreprocessConfig, image_size: int
) -> tuple[Box | None, Extent]:
    """The middle of a picture of extreme sides, as far as a crop may look at it, and its extent."""
    short = min(extent)
    if config.fit == "squash" or max(extent) <= MOST_UNEVEN * short:
        return None, extent
    reach = short / 2 + 3 * short / image_size + 2 * factors[0]  # bicubic looks at two pixels of the result
    first = [max(int((side / 2 - reach) // factors[0]), 0) * factors[0] for side in extent]
    last = [min(math.ceil(extent[axis] - first[axis]), picture.size[axis]) for axis in (0, 1)]
    return (first[0], first[1], last[0], last[1]), (extent[0] - 2 * first[0], extent[1] - 2 * first[1])


def _fit(picture: Image.Image, extent: Extent, config: PreprocessConfig, size: int) -> Tensor:
    if config.fit == "squash":
        return _squash(_pixels(picture), extent, size, config.interpolation)
    short = round(size * config.resize_ratio)
    return _pixels(_crop(picture, extent, short, size, RESAMPLING[config.interpolation])).contiguous()


def _pixels(picture: Image.Image) -> Tensor:
    """RGB picture → its pixels [3, H, W] uint8, channels last in memory."""
    return torch.from_numpy(np.array(picture).transpose(2, 0, 1))


def _squash(pixels: Tensor, extent: Extent, size: int, interpolation: str) -> Tensor:
    """Pixels [3, H, W] uint8 → [3, size, size], as Pillow would but several times faster (docs/adr/0021)."""
    resize = partial(F.interpolate, pixels[None], mode=interpolation, antialias=True)
    if extent == (pixels.shape[2], pixels.shape[1]):
        return resize(size=(size, size))[0]
    # torch rounds H times the scale down: a breath more, lest it lose the last row of a whole H.
    scales = tuple(math.nextafter(size / side, math.inf) for side in reversed(extent))
    return resize(scale_factor=scales)[0]


def _crop(
    picture: Image.Image, extent: Extent, short: int, size: int, resampling: Image.Resampling
) -> Image.Image:
    """Resize the short side to `short` and cut the centre, in one resampling of the source box."""
    side = min(extent) * size / short
    left, top = (extent[0] - side) / 2, (extent[1] - side) / 2
    return picture.resize((size, size), resampling, box=(left, top, left + side, top + side))


def _turn(pixels: Tensor, orientation: int | None) -> Tensor:
    """Pixels [3, H, W] as they are stored → upright, after EXIF."""
    if orientation not in TURNS:
        return pixels
    transposed, flipped = TURNS[orientation]
    return (pixels.transpose(1, 2) if transposed else pixels).flip(flipped)
