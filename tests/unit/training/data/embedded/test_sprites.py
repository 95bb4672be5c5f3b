"""Sprites show the factor that labels them, as dSprites draws it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from training.data.embedded import EMBEDDED_TASKS, Split, load_embedded
from training.data.embedded.sprites import draw_sprite

if TYPE_CHECKING:
    from PIL import Image


SPLITS: tuple[Split, ...] = ("trainval", "test")


def _pixels(picture: Image.Image) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.asarray(picture.convert("L"))


@pytest.mark.parametrize("name", ["sprites-orientation", "sprites-location"])
def test_sprite_splits_share_no_picture(name: str) -> None:
    learnt, tested = ({one.tobytes() for one in load_embedded(name, s)[0]} for s in SPLITS)
    # Different factors can draw one picture (the first and the last orientation), so a few may coincide.
    assert len(learnt & tested) <= len(tested) // 100


def test_location_label_is_the_horizontal_middle_of_the_sprite() -> None:
    pictures, labels = load_embedded("sprites-location", "val")
    for picture, label in zip(pictures, labels, strict=True):
        columns = np.flatnonzero(_pixels(picture).any(axis=0))
        middle_step = (columns.min() + columns.max()) / 2 - 16
        assert abs(middle_step - (2 * label + 0.5)) <= 4  # hearts and bins are wider than their middle


def test_orientation_turns_the_sprite_clockwise() -> None:
    def tilt(orientation: int) -> float:
        rows, columns = np.nonzero(_pixels(draw_sprite(1, 5, orientation, 16, 16)))
        across, down = columns - columns.mean(), rows - rows.mean()
        return float(np.degrees(0.5 * np.arctan2(2 * (across * down).mean(), (across**2 - down**2).mean())))

    assert [tilt(orientation) for orientation in (0, 4, 8)] == pytest.approx([0, 36.9, 73.8], abs=2)


def test_first_and_last_orientation_coincide_as_in_dsprites() -> None:
    assert draw_sprite(2, 5, 0, 3, 4).tobytes() == draw_sprite(2, 5, 39, 3, 4).tobytes()


@pytest.mark.parametrize("shape", [0, 1, 2])
@pytest.mark.parametrize("corner", [(0, 0), (31, 0), (0, 31), (31, 31)])
def test_no_sprite_touches_the_border(shape: int, corner: tuple[int, int]) -> None:
    for orientation in range(0, 40, 3):
        grey = _pixels(draw_sprite(shape, 5, orientation, *corner))
        assert grey.any()
        assert not np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]]).any()


def test_sprites_are_black_and_white_and_say_they_are_not_the_official_files() -> None:
    assert set(np.unique(_pixels(load_embedded("sprites-location", "val")[0][0]))) == {0, 255}
    for name in ("sprites-orientation", "sprites-location"):
        assert "not the official dSprites files" in EMBEDDED_TASKS[name].description
