"""Pictures of 16 and 32 bits and of floating numbers → 8 bits, a band of rows at a time."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import BITSPERSAMPLE, PHOTOMETRIC_INTERPRETATION, SAMPLEFORMAT, TiffImageFile

from adapters.errors import PictureDamaged

BAND_PIXELS = 1 << 20
UNSIGNED, FLOATING = 1, 3
WHITE_IS_ZERO = 0
Box = tuple[int, int, int, int]  # left, top, right, bottom
Converter = Callable[[Image.Image], Image.Image]


def is_deep(mode: str) -> bool:
    """Whether Pillow's mode has more than 8 bits a sample."""
    return mode in ("I", "F") or mode.startswith("I;16")


def bands(picture: Image.Image, box: Box, rows: int) -> Iterator[Image.Image]:
    """A box of a picture in copies of `rows` rows, the last of which may be fewer."""
    left, top, right, bottom = box
    for first in range(top, bottom, rows):
        yield picture.crop((left, first, right, min(first + rows, bottom)))


def eight_bits(picture: Image.Image) -> Converter:
    """The conversion of bands of a deep picture to mode L.

    16 bits are scaled by all that they can hold. What has 32 bits, or is signed or floating, is scaled by the
    range it holds, with zero in it where that at most doubles it; what is not finite is left out of that and
    drawn black. White-is-zero is inverted.

    Raises PictureDamaged where no value is finite.
    """
    tags = picture.tag_v2 if isinstance(picture, TiffImageFile) else {}
    inverted = bool(tags) and tags.get(PHOTOMETRIC_INTERPRETATION, WHITE_IS_ZERO) == WHITE_IS_ZERO
    floating = _has_format(tags, FLOATING)
    if (picture.mode.startswith("I;16") and not floating) or (picture.mode == "I" and not tags):
        bits = tags.get(BITSPERSAMPLE, (16,))[0]
        return _by_table(bits, picture.info.get("transparency"), inverted=inverted)
    read = _read
    if picture.mode == "I" and _has_format(tags, UNSIGNED):
        read = _read_unsigned
    elif picture.mode == "I;16" and floating:
        read = _read_half
    least, most = _range(picture, read)
    return lambda band: Image.fromarray(_levels(read(band), least, most, inverted=inverted), "L")


def _by_table(bits: int, key: object, *, inverted: bool) -> Converter:
    """16 bits, or as many of them as are in use; `key` is the value that is transparent: laid on white."""
    table = _levels(np.arange(1 << 16), 0.0, 2.0**bits - 1, inverted=inverted)
    if isinstance(key, int) and 0 <= key < len(table):
        table[key] = 255
    return lambda band: Image.fromarray(table[np.asarray(band)], "L")


def _has_format(tags: Mapping[int, Any], kind: int) -> bool:
    return set(tags.get(SAMPLEFORMAT, (UNSIGNED,))) == {kind}


def _read(band: Image.Image) -> NDArray[np.generic]:
    return np.asarray(band)


def _read_unsigned(band: Image.Image) -> NDArray[np.generic]:
    return np.asarray(band).view(np.uint32)


def _read_half(band: Image.Image) -> NDArray[np.generic]:
    return np.asarray(band).view(np.float16)


def _range(picture: Image.Image, read: Callable[[Image.Image], NDArray[np.generic]]) -> tuple[float, float]:
    least, most = math.inf, -math.inf
    rows = max(BAND_PIXELS // picture.width, 1)
    for band in bands(picture, (0, 0, *picture.size), rows):
        values = read(band)
        finite = values if values.dtype.kind != "f" else values[np.isfinite(values)]
        if finite.size:
            least, most = min(least, float(finite.min())), max(most, float(finite.max()))
    if least > most:
        raise PictureDamaged("no value of the picture is a finite number")
    with_zero = min(least, 0.0), max(most, 0.0)
    near = with_zero[1] - with_zero[0] <= 2 * (most - least)
    return with_zero if near or least == most else (least, most)


def _levels(values: NDArray[np.generic], least: float, most: float, *, inverted: bool) -> NDArray[np.uint8]:
    scaled = values.astype(np.float64)
    scaled -= least
    scaled /= (most - least) or 1.0
    np.clip(scaled, 0.0, 1.0, out=scaled)
    if inverted:
        np.subtract(1.0, scaled, out=scaled)
    scaled *= 255.0
    np.rint(scaled, out=scaled)
    if values.dtype.kind == "f":
        scaled[~np.isfinite(values)] = 0.0
    return scaled.astype(np.uint8)
