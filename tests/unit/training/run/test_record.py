import csv
from pathlib import Path

import pytest
import torch

from training.card.findings import Predictions
from training.errors import CheckpointDamaged
from training.run.record import RESULT, read_result, write_predictions

LOGITS = torch.tensor([[2.0, 0.0], [0.0, 2.0], [0.0, 2.0]])


def test_the_file_has_a_line_for_each_picture(tmp_path: Path) -> None:
    path = tmp_path / "new" / "answers.csv"
    write_predictions(Predictions(("a", "b", "c"), torch.tensor([0, 1, 0]), LOGITS), path)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["name"], row["label"], row["predicted"]) for row in rows] == [
        ("a", "0", "0"), ("b", "1", "1"), ("c", "0", "1"),
    ]  # fmt: skip
    assert abs(float(rows[0]["probability"]) - 0.880797) < 1e-5


@pytest.mark.parametrize("text", [None, "{", "{}"])
def test_a_result_that_cannot_be_read_is_named(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / RESULT).write_text(text)
    with pytest.raises(CheckpointDamaged, match=r"cannot read .*result.json: .*; start over with --fresh"):
        read_result(tmp_path)
