"""Which candidate goes on, and which is taken."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.auto.candidates import Candidate
from training.auto.choice import TIE, Lost, Tried, choose, compared, going_on
from training.card.findings import Predictions
from training.errors import Diverged


def tried(method: str, values: int, right: list[bool]) -> Tried:
    """A candidate that answers two classes, so many pictures of which rightly."""
    labels = torch.zeros(len(right), dtype=torch.long)
    logits = torch.tensor([[1.0, 0.0] if answer else [0.0, 1.0] for answer in right])
    names = tuple(f"{row}.png" for row in range(len(right)))
    return Tried(Candidate(method, values, 8), 8, Predictions(names, labels, logits))


def some(method: str, values: int, right: int, first: int = 0) -> Tried:
    """So many of 200 pictures one after the other are answered rightly, of whatever candidate."""
    return tried(method, values, [first <= row < first + right for row in range(200)])


def method_of(one: Tried) -> str:
    return one.candidate.method


def test_the_best_is_taken_where_it_is_clearly_better() -> None:
    chosen = choose([some("small", 10, 120), some("large", 20, 180)])
    assert (method_of(chosen.taken), len(chosen.level)) == ("large", 1)


@pytest.mark.parametrize(("won", "lost", "taken"), [(3, 2, "small"), (3, 1, "large"), (1, 0, "large")])
def test_the_smaller_one_is_taken_where_the_difference_is_within_half_a_standard_error(
    won: int, lost: int, taken: str
) -> None:
    """By pairs: 3 − 2 is less than √6 / 2, 3 − 1 is more than √5 / 2, 1 − 0 more than √2 / 2."""
    small = some("small", 10, 150)
    large = some("large", 20, 150 + won - lost, first=lost)
    assert method_of(choose([large, small]).taken) == taken


def test_a_difference_of_other_pictures_counts_by_pairs() -> None:
    """Three more right by 21 against 18 is chance, three more and none less is not."""
    flipped = [row >= 18 for row in range(171)] + [True] * 3 + [False] * 26
    small = tried("small", 10, [row < 153 for row in range(200)])
    large = tried("large", 20, flipped)
    assert large.answers.accuracy > small.answers.accuracy
    assert method_of(choose([small, large]).taken) == "small"
    assert method_of(choose([small, some("large", 20, sum(flipped))]).taken) == "large"


def test_equal_ones_end_with_the_smallest_of_all_that_are_level() -> None:
    three = [some("large", 30, 150), some("middle", 20, 150), some("small", 10, 150)]
    chosen = choose(three)
    assert method_of(chosen.taken) == "small"
    assert len(chosen.level) == 3


def test_what_is_level_with_a_second_best_alone_is_not_taken() -> None:
    small, middle, large = some("small", 10, 150), some("middle", 20, 151, first=2), some("large", 30, 160)
    assert method_of(choose([small, middle]).taken) == "small"
    assert method_of(choose([small, middle, large]).taken) == "large"


def test_without_any_that_finished_it_says_so() -> None:
    with pytest.raises(Diverged, match="every candidate of auto diverged"):
        choose([])


def test_the_best_goes_on_though_a_smaller_one_is_level_with_it() -> None:
    every = [some("a", 10, 150), some("b", 20, 100), some("c", 30, 148), some("d", 40, 151, first=2)]
    assert method_of(choose(every).taken) == "a"
    assert list(map(method_of, going_on(every, 2))) == ["d", "a"]


def test_the_second_place_goes_to_the_smaller_of_those_that_are_level() -> None:
    every = [some("a", 10, 120), some("b", 20, 150), some("c", 30, 150), some("d", 40, 180)]
    assert list(map(method_of, going_on(every, 2))) == ["d", "b"]


def test_no_more_go_on_than_finished() -> None:
    assert list(map(method_of, going_on([some("a", 10, 120)], 2))) == ["a"]
    assert going_on([], 2) == ()


@given(st.lists(st.lists(st.booleans(), min_size=12, max_size=12), min_size=1, max_size=5), st.integers(2, 3))
def test_what_is_taken_is_never_larger_than_the_best_nor_clearly_worse(
    answers: list[list[bool]], places: int
) -> None:
    every = [tried(f"m{index}", index, right) for index, right in enumerate(answers)]
    chosen = choose(every)
    behind, error = chosen.best.lead(chosen.taken)
    assert 0 <= behind <= TIE * error or chosen.taken is chosen.best
    assert chosen.taken.candidate.values <= chosen.best.candidate.values
    assert chosen.best.answers.accuracy == max(one.answers.accuracy for one in every)
    kept = going_on(every, places)
    assert chosen.best in kept
    assert len(set(map(method_of, kept))) == min(places, len(every))


def test_all_are_compared_with_the_best_and_the_smallest_stands_first() -> None:
    best, dropped = some("large", 30, 180), some("small", 10, 150)
    facts = compared([best, Lost(Candidate("wild", 20, 8), 8)], [dropped], best)
    assert [one.method for one in facts] == ["small", "wild", "large"]
    assert [one.accuracy for one in facts] == [0.75, None, 0.9]
    assert [one.dropped for one in facts] == [True, False, False]
    assert facts[0].behind == pytest.approx(0.15)
    assert facts[0].behind_error == pytest.approx(0.025, abs=0.001)
    assert (facts[1].behind, facts[2].behind) == (None, 0.0)
