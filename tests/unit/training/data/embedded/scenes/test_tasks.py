"""Every scene shows what its label says, by its parameters; no picture comes twice."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.embedded import Split, load_embedded
from training.data.embedded.scenes.angle import HOURS, angle_label, angle_scene
from training.data.embedded.scenes.chance import random_places
from training.data.embedded.scenes.count import MOST_BALLS, count_names, count_scene
from training.data.embedded.scenes.distance import (
    DISTANCES,
    STANDING,
    distance_label,
    distance_of,
    distance_scene,
)
from training.data.embedded.scenes.scene import Background, Light, Scene, Thing, draw_scene
from training.data.embedded.scenes.tasks import SCENES, scenes_of

NAMES = tuple(task.name for task in SCENES)
SEEDS = st.integers(0, 2**32 - 1)
FEW = settings(max_examples=30, deadline=None)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_no_picture_comes_twice(name: str) -> None:
    trained, tested = (load_embedded(name, split)[0] for split in ("trainval", "test"))
    assert len({picture.tobytes() for picture in trained + tested}) == 3000


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_classes_are_equally_frequent(name: str, split: Split) -> None:
    frequent = Counter(load_embedded(name, split)[1]).values()
    assert max(frequent) - min(frequent) <= 1


@FEW
@given(st.integers(0, MOST_BALLS - 1), SEEDS)
def test_there_are_as_many_balls_as_the_label_says(label: int, seed: int) -> None:
    scene = count_scene(label, np.random.default_rng(seed))
    assert sum(thing.shape == "ball" for thing in scene.things) == label + 1
    assert len(count_names()) == MOST_BALLS
    _assert_within(scene)
    for row, one in enumerate(scene.things):
        for other in scene.things[:row]:
            assert np.hypot(one.x - other.x, one.y - other.y) > one.radius + other.radius


def test_other_shapes_say_nothing_of_the_number_of_balls() -> None:
    scenes = scenes_of(count_scene, MOST_BALLS, 100, "test")
    others = [len(scene.things) - label - 1 for scene, label in scenes]
    assert abs(np.corrcoef(others, [label for _, label in scenes])[0, 1]) < 0.06


@FEW
@given(st.integers(0, len(DISTANCES) - 1), SEEDS)
def test_the_nearest_thing_stands_at_the_distance_of_the_label(label: int, seed: int) -> None:
    scene = distance_scene(label, np.random.default_rng(seed))
    standing = [thing for thing in scene.things if thing.shape in STANDING]
    distances = [distance_of(thing, scene) for thing in standing]
    assert distance_label(min(distances)) == label
    assert distances == sorted(distances, reverse=True)  # the nearest is in front of all
    assert distances[-2] > 1.1 * distances[-1]
    _assert_within(scene, *standing)


@FEW
@given(st.integers(0, len(HOURS) - 1), SEEDS)
def test_the_arrow_points_to_the_hour_of_the_label(label: int, seed: int) -> None:
    scene = angle_scene(label, np.random.default_rng(seed))
    (arrow,) = (thing for thing in scene.things if thing.shape == "arrow")
    assert scene.things[-1] == arrow
    assert angle_label(arrow) == label
    _assert_within(scene)


@pytest.mark.parametrize(("hour", "right", "down"), [(0, 0, -1), (3, 1, 0), (6, 0, 1), (9, -1, 0)])
def test_hours_are_those_of_a_clock_and_the_head_is_the_broader_half(
    hour: int, right: int, down: int
) -> None:
    arrow = angle_scene(hour, np.random.default_rng(hour)).things[-1]
    drawn = Thing("arrow", 0.5, 0.5, 0.4, arrow.turn, (1.0, 1.0, 1.0))
    dark = Background(((0.0, 0.0, 0.0),) * 2, ((0.0, 0.0, 0.0),))
    ink = np.asarray(draw_scene(Scene(dark, Light(0, 0, 0), (drawn,), 0, 0)).convert("L")).astype(float)
    rows, columns = np.mgrid[0:64, 0:64] - 31.5
    along = (columns * right + rows * down) / 64 / 0.4
    assert ink[(along > 0.1) & (along < 0.5)].sum() > 1.5 * ink[(along < -0.1) & (along > -0.5)].sum() > 0
    assert HOURS[hour].startswith({0: "twelve", 3: "three", 6: "six", 9: "nine"}[hour])


def test_places_without_room_shrink() -> None:
    places = random_places(np.random.default_rng(0), [0.3] * 8)
    assert len(places) == 8
    assert all(radius < 0.3 for _, _, radius in places)


def _assert_within(scene: Scene, *things: object) -> None:
    for thing in scene.things:
        if not things or thing in things:
            assert thing.radius <= thing.x <= 1 - thing.radius
            assert thing.radius <= thing.y <= 1 - thing.radius
