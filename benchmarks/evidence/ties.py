"""How large a tie auto should make: its candidates' answers, of which some play val and the rest tell."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from benchmarks.evidence.comparison_report import NOT_YET, t_half_width
from benchmarks.evidence.finished_runs import Row, from_hex
from benchmarks.evidence.recipe import DEFAULT, SETTINGS, SUITE
from training.auto.choice import TIE
from training.card.markdown import table
from training.uncertainty import paired_standard_error

CANDIDATES: Mapping[str, str] = MappingProxyType(
    {
        "linear": "linear",
        "affine": "affine, held-back-half, moved",
        "dvpt": "dvpt, held-back-half, moved",
        "dvpt-plus": DEFAULT,
        "dvpt-wide": "lr-0.01, bottleneck-lr-0.3, 32 columns, held-back-half, moved, steps-800",
    }
)
"""The candidates of auto, the smallest first, as the suite of recipes names them."""
WIDTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
VAL, DRAWS = 200, 400
Answers = NDArray[np.bool_]
"""Right or wrong, (candidates, pictures)."""

_INTRODUCTION = f"""## How large a tie `--method auto` makes

Auto takes the smallest candidate that is within so many standard errors of the best on val. Its candidates
on the folds of the recipes above: of the folds that all of them have been looked at on, {VAL} pictures are
val, and the accuracy is that of what is taken on the others, the mean of {DRAWS} draws. A width of 0 takes
the best on val; {TIE:g} is auto's own. Differences carry a 95 % interval (Student's t over the tasks). The
last line is the mean of the values that are trained in what is taken."""


@dataclass(frozen=True)
class Taken:
    """What a width comes to: the mean accuracy on pictures that are not val, and how often each is taken."""

    accuracy: float
    often: NDArray[np.float64]


def ties_section(rows: Sequence[Row]) -> str:
    """A line for each setting, a column for each width of a tie."""
    tasks = {setting.name: _answers(rows, setting.name) for setting in SETTINGS}
    taken = {name: _taken(answers) for name, answers in tasks.items() if answers.shape[1] > VAL}
    lines = [
        (name, str(answers.shape[1]), *_cells([one.accuracy for one in taken.get(name, [])]))
        for name, answers in tasks.items()
    ]
    if taken:
        values = np.array([_values(rows, change) for change in CANDIDATES.values()])
        widths = list(zip(*taken.values(), strict=True))
        means = [fmean(one.accuracy for one in width) for width in widths]
        sizes = [fmean(float(one.often @ values) for one in width) for width in widths]
        lines += [
            ("mean", "", *_cells(means)),
            (f"minus {WIDTHS[-1]:g}, points", "", *_against_widest(list(taken.values()))),
            ("values", "", *(f"{size:,.0f}" for size in sizes)),
        ]
    heads = ("task", "pictures", *(f"{width:g} standard errors" for width in WIDTHS))
    return f"{_INTRODUCTION}\n\n{table(heads, lines)}"


def _cells(accuracies: Sequence[float]) -> tuple[str, ...]:
    return tuple(f"{value:.4f}" for value in accuracies) or (NOT_YET,) * len(WIDTHS)


def _against_widest(tasks: Sequence[Sequence[Taken]]) -> Iterator[str]:
    """The mean difference to the last width, with its 95 % interval for tasks like these."""
    for place in range(len(WIDTHS)):
        found = [100 * (task[place].accuracy - task[-1].accuracy) for task in tasks]
        mean, half = fmean(found), t_half_width(found)
        yield f"{mean:+.2f}" + ("" if half is None else f" ({mean - half:+.2f} to {mean + half:+.2f})")


def _answers(rows: Sequence[Row], setting: str) -> Answers:
    """Of the folds that all candidates have been looked at on."""
    found = {(row.variant, row.seed): row for row in rows if row.suite == SUITE and row.pictures}
    folds = [
        [found.get((f"{setting}:{change}", fold)) for change in CANDIDATES.values()]
        for fold in sorted({fold for _, fold in found})
    ]
    whole = [[from_hex(row.correct, row.pictures) for row in fold if row] for fold in folds if all(fold)]
    if not whole:
        return np.zeros((len(CANDIDATES), 0), dtype=np.bool_)
    return np.concatenate([np.array(fold, dtype=np.bool_) for fold in whole], axis=1)


def _taken(answers: Answers) -> list[Taken]:
    """For each width."""
    random = np.random.default_rng(0)
    accuracies: list[list[float]] = [[] for _ in WIDTHS]
    often = [np.zeros(len(answers)) for _ in WIDTHS]
    for _ in range(DRAWS):
        order = random.permutation(answers.shape[1])
        val, rest = answers[:, order[:VAL]], answers[:, order[VAL:]].mean(axis=1)
        for place, width in enumerate(WIDTHS):
            one = smallest_level(val, width)
            accuracies[place].append(float(rest[one]))
            often[place][one] += 1 / DRAWS
    return [Taken(fmean(found), counts) for found, counts in zip(accuracies, often, strict=True)]


def smallest_level(val: Answers, width: float) -> int:
    """The first of the candidates that is within so many standard errors of the best."""
    accuracies = val.mean(axis=1)
    best = int(accuracies.argmax())
    for place, accuracy in enumerate(accuracies):
        error = paired_standard_error(list(val[best]), list(val[place]))
        if accuracies[best] - accuracy <= width * error:
            return place
    return best


def _values(rows: Sequence[Row], change: str) -> float:
    """Trained with the head, the mean over runs."""
    suffix = f":{change}"
    found = [row.values for row in rows if row.suite == SUITE and row.variant.endswith(suffix)]
    return fmean([values for values in found if values is not None] or [0])
