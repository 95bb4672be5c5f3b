"""Strokes: one to three curves or polylines with a pen of varying width."""

from __future__ import annotations

from functools import cache

import numpy as np

from training.pretrain.families.family import (
    AXIS,
    CENTRE,
    PIXEL,
    SIDE,
    Family,
    Floats,
    Integers,
    Pose,
    class_rng,
)

_STROKE_POINTS = 9


@cache
def _stroke_class(kind: int) -> tuple[Floats, bool]:
    """Control points [3 strokes, 4, 2] and whether the strokes are smooth curves."""
    rng = class_rng(0, kind)
    strokes = int(rng.choice([1, 2, 3], p=[0.45, 0.4, 0.15]))
    smooth = bool(rng.random() < 0.7)
    points = rng.uniform(-1, 1, (3, 4, 2))
    for stroke in range(3):
        form = rng.random()
        if form < 0.3:  # a loop: an arc of most of a turn around a centre
            centre, radii = rng.uniform(-0.45, 0.45, 2), rng.uniform(0.3, 0.6, 2)
            turn = rng.uniform(0, 2 * np.pi) + np.linspace(0, rng.uniform(1.2, 2.0) * np.pi, 4)
            points[stroke] = centre + radii * np.stack([np.cos(turn), np.sin(turn)], axis=1)
        elif form < 0.55:  # a straight stroke
            ends = rng.uniform(-1, 1, (2, 2))
            points[stroke] = ends[0] + np.linspace(0, 1, 4)[:, None] * (ends[1] - ends[0])
        if stroke >= strokes:  # fewer strokes: draw the first one again
            points[stroke] = points[0]
    middle = (points.max((0, 1)) + points.min((0, 1))) / 2
    extent = np.abs(points - middle).max()
    return ((points - middle) / extent).astype(np.float32), smooth


def _smoothing() -> tuple[Floats, Floats]:
    """Weights [points, 4] from control points to points on the stroke: as one cubic, and as a polyline."""
    at = np.linspace(0, 3, _STROKE_POINTS)
    nodes = np.arange(4)
    cubic = np.ones((_STROKE_POINTS, 4))
    for node in nodes:
        for other in nodes[nodes != node]:
            cubic[:, node] *= (at - other) / (node - other)
    polyline = np.clip(1 - np.abs(at[:, None] - nodes), 0, 1)
    return cubic.astype(np.float32), polyline.astype(np.float32)


def _draw(kinds: Integers, pose: Pose, rng: np.random.Generator) -> Floats:
    count = len(kinds)
    points = np.stack([_stroke_class(int(kind))[0] for kind in kinds])
    jitter = rng.normal(0, 0.09, points.shape).astype(np.float32)
    repeated = (points == points[:, :1]).all(axis=(2, 3))  # a stroke drawn again must fall on itself
    points = points + np.where(repeated[:, :, None, None], jitter[:, :1], jitter)
    cubic, polyline = _smoothing()
    smooth = np.array([_stroke_class(int(kind))[1] for kind in kinds])[:, None, None]
    path = np.einsum("bpk,bskc->bspc", np.where(smooth, cubic, polyline), points)
    stretch = rng.uniform(0.6, 1.0, (count, 2))
    shear = rng.uniform(-0.3, 0.3, count)
    u = path[..., 0] * stretch[:, 0, None, None] + path[..., 1] * shear[:, None, None]
    v = path[..., 1] * stretch[:, 1, None, None]
    cos, sin = np.cos(pose.angle)[:, None, None], np.sin(pose.angle)[:, None, None]
    scale = pose.scale[:, None, None]
    x = pose.x[:, None, None] + scale * (cos * u - sin * v)
    y = pose.y[:, None, None] + scale * (sin * u + cos * v)
    width = scale * np.exp(rng.uniform(np.log(0.05), np.log(0.24), (count, 1, 1)))
    pen = width * rng.uniform(0.7, 1.3, (count, x.shape[1], _STROKE_POINTS - 1))
    softness = rng.uniform(0.5, 3, (count, 1, 1)).astype(np.float32) * np.float32(PIXEL)
    distance = _distance(x.astype(np.float32), y.astype(np.float32), pen.astype(np.float32))
    return np.asarray(0.5 - distance / softness, np.float32)


def _distance(x: Floats, y: Floats, pen: Floats) -> Floats:
    """Signed distance of pixels [B,64,64] to strokes through points x, y [B,S,K], pen radii [B,S,K-1]."""
    nearest = np.full((len(x), SIDE, SIDE), 9, np.float32)
    for stroke in range(x.shape[1]):
        for k in range(x.shape[2] - 1):
            left, top = x[:, stroke, k, None], y[:, stroke, k, None]
            dx, dy = x[:, stroke, k + 1, None] - left, y[:, stroke, k + 1, None] - top
            squared = dx**2 + dy**2 + np.float32(1e-6)
            right, down = AXIS - left, AXIS - top
            along = (right * dx / squared)[:, None, :] + (down * dy / squared)[:, :, None]
            clipped = np.clip(along, 0, 1)
            gap = (right**2)[:, None, :] + (down**2)[:, :, None]
            gap += squared[:, None] * clipped * (clipped - 2 * along)
            np.minimum(nearest, np.sqrt(np.maximum(gap, 0)) - pen[:, stroke, k, None, None], out=nearest)
    return nearest


STROKES = Family("strokes", 400, 0.34, (0.5, 0.95), np.pi / 7, CENTRE, _draw)
