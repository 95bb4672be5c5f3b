"""`scene-distance`: how far away the nearest thing on a plain stands.

A camera over a plain sees the foot of a thing at distance z at `_HEIGHT` / z below the horizon, and the thing
itself at 1 / z of its size. Things differ little in their true sizes, so that both tell the distance.
"""

from __future__ import annotations

import numpy as np

from training.data.embedded.scenes.chance import MAX_GRAIN, random_background, random_colour, random_light
from training.data.embedded.scenes.scene import Background, Colour, Scene, Thing

DISTANCES = ("very near", "near", "fairly near", "fairly far", "far", "very far")
STANDING = ("ball", "square", "triangle")
# Distances of the bins' edges: from 1 to 4 in equal ratios.
_FARTHEST, _LAST = 4.0, 5.5
_HORIZON, _HEIGHT, _RADIUS = 0.3, 0.62, 0.14
_FOOT = {"ball": 1.0, "square": 0.7, "triangle": 0.5}  # the middle's height over the foot, in radii


def distance_scene(label: int, rng: np.random.Generator) -> Scene:
    """The nearest thing in bin `label`, one to four farther ones, stains on the ground and clouds."""
    horizon = _HORIZON + float(rng.uniform(-0.03, 0.03))
    background = random_background(rng, horizon)
    nearest = _FARTHEST ** ((label + rng.uniform(0.1, 0.9)) / len(DISTANCES))
    farther = np.exp(rng.uniform(np.log(1.12 * nearest), np.log(_LAST), int(rng.integers(1, 5))))
    things = [_stain(background, horizon, rng) for _ in range(int(rng.integers(2, 7)))]
    things.extend(
        _standing(distance, horizon, random_colour(rng, *background.colours), rng)
        for distance in (*sorted(farther.tolist(), reverse=True), float(nearest))
    )
    light, grain = random_light(rng), float(rng.uniform(0, MAX_GRAIN))
    return Scene(background, light, tuple(things), grain, int(rng.integers(2**32)))


def distance_of(thing: Thing, scene: Scene) -> float:
    """The distance at which a thing stands, by where its foot is."""
    if scene.background.horizon is None:
        raise ValueError("a scene without a horizon has no distances")
    return _HEIGHT / (thing.y + _FOOT[thing.shape] * thing.radius - scene.background.horizon)


def distance_label(distance: float) -> int:
    """The bin of a distance."""
    return int(np.log(distance) / np.log(_FARTHEST) * len(DISTANCES))


def _standing(distance: float, horizon: float, colour: Colour, rng: np.random.Generator) -> Thing:
    shape = str(rng.choice(STANDING))
    radius = _RADIUS / distance * float(rng.uniform(0.85, 1.15))
    foot = horizon + _HEIGHT / distance
    x = float(rng.uniform(radius, 1 - radius))
    return Thing(shape, x, foot - _FOOT[shape] * radius, radius, 0.0, colour)


def _stain(background: Background, horizon: float, rng: np.random.Generator) -> Thing:
    """A flat patch on the ground or a cloud: a shade of what it lies on, larger the nearer it is."""
    x, y = float(rng.random()), float(rng.uniform(0.02, 0.98))
    radius = 0.03 + 0.2 * abs(y - horizon) * float(rng.uniform(0.5, 1.5))
    shade = float(rng.choice([rng.uniform(0.65, 0.85), rng.uniform(1.15, 1.35)]))
    red, green, blue = (shade * part for part in background.colours[y > horizon])
    return Thing("stain", x, y, radius, 0.0, (red, green, blue))
