"""A scene is the same picture at every size, and its things stand where they say."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from training.data.embedded.scenes.scene import Background, Light, Scene, Thing, draw_scene
from training.data.embedded.scenes.shapes import SHAPES

BLACK, WHITE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
PLAIN, EVEN = Background((BLACK, BLACK), ((0.0, 0.0, 0.0),)), Light(0.0, 0.0, 0.0)


def _grey(*things: Thing, side: int = 64) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.asarray(draw_scene(Scene(PLAIN, EVEN, things, 0.0, 0), side).convert("L"))


@pytest.mark.parametrize(("shape", "x", "y"), [("ball", 0.3, 0.6), ("cross", 0.75, 0.2), ("ring", 0.5, 0.5)])
def test_a_thing_stands_where_it_says(shape: str, x: float, y: float) -> None:
    ink = _grey(Thing(shape, x, y, 0.15, 0.4, WHITE)).astype(float)
    rows, columns = np.mgrid[0:64, 0:64] + 0.5
    middle = [(columns * ink).sum() / ink.sum() / 64, (rows * ink).sum() / ink.sum() / 64]
    assert middle == pytest.approx([x, y], abs=0.003)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("turn", [0.0, 0.6, 2.5])
def test_no_thing_is_cut_off_where_its_reach_ends(shape: str, turn: float) -> None:
    thing = Thing(shape, 0.5, 0.5, 0.19, turn, WHITE)
    alone, enlarged = _grey(thing), _grey(Thing(shape, 0.5, 0.5, 0.38, turn, WHITE), side=32)
    assert (alone[16:48, 16:48] == enlarged).all()
    assert alone[16:48, 16:48].astype(int).sum() == alone.astype(int).sum() > 0


def test_the_one_behind_is_hidden() -> None:
    behind, front = Thing("ball", 0.5, 0.5, 0.1, 0, WHITE), Thing("square", 0.5, 0.5, 0.2, 0, BLACK)
    assert _grey(behind).any()
    assert not _grey(behind, front).any()


def test_a_larger_picture_shows_the_same() -> None:
    things = (Thing("arrow", 0.4, 0.6, 0.3, 1.0, WHITE), Thing("ball", 0.9, 0.1, 0.08, 0.0, WHITE))
    large = Image.fromarray(_grey(*things, side=256)).resize((64, 64), Image.Resampling.BOX)
    assert np.abs(np.asarray(large).astype(int) - _grey(*things)).mean() < 1


def test_light_comes_from_its_side_and_grain_from_its_seed() -> None:
    grey = Background(((0.5, 0.5, 0.5),) * 2, ((0.0, 0.0, 0.0),))
    lit = np.asarray(draw_scene(Scene(grey, Light(1.0, 0.0, 0.5), (), 0.0, 0)))
    assert (np.diff(lit[..., 0].astype(int), axis=1) >= 0).all()
    assert lit[0, -1, 0] > lit[0, 0, 0] + 50
    grainy = [draw_scene(Scene(grey, EVEN, (), 0.04, seed)).tobytes() for seed in (1, 1, 2)]
    assert grainy[0] == grainy[1] != grainy[2]
