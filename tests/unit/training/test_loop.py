from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from adapters.backbone import Backbone
from training.config import TrainConfig
from training.errors import Diverged
from training.loop import Pictures, Training
from training.methods import build_method, with_recipe
from training.run_directory import EpochRecord, RunDirectory

New = Callable[..., TrainConfig]
CPU = torch.device("cpu")


def pictures() -> Pictures:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 90, (21, 3, 32, 32), dtype=torch.uint8, generator=generator)
    labels = torch.arange(21) % 3
    images[torch.arange(21), labels] += 150  # each class has a colour of its own
    return Pictures(images, labels)


def new_training(backbone: Backbone, config: TrainConfig) -> Training:
    torch.manual_seed(config.seed)
    return Training(build_method(backbone, config, 3), config, CPU)


def run_at(path: Path) -> RunDirectory:
    path.mkdir(exist_ok=True)
    return RunDirectory(path)


def fit(training: Training, runs: Path, name: str) -> tuple[RunDirectory, list[EpochRecord]]:
    run, seen = run_at(runs / name), list[EpochRecord]()
    training.fit(pictures(), run, seen.append, lambda: 0.5)
    return run, seen


def test_it_learns(backbone: Backbone, new_config: New, tmp_path: Path) -> None:
    training = new_training(backbone, new_config(epochs=12, lr=0.02))
    _, seen = fit(training, tmp_path, "run")
    assert seen[-1].accuracy == 1.0
    assert seen[-1].loss < 0.5 * seen[0].loss
    assert [record.epoch for record in seen] == list(range(1, 13))


@pytest.mark.parametrize("options", [{}, {"optimizer": "sgd", "prompt_dropout": 0.3, "head_layers": 2}])
def test_a_resumed_run_ends_bit_for_bit_as_one_in_a_piece(
    backbone: Backbone, new_config: New, tmp_path: Path, options: dict[str, object]
) -> None:
    config = new_config(epochs=4, lr=0.01, **options)
    whole, _ = fit(new_training(backbone, config), tmp_path, "whole")

    class Interrupted(Exception):
        """Stands for a kill between two epochs."""

    def stop(record: EpochRecord) -> None:
        if record.epoch == 2:
            raise Interrupted

    halves = run_at(tmp_path / "halves")
    with pytest.raises(Interrupted):
        new_training(backbone, config).fit(pictures(), halves, stop, lambda: 0.5)
    resumed = new_training(backbone, config)
    checkpoint = halves.load()
    assert checkpoint is not None
    resumed.resume(checkpoint)
    fit(resumed, tmp_path, "halves")
    first, second = whole.load(), halves.load()
    assert first is not None
    assert second is not None
    for name, tensor in first.module.items():
        assert torch.equal(tensor, second.module[name]), name
    assert [r.loss for r in first.history] == [r.loss for r in second.history]


def test_a_loss_that_is_no_number_stops_with_its_step(
    backbone: Backbone, new_config: New, tmp_path: Path
) -> None:
    training = new_training(backbone, new_config(epochs=3, lr=1e30, optimizer="sgd", warmup=0.0))
    with pytest.raises(
        Diverged, match=r"the loss is (nan|inf) at step \d+ \(epoch \d, learning rate .*e\+(29|30)\)"
    ):
        fit(training, tmp_path, "run")


def test_val_is_looked_at_when_asked(backbone: Backbone, new_config: New, tmp_path: Path) -> None:
    config = new_config(epochs=4, lr=0.01, val_every=2, train_split="train")
    _, seen = fit(new_training(backbone, config), tmp_path, "run")
    assert [record.val_accuracy for record in seen] == [None, 0.5, None, 0.5]


def test_defaults_are_resolved_before(backbone: Backbone, new_config: New) -> None:
    config = new_config(epochs=None)
    with pytest.raises(ValueError, match="resolved"):
        Training(build_method(backbone, config, 3), config, CPU)
    Training(build_method(backbone, config, 3), with_recipe(config), CPU)
