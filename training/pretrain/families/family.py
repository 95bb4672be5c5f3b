"""What a family of formula pictures is, where it draws, and what fixes its classes.

Picture coordinates run from -1 to 1, right and down; one pixel is 2/64. B is the number of pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

SIDE = 64
FACTORS = ("x", "y", "angle", "scale")
CENTRE = ("x", "y", "scale")
PIXEL = 2 / SIDE
AXIS = ((np.arange(SIDE) + 0.5) * PIXEL - 1).astype(np.float32)


@dataclass(frozen=True)
class Pose:
    """Where objects stand: x, y (centre, -1..1), angle (radians), scale (half extent, 0..1), each [B]."""

    x: Floats
    y: Floats
    angle: Floats
    scale: Floats

    def local(self) -> tuple[Floats, Floats]:
        """Every pixel's coordinates in the object's own frame, two arrays [B,64,64]."""
        right = AXIS[None, None, :] - self.x[:, None, None]
        down = AXIS[None, :, None] - self.y[:, None, None]
        cos = (np.cos(self.angle) / self.scale)[:, None, None]
        sin = (np.sin(self.angle) / self.scale)[:, None, None]
        return cos * right + sin * down, cos * down - sin * right


@dataclass(frozen=True)
class Family:
    """A kind of picture: its classes, share of all pictures, pose ranges, labelled factors, drawing."""

    name: str
    classes: int
    share: float
    scale: tuple[float, float]
    turn: float
    labelled: tuple[str, ...]
    draw: Callable[[Integers, Pose, np.random.Generator], Floats]


def class_rng(family: int, kind: int) -> np.random.Generator:
    """The generator that fixes a class, the same whatever the seed of the pictures."""
    return np.random.default_rng([family, kind, 20_260])
