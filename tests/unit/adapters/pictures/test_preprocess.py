"""The one transform to pixels: every fit, large and turned pictures, and bytes that are damaged."""

import io
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from adapters.config import PreprocessConfig
from adapters.errors import PictureDamaged, PictureError, PictureTooLarge
from adapters.pictures.preprocess import RESAMPLING, preprocess, read_pixels, to_pixels
from tests.support.pictures import decoded, encoded, gradient


def test_one_pixel_is_enough() -> None:
    pixels = to_pixels(encoded(Image.new("RGB", (1, 1), "lime")), PreprocessConfig(), 32)
    assert pixels.shape == (3, 32, 32)
    assert pixels[:, 5, 5].tolist() == [0, 255, 0]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"no picture")
    with pytest.raises(PictureDamaged, match=r"broken\.jpg: 10 bytes that are no picture"):
        read_pixels(path, PreprocessConfig(), 32)


def test_a_file_without_an_end_is_refused() -> None:
    with pytest.raises(PictureTooLarge, match=r"/dev/zero: more than the 1073741824 bytes"):
        read_pixels(Path("/dev/zero"), PreprocessConfig(), 32)


def test_flipped_bits_never_raise_anything_else() -> None:
    generator, exif = np.random.default_rng(0), Image.Exif()
    exif[0x0112] = 6
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"):
        original = np.frombuffer(encoded(gradient(), kind, exif=exif), dtype=np.uint8)
        for _ in range(100):
            data = original.copy()
            data[generator.integers(0, len(data), 4)] ^= generator.integers(1, 256, 4).astype(np.uint8)
            try:
                assert to_pixels(data.tobytes(), PreprocessConfig(), 32).shape == (3, 32, 32)
            except PictureError:
                continue


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


@pytest.mark.slow
@pytest.mark.parametrize("image_size", [64, 224])
@pytest.mark.parametrize("fit", ["squash", "crop"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("size", [(2000, 1500), (2183, 2515), (1323, 1430), (1364, 2307)])
def test_a_large_picture_is_made_smaller_on_the_way_and_looks_the_same(
    size: tuple[int, int], kind: str, fit: Literal["squash", "crop"], image_size: int
) -> None:
    config, data = PreprocessConfig(fit=fit), photograph(*size, kind)
    whole = preprocess(decoded(data), config, image_size).float()
    difference = (to_pixels(data, config, image_size).float() - whole).abs()
    assert 0 < difference.mean() < 0.75
    assert difference.max() <= 6


@settings(max_examples=200, deadline=None)
@given(
    width=st.integers(1, 900),
    height=st.integers(1, 900),
    size=st.integers(8, 64),
    fit=st.sampled_from(["squash", "crop"]),
    kind=st.sampled_from(["JPEG", "PNG"]),
)
@example(width=519, height=784, size=32, fit="squash", kind="JPEG")  # 98 * (32 / 98) < 32
def test_a_picture_of_any_size_fills_the_input(
    width: int, height: int, size: int, fit: Literal["squash", "crop"], kind: str
) -> None:
    data = encoded(Image.new("RGB", (width, height), (100, 100, 100)), kind)
    pixels = to_pixels(data, PreprocessConfig(fit=fit), size)
    assert pixels.shape == (3, size, size)
    assert (pixels == 100).all()


@pytest.mark.parametrize("fit", ["squash", "crop"])
@pytest.mark.parametrize(
    ("kind", "size"),
    [("JPEG", (1101, 907)), *((kind, (90, 75)) for kind in ("JPEG", "PNG", "WEBP", "TIFF"))],
)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_upright(
    orientation: int, kind: str, size: tuple[int, int], fit: Literal["squash", "crop"]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.open(io.BytesIO(photograph(*size))), kind, exif=exif)
    config = PreprocessConfig(fit=fit)
    whole = preprocess(decoded(data), config, 64).float()
    assert (to_pixels(data, config, 64).float() - whole).abs().max() <= 6


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_near_the_input_s_size_is_decoded_whole(kind: str) -> None:
    data = encoded(Image.open(io.BytesIO(photograph(256, 256))), kind)
    config = PreprocessConfig()
    assert torch.equal(to_pixels(data, config, 224), preprocess(decoded(data), config, 224))
