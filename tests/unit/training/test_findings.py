import csv
from pathlib import Path

import torch

from training.findings import Predictions

LOGITS = torch.tensor([[2.0, 0.0], [0.0, 2.0], [0.0, 2.0]])


def test_accuracy_counts_right_answers() -> None:
    predictions = Predictions(("a", "b", "c"), torch.tensor([0, 1, 0]), LOGITS)
    assert predictions.correct == [True, True, False]
    assert predictions.accuracy == 2 / 3


def test_the_file_has_a_line_for_each_picture(tmp_path: Path) -> None:
    path = tmp_path / "new" / "answers.csv"
    Predictions(("a", "b", "c"), torch.tensor([0, 1, 0]), LOGITS).write(path)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["name"], row["label"], row["predicted"]) for row in rows] == [
        ("a", "0", "0"), ("b", "1", "1"), ("c", "0", "1"),
    ]  # fmt: skip
    assert abs(float(rows[0]["probability"]) - 0.880797) < 1e-5
