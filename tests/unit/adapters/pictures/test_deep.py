"""Deep and floating pictures: the answer of what they hold, and never another picture's."""

import io
import struct

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from adapters.config import PreprocessConfig
from adapters.errors import PictureDamaged
from adapters.pictures import deep
from adapters.pictures.preprocess import to_pixels
from tests.support.pictures import decoded, encoded

RAMP = (np.add.outer(np.arange(96), np.arange(128)) % 256).astype(np.uint8)
RAMP[0, 0], RAMP[0, 1] = 0, 255


def tiff(values: NDArray[np.generic], **tags: int) -> bytes:
    """One uncompressed strip; `white_is_zero` and the sample format of the values."""
    height, width = values.shape
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    entries = {
        256: width, 257: height, 258: tags.get("bits", values.itemsize * 8), 259: 1,
        262: tags.get("photometric", 1), 273: 8 + 2 + 12 * 9 + 4, 277: 1, 279: values.nbytes, 339: kind,
    }  # fmt: skip
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries.items())
    return b"II\x2a\0\x08\0\0\0" + struct.pack("<H", len(entries)) + table + bytes(4) + values.tobytes()


def pixels(data: bytes) -> Tensor:
    return to_pixels(data, PreprocessConfig(), 64)


def grey(data: bytes) -> list[int]:
    levels: list[int] = np.asarray(decoded(data))[0, :, 0].tolist()
    return levels


@pytest.mark.parametrize("kind", ["int32", "uint32", "int16", "float32"])
@pytest.mark.parametrize("factor", [1, 100])
def test_eight_bits_stored_in_more_are_the_same_picture(kind: str, factor: int) -> None:
    expected = pixels(encoded(Image.fromarray(RAMP)))
    assert torch.equal(pixels(tiff(RAMP.astype(kind) * np.array(factor, kind))), expected)


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        (np.array([[0, 1_000_000, 2_000_000]], np.int32), [0, 128, 255]),  # above 65535 is not all white
        (np.array([[-1000, -500, 0]], np.int32), [0, 128, 255]),  # negative is not all black
        (np.array([[-500, 0, 500]], np.int32), [0, 128, 255]),
        (np.array([[0, 2**31, 2**32 - 1]], np.uint32), [0, 128, 255]),
        (np.array([[70_000, 70_005, 70_010]], np.int32), [0, 128, 255]),  # far from zero
        (np.array([[0, 1e-6, 2e-6]], np.float32), [0, 128, 255]),
        (np.array([[-3e38, 0, 3e38]], np.float32), [0, 128, 255]),
        (np.array([[0, 32768, 65535]], np.uint16), [0, 128, 255]),
        (np.array([[0, 128, 255]], np.uint16), [0, 0, 1]),  # 16 bits are value / 65535
        (np.array([[200, 200, 200]], np.int32), [255, 255, 255]),
        (np.array([[0, 0, 0]], np.float32), [0, 0, 0]),
    ],
)
def test_values_are_scaled_by_the_range_they_hold(values: NDArray[np.generic], levels: list[int]) -> None:
    assert grey(tiff(values)) == levels


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_black_and_leaves_the_rest_alone(hole: float) -> None:
    holed = RAMP.astype(np.float32)
    holed[0, 0] = hole
    assert torch.equal(pixels(tiff(holed)), pixels(tiff(RAMP.astype(np.float32))))
    assert pixels(tiff(holed)).float().mean() > 50


def test_a_picture_without_a_finite_value_is_refused() -> None:
    with pytest.raises(PictureDamaged, match="no value of the picture is a finite number"):
        pixels(tiff(np.full((9, 9), np.nan, np.float32)))


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_white_is_zero_is_inverted(kind: str) -> None:
    top = 65535 // 255 if kind == "uint16" else 1
    values = RAMP.astype(kind) * np.array(top, kind)
    upright, inverted = (np.asarray(decoded(tiff(values, photometric=tag))) for tag in (1, 0))
    assert upright.std() > 40
    assert (inverted == 255 - upright).all()


def test_twelve_bits_are_scaled_by_twelve() -> None:
    packed = np.frombuffer(bytes([0x00, 0x08, 0x00, 0xFF, 0xF0, 0x00]), np.uint8)  # 0, 2048, 4095, 0
    data = tiff(packed[None])
    data = data.replace(struct.pack("<HHII", 256, 4, 1, 6), struct.pack("<HHII", 256, 4, 1, 4))
    data = data.replace(struct.pack("<HHII", 258, 4, 1, 8), struct.pack("<HHII", 258, 4, 1, 12))
    assert grey(data) == [0, 128, 255, 0]


def test_pgm_of_sixteen_bits_is_value_by_its_maximum() -> None:
    assert grey(b"P5 3 1 65535\n" + struct.pack(">3H", 0, 32768, 65535)) == [0, 128, 255]
    assert grey(b"P5 3 1 1000\n" + struct.pack(">3H", 0, 100, 500)) == [0, 26, 128]


def test_the_transparent_value_of_a_deep_png_is_white() -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.array([[0, 300, 65535]], np.uint16)).save(buffer, "PNG", transparency=300)
    assert grey(buffer.getvalue()) == [0, 255, 255]


@pytest.mark.parametrize("kind", ["int32", "float32", "uint16"])
def test_bands_give_what_the_whole_gives(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).integers(0, 60_000, (701, 533)).astype(kind)
    whole = pixels(tiff(values))
    monkeypatch.setattr(deep, "BAND_PIXELS", 1500)
    monkeypatch.setattr("adapters.pictures.convert.BAND_PIXELS", 1500)
    assert torch.equal(pixels(tiff(values)), whole)
