"""What a user reads of the choice."""

from pathlib import Path

import pytest
import torch

from training.auto.candidates import Candidate
from training.auto.choice import Tried, choose
from training.auto.parts import Parts
from training.auto.words import choice_lines, why_taken
from training.card.findings import Predictions
from training.card.provenance import Choice, TriedMethod
from training.data.source import Split, TaskData


def some(method: str, values: int, right: int, of: int = 200, first: int = 0) -> Tried:
    """So many pictures one after the other are answered rightly."""
    labels = torch.zeros(of, dtype=torch.long)
    logits = torch.tensor([[float(first <= row < first + right), 0.5] for row in range(of)])
    names = tuple(f"{row}.png" for row in range(of))
    return Tried(Candidate(method, values, 8), 8, Predictions(names, labels, logits))


def parts(pairs: int = 1, why: str = "") -> Parts:
    val = Split(("a.png",), (0,), (Path("a.png"),))
    return Parts((TaskData(("a", "b"), {"val": val}, "here"),) * pairs, why)


@pytest.mark.parametrize(
    ("right", "words"),
    [
        ((180, 150, 100), "val has 200 pictures; it is the best, and the smallest too"),
        ((100, 180, 150), "it is the best, and none that is smaller is within half a standard error of it"),
        (
            (150, 151, 100),
            "b is better by 0.0050 ± 0.0140, which is within half a standard error: the smallest",
        ),
        ((150, 151, 151), "all candidates are within half a standard error of the best, the smallest was"),
    ],
)
def test_the_reason_follows_the_answers(right: tuple[int, int, int], words: str) -> None:
    tried = [
        some(name, values, own, first=first)
        for name, values, own, first in zip("abc", (10, 20, 30), right, (0, 3, 3), strict=True)
    ]
    assert words in why_taken(choose(tried), parts())


def test_what_is_known_of_few_pictures_is_said_first() -> None:
    why = why_taken(choose([some("a", 10, 8, of=10)]), parts(4, "val has 3 pictures"))
    assert why.startswith("val has 3 pictures, so that all 10 training pictures were answered instead, in 4 ")


def test_each_method_has_a_line_with_values_accuracy_and_epochs() -> None:
    tried = (
        TriedMethod(method="linear", values=1930, epochs=100, accuracy=0.8, behind=0.1, behind_error=0.03),
        TriedMethod(method="affine", values=11_146, epochs=1, accuracy=0.7, dropped=True),
        TriedMethod(method="dvpt", values=20_000, epochs=4),
    )
    choice = Choice(pictures=100, folds=0, tried=tried, why="it is the best")
    assert choice_lines(choice, "linear") == [
        "auto took linear: it is the best",
        "  linear   1,930 values  0.8000 ± 0.0400  100 epochs",
        "  affine  11,146 values  0.7000 ± 0.0458  1 epoch, dropped then",
        "  dvpt    20,000 values  diverged  4 epochs",
    ]


def test_where_nothing_was_tried_there_is_one_line() -> None:
    choice = Choice(pictures=0, folds=0, tried=(), why="nothing can be chosen")
    assert choice_lines(choice, "linear") == ["auto took linear: nothing can be chosen"]
