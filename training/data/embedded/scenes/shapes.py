"""Outlines by signed distance: negative inside, in the shape's own coordinates, largest radius about 1."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# From u (to the right) and v (downwards), each [H,W], to the distance [H,W].
Outline = Callable[[Floats, Floats], Floats]


def _box(u: Floats, v: Floats, half_width: float, half_height: float) -> Floats:
    return np.maximum(np.abs(u) - half_width, np.abs(v) - half_height)


def _ball(u: Floats, v: Floats) -> Floats:
    return np.asarray(np.hypot(u, v) - 1)


def _ring(u: Floats, v: Floats) -> Floats:
    return np.asarray(np.abs(np.hypot(u, v) - 0.75) - 0.25)


def _square(u: Floats, v: Floats) -> Floats:
    return _box(u, v, 0.7, 0.7)


def _triangle(u: Floats, v: Floats) -> Floats:
    """Of three equal sides, its base at v = 0.5, its top at v = -1."""
    return np.asarray(np.maximum(v - 0.5, np.sqrt(0.75) * np.abs(u) - 0.5 * v - 0.5))


def _cross(u: Floats, v: Floats) -> Floats:
    return np.minimum(_box(u, v, 1, 0.34), _box(u, v, 0.34, 1))


def _bar(u: Floats, v: Floats) -> Floats:
    return _box(u, v, 1, 0.2)


def _arrow(u: Floats, v: Floats) -> Floats:
    """Points to u = 1: a shaft from -1 to 0.3 and a head from 0.2 on."""
    shaft = _box(u + 0.35, v, 0.65, 0.14)
    head = np.maximum(0.2 - u, (0.8 * np.abs(v) + 0.48 * (u - 1)) / np.hypot(0.8, 0.48))
    return np.asarray(np.minimum(shaft, head))


def _stain(u: Floats, v: Floats) -> Floats:
    return np.asarray(np.hypot(u, 3 * v) - 1)


SHAPES: Mapping[str, Outline] = MappingProxyType(
    {
        "ball": _ball,
        "ring": _ring,
        "square": _square,
        "triangle": _triangle,
        "cross": _cross,
        "bar": _bar,
        "arrow": _arrow,
        "stain": _stain,
    }
)
