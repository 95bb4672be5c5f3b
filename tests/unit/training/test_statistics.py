import numpy as np
import pytest

from training.statistics import paired_bootstrap, standard_error


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
