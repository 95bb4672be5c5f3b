"""Every way to store samples in a TIFF: the picture that it is, or a refusal, and never another picture."""

from itertools import product
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from adapters.config import PreprocessConfig
from adapters.errors import PictureFormat, PictureTooLarge
from adapters.pictures.preprocess import to_pixels
from tests.support.pictures import decoded, encoded
from tests.support.tiffs import Stored

Pixels = NDArray[np.generic]
HEIGHT, WIDTH = 37, 53
LEVELS = np.add.outer(3 * np.arange(HEIGHT), 2 * np.arange(WIDTH)) % 256
TYPES = ["u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8"]
# Photometric, extra samples, how many samples.
KINDS = {
    "grey": (1, (), 1),
    "white is zero": (0, (), 1),
    "grey and alpha": (1, (2,), 2),
    "grey and alpha, multiplied": (1, (1,), 2),
    "grey and another": (1, (0,), 2),
    "RGB": (2, (), 3),
    "RGBA": (2, (2,), 4),
    "RGBA, multiplied": (2, (1,), 4),
    "RGB and another": (2, (0,), 4),
    "RGB and two others": (2, (0, 0), 5),
    "RGBA and another": (2, (2, 0), 5),
    "RGBA of no name": (2, (), 4),
    "CMYK": (5, (), 4),
    "CMYK and another": (5, (0,), 5),
    "YCbCr": (6, (), 3),
    "Lab": (8, (), 3),
    "five of grey": (1, (0, 0, 0, 0), 5),
}
SUBSAMPLING: dict[str, dict[int, list[int]]] = {kind: {} for kind in KINDS} | {"YCbCr": {530: [1, 1]}}
ORDERS: tuple[Literal["<", ">"], ...] = ("<", ">")
STORAGE = list(product(ORDERS, (False, True), (False, True), (1 << 16, 5), (1, 2)))
# What is read, beside grey of one sample: kinds, types and whether in planes. All others are refused.
READ = {
    *product(("RGB", "RGBA", "RGBA, multiplied", "RGB and another", "CMYK"), ("u1", "u2"), (False, True)),
    *product(("RGBA of no name",), ("u1", "u2"), (False,)),
    *product(("grey and another", "five of grey"), TYPES, (True,)),
    *product(("RGB and two others", "CMYK and another"), ("u1", "u2"), (True,)),
    *product(("RGB and two others", "RGBA and another", "CMYK and another"), ("u1",), (False,)),
    *product(("grey and alpha", "grey and alpha, multiplied", "grey and another"), ("u1",), (False,)),
    *product(("Lab",), ("u1",), (False,)),
    *product(("YCbCr",), ("u1",), (False, True)),
}


def levels(kind: str) -> NDArray[np.uint8]:
    """A picture of 8 bits whose samples all differ, with 0 and 255 in each, and alpha where there is one."""
    _, extra, count = KINDS[kind]
    samples = np.stack(
        [np.roll(LEVELS, 7 * index, 1) * (index % 2 or -1) % 256 for index in range(count)], -1
    )
    samples[0, 0], samples[0, 1] = 0, 255
    alpha = count - len(extra)
    if extra[:1] == (1,):
        samples[..., :alpha] = samples[..., :alpha] * samples[..., alpha : alpha + 1] // 255
    return samples.astype(np.uint8)


