"""TIFF: the first directory's tags of the picture, counted before Pillow reads any."""

import io
import struct

import pytest
import torch
from PIL import Image
from torch import Tensor

from adapters.config import PreprocessConfig
from adapters.errors import PictureDamaged, PictureError, PictureFormat, PictureTooLarge
from adapters.pictures.preprocess import to_pixels
from benchmarks.common.costly_pictures import deflated_tiff, tiff
from tests.support.pictures import encoded, gradient

PLAIN = encoded(gradient(), "TIFF")


def pixels(data: bytes, **options: int) -> Tensor:
    return to_pixels(data, PreprocessConfig(), 32, **options)


def entries_of(data: bytes) -> tuple[int, int]:
    """Where the first directory is, and its count."""
    first = struct.unpack_from("<I", data, 4)[0]
    return first, struct.unpack_from("<H", data, first)[0]


def with_tags(data: bytes, *tags: bytes, following: int = 0) -> bytes:
    """The file with more entries in its directory, which moves to the end."""
    first, count = entries_of(data)
    table = data[first + 2 : first + 2 + 12 * count] + b"".join(tags)
    directory = struct.pack("<H", len(table) // 12) + table + struct.pack("<I", following)
    return data[:4] + struct.pack("<I", len(data)) + data[8:] + directory


def tag(number: int, kind: int, count: int, value: int) -> bytes:
    return struct.pack("<HHII", number, kind, count, value)


@pytest.mark.parametrize(
    "tags",
    [
        [tag(34665, 4, 1, 2**31)],  # EXIF far outside
        [tag(34665, 4, 1, 8)],  # EXIF is the directory itself
        [tag(34665, 2, 40, 0)],
        [tag(34675, 7, 2**31, 8)],  # a profile larger than the file
        [tag(700, 1, 2**20, 8), tag(33723, 4, 2**31, 0)],
        [tag(282, 2, 3, 0x414141), tag(283, 5, 1, 2**32 - 1), tag(296, 2, 2, 0x4141)],
        [tag(305, 2, 10, 2**32 - 1)],
        [tag(50_000 + number % 10_000, 4, 1, 8) for number in range(60_000)],
        [tag(330, 4, 1, 8)],  # sub-directories in a circle
    ],
)
@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "jpeg"])
def test_metadata_is_not_the_picture(tags: list[bytes], compression: str | None) -> None:
    data = encoded(gradient(), "TIFF", compression=compression)
    assert torch.equal(pixels(with_tags(data, *tags)), pixels(data))


def test_directories_in_a_circle_are_left_alone() -> None:
    assert torch.equal(pixels(with_tags(PLAIN, following=len(PLAIN))), pixels(PLAIN))


@pytest.mark.parametrize("kind", [3, 4])
@pytest.mark.parametrize("orientation", [0, 1, 6, 9, 60_000])
def test_orientation_is_read_once_or_not_at_all(orientation: int, kind: int) -> None:
    upright = pixels(PLAIN)
    turned = pixels(with_tags(PLAIN, tag(274, kind, 1, orientation)))
    assert torch.equal(turned, upright.transpose(1, 2).flip(2) if orientation == 6 else upright)


def test_big_tiff_is_read() -> None:
    buffer = io.BytesIO()
    gradient().save(buffer, "TIFF", big_tiff=True)
    assert torch.equal(pixels(buffer.getvalue()), pixels(PLAIN))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB"])
def test_every_mode_is_read_as_pillow_reads_it(mode: str) -> None:
    source = Image.open(io.BytesIO(encoded(gradient("RGB").convert("RGB"), "PNG")))
    picture = gradient(mode) if mode not in ("YCbCr", "LAB") else source.convert("YCbCr")
    data = encoded(picture, "TIFF")
    expected = (
        Image.open(io.BytesIO(data)).convert("RGBA" if mode in ("LA", "RGBA") else "RGB").convert("RGB")
    )
    assert torch.equal(pixels(data), pixels(encoded(expected)))


def test_strips_and_tiles_are_counted() -> None:
    assert pixels(tiff(4, 60_000, rows=1)).shape == (3, 32, 32)
    one = tiff(64, 64, rows=64)
    for offsets in (273, 324):
        many = with_tags(
            one.replace(struct.pack("<HH", 273, 4), struct.pack("<HH", 999, 4)), tag(offsets, 4, 2**24, 8)
        )
        with pytest.raises(PictureTooLarge, match="16777216 strips or tiles; at most 65536"):
            pixels(many)


def test_values_of_a_tag_are_counted() -> None:
    data = PLAIN.replace(struct.pack("<HHI", 258, 3, 3), struct.pack("<HHI", 258, 3, 2**20))
    with pytest.raises(PictureTooLarge, match="1048576 values of tag 258"):
        pixels(data)


def test_a_tile_far_larger_than_the_picture_is_memory() -> None:
    data = encoded(gradient(), "TIFF", compression="tiff_lzw")
    offsets = data.replace(struct.pack("<HH", 273, 4), struct.pack("<HH", 324, 4))
    tiled = with_tags(offsets, tag(322, 4, 1, 60_000), tag(323, 4, 1, 60_000))
    with pytest.raises(PictureTooLarge, match="MB to decode"):
        pixels(tiled)


def test_one_compressed_strip_is_a_second_copy() -> None:
    with pytest.raises(PictureTooLarge, match=r"takes 4\d\d MB to decode; at most 400 MB"):
        pixels(deflated_tiff(7900, 7900))


@pytest.mark.parametrize(("number", "name"), [(34925, "lzma"), (50_000, "zstd"), (9999, "9999")])
def test_compressions_of_unknown_cost_are_named(number: int, name: str) -> None:
    data = PLAIN.replace(struct.pack("<HHII", 259, 3, 1, 1), struct.pack("<HHII", 259, 3, 1, number))
    with pytest.raises(PictureFormat, match=f"TIFF compressed by {name} is not read"):
        pixels(data)


def test_a_directory_outside_of_the_file_is_damage() -> None:
    for data in (PLAIN[:8], PLAIN[:4] + b"\xff\xff\xff\x7f" + PLAIN[8:], b"MM\0\x2b\0\x08\0\0"):
        with pytest.raises(PictureDamaged, match="directory is not in its"):
            pixels(data)


def test_every_cut_is_a_picture_error_or_an_answer() -> None:
    data = encoded(gradient(size=(9, 9)), "TIFF", compression="tiff_lzw")
    for cut in range(len(data)):
        try:
            assert pixels(data[:cut]).shape == (3, 32, 32)
        except PictureError:
            continue
