"""A whole run, from the pictures to what is published and written down."""

import csv
import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from adapters.store.artifact import adapter_of
from adapters.store.store import Store
from adapters.vit.backbone import load_backbone
from training.data.pixels import Decoder
from training.errors import DataUnusable, NotWritten, RunInUse
from training.loop.evaluate import answer_of_adapter, predict_logits
from training.options.arguments import parse_arguments
from training.options.train_config import TrainConfig
from training.run.execution import Outcome, execute
from training.run.run import Run
from training.run.summary import summary
from training.run_directory import Checkpoint, RunDirectory

New = Callable[..., TrainConfig]
Make = Callable[..., Path]


def train(config: TrainConfig) -> tuple[Run, Outcome]:
    run = Run(config)
    return run, execute(run, "dvpt-train --task colours")


def digest_of(outcome: Outcome) -> str:
    assert outcome.version is not None
    return Store.open(outcome.store).config("colours", outcome.version).tensors_sha256


@pytest.mark.slow
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
    answer = answer_of_adapter(backbone, adapter_of(artifact, backbone.config))
    logits = predict_logits(answer, torch.device("cpu"), [pixels])
    torch.testing.assert_close(logits, outcome.findings.predictions.logits, rtol=0, atol=1e-4)
    assert outcome.findings.predictions.accuracy > 0.7  # chance is 0.33
    assert artifact.config.provenance["metrics"]["accuracy"] == round(
        outcome.findings.predictions.accuracy, 6
    )


@pytest.mark.slow
def test_the_run_directory_tells_the_whole_run(new_config: New, picture_folder: Make, tmp_path: Path) -> None:
    answers = tmp_path / "answers.csv"
    _, outcome = train(new_config(data=picture_folder(flat=20), predictions=answers, publish=False))
    assert outcome.version is None
    assert not Path(outcome.store).exists()
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("method", ["dvpt", "linear"])
def test_augmentation_is_of_training_alone(new_config: New, picture_folder: Make, method: str) -> None:
    """Another run than without, which a service meets with the pictures whole, as ever."""
    plain = new_config(data=picture_folder(train=6, test=4), method=method, fit="crop", epochs=2)
    augmented = plain.model_copy(update={"random_crop": "shift", "flip": 0.5})
    first, second = Run(plain), Run(augmented)
    assert first.directory.path != second.directory.path
    one, other = execute(first, "test"), execute(second, "test")
    assert one.findings.history[-1].loss != other.findings.history[-1].loss
    store = Store.open(other.store)
    assert store.load("colours", 1).config.preprocess == store.load("colours", 2).config.preprocess


@pytest.mark.parametrize("split", ["train", "test"])
def test_unreadable_pictures_stop_it_before_training(
    new_config: New, picture_folder: Make, split: str
) -> None:
    folder = picture_folder(train=6, test=2)
    (folder / split / "blue" / "001.png").write_bytes(b"\x89PNG broken")
    run = Run(new_config(data=folder))
    with pytest.raises(DataUnusable, match=rf"{split}/blue/001\.png"):
        execute(run, "dvpt-train")
    assert run.directory.load() is None


@pytest.mark.slow
def test_what_cannot_be_served_is_kept_as_a_checkpoint(new_config: New, picture_folder: Make) -> None:
    run, outcome = train(
        new_config(data=picture_folder(train=12, test=5), method="full", epochs=10, lr=0.003)
    )
    assert outcome.version is None
    assert not Path(outcome.store).exists()
    assert outcome.findings.predictions.accuracy > 0.7  # chance is 0.33
    checkpoint = run.directory.load()
    assert checkpoint is not None
    assert "backbone.blocks.0.attn.qkv.weight" in checkpoint.module
    assert "cannot run this method" in (outcome.run / "README.md").read_text()
    assert outcome.provenance.parameters.without_head > 0


