import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from training.uncertainty import (
    Reliability,
    difference_interval,
    paired_standard_error,
    standard_error,
    wilson,
)

WIDEST = {2: 4.0, 3: 1.9, 5: 1.4}


@pytest.mark.parametrize(("right", "count"), [(24, 24), (0, 24), (5, 10), (2850, 3000), (1, 1)])
def test_the_interval_of_a_share_is_wilsons(right: int, count: int) -> None:
    expected = stats.binomtest(right, count).proportion_ci(method="wilson")  # type: ignore[attr-defined]
    found = wilson(right / count, count)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_all_of_a_few_pictures_right_is_not_certain() -> None:
    assert wilson(1.0, 24).text(2) == "0.86 to 1.00"


def test_a_share_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no pictures"):
        wilson(0.0, 0)


@given(st.integers(1, 5000), st.floats(0, 1))
def test_the_interval_of_a_share_holds_it_and_lies_in_0_to_1(count: int, share: float) -> None:
    found = wilson(share, count)
    assert 0 <= found.low <= share <= found.high <= 1
    assert found.low < found.high


def test_of_one_run_on_a_side_the_interval_is_of_the_pictures_alone() -> None:
    one, two = runs([0.9], 0), runs([0.8, 0.8], 1)
    assert not difference_interval(one, two).over_seeds
    assert not difference_interval(two, one).over_seeds
    assert difference_interval(two, two).over_seeds


def test_one_run_each_is_as_resampled_pictures_are() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.random(400) < 0.9, rng.random(400) < 0.8
    found = difference_interval([a.tolist()], [b.tolist()])
    rows = rng.integers(0, 400, size=(4000, 400))
    expected = np.quantile(a[rows].mean(axis=1) - b[rows].mean(axis=1), [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.005)


def test_answers_that_are_all_alike_leave_room_for_chance() -> None:
    found = difference_interval([[True] * 24] * 2, [[True] * 24] * 2)
    assert found.low < -0.05
    assert found.high > 0.05


def test_a_clear_difference_is_found_over_three_seeds() -> None:
    better, worse = runs([0.9, 0.91, 0.92], 0), runs([0.8, 0.81, 0.79], 1)
    found = difference_interval(better, worse)
    assert 0 < found.low < 0.11 < found.high < 0.2


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 40), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_the_interval_turns_with_its_sides_and_holds_the_difference(
    count_a: int, count_b: int, pictures: int, seed: int, part: float
) -> None:
    random = np.random.default_rng(seed)
    a, b = random.random((count_a, pictures)) < part, random.random((count_b, pictures)) < 0.5
    found, turned = difference_interval(a.tolist(), b.tolist()), difference_interval(b.tolist(), a.tolist())
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))
    assert -1 <= found.low <= a.mean() - b.mean() <= found.high <= 1


def test_runs_over_different_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="different numbers"):
        difference_interval([[True, False]], [[True]])
    with pytest.raises(ValueError, match="nothing to compare"):
        difference_interval([[]], [[]])


@pytest.mark.parametrize(("count_a", "count_b"), [(2, 2), (3, 3), (5, 5), (2, 3), (5, 3), (2, 5)])
@pytest.mark.parametrize("spread", [(0.1, 0.1), (0.4, 0.4), (0.4, 0.1), (0.0, 0.0)], ids=str)
def test_the_interval_holds_the_truth_in_95_of_100_studies(
    count_a: int, count_b: int, spread: tuple[float, float]
) -> None:
    """Simulated: 0.3 on the latent scale of seeds is a standard deviation of about 2 points of accuracy.

    The mean width is at most `WIDEST` times that of an interval that knows the true variances: t has 4.3 and
    more instead of 1.96 where two seeds are all that is known of a spread.
    """
    studies, truth = simulated_studies(count_a, count_b, spread)
    found = [difference_interval(a, b) for a, b in studies]
    held = np.mean([interval.low <= truth <= interval.high for interval in found])
    differences = [np.mean(a) - np.mean(b) for a, b in studies]
    width = np.mean([interval.high - interval.low for interval in found]) / (2 * 1.96 * np.std(differences))
    assert held >= 0.93
    assert width <= WIDEST[min(count_a, count_b)]


def test_the_paired_error_is_of_the_pictures_that_are_answered_differently() -> None:
    """21 + 11 of 400, and half a picture more in each of four cells: (33 − 10²/402) / 402²."""
    a = [True] * 21 + [False] * 11 + [True] * 368
    b = [False] * 21 + [True] * 11 + [True] * 368
    error = paired_standard_error(a, b)
    assert error == paired_standard_error(b, a) == pytest.approx(math.sqrt((33 - 100 / 402) / 402**2))
    agresti_min = difference_interval([a], [b])
    assert agresti_min.high == pytest.approx(10 / 400 + 1.959964 * error)


def test_two_runs_that_answer_alike_still_have_a_paired_error() -> None:
    assert paired_standard_error([True] * 10, [True] * 10) == pytest.approx(1 / 12)


def test_the_standard_error_of_a_share() -> None:
    assert standard_error(0.8, 10) == pytest.approx(0.1265, abs=1e-4)
    assert standard_error(1.0, 10) == 0


def runs(accuracies: Sequence[float], seed: int) -> list[list[bool]]:
    random = np.random.default_rng(seed)
    return [(random.random(1000) < accuracy).tolist() for accuracy in accuracies]


def simulated_studies(
    count_a: int, count_b: int, spread: tuple[float, float], studies: int = 1000, pictures: int = 400
) -> tuple[list[tuple[NDArray[np.bool_], NDArray[np.bool_]]], float]:
    """Answers of two methods on shared pictures [runs, pictures] in each study, and the true difference.

    An answer is right where a sum of normal terms is positive: how hard the picture is for all, and for the
    method; how good the seed is; and chance.
    """
    random = np.random.default_rng(7)
    hard = 1.5 * random.normal(size=(studies, 1, pictures))
    sides = []
    for count, own, accuracy in zip((count_a, count_b), spread, (0.92, 0.88), strict=True):
        # Summed, the terms are normal too, which puts the threshold where the accuracy is exact.
        level = NormalDist().inv_cdf(accuracy) * math.sqrt(1.5**2 + 0.7**2 + own**2 + 1)
        method = 0.7 * random.normal(size=(studies, 1, pictures))
        seed = own * random.normal(size=(studies, count, 1))
        chance = random.normal(size=(studies, count, pictures))
        sides.append(level + hard + method + seed + chance > 0)
    return list(zip(*sides, strict=True)), 0.92 - 0.88


def test_the_error_by_hand() -> None:
    """Two answers at 0.9 of which one is right, two at 0.58 that are right: (2·0.4 + 2·0.42) / 4."""
    logits = torch.tensor([[math.log(p), math.log(1 - p)] for p in (0.9, 0.9, 0.58, 0.58)])
    found = Reliability.of(logits, torch.tensor([0, 1, 0, 0]), bins=15)
    assert found.error == pytest.approx(0.41)
    assert found.pictures[8] == 2  # (8/15, 9/15]
    assert found.pictures[13] == 2
    certain = Reliability.of(torch.tensor([[100.0, -100.0]]), torch.tensor([0]))
    assert certain.pictures[14] == 1
