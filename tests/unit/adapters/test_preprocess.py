"""The one picture transform: every mode Pillow knows, every fit, every refusal."""

import io
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from adapters.config import PreprocessConfig
from adapters.errors import PictureDamaged, PictureError, PictureFormat, PictureTooLarge
from adapters.preprocess import RESAMPLING, decode, least_px, preprocess, read_picture


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def gradient(mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> Image.Image:
    ramp = np.linspace(0, 255, size[0] * size[1]).astype(np.uint8).reshape(size[1], size[0])
    return Image.fromarray(ramp, "L").convert(mode)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_png_mode_becomes_rgb(mode: str) -> None:
    picture = decode(encoded(gradient(mode)))
    assert (picture.mode, picture.size) == ("RGB", (40, 30))


def test_cmyk_jpeg_keeps_its_colours() -> None:
    red = Image.new("RGB", (16, 16), (200, 30, 30)).convert("CMYK")
    pixel = decode(encoded(red, "JPEG", quality=95)).getpixel((8, 8))
    assert isinstance(pixel, tuple)
    assert pixel[0] > 150
    assert pixel[1] < 80


def test_sixteen_bit_values_are_scaled_and_not_clipped() -> None:
    deep = Image.fromarray(np.array([[0, 32768, 65535]], dtype=np.uint16))
    assert np.asarray(decode(encoded(deep)))[0, :, 0].tolist() == [0, 128, 255]


def test_transparency_is_laid_on_white() -> None:
    picture = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    picture.putpixel((1, 0), (10, 20, 30, 255))
    assert np.asarray(decode(encoded(picture))).tolist() == [[[255, 255, 255], [10, 20, 30]]]


def test_exif_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter clockwise for display
    picture = decode(encoded(gradient(), "JPEG", exif=exif))
    assert picture.size == (30, 40)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_the_first_frame_of_an_animation_counts(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    pixel = decode(encoded(frames[0], kind, save_all=True, append_images=frames[1:])).getpixel((4, 4))
    assert isinstance(pixel, tuple)
    assert pixel[0] > 200
    assert pixel[2] < 50


def test_one_pixel_is_enough() -> None:
    pixels = preprocess(decode(encoded(Image.new("RGB", (1, 1), "lime"))), PreprocessConfig(), 32)
    assert pixels.shape == (3, 32, 32)
    assert pixels[:, 5, 5].tolist() == [0, 255, 0]


def test_more_pixels_than_allowed_are_not_decoded() -> None:
    data = encoded(Image.new("L", (300, 200)))
    assert decode(data, max_pixels=60_000).size == (300, 200)
    with pytest.raises(PictureTooLarge, match="300x200 pixels; at most 59999"):
        decode(data, max_pixels=59_999)


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
        decode(data)


@pytest.mark.parametrize(
    "data", [b"", b"hello", encoded(gradient())[:100], encoded(gradient(), "JPEG")[:300], b"\xff\xd8\xff\xe0"]
)
def test_damaged_bytes_are_a_picture_error(data: bytes) -> None:
    with pytest.raises(PictureDamaged):
        decode(data)


def test_flipped_bits_never_raise_anything_else() -> None:
    generator = np.random.default_rng(0)
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"):
        original = np.frombuffer(encoded(gradient(), kind), dtype=np.uint8)
        for _ in range(100):
            data = original.copy()
            data[generator.integers(0, len(data), 4)] ^= generator.integers(1, 256, 4).astype(np.uint8)
            try:
                assert decode(data.tobytes()).mode == "RGB"
            except PictureError:
                continue


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"no picture")
    with pytest.raises(PictureDamaged, match=r"broken\.jpg: 10 bytes that are no picture"):
        read_picture(path)


def test_squash_keeps_everything_and_crop_keeps_the_proportions() -> None:
    wide = Image.new("RGB", (300, 100), "black")
    wide.paste("white", (100, 0, 200, 100))
    squashed = preprocess(wide, PreprocessConfig(fit="squash"), 32)
    cropped = preprocess(wide, PreprocessConfig(fit="crop", resize_ratio=1.0), 32)
    assert squashed[0, 16, [2, 16, 29]].tolist() == [0, 255, 0]
    assert cropped[0, 16, [2, 16, 29]].tolist() == [255, 255, 255]


def test_the_crop_is_the_centre_of_the_resized_picture() -> None:
    config = PreprocessConfig(fit="crop", resize_ratio=1.25, interpolation="bilinear")
    picture = gradient(size=(80, 40))
    resized = picture.resize((80, 40), Image.Resampling.BILINEAR)
    expected = np.asarray(resized.crop((24, 4, 56, 36)))[:, :, 0].astype(int)
    assert np.abs(preprocess(picture, config, 32)[0].numpy() - expected).max() <= 1


@settings(max_examples=100, deadline=None)
@given(
    width=st.integers(1, 700),
    height=st.integers(1, 700),
    size=st.sampled_from([32, 64, 224]),
    interpolation=st.sampled_from(["bilinear", "bicubic"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_squash_is_pillow_s_resize_within_two_levels(
    width: int, height: int, size: int, interpolation: Literal["bilinear", "bicubic"], seed: int
) -> None:
    # No black beside white: what overshoots is cut off after each direction, and which comes first differs.
    noise = np.random.default_rng(seed).integers(80, 176, (height, width, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    expected = np.asarray(picture.resize((size, size), RESAMPLING[interpolation])).astype(int)
    pixels = preprocess(picture, PreprocessConfig(interpolation=interpolation), size)
    assert np.abs(pixels.permute(1, 2, 0).numpy() - expected).max() <= 2


def photograph(width: int, height: int, kind: str = "JPEG") -> bytes:
    """A picture with coarse and fine detail and some noise."""
    random = np.random.default_rng(0)
    pixels = random.normal(0, 6, (height, width, 3))
    for columns, weight in ((4, 0.5), (32, 0.3), (128, 0.2)):
        grid = random.integers(0, 256, (columns * height // width + 1, columns, 3), dtype=np.uint8)
        pixels += weight * np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC))
    return encoded(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)), kind, quality=92)


@pytest.mark.parametrize("image_size", [64, 224])
@pytest.mark.parametrize("fit", ["squash", "crop"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("size", [(2000, 1500), (2183, 2515), (1323, 1430), (1364, 2307)])
def test_a_large_picture_is_decoded_smaller_and_looks_the_same(
    size: tuple[int, int], kind: str, fit: Literal["squash", "crop"], image_size: int
) -> None:
    config = PreprocessConfig(fit=fit)
    data, least = photograph(*size, kind), least_px(config, image_size)
    small = decode(data, least_px=least)
    assert least <= min(small.size) < 4 * least
    whole = preprocess(decode(data), config, image_size).float()
    difference = (preprocess(small, config, image_size).float() - whole).abs()
    assert difference.mean() < 0.75
    assert difference.max() <= 6


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_large_jpeg_is_turned_upright_after_it_was_decoded_smaller(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.open(io.BytesIO(photograph(1101, 907))), "JPEG", exif=exif)
    config = PreprocessConfig()
    small, whole = (
        preprocess(decode(data, least_px=least), config, 64).float() for least in (least_px(config, 64), 0)
    )
    assert (small - whole).abs().max() <= 6


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_near_the_input_s_size_is_decoded_whole(kind: str) -> None:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(photograph(256, 256))).save(buffer, kind)
    least = least_px(PreprocessConfig(), 224)
    assert decode(buffer.getvalue(), least_px=least) == decode(buffer.getvalue())
