"""Any mode to RGB in bands: the same pixels as in one piece, and the same as before any band was cut."""

from typing import Literal

import numpy as np
import pytest
import torch
from PIL import Image

from adapters.config import PreprocessConfig
from adapters.pictures import convert
from adapters.pictures.preprocess import preprocess, to_pixels
from tests.support.pictures import decoded, encoded

NOISE = np.random.default_rng(0).integers(0, 256, (701, 533, 4), dtype=np.uint8)


def drawn(mode: str) -> bytes:
    picture = Image.fromarray(NOISE, "RGBA")
    if mode == "P with transparency":
        palette = picture.convert("RGB").quantize(32)
        return encoded(palette, transparency=bytes(range(0, 256, 8)))
    if mode == "RGB with a transparent colour":
        return encoded(picture.convert("RGB").quantize(8).convert("RGB"), transparency=(9, 9, 9))
    return encoded(picture.convert(mode), "TIFF" if mode == "CMYK" else "PNG")


MODES = ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "P with transparency", "RGB with a transparent colour"]


@pytest.mark.parametrize("fit", ["squash", "crop"])
@pytest.mark.parametrize("mode", MODES)
def test_bands_give_what_the_whole_gives(
    mode: str, fit: Literal["squash", "crop"], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, config = drawn(mode), PreprocessConfig(fit=fit)
    whole = to_pixels(data, config, 48)
    monkeypatch.setattr(convert, "BAND_PIXELS", 1500)
    assert torch.equal(to_pixels(data, config, 48), whole)


@pytest.mark.parametrize("mode", MODES)
def test_a_large_picture_is_averaged_after_white_is_laid_under_it(mode: str) -> None:
    data, config = drawn(mode), PreprocessConfig()
    whole = decoded(data)
    expected = preprocess(whole, config, 48).float()
    assert (to_pixels(data, config, 48).float() - expected).abs().mean() < 2  # noise: the hardest to average


def test_transparent_colours_do_not_bleed() -> None:
    pixels = np.zeros((800, 800, 4), np.uint8)
    pixels[::2] = [255, 0, 0, 255]  # red rows between black ones that are not there
    levels = to_pixels(encoded(Image.fromarray(pixels, "RGBA")), PreprocessConfig(), 32)
    red, green, blue = levels[:, 16, 16].tolist()
    assert red == 255
    assert {green, blue} <= {127, 128}


@pytest.mark.parametrize("shape", [(40_000, 60), (60, 40_000)])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
@pytest.mark.parametrize("fit", ["squash", "crop"])
def test_extreme_sides_look_the_same(
    fit: Literal["squash", "crop"], mode: str, shape: tuple[int, int]
) -> None:
    height, width = shape
    rows, columns = np.linspace(0, 20, height)[:, None], np.linspace(0, 20, width)[None]
    waves = (127 + 60 * np.sin(rows) + 60 * np.cos(columns)).astype(np.uint8)
    picture = Image.fromarray(waves, "L").convert(mode)
    config = PreprocessConfig(fit=fit)
    expected = preprocess(picture.convert("RGB"), config, 32).float()
    assert (to_pixels(encoded(picture), config, 32).float() - expected).abs().max() <= 3
