"""Fractals: attractors of iterated function systems."""

from __future__ import annotations

from functools import cache

import numpy as np

from training.pretrain.families.family import FACTORS, PIXEL, SIDE, Family, Floats, Integers, Pose, class_rng


@cache
def _fractal_class(kind: int) -> Floats:
    """Points on the attractor [4096, 2] of two to four random contractions, scaled to the unit square."""
    rng = class_rng(3, kind)
    maps = int(rng.integers(2, 5))
    left, _, right = np.linalg.svd(rng.normal(size=(maps, 2, 2)))
    linear = left @ (rng.uniform(0.3, 0.8, (maps, 2))[:, :, None] * right)
    offset = rng.uniform(-1, 1, (maps, 2))
    points = rng.uniform(-1, 1, (4096, 2))
    for _ in range(24):
        chosen = rng.integers(maps, size=len(points))
        points = np.einsum("nij,nj->ni", linear[chosen], points) + offset[chosen]
    low, high = np.quantile(points, [0.01, 0.99], axis=0)
    return np.asarray((points - (low + high) / 2) / ((high - low).max() / 2 + 1e-6), np.float32)


def _draw(kinds: Integers, pose: Pose, rng: np.random.Generator) -> Floats:
    ink = np.zeros((len(kinds), SIDE, SIDE), np.float32)
    for row, kind in enumerate(kinds):
        u, v = _fractal_class(int(kind))[rng.integers(4096, size=rng.integers(1200, 4000))].T
        cos, sin = np.cos(pose.angle[row]) * pose.scale[row], np.sin(pose.angle[row]) * pose.scale[row]
        column = np.floor((pose.x[row] + cos * u - sin * v + 1) / PIXEL).astype(np.int64)
        line = np.floor((pose.y[row] + sin * u + cos * v + 1) / PIXEL).astype(np.int64)
        seen = (column >= 0) & (column < SIDE) & (line >= 0) & (line < SIDE)
        cells = np.bincount(line[seen] * SIDE + column[seen], minlength=SIDE * SIDE)
        ink[row] = cells.reshape(SIDE, SIDE)
    return np.minimum(ink * rng.uniform(0.3, 1, (len(kinds), 1, 1)), 1).astype(np.float32)


FRACTALS = Family("fractals", 64, 0.09, (0.5, 0.95), np.pi, FACTORS, _draw)
