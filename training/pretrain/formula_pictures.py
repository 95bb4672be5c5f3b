"""Pictures drawn by formula, for pre-training the embedded backbone: no data set, no licence, any machine.

A picture is a 64x64 mask (how much ink each pixel holds) drawn from one of 750 procedural classes in a random
pose. A class is fixed by its number alone; an instance adds jitter, stroke width, softness and pose from the
generator it is given. Colours and backgrounds are laid over the mask later, by `formula_colours`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.pretrain.families.dots import DOTS
from training.pretrain.families.family import FACTORS, Family, Floats, Integers, Pose
from training.pretrain.families.fractals import FRACTALS
from training.pretrain.families.noise import NOISE
from training.pretrain.families.shapes import SHAPES
from training.pretrain.families.strokes import STROKES
from training.pretrain.families.waves import WAVES

# Their order is that of the classes' numbers.
FAMILIES = (STROKES, SHAPES, WAVES, NOISE, FRACTALS, DOTS)
CLASSES = sum(family.classes for family in FAMILIES)
_CHUNK = 64


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
