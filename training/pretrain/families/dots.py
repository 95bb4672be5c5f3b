"""Dots: as many discs as the class says."""

from __future__ import annotations

import numpy as np

from training.pretrain.families.family import AXIS, PIXEL, SIDE, Family, Floats, Integers, Pose


def _draw(kinds: Integers, _pose: Pose, rng: np.random.Generator) -> Floats:
    wanted, size = kinds // 2 + 1, np.where(kinds % 2, 1.6, 1.0) * 0.075
    mask = np.zeros((len(kinds), SIDE, SIDE), np.float32)
    cells = rng.permuted(np.tile(np.arange(16), (len(kinds), 1)), axis=1)
    for dot in range(int(wanted.max())):
        cell = cells[:, dot]
        x = (cell % 4 - 1.5) * 0.46 + rng.uniform(-0.09, 0.09, len(kinds))
        y = (cell // 4 - 1.5) * 0.46 + rng.uniform(-0.09, 0.09, len(kinds))
        away = np.hypot(AXIS[None, None, :] - x[:, None, None], AXIS[None, :, None] - y[:, None, None])
        disc = np.clip(0.5 + (size[:, None, None] * rng.uniform(0.8, 1.2) - away) / PIXEL, 0, 1)
        mask = np.where((dot < wanted)[:, None, None], np.maximum(mask, disc), mask)
    return mask


DOTS = Family("dots", 24, 0.04, (0.9, 1.1), np.pi, (), _draw)
