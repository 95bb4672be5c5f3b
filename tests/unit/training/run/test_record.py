import csv
from pathlib import Path
from typing import Any

import pytest
import torch

from training.card.findings import Predictions
from training.data.source import TaskData
from training.errors import CheckpointDamaged
from training.methods import with_recipe
from training.methods.table import METHODS
from training.options.option_file import read_options
from training.options.train_config import TrainConfig
from training.run.record import RESULT, read_result, record_inputs, write_predictions
from training.run_directory import RunDirectory
from training.search.search_config import SearchConfig

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


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "options",
    [{}, {"train_split": "train", "eval_split": "val"}, {"calibrate": False}, {"train_split": "train"}],
)
def test_the_options_that_are_written_down_make_the_same_run(
    method: str, options: dict[str, Any], tmp_path: Path
) -> None:
    config = with_recipe(TrainConfig(task="colours", method=method, **options))
    record_inputs(RunDirectory(tmp_path), config, TaskData(("a", "b"), {}, "here"), "test")
    again = SearchConfig(**read_options(SearchConfig, tmp_path / "config.toml"))
    assert with_recipe(again.plain()) == config


def test_a_temperature_that_was_asked_for_is_asked_for_again(tmp_path: Path) -> None:
    config = TrainConfig(task="colours", calibrate=True)
    record_inputs(RunDirectory(tmp_path), config, TaskData(("a", "b"), {}, "here"), "test")
    assert read_options(TrainConfig, tmp_path / "config.toml")["calibrate"] is True
