"""`scene-angle`: which hour an arrow points to."""

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

HOURS = (
    "twelve o'clock", "one o'clock", "two o'clock", "three o'clock", "four o'clock", "five o'clock",
    "six o'clock", "seven o'clock", "eight o'clock", "nine o'clock", "ten o'clock", "eleven o'clock",
)  # fmt: skip
CLUTTER = ("ball", "ring", "square", "triangle", "cross", "bar")
_STEP = 2 * np.pi / len(HOURS)


def angle_scene(label: int, rng: np.random.Generator) -> Scene:
    """An arrow within two fifths of a step of its hour, over three to eight other shapes, bars among them."""
    background = random_background(rng)
    radii = rng.uniform(0.04, 0.09, int(rng.integers(3, 9))).tolist()
    things = []
    for place in random_places(rng, radii):
        shape, turn = str(rng.choice(CLUTTER)), float(rng.uniform(0, 2 * np.pi))
        things.append(Thing(shape, *place, turn, random_colour(rng, *background.colours, distance=0.35)))
    things.append(_arrow(label, random_colour(rng, *background.colours), rng))
    light, grain = random_light(rng), float(rng.uniform(0, MAX_GRAIN))
    return Scene(background, light, tuple(things), grain, int(rng.integers(2**32)))


def angle_label(thing: Thing) -> int:
    """The hour that a thing points to; a turn of 0 points to three o'clock."""
    return round((thing.turn + np.pi / 2) / _STEP) % len(HOURS)


def _arrow(label: int, colour: tuple[float, float, float], rng: np.random.Generator) -> Thing:
    radius = float(rng.uniform(0.24, 0.36))
    x, y = rng.uniform(radius, 1 - radius, 2).tolist()
    turn = (label + float(rng.uniform(-0.4, 0.4))) * _STEP - np.pi / 2
    return Thing("arrow", x, y, radius, turn, colour)
