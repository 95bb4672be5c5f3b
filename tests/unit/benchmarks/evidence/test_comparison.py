"""The comparison's plan: what is searched, in which order, and nothing that cannot be trained."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from benchmarks.evidence import comparison
from benchmarks.evidence.comparison import ALL, COMPARISONS, GROUPS, MORE_SEEDS, SHOTS, SMALL, competitors
from benchmarks.evidence.finished_runs import Row
from benchmarks.evidence.plan import SUITES, trials
from benchmarks.evidence.trial import OWN_LR, Trial
from training.search.search_config import SearchConfig


def _row(trial: Trial, accuracy: float) -> Row:
    return Row(
        trial.suite, trial.task, trial.variant, trial.lr, trial.seed, trial.split, 800, 10, accuracy, 0, 1.0,
        "2026-11-26T08:00:00+00:00", "0",
    )  # fmt: skip


def _searched(rates: Sequence[float]) -> Iterator[Row]:
    """Rows of every search on val; the later of a competitor's rates is the worse one."""
    for trial in trials("comparison-64", []):
        if trial.split == "val":
            yield _row(trial, 0.9 if trial.lr in rates else 0.5)


def test_every_method_that_searches_tries_equally_many_rates() -> None:
    assert {len(one.lrs) for one in ALL if one.lrs} == {2}
    assert {one.name for one in ALL if not one.lrs} == {"auto", "default", "linear"}


def test_competitors_are_taken_by_name_in_their_own_order() -> None:
    assert competitors() == ALL
    assert [one.name for one in competitors(["dvpt", "auto"])] == ["auto", "dvpt"]


def test_a_test_comes_after_all_rates_were_looked_at_and_has_the_best() -> None:
    searched = list(_searched((3e-3, 3e-4)))
    tests = {trial.variant: trial for trial in trials("comparison-64", searched) if trial.split == "test"}
    assert tests["eurosat-64:dvpt"].lr == tests["digits:bias"].lr == 3e-3
    assert tests["scene-angle:full"].lr == 3e-4
    assert tests["digits:linear"].lr == OWN_LR
    missing = [row for row in searched if (row.variant, row.lr) != ("eurosat-64:dvpt", 1e-2)]
    left = {trial.variant for trial in trials("comparison-64", missing) if trial.split == "test"}
    assert tests.keys() - left == {"eurosat-64:dvpt"}


def test_one_seed_of_all_comes_before_the_others() -> None:
    searched = list(_searched((1e-2,)))
    assert {trial.seed for trial in trials("comparison-64", searched)} == {0}
    more = trials("comparison-64-seeds", searched)
    assert [trial.seed for trial in more] == sorted(trial.seed for trial in more)
    assert {trial.seed for trial in more} == set(MORE_SEEDS)
    assert len(more) == len(MORE_SEEDS) * len(SMALL) * len(ALL)


def test_all_settings_are_planned_once() -> None:
    assert sorted(setting.name for group in GROUPS.values() for setting in group) == sorted(
        setting.name for setting in (*SMALL, *comparison.LARGE)
    )
    searched = [replace(row, suite="comparison") for row in _searched((1e-2,))]
    for suite in COMPARISONS:
        keys = [trial.key for trial in trials(suite, searched)]
        assert len(set(keys)) == len(keys)


def test_few_pictures_are_drawn_anew_for_each_seed_at_the_methods_own_rates() -> None:
    found = trials("few-shot", [])
    assert {trial.options["shots"] for trial in found} == set(SHOTS)
    assert all(trial.options["split_seed"] == trial.seed and "lr" not in trial.options for trial in found)
    assert found[0].options["seed"] == 0
    assert [trial.seed for trial in found] == sorted(trial.seed for trial in found)


@pytest.mark.parametrize("suite", sorted(COMPARISONS))
def test_every_trial_is_one_that_dvpt_train_takes(suite: str) -> None:
    assert suite in SUITES
    for trial in trials(suite, list(_searched((1e-2,)))):
        config = SearchConfig.model_validate(trial.options)
        assert config.image_size == trial.image_size
        recipe = trial.options.keys() - {"task", "seed", "lr", "train_split", "eval_split"}
        assert recipe <= {
            "backbone", "image_size", "method", "sequential_reduction", "shots", "split_seed",
        }  # fmt: skip
