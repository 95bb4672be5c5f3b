import csv
from pathlib import Path
from typing import cast

import torch

from adapters.kinds.adapter import Adapter
from adapters.kinds.dvpt.body import DvptBody
from adapters.kinds.dvpt.options import DvptOptions
from adapters.vit.backbone import Backbone
from training.loop.evaluate import Predictions, answer_of_adapter, predict_logits

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


def test_chunks_and_batches_make_no_difference(backbone: Backbone) -> None:
    adapter = Adapter(DvptOptions(count=2, meta_hidden=4), backbone.config, 3)
    cast("DvptBody", adapter.body).dropout.p = 0.5
    images = torch.randint(0, 256, (7, 3, 32, 32), dtype=torch.uint8)
    with torch.inference_mode():
        expected = adapter.eval()(backbone, images)
    logits = predict_logits(
        answer_of_adapter(backbone, adapter.train()), torch.device("cpu"), iter([images[:3], images[3:]])
    )
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5)
