"""Reads what `dvpt-train --predictions` writes."""

import csv
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Prediction:
    """One picture's label and answer, as class indices."""

    name: str
    label: int
    predicted: int

    @property
    def correct(self) -> bool:
        """Whether the answer is the label."""
        return self.label == self.predicted


def read_predictions(path: Path) -> list[Prediction]:
    """Every line of a predictions file, in the split's order."""
    with path.open(newline="") as file:
        return [
            Prediction(row["name"], int(row["label"]), int(row["predicted"])) for row in csv.DictReader(file)
        ]


def accuracy(predictions: list[Prediction]) -> float:
    """The part of right answers."""
    return sum(prediction.correct for prediction in predictions) / len(predictions)
