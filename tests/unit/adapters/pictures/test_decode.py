"""Every mode Pillow knows, and every refusal."""

import numpy as np
import pytest
from PIL import Image

from adapters.errors import PictureDamaged, PictureFormat, PictureTooLarge
from tests.support.pictures import decoded, encoded, gradient


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_png_mode_becomes_rgb(mode: str) -> None:
    picture = decoded(encoded(gradient(mode)))
    assert (picture.mode, picture.size) == ("RGB", (40, 30))


def test_cmyk_jpeg_keeps_its_colours() -> None:
    red = Image.new("RGB", (16, 16), (200, 30, 30)).convert("CMYK")
    pixel = decoded(encoded(red, "JPEG", quality=95)).getpixel((8, 8))
    assert isinstance(pixel, tuple)
    assert pixel[0] > 150
    assert pixel[1] < 80


def test_sixteen_bit_values_are_scaled_and_not_clipped() -> None:
    deep = Image.fromarray(np.array([[0, 32768, 65535]], dtype=np.uint16))
    assert np.asarray(decoded(encoded(deep)))[0, :, 0].tolist() == [0, 128, 255]


def test_transparency_is_laid_on_white() -> None:
    picture = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    picture.putpixel((1, 0), (10, 20, 30, 255))
    assert np.asarray(decoded(encoded(picture))).tolist() == [[[255, 255, 255], [10, 20, 30]]]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_the_first_frame_of_an_animation_counts(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    pixel = decoded(encoded(frames[0], kind, save_all=True, append_images=frames[1:])).getpixel((4, 4))
    assert isinstance(pixel, tuple)
    assert pixel[0] > 200
    assert pixel[2] < 50


def test_more_pixels_than_allowed_are_not_decoded() -> None:
    data = encoded(Image.new("L", (300, 200)))
    assert decoded(data, max_pixels=60_000).size == (300, 200)
    with pytest.raises(PictureTooLarge, match="300x200 pixels; at most 59999"):
        decoded(data, max_pixels=59_999)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\0\0\0\x18ftypheic" + b"\0" * 40, "HEIC"),
        (b"\0\0\0\x18ftypavif" + b"\0" * 40, "AVIF"),
        (b"\0" * 128 + b"DICM" + b"\0" * 40, "DICOM"),
        (b"%PDF-1.7 ...", "PDF"),
        (b'<?xml version="1.0"?><svg/>', "SVG"),
    ],
)
def test_formats_that_are_not_read_are_named(data: bytes, name: str) -> None:
    with pytest.raises(PictureFormat, match=f"{name} is not read"):
        decoded(data)


@pytest.mark.parametrize(
    "data", [b"", b"hello", encoded(gradient())[:100], encoded(gradient(), "JPEG")[:300], b"\xff\xd8\xff\xe0"]
)
def test_damaged_bytes_are_a_picture_error(data: bytes) -> None:
    with pytest.raises(PictureDamaged):
        decoded(data)
