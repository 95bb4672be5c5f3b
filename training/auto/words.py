"""What auto says of its choice: why that method, what it can know and what it cannot."""

from training.auto.choice import Chosen
from training.auto.parts import Parts
from training.card.provenance import Choice, TriedMethod
from training.uncertainty import standard_error


def why_taken(chosen: Chosen, parts: Parts) -> str:
    """On what it was chosen, and why it was taken."""
    return f"{_on_what(chosen, parts)}; {_taken(chosen)}"


def choice_lines(choice: Choice, method: str) -> list[str]:
    """The choice for a summary, a line for each method that was tried."""
    return [f"auto took {method}: {choice.why}", *(f"  {line}" for line in _table(choice))]


def _table(choice: Choice) -> list[str]:
    name = max((len(one.method) for one in choice.tried), default=0)
    values = max((len(f"{one.values:,}") for one in choice.tried), default=0)
    return [
        f"{one.method:<{name}}  {one.values:>{values},} values  {accuracy_text(one, choice.pictures)}  "
        f"{epochs_text(one)}"
        for one in choice.tried
    ]


def accuracy_text(one: TriedMethod, pictures: int) -> str:
    """`0.8050 ± 0.0280`, by the standard error."""
    if one.accuracy is None:
        return "diverged"
    return f"{one.accuracy:.4f} ± {standard_error(one.accuracy, pictures):.4f}"


def epochs_text(one: TriedMethod) -> str:
    """`4 epochs, dropped then`; `at once` where nothing is trained step by step."""
    if one.epochs == 0:
        return "at once"
    return f"{one.epochs} epoch{'s' * (one.epochs != 1)}{', dropped then' * one.dropped}"


def _on_what(chosen: Chosen, parts: Parts) -> str:
    pictures = len(chosen.taken.answers.labels)
    if parts.folds:
        return (
            f"{parts.why}, so that all {pictures} training pictures were answered instead, in {parts.folds} "
            "folds, by runs without them and of few epochs"
        )
    return ", ".join(filter(None, [parts.why, f"val has {pictures} pictures"]))


def _taken(chosen: Chosen) -> str:
    taken, best, level = chosen.taken, chosen.best, chosen.level
    if len(level) == len(chosen.finished) > 1:
        return "all candidates are within half a standard error of the best, the smallest was taken"
    if taken is best and taken.candidate.values == min(one.candidate.values for one in chosen.finished):
        return "it is the best, and the smallest too"
    if taken is best:
        return "it is the best, and none that is smaller is within half a standard error of it"
    behind, error = best.lead(taken)
    return (
        f"{best.candidate.method} is better by {behind:.4f} ± {error:.4f}, which is within half a "
        "standard error: the smallest such was taken"
    )