def as_type(samples: NDArray[np.uint8], kind: str) -> Pixels:
    """The same picture in more bits: for what is signed or floating, by the range that it holds."""
    dtype = np.dtype(kind)
    values: Pixels = (samples / 255).astype(dtype)
    if dtype.kind == "i":
        values = (samples.astype(np.int64) - 128).astype(dtype) << 8 * (dtype.itemsize - 1)
    elif dtype.kind == "u":
        values = samples.astype(dtype) * np.array((256**dtype.itemsize - 1) // 255, dtype)
    return values


def usual(kind: str) -> bytes:
    """As PNG, or as everybody stores it: 8 bits, little-endian, not compressed, in one plane."""
    photometric, extra, _ = KINDS[kind]
    samples = levels(kind)
    if photometric == 0:
        samples = 255 - samples
    if photometric < 2 and extra != (1,):
        return encoded(Image.fromarray(samples[..., :2] if extra == (2,) else samples[..., 0]))
    if photometric == 2 and extra[:1] != (1,):
        return encoded(Image.fromarray(samples[..., : 3 if extra[:1] == (0,) else 4]))
    return Stored(photometric=photometric, extra=extra, tags=SUBSAMPLING[kind]).file(samples)


def is_same(data: bytes, expected: bytes) -> bool:
    """Whether two files are one picture; alpha of 16 bits is rounded elsewhere than of 8."""
    found, wanted = (np.asarray(decoded(each)).astype(int) for each in (data, expected))
    return found.shape == wanted.shape and bool((np.abs(found - wanted) <= 2).all())


def answer(data: bytes, expected: bytes) -> str:
    try:
        return "the picture" if is_same(data, expected) else "another picture"
    except PictureFormat as refused:
        return str(refused)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", TYPES)
def test_a_picture_is_itself_however_it_is_stored(kind: str, dtype: str) -> None:
    photometric, extra, _ = KINDS[kind]
    for order, deflated, planes, rows, fill_order in STORAGE:
        how = Stored(order, photometric, deflated, planes, extra, rows, fill_order, SUBSAMPLING[kind])
        found = answer(how.file(as_type(levels(kind), dtype)), usual(kind))
        if (kind, planes) == ("RGBA of no name", True):
            assert found != "another picture", how
        elif (photometric < 2 and not extra) or (kind, dtype, planes) in READ:
            assert found == "the picture" or (kind, fill_order) == ("YCbCr", 2), (how, found)
        else:
            assert "is not read; what is read is grey" in found, how


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("deflated", [False, True])
def test_subsampled_colours_are_read(order: Literal["<", ">"], *, deflated: bool) -> None:
    light = np.repeat(np.repeat(levels("grey")[:36, :52, 0], 2, 0), 2, 1)
    blocks = np.dstack([light[::2, ::2]] * 4 + [np.full((36, 52), 100), np.full((36, 52), 200)])
    colours = np.dstack([light, np.full(light.shape, 100), np.full(light.shape, 200)])
    as_blocks = {256: [104], 257: [72], 258: [8, 8, 8], 277: [3], 278: [72], 339: [1, 1, 1]}
    data = Stored(order, 6, deflated, tags=as_blocks).file(blocks.astype(np.uint8))
    assert is_same(data, Stored(photometric=6, tags={530: [1, 1]}).file(colours.astype(np.uint8)))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("bits", "formats"), [(64, [1]), (24, [3]), (32, [4]), (32, [5]), (16, [1, 2])])
def test_samples_that_are_not_read_are_named(order: Literal["<", ">"], bits: int, formats: list[int]) -> None:
    form = {1: "unsigned", 3: "floating"}.get(formats[0], f"sample format {formats[0]}")
    if len(formats) > 1:
        form = "sample format 1 and 2"
    tags = {258: [bits] * len(formats), 277: [len(formats)], 339: formats}
    with pytest.raises(PictureFormat, match=rf"{bits} bits, {form}, is not read; what is read is grey"):
        decoded(Stored(order, tags=tags).file(np.zeros((9, 8), np.uint64)))


def test_more_samples_than_a_picture_has_are_refused() -> None:
    with pytest.raises(PictureFormat, match="TIFF of 60000 samples a pixel is not read"):
        decoded(Stored(tags={277: [60_000]}).file(levels("grey")))


def test_what_is_wide_is_as_exact_as_four_bytes_are() -> None:
    """Values far from zero, of which float32 tells few apart, are still in their order."""
    values = 300.0 + np.arange(256.0)[None] / 1000
    expected = encoded(Image.fromarray(np.arange(256, dtype=np.uint8)[None]))
    assert is_same(Stored().file(values), expected)


def test_what_libtiff_unpacks_is_memory() -> None:
    values = np.zeros((1200, 1000))
    with pytest.raises(PictureTooLarge, match=r"TIFF of 1000x1200 pixels takes \d+ MB to decode"):
        to_pixels(Stored().file(values), PreprocessConfig(), 64, max_pixels=1_500_000)
