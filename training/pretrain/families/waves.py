"""Waves: gratings, plaids, checks, rings, spirals, wedges, warped or not."""

from __future__ import annotations

from functools import cache

import numpy as np

from training.pretrain.families.family import Family, Floats, Integers, Pose, class_rng


@cache
def _wave_class(kind: int) -> Floats:
    """Three waves (frequency along u, along v, amplitude), then (radial, warp, sharpness): [4, 3]."""
    rng = class_rng(2, kind)
    waves = int(rng.integers(1, 4))
    frequency = np.exp(rng.uniform(np.log(1.2), np.log(9)))
    turn = np.arange(3) * rng.choice([np.pi / 2, np.pi / 3, 1.0])
    radial = kind % 4 == 3
    table = np.zeros((4, 3))
    table[:3, 0], table[:3, 1] = frequency * np.cos(turn), frequency * np.sin(turn)
    if radial:
        table[:3, 0] = rng.integers(0, 6)
        table[:3, 1] = rng.integers(1, 9)
    table[:3, 2] = np.arange(3) < waves
    table[3] = radial, rng.uniform(0, 0.25) * (rng.random() < 0.4), rng.choice([1.0, 3.0, 12.0])
    return table.astype(np.float32)


def _draw(kinds: Integers, pose: Pose, rng: np.random.Generator) -> Floats:
    count = len(kinds)
    table = np.stack([_wave_class(int(kind)) for kind in kinds])[..., None, None]
    u, v = pose.local()
    radial = table[:, 3, 0] > 0
    ring, wedge = np.hypot(u, v), np.arctan2(v, u) / np.float32(2 * np.pi)
    bend = table[:, 3, 1] * np.sin(3 * v + rng.uniform(0, 6, (count, 1, 1)).astype(np.float32))
    a, b = np.where(radial, ring, u + bend), np.where(radial, wedge, v)
    total = np.zeros_like(u)
    for wave in range(3):
        phase = rng.uniform(0, 1, (count, 1, 1)).astype(np.float32)
        cycles = a * table[:, wave, 0] + b * table[:, wave, 1] + phase
        total += table[:, wave, 2] * np.cos(2 * np.pi * cycles)
    return np.asarray(1 / (1 + np.exp(-table[:, 3, 2] * total)), np.float32)


WAVES = Family("waves", 80, 0.1, (0.9, 1.1), np.pi, ("angle",), _draw)
