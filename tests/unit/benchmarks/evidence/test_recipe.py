from __future__ import annotations

from dataclasses import replace

from benchmarks.evidence.finished_runs import Row
from benchmarks.evidence.recipe import CHANGES, SETTINGS, recipe_trials
from benchmarks.evidence.recipe_report import recipe_section
from training.options.train_config import TrainConfig

ROW = Row("default-recipe", "eurosat", "", 0.0, 0, "val", 800, 200, 0.9, 1, 1.0, "2026-01-01T00:00:00", "")


def test_no_trial_sees_a_test_picture_and_each_is_one_of_its_kind() -> None:
    trials = list(recipe_trials([]))
    assert {trial.split for trial in trials} == {"val"}
    assert len({trial.key for trial in trials}) == len(trials) == 3 * len(CHANGES) * len(SETTINGS)
    for trial in trials:
        TrainConfig.model_validate(trial.options)


def test_a_change_is_held_against_the_default_of_its_seed() -> None:
    rows = [
        replace(ROW, variant=f"{setting}:{change}", seed=seed, accuracy=accuracy)
        for setting, change, seed, accuracy in (
            ("eurosat-64", "default", 0, 0.90),
            ("eurosat-64", "default", 1, 0.80),
            ("eurosat-64", "steps-800", 0, 0.92),
            ("eurosat-64", "steps-800", 1, 0.84),
            ("eurosat-64", "steps-800", 2, 0.10),
        )
    ]
    line = next(line for line in recipe_section(rows).splitlines() if line.startswith("| steps-800"))
    assert "| +3.0 | -9.7 to +15.7 | 2 |" in line
    assert line.count("not run yet") == len(SETTINGS) - 1