@pytest.mark.slow
def test_the_configuration_beside_the_result_makes_the_same_run(
    new_config: New, picture_folder: Make
) -> None:
    config = new_config(
        data=picture_folder(train=6, test=2), label_smoothing=0.1, drop_path=0.2, deterministic=True,
        fresh=True, epochs=None,
    )  # fmt: skip
    _, outcome = train(config)
    arguments = ["--config", str(outcome.run / "config.toml")]
    again = parse_arguments(TrainConfig, arguments, prog="dvpt-train", description="")
    assert not again.fresh
    assert again.epochs == 134  # 400 steps, of 3 each
    repeated = Run(again)
    assert repeated.directory.path == outcome.run
    assert repeated.directory.load() is not None
    other = parse_arguments(TrainConfig, [*arguments, "--seed", "7"], prog="dvpt-train", description="")
    assert Run(other).directory.path != outcome.run


@pytest.mark.slow
def test_early_stopping_publishes_the_best_epoch(new_config: New, picture_folder: Make) -> None:
    config = new_config(
        data=picture_folder(train=6, val=2, test=2), train_split="train", val_every=1, patience=1, epochs=30,
        lr=1e-9,
    )  # fmt: skip
    run, outcome = train(config)
    assert [record.epoch for record in outcome.findings.history] == [1, 2]
    assert outcome.provenance.early_stopping is not None
    assert outcome.provenance.early_stopping.epoch == 1
    checkpoint = run.directory.load()
    assert checkpoint is not None
    assert outcome.version is not None
    published = Store.open(outcome.store).load("colours", outcome.version).tensors["body.prompts"]
    assert torch.equal(published, checkpoint.best["body.prompts"].bfloat16())
    assert not torch.equal(checkpoint.best["body.prompts"], checkpoint.module["body.prompts"])
    assert train(config)[1].findings.history == outcome.findings.history


def test_pictures_held_back_are_answered_before_they_are_trained_on(
    new_config: New, picture_folder: Make
) -> None:
    run, _ = train(new_config(data=picture_folder(train=28, val=8, test=2), epochs=4, hold_back=0.5))
    checkpoint = run.directory.load()
    assert checkpoint is not None
    assert run.held_back is not None
    held = set(run.held_back.rows.tolist())
    assert checkpoint.held_back["logits"].shape == (len(held), 3)
    training = run.new_training()
    for record in checkpoint.history:
        rows = torch.cat(training.begin_epoch(len(run.train)).batches).tolist()
        seen = set(range(108)) - (held if record.epoch <= 2 else set())
        assert sorted(rows) == sorted(seen)
        training.history.append(record)


@pytest.mark.slow
def test_what_is_worse_than_a_linear_head_ends_as_one(new_config: New, picture_folder: Make) -> None:
    folder = picture_folder(train=28, val=8, test=6)
    _, linear = train(new_config(data=folder, method="linear", epochs=0))
    ruined = {"data": folder, "method": "dvpt-plus", "lr": 30.0, "epochs": 4}
    run, floored = train(new_config(**ruined))
    store = Store.open(floored.store)
    assert store.config("colours", floored.version or 0).options.kind == "linear"
    assert floored.provenance.linear_floor is not None
    assert "published as a linear head, which was right for" in summary(run, floored)
    card = store.card("colours", floored.version or 0)["README.md"].decode()
    assert "**It is a linear head, which was right for" in card
    assert floored.provenance.linear_floor.own < floored.provenance.linear_floor.linear
    facts = [outcome.provenance.calibration for outcome in (linear, floored)]
    assert facts[0] is not None
    assert facts[1] is not None
    assert facts[0].temperature == pytest.approx(facts[1].temperature, rel=1e-3)
    expected, given = (outcome.findings.predictions.predicted for outcome in (linear, floored))
    assert torch.equal(given, expected)
    _, kept = train(new_config(**ruined, linear_floor=False))
    assert store.config("colours", kept.version or 0).options.kind == "combined"
    assert kept.provenance.linear_floor is None


