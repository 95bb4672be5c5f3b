from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from benchmarks.evidence.finished_runs import Row
from benchmarks.evidence.folds import FOLDS, fold_pictures
from benchmarks.evidence.recipe import CHANGES, DEFAULT, SETTINGS, SUITE, TWICE, recipe_trials
from benchmarks.evidence.recipe_report import recipe_section
from training.data.embedded import load_embedded
from training.options.train_config import TrainConfig

if TYPE_CHECKING:
    from pathlib import Path

ROW = Row(SUITE, "eurosat", "", 0.0, 0, "test", 800, 200, 0.9, 1, 1.0, "2026-01-01T00:00:00", "")


def test_each_trial_is_one_of_its_kind() -> None:
    trials = list(recipe_trials([]))
    assert len({trial.key for trial in trials}) == len(trials) == FOLDS * len(CHANGES) * len(SETTINGS)
    for trial in trials:
        TrainConfig.model_validate(trial.options)


@pytest.mark.slow
def test_folds_are_of_training_pictures_and_each_is_looked_at_once(tmp_path: Path) -> None:
    known, labels = load_embedded("scene-count", "trainval")
    expected = sorted(np.asarray(picture).tobytes() for picture in known)
    left_out = []
    for fold in range(FOLDS):
        folder = fold_pictures("scene-count", fold, tmp_path)
        trained, tested = _pixels(folder / "train"), _pixels(folder / "test")
        assert sorted(trained + tested) == expected
        assert len(tested) == len(labels) // FOLDS
        left_out += tested
    assert sorted(left_out) == expected


def _pixels(folder: Path) -> list[bytes]:
    return [np.asarray(Image.open(path)).tobytes() for path in folder.glob("*/*.png")]


def test_a_change_is_held_against_the_former_recipe_on_its_fold() -> None:
    rows = [
        replace(ROW, variant=f"{setting}:{change}", seed=fold, accuracy=accuracy, error_after=0.02)
        for setting, change, fold, accuracy in (
            ("eurosat-64", "former", 0, 0.90),
            ("eurosat-64", "former", 1, 0.80),
            ("eurosat-64", "steps-800", 0, 0.92),
            ("eurosat-64", "steps-800", 1, 0.84),
            ("eurosat-64", "steps-800", 2, 0.10),
            ("dtd10-64", "former", 0, 0.70),
            ("dtd10-64", "steps-800", 0, 0.71),
        )
    ]
    line = next(line for line in recipe_section(rows).splitlines() if line.startswith("| steps-800"))
    assert "| +2.0 | -10.7 to +14.7 | 3 | 0.020 |" in line
    assert line.startswith("| steps-800 | 0.880 | ")  # of the folds that the former recipe has
    assert line.count("not run yet") == len(SETTINGS) - 2


def test_twice_the_steps_are_held_against_the_default() -> None:
    rows = [
        replace(ROW, variant=f"{setting}:{change}", seed=4, accuracy=accuracy)
        for setting, change, accuracy in (
            ("eurosat-64", DEFAULT, 0.90),
            ("eurosat-64", TWICE, 0.93),
            ("dtd10-64", DEFAULT, 0.70),
            ("dtd10-64", TWICE, 0.71),
        )
    ]
    whole, twice = recipe_section(rows).split("### Twice the steps")
    assert f"| {TWICE} | not run yet" in whole
    assert "| +2.0 | -10.7 to +14.7 | 2 |" in next(
        x for x in twice.splitlines() if x.startswith(f"| {TWICE}")
    )
