"""BMP: runs, which Pillow reads in Python, are bounded by what that takes."""

import numpy as np
import pytest

from adapters.config import PreprocessConfig
from adapters.errors import PictureTooLarge
from adapters.pictures.preprocess import to_pixels
from benchmarks.common.costly_pictures import runs
from tests.support.pictures import decoded, encoded, gradient


def test_runs_are_read() -> None:
    data = runs(30, 20)
    last = data.rindex(b"\1\0\0\0")
    red = np.asarray(decoded(data[:last] + b"\5\1\0\0" + data[last + 4 :]))[:, :, 0]
    assert red[1:].max() == red[0, 5] == 2  # the palette's first colour
    assert red[0, :5].tolist() == [6] * 5


def test_runs_beyond_the_budget_are_refused() -> None:
    with pytest.raises(PictureTooLarge, match="s to decode; at most 2 s"):
        to_pixels(runs(8000, 8000), PreprocessConfig(), 32)


def test_sides_of_a_header_are_not_believed() -> None:
    data = encoded(gradient(), "BMP")
    claimed = data[:18] + (2_000_000_000).to_bytes(4, "little") + data[22:]
    with pytest.raises(PictureTooLarge, match="2000000000x30 pixels"):
        to_pixels(claimed, PreprocessConfig(), 32)
