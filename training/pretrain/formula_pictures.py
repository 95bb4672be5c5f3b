"""Pictures drawn by formula, for pre-training the embedded backbone: no data set, no licence, any machine.

A picture is a 64x64 mask (how much ink each pixel holds) drawn from one of 750 procedural classes in a random
pose. A class is fixed by its number alone; an instance adds jitter, stroke width, softness and pose from the
generator it is given. Colours and backgrounds are laid over the mask later, see `training.pretrain.pretrain`.

Picture coordinates run from -1 to 1, right and down; one pixel is 2/64. B below is the number of pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

SIDE = 64
FACTORS = ("x", "y", "angle", "scale")
_PIXEL = 2 / SIDE
_AXIS = ((np.arange(SIDE) + 0.5) * _PIXEL - 1).astype(np.float32)
_PROFILE_POINTS = 256
_STROKE_POINTS = 9
_CHUNK = 64


@dataclass(frozen=True)
class Pose:
    """Where objects stand: x, y (centre, -1..1), angle (radians), scale (half extent, 0..1), each [B]."""

    x: Floats
    y: Floats
    angle: Floats
    scale: Floats

    def local(self) -> tuple[Floats, Floats]:
        """Every pixel's coordinates in the object's own frame, two arrays [B,64,64]."""
        right = _AXIS[None, None, :] - self.x[:, None, None]
        down = _AXIS[None, :, None] - self.y[:, None, None]
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


@dataclass(frozen=True)
class FormulaPictures:
    """Masks [B,64,64] uint8, class numbers [B] int64, factors [B,4] float32 by FACTORS (NaN: no such)."""

    masks: NDArray[np.uint8]
    classes: Integers
    factors: Floats


def draw_pictures(count: int, seed: int) -> FormulaPictures:
    """Draw `count` pictures; the same seed draws the same pictures."""
    chunks = list(_chunks(count, seed))
    order = np.random.default_rng([seed, 1]).permutation(sum(len(chunk.classes) for chunk in chunks))[:count]
    return FormulaPictures(
        np.concatenate([chunk.masks for chunk in chunks])[order],
        np.concatenate([chunk.classes for chunk in chunks])[order],
        np.concatenate([chunk.factors for chunk in chunks])[order],
    )


def _chunks(count: int, seed: int) -> Iterator[FormulaPictures]:
    first = 0
    for number, family in enumerate(FAMILIES):
        for chunk in range(-(-int(np.ceil(count * family.share)) // _CHUNK)):
            yield _draw_chunk(family, first, np.random.default_rng([seed, 0, number, chunk]))
        first += family.classes


def _draw_chunk(family: Family, first: int, rng: np.random.Generator) -> FormulaPictures:
    kinds = rng.integers(family.classes, size=_CHUNK)
    pose = _random_pose(family, rng)
    masks = family.draw(kinds, pose, rng)
    factors = np.stack([getattr(pose, factor) for factor in FACTORS], axis=1)
    factors[:, [factor not in family.labelled for factor in FACTORS]] = np.nan
    return FormulaPictures(np.round(np.clip(masks, 0, 1) * 255).astype(np.uint8), kinds + first, factors)


def _random_pose(family: Family, rng: np.random.Generator) -> Pose:
    scale = np.exp(rng.uniform(np.log(family.scale[0]), np.log(family.scale[1]), _CHUNK))
    reach = np.maximum(1 - scale, 0.05)
    x, y = rng.uniform(-1, 1, (2, _CHUNK)) * reach
    angle = rng.uniform(-family.turn, family.turn, _CHUNK)
    return Pose(*(part.astype(np.float32) for part in (x, y, angle, scale)))


def _class_rng(family: int, kind: int) -> np.random.Generator:
    """The generator that fixes a class, the same whatever the seed of the pictures."""
    return np.random.default_rng([family, kind, 20_260])


# Strokes: one to three curves or polylines with a pen of varying width.


@cache
def _stroke_class(kind: int) -> tuple[Floats, bool]:
    """Control points [3 strokes, 4, 2] and whether the strokes are smooth curves."""
    rng = _class_rng(0, kind)
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


def _draw_strokes(kinds: Integers, pose: Pose, rng: np.random.Generator) -> Floats:
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
    softness = rng.uniform(0.5, 3, (count, 1, 1)).astype(np.float32) * np.float32(_PIXEL)
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
            right, down = _AXIS - left, _AXIS - top
            along = (right * dx / squared)[:, None, :] + (down * dy / squared)[:, :, None]
            clipped = np.clip(along, 0, 1)
            gap = (right**2)[:, None, :] + (down**2)[:, :, None]
            gap += squared[:, None] * clipped * (clipped - 2 * along)
            np.minimum(nearest, np.sqrt(np.maximum(gap, 0)) - pen[:, stroke, k, None, None], out=nearest)
    return nearest


# Shapes: a closed outline given by its radius in every direction.


@cache
def _shape_class(kind: int) -> Floats:
    """Radius of the outline [256] at even angles, largest radius 1."""
    rng = _class_rng(1, kind)
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


def _draw_shapes(kinds: Integers, pose: Pose, rng: np.random.Generator) -> Floats:
    count = len(kinds)
    u, v = pose.local()
    v = v * rng.uniform(0.88, 1.14, (count, 1, 1)).astype(np.float32)
    turn = np.arctan2(v, u) * np.float32(_PROFILE_POINTS / (2 * np.pi))
    profile = np.stack([_shape_class(int(kind)) for kind in kinds])
    radius = np.take_along_axis(
        profile, np.round(turn).astype(np.int64).reshape(count, -1) % _PROFILE_POINTS, axis=1
    ).reshape(u.shape)
    inside_px = (radius - np.hypot(u, v)) * (pose.scale / _PIXEL)[:, None, None]
    softness_px = np.exp(rng.uniform(np.log(0.1), np.log(4), (count, 1, 1))).astype(np.float32)
    mask = np.clip(0.5 + inside_px / softness_px, 0, 1)
    ring_px = rng.uniform(2, 5, (count, 1, 1)).astype(np.float32)
    hollow = rng.random((count, 1, 1)) < 0.2
    return np.where(hollow, mask - np.clip(0.5 + (inside_px - ring_px) / softness_px, 0, 1), mask)


# Waves: gratings, plaids, checks, rings, spirals, wedges, warped or not.


@cache
def _wave_class(kind: int) -> Floats:
    """Three waves (frequency along u, along v, amplitude), then (radial, warp, sharpness): [4, 3]."""
    rng = _class_rng(2, kind)
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


def _draw_waves(kinds: Integers, pose: Pose, rng: np.random.Generator) -> Floats:
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


# Noise: random fields whose spectrum is the class.


def _draw_noise(kinds: Integers, pose: Pose, rng: np.random.Generator) -> Floats:
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


# Fractals: attractors of iterated function systems.


@cache
def _fractal_class(kind: int) -> Floats:
    """Points on the attractor [4096, 2] of two to four random contractions, scaled to the unit square."""
    rng = _class_rng(3, kind)
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


def _draw_fractals(kinds: Integers, pose: Pose, rng: np.random.Generator) -> Floats:
    ink = np.zeros((len(kinds), SIDE, SIDE), np.float32)
    for row, kind in enumerate(kinds):
        u, v = _fractal_class(int(kind))[rng.integers(4096, size=rng.integers(1200, 4000))].T
        cos, sin = np.cos(pose.angle[row]) * pose.scale[row], np.sin(pose.angle[row]) * pose.scale[row]
        column = np.floor((pose.x[row] + cos * u - sin * v + 1) / _PIXEL).astype(np.int64)
        line = np.floor((pose.y[row] + sin * u + cos * v + 1) / _PIXEL).astype(np.int64)
        seen = (column >= 0) & (column < SIDE) & (line >= 0) & (line < SIDE)
        cells = np.bincount(line[seen] * SIDE + column[seen], minlength=SIDE * SIDE)
        ink[row] = cells.reshape(SIDE, SIDE)
    return np.minimum(ink * rng.uniform(0.3, 1, (len(kinds), 1, 1)), 1).astype(np.float32)


# Dots: as many discs as the class says.


def _draw_dots(kinds: Integers, _pose: Pose, rng: np.random.Generator) -> Floats:
    wanted, size = kinds // 2 + 1, np.where(kinds % 2, 1.6, 1.0) * 0.075
    mask = np.zeros((len(kinds), SIDE, SIDE), np.float32)
    cells = rng.permuted(np.tile(np.arange(16), (len(kinds), 1)), axis=1)
    for dot in range(int(wanted.max())):
        cell = cells[:, dot]
        x = (cell % 4 - 1.5) * 0.46 + rng.uniform(-0.09, 0.09, len(kinds))
        y = (cell // 4 - 1.5) * 0.46 + rng.uniform(-0.09, 0.09, len(kinds))
        away = np.hypot(_AXIS[None, None, :] - x[:, None, None], _AXIS[None, :, None] - y[:, None, None])
        disc = np.clip(0.5 + (size[:, None, None] * rng.uniform(0.8, 1.2) - away) / _PIXEL, 0, 1)
        mask = np.where((dot < wanted)[:, None, None], np.maximum(mask, disc), mask)
    return mask


_ALL = FACTORS
_CENTRE = ("x", "y", "scale")
FAMILIES = (
    Family("strokes", 400, 0.42, (0.5, 0.95), np.pi / 7, _CENTRE, _draw_strokes),
    Family("shapes", 128, 0.3, (0.18, 0.75), np.pi, _ALL, _draw_shapes),
    Family("waves", 80, 0.1, (0.9, 1.1), np.pi, ("angle",), _draw_waves),
    Family("noise", 54, 0.05, (0.9, 1.1), np.pi, ("angle",), _draw_noise),
    Family("fractals", 64, 0.09, (0.5, 0.95), np.pi, _ALL, _draw_fractals),
    Family("dots", 24, 0.04, (0.9, 1.1), np.pi, (), _draw_dots),
)
CLASSES = sum(family.classes for family in FAMILIES)
