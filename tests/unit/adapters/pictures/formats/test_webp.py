"""WebP: the picture's chunks alone, and memory before Pillow's reader takes any."""

import struct

import pytest
import torch
from PIL import Image
from torch import Tensor

from adapters.config import PreprocessConfig
from adapters.errors import PictureDamaged, PictureTooLarge
from adapters.pictures.preprocess import to_pixels
from tests.support.pictures import encoded, gradient

EXIF = b"II\x2a\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"
PLAIN = encoded(gradient(), "WEBP", exif=b"Exif\0\0" + EXIF)
FLAGS = 20


def pixels(data: bytes, **options: int) -> Tensor:
    return to_pixels(data, PreprocessConfig(), 32, **options)


def chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def riff(*chunks: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def picture_chunk() -> bytes:
    at = PLAIN.index(b"VP8 ")
    return PLAIN[at : at + 8 + int.from_bytes(PLAIN[at + 4 : at + 8], "little")]


EXTENDED = chunk(b"VP8X", bytes([0x2C, 0, 0, 0]) + struct.pack("<HBHB", 39, 0, 29, 0))


@pytest.mark.parametrize(
    "metadata",
    [
        chunk(b"EXIF", b"garbage"),
        chunk(b"EXIF", b"Exif\0\0II\x2a\0\xff\xff\xff\xff"),
        chunk(b"ICCP", bytes(5_000_000)),
        chunk(b"XMP ", b"\xff\xfe" * 1_000_000),
        chunk(b"what", b"odd") * 1_000,
        b"EXIF\xff\xff\xff\x7f",
        b"stray",
    ],
)
def test_metadata_is_not_the_picture(metadata: bytes) -> None:
    expected = pixels(riff(picture_chunk()))
    assert torch.equal(pixels(riff(EXTENDED, picture_chunk(), metadata)), expected)
    assert torch.equal(pixels(riff(EXTENDED, picture_chunk()) + metadata), expected)


def test_orientation_is_read_with_and_without_its_head() -> None:
    upright = pixels(riff(picture_chunk()))
    for exif in (EXIF, b"Exif\0\0" + EXIF):
        turned = pixels(riff(EXTENDED, picture_chunk(), chunk(b"EXIF", exif)))
        assert torch.equal(turned, upright.transpose(1, 2).flip(2))


def test_the_first_frame_is_read_alone() -> None:
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("lime", "red", "blue")]
    data = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    cut = data.index(b"ANMF", data.index(b"ANMF") + 4)
    for file in (data, data[:cut], data[: cut + 20]):
        assert pixels(file)[:, 5, 5].tolist() == [0, 255, 0]


def test_a_picture_cut_in_its_pixels_is_refused() -> None:
    bare = riff(picture_chunk())
    for left in (0.2, 0.5, 0.9):
        with pytest.raises(PictureDamaged):
            pixels(bare[: int(len(bare) * left)])


def test_the_reader_s_canvases_are_counted_before_they_are_made() -> None:
    claim = chunk(b"VP8X", bytes(4) + b"\x40\x1f\0" + b"\x40\x1f\0")  # 8001 pixels a side
    with pytest.raises(PictureTooLarge, match="a WebP of 8001x8001 pixels takes 832 MB"):
        pixels(riff(claim, picture_chunk()), max_pixels=65_000_000)


def test_chunks_without_end_are_too_many() -> None:
    with pytest.raises(PictureTooLarge, match="chunks or more; at most 20000"):
        pixels(riff(EXTENDED, chunk(b"what", b"") * 30_000, picture_chunk()))
