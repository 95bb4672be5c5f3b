"""GIF: the first frame, whatever stands before it and whether it has an end."""

import pytest
import torch
from PIL import Image
from torch import Tensor

from adapters.config import PreprocessConfig
from adapters.errors import PictureDamaged, PictureTooLarge
from adapters.pictures.preprocess import to_pixels
from tests.support.pictures import encoded, gradient

PLAIN = encoded(gradient("P"), "GIF")
PALETTE_END = 13 + 3 * 256


def pixels(data: bytes, **options: int) -> Tensor:
    return to_pixels(data, PreprocessConfig(), 32, **options)


def with_blocks(blocks: bytes) -> bytes:
    return PLAIN[:PALETTE_END] + blocks + PLAIN[PALETTE_END:]


@pytest.mark.parametrize(
    "blocks",
    [
        b"!\xfe" + (b"\xff" + b"c" * 255) * 20_000 + b"\0",
        b"!\xfe\3abc\0" * 20_000,
        b"!\xff\x0bXMP DataXMP" + b"\xff" * 256 + b"\0",
        b"!\xff\x0bNETSCAPE2.0\1\1\0",
        b"!\xf9\1x\0",
        b"!\x01\0" * 100,
    ],
)
def test_extensions_are_not_the_picture(blocks: bytes) -> None:
    assert torch.equal(pixels(with_blocks(blocks)), pixels(PLAIN))


def test_extensions_without_end_are_too_many() -> None:
    with pytest.raises(PictureTooLarge, match="blocks or more before the picture; at most 200000"):
        pixels(with_blocks(b"!\xfe" + b"\1c" * 300_000 + b"\0"))


@pytest.mark.parametrize("cut", [1, 2])
def test_the_end_may_be_missing(cut: int) -> None:
    assert torch.equal(pixels(PLAIN[:-cut]), pixels(PLAIN))


def test_pixels_may_not() -> None:
    for left in (0.2, 0.5, 0.8):
        with pytest.raises(PictureDamaged):
            pixels(PLAIN[: PALETTE_END + int((len(PLAIN) - PALETTE_END) * left)])


def test_a_frame_beyond_the_screen_counts_with_its_pixels() -> None:
    at = PLAIN.index(b",", PALETTE_END)
    large = PLAIN[: at + 5] + (60_000).to_bytes(2, "little") * 2 + PLAIN[at + 9 :]
    with pytest.raises(PictureTooLarge, match="60000x60000 pixels"):
        pixels(large)


def test_transparency_of_the_first_frame_is_laid_on_white() -> None:
    picture = Image.new("P", (8, 8), 3)
    picture.putpalette(bytes([1, 2, 3]) * 256)
    assert (pixels(encoded(picture, "GIF", transparency=3)) == 255).all()
