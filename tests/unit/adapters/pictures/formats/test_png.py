"""PNG: what is not the picture is left out before Pillow sees it."""

import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from adapters.config import PreprocessConfig
from adapters.errors import PictureDamaged, PictureTooLarge
from adapters.pictures.preprocess import to_pixels
from benchmarks.common.costly_pictures import SIGNATURE, png, png_chunk
from tests.support.pictures import decoded, encoded, gradient

PLAIN = encoded(gradient())
HEAD_END = 33
EXIF = b"II\x2a\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"


def pixels(data: bytes) -> Tensor:
    return to_pixels(data, PreprocessConfig(), 32)


def spoilt(kind: bytes, body: bytes) -> bytes:
    """A chunk with a wrong CRC."""
    return png_chunk(kind, body)[:-1] + b"\0"


@pytest.mark.parametrize(
    "chunk",
    [
        png_chunk(b"eXIf", b"\0\1garbage"),
        png_chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(1_100_000))),
        png_chunk(b"iCCP", b"p\0\7garbage"),
        png_chunk(b"zTXt", b"t\0\0" + zlib.compress(bytes(70_000_000))),
        png_chunk(b"tEXt", b"t\0" + b"x" * 2_000_000) * 3,
        png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0\xff\xfe"),
        png_chunk(b"gAMA", b"")
        + png_chunk(b"cHRM", b"\0")
        + png_chunk(b"pHYs", b"")
        + png_chunk(b"sRGB", b""),
        png_chunk(b"acTL", b"\0\0"),
        png_chunk(b"fcTL", b"garbage"),
        png_chunk(b"tIME", b"now") * 10_000,
        spoilt(b"tEXt", b"t\0text"),
        spoilt(b"eXIf", EXIF),
        spoilt(b"tRNS", b"\0\0\0\0\0\0"),
    ],
)
def test_metadata_is_not_the_picture(chunk: bytes) -> None:
    end = PLAIN.index(b"IEND") - 4
    for at in (HEAD_END, end):
        assert torch.equal(pixels(PLAIN[:at] + chunk + PLAIN[at:]), pixels(PLAIN))


@pytest.mark.parametrize("at", [HEAD_END, PLAIN.index(b"IEND") - 4])
def test_orientation_is_read_wherever_it_stands(at: int) -> None:
    turned = PLAIN[:at] + png_chunk(b"eXIf", EXIF) + PLAIN[at:]
    assert torch.equal(pixels(turned), pixels(PLAIN).transpose(1, 2).flip(2))


def test_the_end_may_be_missing() -> None:
    end = PLAIN.index(b"IEND") - 4
    for cut in (PLAIN[:end], PLAIN[: end + 2], PLAIN[: end - 4], PLAIN[: end - 8]):
        assert torch.equal(pixels(cut), pixels(PLAIN))


def test_pixels_may_not() -> None:
    start, end = PLAIN.index(b"IDAT") + 4, PLAIN.index(b"IEND") - 8
    for left in (0, 0.3, 0.6, 0.8):
        with pytest.raises(PictureDamaged):
            pixels(PLAIN[: start + int((end - start) * left)])


def test_pixels_in_many_chunks_are_one_picture() -> None:
    start, end = PLAIN.index(b"IDAT") + 4, PLAIN.index(b"IEND") - 8
    parts = [png_chunk(b"IDAT", PLAIN[at : min(at + 3, end)]) for at in range(start, end, 3)]
    between = png_chunk(b"teST", b"") + png_chunk(b"IDAT", b"")
    assert torch.equal(pixels(PLAIN[: start - 8] + between.join(parts)), pixels(PLAIN))


def test_chunks_without_end_are_too_many() -> None:
    with pytest.raises(PictureTooLarge, match="chunks or more; at most 65536 are read"):
        pixels(PLAIN[:HEAD_END] + png_chunk(b"IDAT", b"") * 70_000 + PLAIN[HEAD_END:])


def test_a_wrong_crc_of_what_the_picture_needs_is_damage() -> None:
    palette = encoded(gradient("P"))
    at = palette.index(b"PLTE")
    for data, name in (
        (PLAIN[:32] + b"x" + PLAIN[33:], "IHDR"),
        (palette[: at + 9] + b"!" + palette[at + 10 :], "PLTE"),
    ):
        with pytest.raises(PictureDamaged, match=f"{name} chunk is cut or has a wrong CRC"):
            pixels(data)


@pytest.mark.parametrize("size", [(1, 16_000_000), (16_000_000, 1), (70_000, 2)])
def test_extreme_sides_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(PictureTooLarge, match="at most 65535 a side are read"):
        pixels(png(*size))


@pytest.mark.parametrize(
    ("depth", "colour", "row", "key", "white"),
    [
        (4, 0, b"\x0e\x50", b"\0\5", [0, 0, 1, 0]),
        (2, 0, b"\x1b", b"\0\2", [0, 0, 1, 1]),
        (8, 0, b"\0\5\xff\6", b"\0\5", [0, 1, 1, 0]),
        (8, 2, bytes([1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 1, 1]), b"\0\4\0\5\0\6", [0, 1, 0, 0]),
        (16, 2, bytes([1, 7, 2, 7, 3, 7, 4, 7, 5, 7, 6, 7] + [0] * 12), b"\4\7\5\7\6\7", [0, 1, 0, 0]),
    ],
)
def test_a_transparent_colour_is_white_at_any_depth(
    depth: int, colour: int, row: bytes, key: bytes, white: list[int]
) -> None:
    head = struct.pack(">IIBBBBB", 4, 1, depth, colour, 0, 0, 0)
    body = png_chunk(b"IDAT", zlib.compress(b"\0" + row))
    data = SIGNATURE + png_chunk(b"IHDR", head) + png_chunk(b"tRNS", key) + body
    assert (np.asarray(decoded(data))[0].min(axis=1) == 255).astype(int).tolist() == white


def test_a_palette_and_its_transparency_may_be_huge() -> None:
    picture = Image.new("P", (20, 10), 7)
    picture.putpalette(bytes(range(256)) * 3)
    data = encoded(picture, transparency=bytes(256))
    at = data.index(b"tRNS") - 4
    huge = data[:at] + png_chunk(b"tRNS", bytes(1_000_000)) + data[at + 12 + 256 :]
    assert torch.equal(pixels(huge), pixels(data))
