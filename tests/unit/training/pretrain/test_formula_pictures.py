from __future__ import annotations

import numpy as np
import pytest

from training.pretrain.families.family import FACTORS, Pose
from training.pretrain.formula_pictures import CLASSES, FAMILIES, draw_pictures


def test_the_same_seed_draws_the_same_pictures_and_another_seed_others() -> None:
    first, again, other = draw_pictures(200, 3), draw_pictures(200, 3), draw_pictures(200, 4)
    assert np.array_equal(first.masks, again.masks)
    assert np.array_equal(first.classes, again.classes)
    assert np.array_equal(first.factors, again.factors, equal_nan=True)
    assert not np.array_equal(first.masks, other.masks)


def test_pictures_have_their_form_and_come_from_every_family() -> None:
    pictures = draw_pictures(500, 0)
    assert pictures.masks.shape == (500, 64, 64)
    assert pictures.masks.dtype == np.uint8
    assert pictures.factors.shape == (500, len(FACTORS))
    ends = np.cumsum([family.classes for family in FAMILIES])
    assert ends[-1] == CLASSES
    assert set(np.searchsorted(ends, pictures.classes, side="right")) == set(range(len(FAMILIES)))


def test_hardly_a_picture_is_empty_or_full() -> None:
    masks = draw_pictures(500, 1).masks
    assert (masks.std(axis=(1, 2)) > 2).mean() > 0.98


def test_factors_are_known_exactly_where_the_family_labels_them() -> None:
    pictures = draw_pictures(500, 2)
    ends = np.cumsum([family.classes for family in FAMILIES])
    for number, classes, factors in zip(range(500), pictures.classes, pictures.factors, strict=True):
        family = FAMILIES[int(np.searchsorted(ends, classes, side="right"))]
        assert [factor in family.labelled for factor in FACTORS] == list(np.isfinite(factors)), number


@pytest.mark.parametrize("name", ["strokes", "shapes"])
def test_ink_lies_around_the_labelled_centre(name: str) -> None:
    family = next(family for family in FAMILIES if family.name == name)
    kinds = np.arange(32) % family.classes
    centre = np.tile(np.array([-0.4, 0.4], np.float32), 16)
    pose = Pose(centre, -centre, np.zeros(32, np.float32), np.full(32, 0.3, np.float32))
    masks = np.clip(family.draw(kinds, pose, np.random.default_rng(0)), 0, 1)
    axis = (np.arange(64) + 0.5) / 32 - 1
    ink = masks.sum(axis=(1, 2))
    assert np.abs((masks.sum(axis=1) @ axis) / ink - pose.x).max() < 0.3
    assert np.abs((masks.sum(axis=2) @ axis) / ink - pose.y).max() < 0.3


def test_a_shape_turns_with_its_angle() -> None:
    shapes = next(family for family in FAMILIES if family.name == "shapes")
    angles = np.array([0, np.pi / 2], np.float32)
    zeros = np.zeros(2, np.float32)
    kinds = np.full(2, 2)  # a blob, which has no symmetry
    pose = Pose(zeros, zeros, angles, np.full(2, 0.6, np.float32))
    rng = np.random.default_rng(0)
    upright, turned = np.clip(shapes.draw(kinds, pose, rng), 0, 1) > 0.5
    assert (np.rot90(upright, -1) ^ turned).mean() < 0.06
    assert (upright ^ turned).mean() > 0.06


def test_the_pictures_are_those_that_the_embedded_backbone_was_trained_on() -> None:
    """To the last digit that every machine agrees on: each family's mean ink, and the order of classes."""
    pictures = draw_pictures(300, 5)
    assert pictures.classes[:10].tolist() == [708, 323, 280, 746, 648, 655, 690, 375, 628, 434]
    ends = np.cumsum([family.classes for family in FAMILIES])
    families = np.searchsorted(ends, pictures.classes, side="right")
    means = [pictures.masks[families == number].mean() for number in range(len(FAMILIES))]
    assert means == pytest.approx([38.15, 15.14, 126.45, 127.73, 24.61, 14.53], abs=0.02)
