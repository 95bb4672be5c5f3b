"""A scene by its parameters, and its picture at any size: all geometry is in parts of a side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from training.data.embedded.scenes.shapes import SHAPES, Floats
from training.data.embedded.task import SIDE

Colour = tuple[float, float, float]
_REACH = 1.1  # no outline reaches further from its middle, in radii


@dataclass(frozen=True)
class Thing:
    """One object: its middle from the left and from above, its radius, its turn clockwise in radians."""

    shape: str
    x: float
    y: float
    radius: float
    turn: float
    colour: Colour


@dataclass(frozen=True)
class Background:
    """Two colours that waves blend into each other; with a horizon the first is the sky's.

    A wave is (crests to the right, crests downwards, phase).
    """

    colours: tuple[Colour, Colour]
    waves: tuple[tuple[float, float, float], ...]
    horizon: float | None = None


@dataclass(frozen=True)
class Light:
    """Where the light comes from (to the right, downwards) and by how much it is uneven over the picture."""

    right: float
    down: float
    unevenness: float


@dataclass(frozen=True)
class Scene:
    """Things are drawn in their order, the last in front; grain is the standard deviation of the noise."""

    background: Background
    light: Light
    things: tuple[Thing, ...]
    grain: float
    grain_seed: int


def draw_scene(scene: Scene, side: int = SIDE) -> Image.Image:
    """The scene's RGB picture of `side` pixels a side, its edges smooth over one pixel."""
    middles = (np.arange(side) + 0.5) / side
    x, y = middles[None, :], middles[:, None]
    picture = _background(scene.background, x, y)
    for thing in scene.things:
        _draw_thing(picture, thing, scene.light, side)
    slope = scene.light.right * (x - 0.5) + scene.light.down * (y - 0.5)
    picture *= 1 + scene.light.unevenness * slope[..., None]
    picture += scene.grain * np.random.default_rng(scene.grain_seed).standard_normal(picture.shape)
    return Image.fromarray(np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8))


def _background(background: Background, x: Floats, y: Floats) -> Floats:
    """[side,side,3]."""
    waves = [np.cos(2 * np.pi * (right * x + down * y + phase)) for right, down, phase in background.waves]
    blend = (0.5 + 0.5 * np.mean(waves, axis=0))[..., None]
    first, second = np.asarray(background.colours)
    if background.horizon is None:
        return np.asarray(first + (second - first) * blend)
    plain = np.where((y < background.horizon)[..., None], first, second)
    return np.asarray(plain * (0.85 + 0.3 * blend))


def _draw_thing(picture: Floats, thing: Thing, light: Light, side: int) -> None:
    """Blend the thing into the part of the picture that it can reach."""
    reach = thing.radius * _REACH + 1.5 / side
    rows, columns = (
        slice(max(0, int((middle - reach) * side)), max(0, int((middle + reach) * side) + 1))
        for middle in (thing.y, thing.x)
    )
    part = picture[rows, columns]
    right = ((np.arange(part.shape[1]) + columns.start + 0.5) / side - thing.x)[None, :] / thing.radius
    down = ((np.arange(part.shape[0]) + rows.start + 0.5) / side - thing.y)[:, None] / thing.radius
    cos, sin = np.cos(thing.turn), np.sin(thing.turn)
    outside = SHAPES[thing.shape](cos * right + sin * down, cos * down - sin * right)
    cover = np.clip(0.5 - outside * (thing.radius * side), 0, 1)[..., None]
    depth = 0.35 if thing.shape == "ball" else 0.12
    shade = 1 + depth * (light.right * right + light.down * down)[..., None]
    part += cover * (np.asarray(thing.colour) * shade - part)
