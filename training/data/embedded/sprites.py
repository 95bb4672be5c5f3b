"""The sprites tasks, drawn by formula the way dSprites draws its pictures.

They are not the official dSprites files, and numbers measured on them do not compare with published dSprites
numbers.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from training.data.embedded.task import (
    SIDE,
    SPLIT_SEED,
    VTAB,
    Counts,
    EmbeddedTask,
    Labelled,
    Split,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The factors of dSprites: shape, scale, orientation, x, y.
_FACTOR_SIZES = (3, 6, 40, 32, 32)
_BINS = 16


def _load(factor: int, counts: Counts, split: Split) -> Labelled:
    """Sprites labelled by one of their factors, in 16 bins; no combination of factors comes twice."""
    rng = np.random.default_rng([SPLIT_SEED, factor])
    drawn = rng.choice(int(np.prod(_FACTOR_SIZES)), size=counts.total, replace=False)
    factors = np.stack(np.unravel_index(drawn[counts.rows(split)], _FACTOR_SIZES), axis=1)
    labels = factors[:, factor] * _BINS // _FACTOR_SIZES[factor]
    return [draw_sprite(*(int(f) for f in one)) for one in factors], [int(label) for label in labels]


def draw_sprite(shape: int, scale: int, orientation: int, x: int, y: int) -> Image.Image:
    """One white-on-black 64x64 picture from dSprites' five factors (shape 0 square, 1 ellipse, 2 heart).

    As in dSprites, scale runs evenly over 0.5..1, orientation over 0..360 degrees (first and last coincide),
    and one step of x or y is one pixel, so that no sprite leaves the picture.
    """
    radius_px = 15.5 * (0.5 + 0.1 * scale)
    angle = 2 * np.pi * orientation / (_FACTOR_SIZES[2] - 1)
    rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype(np.float64)
    right, down = (columns - 16 - x) / radius_px, (rows - 16 - y) / radius_px
    u = np.cos(angle) * right + np.sin(angle) * down
    v = -np.sin(angle) * right + np.cos(angle) * down
    inside = (_in_square, _in_ellipse, _in_heart)[shape](u, v)
    return Image.fromarray(inside.astype(np.uint8) * 255).convert("RGB")


def _in_square(u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(np.maximum(np.abs(u), np.abs(v)) <= np.sqrt(0.5))


def _in_ellipse(u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.bool_]:
    return u**2 + (2 * v) ** 2 <= 1


def _in_heart(u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.bool_]:
    a, b = 1.3 * u, 0.15 - 1.3 * v
    return (a**2 + b**2 - 1) ** 3 - a**2 * b**3 <= 0


def _orientation_names() -> tuple[str, ...]:
    steps = np.arange(_FACTOR_SIZES[2])
    degrees = steps * 360 / (_FACTOR_SIZES[2] - 1)
    bins = steps * _BINS // _FACTOR_SIZES[2]
    return tuple(f"{degrees[bins == b].min():.0f}-{degrees[bins == b].max():.0f} deg" for b in range(_BINS))


_LOCATIONS = tuple(f"x {2 * b:02d}-{2 * b + 1:02d}" for b in range(_BINS))

SPRITES = (
    EmbeddedTask(
        "sprites-orientation",
        "orientation of a sprite, 16 bins; drawn by formula, not the official dSprites files",
        _orientation_names(),
        partial(_load, 2, VTAB),
    ),
    EmbeddedTask(
        "sprites-location",
        "horizontal position of a sprite, 16 bins; drawn by formula, not the official dSprites files",
        _LOCATIONS,
        partial(_load, 3, VTAB),
    ),
    EmbeddedTask(
        "sprites-location-6000",
        "the same position with 6,000 pictures to train on",
        _LOCATIONS,
        partial(_load, 3, Counts(train=5400, val=600)),
    ),
)
