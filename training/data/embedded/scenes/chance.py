"""What is left to chance in every scene: colours, backgrounds, light, and where things stand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.data.embedded.scenes.scene import Background, Colour, Light

MAX_GRAIN = 0.04
_DARTS = 200


def random_colour(rng: np.random.Generator, *unlike: Colour, distance: float = 0.5) -> Colour:
    """A colour at least `distance` from each of the others, in the RGB cube of side 1."""
    while True:
        red, green, blue = rng.random(3).tolist()
        if all(np.linalg.norm(np.subtract(other, (red, green, blue))) >= distance for other in unlike):
            return red, green, blue


def random_background(rng: np.random.Generator, horizon: float | None = None) -> Background:
    """Two colours: near each other, so that many differ from both; with a horizon, far from each other."""
    first = random_colour(rng)
    if horizon is None:
        red, green, blue = np.clip(np.add(first, rng.uniform(-0.2, 0.2, 3)), 0, 1).tolist()
        second = (red, green, blue)
    else:
        second = random_colour(rng, first, distance=0.3)
    crests = rng.uniform(-2.5, 2.5, (3, 2)).tolist()
    waves = tuple((right, down, float(rng.random())) for right, down in crests)
    return Background((first, second), waves, horizon)


def random_light(rng: np.random.Generator) -> Light:
    """From any side, its strength over the picture uneven by up to two thirds."""
    angle = rng.uniform(0, 2 * np.pi)
    return Light(float(np.cos(angle)), float(np.sin(angle)), float(rng.uniform(0.1, 0.65)))


def random_places(rng: np.random.Generator, radii: Sequence[float]) -> list[tuple[float, float, float]]:
    """A place for a circle of each radius → (x, y, radius), apart from each other and within the picture.

    Where they find no room all shrink, by a tenth at a time.
    """
    placed: list[tuple[float, float, float]] = []
    for radius in radii:
        for _ in range(_DARTS):
            x, y = rng.uniform(1.1 * radius, 1 - 1.1 * radius, 2).tolist()
            if all(np.hypot(x - left, y - top) > 1.15 * (radius + other) for left, top, other in placed):
                placed.append((x, y, radius))
                break
        else:
            return random_places(rng, [0.9 * radius for radius in radii])
    return placed
