"""`scene-count`: how many balls lie among other shapes."""

from __future__ import annotations

import numpy as np

from training.data.embedded.scenes.chance import (
    MAX_GRAIN,
    random_background,
    random_colour,
    random_light,
    random_places,
)
from training.data.embedded.scenes.scene import Scene, Thing

MOST_BALLS = 8
OTHERS = ("square", "triangle", "cross")
_MOST_OTHERS = 6


def count_names() -> tuple[str, ...]:
    """One ball to eight."""
    numbers = ("one", "two", "three", "four", "five", "six", "seven", "eight")
    return tuple(f"{number} ball{'s' if row else ''}" for row, number in enumerate(numbers))


def count_scene(label: int, rng: np.random.Generator) -> Scene:
    """`label` + 1 balls, and up to six other shapes whatever the label; nothing hides anything."""
    background = random_background(rng)
    shapes = ["ball"] * (label + 1)
    shapes += rng.choice(OTHERS, int(rng.integers(_MOST_OTHERS + 1))).tolist()
    rng.shuffle(shapes)
    things = []
    places = random_places(rng, rng.uniform(0.07, 0.1, len(shapes)).tolist())
    for shape, place in zip(shapes, places, strict=True):
        turn = float(rng.uniform(0, 2 * np.pi))
        things.append(Thing(shape, *place, turn, random_colour(rng, *background.colours)))
    light, grain = random_light(rng), float(rng.uniform(0, MAX_GRAIN))
    return Scene(background, light, tuple(things), grain, int(rng.integers(2**32)))
