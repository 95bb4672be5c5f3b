import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from training.uncertainty import Reliability, paired_bootstrap, seeded_bootstrap, standard_error


def test_standard_error_of_a_proportion() -> None:
    assert standard_error(0.9, 3000) == pytest.approx(0.005477, abs=1e-6)


def test_equal_answers_differ_by_nothing() -> None:
    answers = [True, False] * 50
    assert paired_bootstrap(answers, answers, seed=0) == (0.0, 0.0)


def test_the_interval_is_that_of_resampled_pictures() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.random(400) < 0.9, rng.random(400) < 0.8
    low, high = paired_bootstrap(a.tolist(), b.tolist(), seed=0)
    rows = rng.integers(0, 400, size=(4000, 400))
    expected = np.quantile(a[rows].mean(axis=1) - b[rows].mean(axis=1), [0.025, 0.975])
    assert (low, high) == pytest.approx(tuple(expected), abs=0.01)
    assert low < a.mean() - b.mean() < high


def test_the_interval_is_reproducible_by_seed() -> None:
    a, b = [True] * 30 + [False] * 10, [True] * 20 + [False] * 20
    assert paired_bootstrap(a, b, seed=5) == paired_bootstrap(a, b, seed=5)


@pytest.mark.parametrize(("a", "b"), [([True], [True, False]), ([], [])])
def test_answers_that_do_not_pair_are_refused(a: list[bool], b: list[bool]) -> None:
    with pytest.raises(ValueError, match="cannot be paired"):
        paired_bootstrap(a, b, seed=0)


def runs(accuracies: Sequence[float], seed: int) -> list[list[bool]]:
    random = np.random.default_rng(seed)
    return [(random.random(1000) < accuracy).tolist() for accuracy in accuracies]


def test_the_interval_over_seeds_holds_a_clear_difference_and_no_other() -> None:
    better, worse = runs([0.9, 0.91, 0.92], 0), runs([0.8, 0.81, 0.79], 1)
    low, high = seeded_bootstrap(better, worse, 0)
    assert 0 < low < 0.11 < high < 0.2
    low, high = seeded_bootstrap(better, better, 0)
    assert low < 0 < high


def test_a_spread_between_seeds_widens_the_interval() -> None:
    narrow = seeded_bootstrap(runs([0.8, 0.8, 0.8], 0), runs([0.7, 0.7, 0.7], 1), 0)
    wide = seeded_bootstrap(runs([0.7, 0.8, 0.9], 0), runs([0.6, 0.7, 0.8], 1), 0)
    assert wide[1] - wide[0] > 1.5 * (narrow[1] - narrow[0])


def test_runs_over_different_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="different numbers"):
        seeded_bootstrap([[True, False]], [[True]], 0)


def test_the_error_by_hand() -> None:
    """Two answers at 0.9 of which one is right, two at 0.58 that are right: (2·0.4 + 2·0.42) / 4."""
    logits = torch.tensor([[math.log(p), math.log(1 - p)] for p in (0.9, 0.9, 0.58, 0.58)])
    found = Reliability.of(logits, torch.tensor([0, 1, 0, 0]), bins=15)
    assert found.error == pytest.approx(0.41)
    assert found.pictures[8] == 2  # (8/15, 9/15]
    assert found.pictures[13] == 2
    certain = Reliability.of(torch.tensor([[100.0, -100.0]]), torch.tensor([0]))
    assert certain.pictures[14] == 1
