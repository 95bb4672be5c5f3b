import csv
import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from adapters.backbone import load_backbone
from adapters.store import Store
from training.config import TrainConfig
from training.data.pictures import Decoder
from training.errors import DataUnusable
from training.evaluate import answer_of_adapter, predict_logits
from training.publish import rounded_adapter
from training.run import Outcome, Run

New = Callable[..., TrainConfig]
Make = Callable[..., Path]


def train(config: TrainConfig) -> tuple[Run, Outcome]:
    run = Run(config)
    return run, run.execute("dvpt-train --task colours")


def digest_of(outcome: Outcome) -> str:
    assert outcome.version is not None
    return Store.open(outcome.store).config("colours", outcome.version).tensors_sha256


@pytest.mark.parametrize(
    ("options", "method"),
    [
        ({"method": "dvpt", "epochs": 6, "lr": 0.02}, "dvpt"),
        ({"method": "vpt", "epochs": 6, "lr": 0.02, "deep": False}, "vpt"),
        ({"method": "linear", "epochs": 20}, "linear"),
        ({"method": "mlp", "epochs": 20}, "mlp"),
    ],
)
def test_what_is_published_reloads_and_gives_the_evaluated_answers(
    new_config: New, picture_folder: Make, options: dict[str, object], method: str
) -> None:
    run, outcome = train(new_config(data=picture_folder(train=12, test=5), **options))
    assert outcome.version == 1
    store = Store.open(outcome.store)
    artifact = store.load("colours", store.resolve("colours"))
    assert artifact.config.method == method
    assert {tensor.dtype for tensor in artifact.tensors.values()} == {torch.bfloat16}

    config = run.config
    backbone = load_backbone(config.backbone or "", weights=config.weights, image_size=32)
    pixels = Decoder(artifact.config.preprocess, 32).load(run.held_out)
    answer = answer_of_adapter(backbone, rounded_adapter(artifact, backbone.config))
    logits = predict_logits(answer, torch.device("cpu"), [pixels])
    torch.testing.assert_close(logits, outcome.findings.predictions.logits, rtol=0, atol=1e-4)
    assert outcome.findings.predictions.accuracy > 0.7  # chance is 0.33
    assert artifact.config.provenance["metrics"]["accuracy"] == round(
        outcome.findings.predictions.accuracy, 6
    )


def test_the_run_directory_tells_the_whole_run(new_config: New, picture_folder: Make, tmp_path: Path) -> None:
    answers = tmp_path / "answers.csv"
    _, outcome = train(new_config(data=picture_folder(flat=20), predictions=answers, publish=False))
    assert outcome.version is None
    assert not outcome.store.exists()
    names = {path.name.partition(".")[0] for path in outcome.run.iterdir()}
    assert names >= {"config", "splits", "checkpoint", "metrics", "predictions", "result", "README", "events"}
    splits = json.loads((outcome.run / "splits.json").read_text())
    assert splits["made"][0].startswith("test: 12 pictures cut off")
    assert len(splits["train"]) == 48
    with answers.open(newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == splits["test"]
    result = json.loads((outcome.run / "result.json").read_text())
    assert len(result["data"]["train_sha256"]) == 64
    assert result["splits_made"] == splits["made"]
    assert result["packages"]["torch"] == version("torch")


def test_selection_never_sees_test(new_config: New, picture_folder: Make) -> None:
    config = new_config(
        data=picture_folder(train=10, test=3),
        train_split="train",
        eval_split="val",
        val_every=1,
        publish=False,
    )
    run, outcome = train(config)
    assert set(outcome.findings.predictions.names) == set(run.data.splits["val"].names)
    assert not set(run.train.names) & set(run.held_out.names)
    assert outcome.findings.history[-1].val_accuracy is not None


def test_the_same_seed_gives_the_same_tensors_and_a_second_run_publishes_again(
    new_config: New, picture_folder: Make, tmp_path: Path
) -> None:
    folder = picture_folder(train=6, test=2)
    _, first = train(new_config(data=folder))
    _, other_place = train(new_config(data=folder, runs=tmp_path / "again"))
    _, reused = train(new_config(data=folder))
    assert digest_of(first) == digest_of(other_place)
    assert digest_of(reused) == digest_of(first)
    assert reused.run == first.run
    assert [first.version, other_place.version, reused.version] == [1, 2, 3]
    _, other_seed = train(new_config(data=folder, seed=1))
    assert digest_of(other_seed) != digest_of(first)


def test_changed_pictures_start_another_run(new_config: New, picture_folder: Make) -> None:
    folder = picture_folder(train=6, test=2)
    before = Run(new_config(data=folder)).directory.path
    (folder / "train" / "amber" / "000.png").write_bytes((folder / "train" / "blue" / "000.png").read_bytes())
    assert Run(new_config(data=folder)).directory.path != before


@pytest.mark.parametrize("split", ["train", "test"])
def test_unreadable_pictures_stop_it_before_training(
    new_config: New, picture_folder: Make, split: str
) -> None:
    folder = picture_folder(train=6, test=2)
    (folder / split / "blue" / "001.png").write_bytes(b"\x89PNG broken")
    run = Run(new_config(data=folder))
    with pytest.raises(DataUnusable, match=rf"{split}/blue/001\.png"):
        run.execute("dvpt-train")
    assert run.directory.load() is None


def test_what_cannot_be_served_is_kept_as_a_checkpoint(new_config: New, picture_folder: Make) -> None:
    run, outcome = train(
        new_config(data=picture_folder(train=12, test=5), method="full", epochs=10, lr=0.003)
    )
    assert outcome.version is None
    assert not outcome.store.exists()
    assert outcome.findings.predictions.accuracy > 0.7  # chance is 0.33
    checkpoint = run.directory.load()
    assert checkpoint is not None
    assert "backbone.blocks.0.attn.qkv.weight" in checkpoint.module
    assert "cannot run this method" in (outcome.run / "README.md").read_text()
    assert outcome.provenance["parameters"]["without_head"] > 0
