"""Noise: random fields whose spectrum is the class."""

from __future__ import annotations

import numpy as np

from training.pretrain.families.family import SIDE, Family, Floats, Integers, Pose


def _draw(kinds: Integers, pose: Pose, rng: np.random.Generator) -> Floats:
    fx, fy = np.fft.rfftfreq(SIDE)[None, None, :], np.fft.fftfreq(SIDE)[None, :, None]
    cos, sin = np.cos(pose.angle)[:, None, None], np.sin(pose.angle)[:, None, None]
    stretch = np.array([1, 2, 5])[kinds % 3][:, None, None]
    along, across = (cos * fx + sin * fy) * stretch, cos * fy - sin * fx
    distance = np.hypot(along, across) + 0.5 / SIDE
    steepness = np.array([1.0, 1.8, 3.0])[kinds // 3 % 3][:, None, None]
    band = np.array([0, 0.06, 0.15])[kinds // 9 % 3][:, None, None]
    spectrum = np.where(band > 0, np.exp(-(((distance - band) / 0.03) ** 2)), distance**-steepness)
    field = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(len(kinds), SIDE, SIDE))) * spectrum)
    field = (field - field.mean((1, 2), keepdims=True)) / field.std((1, 2), keepdims=True)
    return np.asarray(0.5 + 0.3 * field * np.array([1, 4])[kinds // 27][:, None, None], np.float32)


NOISE = Family("noise", 54, 0.05, (0.9, 1.1), np.pi, ("angle",), _draw)
