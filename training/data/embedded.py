"""The embedded tasks: nothing to download, the same pictures on every machine.

`digits` is scikit-learn's copy of real handwriting (UCI optdigits, 8x8, 1,797 pictures). The two sprites
tasks are drawn by formula the way dSprites draws its pictures; they are not the official dSprites files, and
numbers measured on them do not compare with published dSprites numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

Split = Literal["train", "val", "trainval", "test"]
Labelled = tuple[list[Image.Image], list[int]]

SIDE = 64
SPLIT_SEED = 0
DIGITS_TEST, DIGITS_VAL = 450, 270
SPRITES_TRAIN, SPRITES_VAL, SPRITES_TEST = 800, 200, 2000

# The factors of dSprites: shape, scale, orientation, x, y.
_FACTOR_SIZES = (3, 6, 40, 32, 32)
_BINS = 16


@dataclass(frozen=True)
class EmbeddedTask:
    """An embedded task: its name, one line of what it is, and its class names in label order."""

    name: str
    description: str
    classes: tuple[str, ...]


def load_embedded(name: str, split: Split) -> Labelled:
    """The 64x64 RGB pictures and labels of one split of an embedded task, in a fixed order.

    Raises ValueError for a task or a split that does not exist.
    """
    if name not in _LOADERS:
        raise ValueError(f"no embedded task {name!r}: expected one of {', '.join(sorted(_LOADERS))}")
    if split not in get_args(Split):
        raise ValueError(f"no split {split!r}: expected one of {', '.join(get_args(Split))}")
    return _LOADERS[name](split)


def _load_digits(split: Split) -> Labelled:
    """Stratified split of scikit-learn's digits; grey levels 0..16 become 0..255, 8x8 becomes 64x64."""
    pictures, labels = load_digits(return_X_y=True)
    rest, test = train_test_split(
        np.arange(len(labels)), test_size=DIGITS_TEST, stratify=labels, random_state=SPLIT_SEED
    )
    train, val = train_test_split(rest, test_size=DIGITS_VAL, stratify=labels[rest], random_state=SPLIT_SEED)
    rows = {"train": train, "val": val, "trainval": np.concatenate([train, val]), "test": test}[split]
    grey = np.round(pictures[rows].reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    return [_digit_picture(one) for one in grey], [int(label) for label in labels[rows]]


def _digit_picture(grey: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BICUBIC).convert("RGB")


def _load_sprites(factor: int, split: Split) -> Labelled:
    """Sprites labelled by one of their factors, in 16 bins; no combination of factors comes twice."""
    rng = np.random.default_rng([SPLIT_SEED, factor])
    total = SPRITES_TRAIN + SPRITES_VAL + SPRITES_TEST
    drawn = rng.choice(int(np.prod(_FACTOR_SIZES)), size=total, replace=False)
    train_end, val_end = SPRITES_TRAIN, SPRITES_TRAIN + SPRITES_VAL
    rows = {
        "train": drawn[:train_end],
        "val": drawn[train_end:val_end],
        "trainval": drawn[:val_end],
        "test": drawn[val_end:],
    }[split]
    factors = np.stack(np.unravel_index(rows, _FACTOR_SIZES), axis=1)
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


EMBEDDED_TASKS: Mapping[str, EmbeddedTask] = MappingProxyType(
    {
        task.name: task
        for task in (
            EmbeddedTask(
                "digits",
                "scikit-learn's handwritten digits, 8x8 enlarged to 64x64",
                tuple(str(digit) for digit in range(10)),
            ),
            EmbeddedTask(
                "sprites-orientation",
                "orientation of a sprite, 16 bins; drawn by formula, not the official dSprites files",
                _orientation_names(),
            ),
            EmbeddedTask(
                "sprites-location",
                "horizontal position of a sprite, 16 bins; drawn by formula, not the official dSprites files",
                tuple(f"x {2 * b:02d}-{2 * b + 1:02d}" for b in range(_BINS)),
            ),
        )
    }
)

_LOADERS: Mapping[str, Callable[[Split], Labelled]] = MappingProxyType(
    {
        "digits": _load_digits,
        "sprites-orientation": partial(_load_sprites, 2),
        "sprites-location": partial(_load_sprites, 3),
    }
)
