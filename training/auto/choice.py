"""Which of the methods that were tried goes on, and which is taken: the best, ties to the smaller one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from training.auto.candidates import Candidate
from training.card.findings import Predictions
from training.card.provenance import TriedMethod
from training.errors import Diverged
from training.uncertainty import paired_standard_error

TIE = 0.5
"""Standard errors of the difference to the best, within which a smaller one is taken."""


@dataclass(frozen=True)
class Tried:
    """A candidate after so many epochs, and its answers to pictures that it was not trained on.

    All of a choice answered the same pictures in one order.
    """

    candidate: Candidate
    epochs: int
    answers: Predictions

    def lead(self, other: "Tried") -> tuple[float, float]:
        """By how much its accuracy is larger, and the standard error of that, pictures paired."""
        error = paired_standard_error(self.answers.correct, other.answers.correct)
        return self.answers.accuracy - other.answers.accuracy, error


@dataclass(frozen=True)
class Lost:
    """A candidate that diverged within so many epochs."""

    candidate: Candidate
    epochs: int


@dataclass(frozen=True)
class Chosen:
    """What was taken of those that finished, what has the best accuracy, and all that are level with that."""

    taken: Tried
    best: Tried
    level: tuple[Tried, ...]
    finished: tuple[Tried, ...]


def choose(tried: Sequence[Tried]) -> Chosen:
    """The smallest of those within half a standard error of the best. Raises Diverged where there is none."""
    if not tried:
        raise Diverged("every candidate of auto diverged; choose a --method, with a lower --lr")
    best = max(tried, key=lambda one: (one.answers.accuracy, -one.candidate.values))
    level = tuple(one for one in tried if _is_level(best, one))
    return Chosen(min(level, key=lambda one: one.candidate.values), best, level, tuple(tried))


def going_on(tried: Sequence[Tried], places: int) -> tuple[Tried, ...]:
    """So many: the best in any case, as nothing is taken yet, then those that `choose` takes of the rest."""
    left = list(tried)
    chosen: list[Tried] = []
    while left and len(chosen) < places:
        found = choose(left)
        chosen.append(found.taken if chosen else found.best)
        left.remove(chosen[-1])
    return tuple(chosen)


def compared(
    left: Sequence[Tried | Lost], dropped: Sequence[Tried | Lost], best: Tried
) -> tuple[TriedMethod, ...]:
    """Every candidate beside the best, the smallest first."""
    every = [_compared(one, best) for one in left]
    every += [_compared(one, best, dropped=True) for one in dropped]
    return tuple(sorted(every, key=lambda one: one.values))


def _compared(one: Tried | Lost, best: Tried, *, dropped: bool = False) -> TriedMethod:
    facts: dict[str, Any] = {"method": one.candidate.method, "values": one.candidate.values}
    facts |= {"epochs": one.epochs, "dropped": dropped}
    if isinstance(one, Lost):
        return TriedMethod.model_validate(facts)
    behind, error = best.lead(one)
    measured = {"accuracy": one.answers.accuracy, "behind": behind, "behind_error": error}
    return TriedMethod.model_validate(facts | {name: round(value, 6) for name, value in measured.items()})


def _is_level(best: Tried, other: Tried) -> bool:
    behind, error = best.lead(other)
    return behind <= TIE * error
