"""The three scene tasks: each picture from a seed of its own, its label drawn first."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from training.data.embedded.scenes.angle import HOURS, angle_scene
from training.data.embedded.scenes.count import count_names, count_scene
from training.data.embedded.scenes.distance import DISTANCES, distance_scene
from training.data.embedded.scenes.scene import Scene, draw_scene
from training.data.embedded.task import SPLIT_SEED, VTAB, EmbeddedTask, Labelled, Split

# From a label and a generator to a scene.
Compose = Callable[[int, np.random.Generator], Scene]


def scenes_of(compose: Compose, classes: int, key: int, split: Split) -> list[tuple[Scene, int]]:
    """A split's scenes with their labels; `key` tells the tasks' seeds apart."""
    rows = VTAB.rows(split)
    return [
        (compose(label, np.random.default_rng([SPLIT_SEED, key, row])), label)
        for row, label in zip(rows, _labels(classes, key)[rows].tolist(), strict=True)
    ]


def _labels(classes: int, key: int) -> NDArray[np.int64]:
    """Of all pictures of a task: in each split every class is as frequent as any other, or by one."""
    rng = np.random.default_rng([SPLIT_SEED, key])
    splits: tuple[Split, ...] = ("train", "val", "test")
    return np.concatenate([rng.permutation(np.arange(len(VTAB.rows(one))) % classes) for one in splits])


def _load(compose: Compose, classes: int, key: int, split: Split) -> Labelled:
    scenes = scenes_of(compose, classes, key, split)
    return [draw_scene(scene) for scene, _ in scenes], [label for _, label in scenes]


def _task(name: str, description: str, classes: tuple[str, ...], compose: Compose, key: int) -> EmbeddedTask:
    return EmbeddedTask(
        name, f"{description}; drawn by formula", classes, partial(_load, compose, len(classes), key)
    )


SCENES = (
    _task("scene-count", "how many balls lie among other shapes", count_names(), count_scene, 100),
    _task("scene-distance", "how far the nearest thing on a plain stands", DISTANCES, distance_scene, 101),
    _task("scene-angle", "the hour that an arrow over other shapes points to", HOURS, angle_scene, 102),
)