@pytest.mark.slow
@pytest.mark.parametrize("method", ["dvpt", "full"])
def test_deterministic_runs_are_equal_and_another_run(
    new_config: New, picture_folder: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    modes: list[bool] = []
    save = RunDirectory.save

    def watched(self: RunDirectory, checkpoint: Checkpoint) -> None:
        modes.append(torch.are_deterministic_algorithms_enabled())
        save(self, checkpoint)

    monkeypatch.setattr(RunDirectory, "save", watched)
    options = {"data": picture_folder(train=6, test=2), "method": method, "deterministic": True}
    checkpoints = []
    for place in ("one", "two"):
        run, _ = train(new_config(**options, runs=tmp_path / place))
        checkpoints.append(run.directory.load())
    assert modes
    assert all(modes)
    assert not torch.are_deterministic_algorithms_enabled()
    first, second = checkpoints
    assert first is not None
    assert second is not None
    assert all(torch.equal(value, second.module[name]) for name, value in first.module.items())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the compiler's own
@pytest.mark.parametrize("method", ["bias", "sequential"])
def test_compiled_blocks_train_as_they_do_uncompiled(
    new_config: New, picture_folder: Make, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Bias, full and partial hand the blocks other parameters for each step, sequential hooks into them.

    Graphs are captured as for every back end; generating code would take minutes and is not what may break.
    """
    compiled: list[nn.Module] = []
    capture = nn.Module.compile

    def quickly(module: nn.Module) -> None:
        compiled.append(module)
        capture(module, backend="aot_eager")

    monkeypatch.setattr(nn.Module, "compile", quickly)
    options = {"data": picture_folder(train=6, test=2), "method": method, "lr": 0.01}
    losses = [
        [r.loss for r in train(new_config(**options, compile=wanted))[1].findings.history]
        for wanted in (False, True)
    ]
    assert compiled
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)
    assert losses[0][0] != pytest.approx(losses[0][1], abs=1e-3)


@pytest.mark.slow
def test_every_look_is_logged(new_config: New, picture_folder: Make) -> None:
    config = new_config(data=picture_folder(train=6, val=2, test=2), train_split="train", val_every=1)
    _, outcome = train(config)
    board: Any = cast("Any", EventAccumulator)(str(outcome.run))
    board.Reload()
    assert set(board.Tags()["scalars"]) == {"loss", "accuracy", "lr", "val_accuracy", "seconds"}
    with (outcome.run / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row, event in zip(rows, board.Scalars("loss"), strict=True):
        assert float(row["loss"]) == pytest.approx(event.value)
        assert all(row[name] for name in ("accuracy", "lr", "val_accuracy", "seconds"))


@pytest.mark.slow
def test_two_at_once_do_not_share_a_run_directory(new_config: New, picture_folder: Make) -> None:
    run = Run(new_config(data=picture_folder(train=4, test=2)))
    with run.directory.claimed(), pytest.raises(RunInUse, match="another process is training in"):
        execute(run, "dvpt-train")
    assert run.directory.load() is None
    assert execute(run, "dvpt-train").version == 1


@pytest.mark.slow
def test_a_run_directory_that_fills_up_after_training_costs_no_adapter(
    new_config: New, picture_folder: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = Run(new_config(data=picture_folder(train=4, test=2)))
    write = RunDirectory.write_bytes

    def full(self: RunDirectory, name: str, content: bytes) -> None:
        checkpoint = self.load()
        if checkpoint and len(checkpoint.history) == 2 and name != "metrics.csv":
            raise NotWritten(f"cannot write {name}: No space left on device")
        write(self, name, content)

    monkeypatch.setattr(RunDirectory, "write_bytes", full)
    outcome = execute(run, "dvpt-train")
    assert outcome.version == 1
    assert "no result.json: cannot write result.json: No space left" in caplog.text
    assert Store.open(outcome.store).card("colours", 1).keys() > {"README.md", "classes.png"}


@pytest.mark.slow
def test_a_store_that_cannot_be_written_is_named(new_config: New, picture_folder: Make) -> None:
    """A store whose folder's place is taken by a file."""
    run = Run(new_config(data=picture_folder(train=4, test=2)))
    Path(run.placement.store).write_text("a file")
    with pytest.raises(NotWritten, match=r"cannot publish to the store .*store: .*; the run is whole in"):
        execute(run, "dvpt-train")
    assert {"result.json", "predictions.csv", "README.md"} <= {p.name for p in run.directory.path.iterdir()}
