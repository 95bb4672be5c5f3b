"""Shapes: a closed outline given by its radius in every direction."""

from __future__ import annotations

from functools import cache

import numpy as np

from training.pretrain.families.family import FACTORS, PIXEL, Family, Floats, Integers, Pose, class_rng

_PROFILE_POINTS = 256


@cache
def _shape_class(kind: int) -> Floats:
    """Radius of the outline [256] at even angles, largest radius 1."""
    rng = class_rng(1, kind)
    turn = np.arange(_PROFILE_POINTS) * (2 * np.pi / _PROFILE_POINTS)
    form = kind % 4
    if form == 0:  # regular polygons and stars
        corners, depth = int(rng.integers(3, 8)), rng.uniform(0, 0.55) * (rng.random() < 0.6)
        sector = np.abs((turn * corners / (2 * np.pi)) % 1 - 0.5) * (2 * np.pi / corners)
        flat = np.cos(np.pi / corners) / np.cos(sector)
        radius = flat - depth * (1 - 2 * np.abs((turn * corners / (2 * np.pi)) % 1 - 0.5)) * flat
    elif form == 1:  # superellipses: from ellipse to rectangle, any proportions
        power, aspect = rng.choice([1.0, 1.5, 2.0, 4.0, 10.0]), rng.uniform(0.3, 1)
        radius = (np.abs(np.cos(turn)) ** power + np.abs(np.sin(turn) / aspect) ** power) ** (-1 / power)
    else:  # blobs: a few harmonics, smooth or with a notch
        radius = np.ones(_PROFILE_POINTS)
        for harmonic in range(1, 6):
            radius += rng.normal(0, 0.42 / harmonic) * np.cos(harmonic * turn + rng.uniform(0, 2 * np.pi))
        if form == 3:
            away = np.abs((turn - rng.uniform(0, 2 * np.pi) + np.pi) % (2 * np.pi) - np.pi)
            radius *= 1 - rng.uniform(0.3, 0.8) * np.exp(-away / rng.uniform(0.2, 0.7))
        radius = np.maximum(radius, 0.15)
    return np.asarray(radius / radius.max(), np.float32)


def _draw(kinds: Integers, pose: Pose, rng: np.random.Generator) -> Floats:
    count = len(kinds)
    u, v = pose.local()
    v = v * rng.uniform(0.88, 1.14, (count, 1, 1)).astype(np.float32)
    turn = np.arctan2(v, u) * np.float32(_PROFILE_POINTS / (2 * np.pi))
    profile = np.stack([_shape_class(int(kind)) for kind in kinds])
    radius = np.take_along_axis(
        profile, np.round(turn).astype(np.int64).reshape(count, -1) % _PROFILE_POINTS, axis=1
    ).reshape(u.shape)
    inside_px = (radius - np.hypot(u, v)) * (pose.scale / PIXEL)[:, None, None]
    softness_px = np.exp(rng.uniform(np.log(0.1), np.log(4), (count, 1, 1))).astype(np.float32)
    mask = np.clip(0.5 + inside_px / softness_px, 0, 1)
    ring_px = rng.uniform(2, 5, (count, 1, 1)).astype(np.float32)
    hollow = rng.random((count, 1, 1)) < 0.2
    return np.where(hollow, mask - np.clip(0.5 + (inside_px - ring_px) / softness_px, 0, 1), mask)


SHAPES = Family("shapes", 128, 0.38, (0.18, 0.75), np.pi, FACTORS, _draw)
