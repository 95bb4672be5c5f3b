from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from torch.nn.utils import parameters_to_vector

from adapters.vit.backbone import Backbone
from training.data.augmentation import augmentation_of
from training.errors import Diverged
from training.loop.drop_path import dropped_paths
from training.loop.epoch import Pictures
from training.loop.loop import Training
from training.methods import build_method, with_recipe
from training.methods.linear import LinearMethod
from training.options.train_config import TrainConfig
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
    config = with_recipe(config)
    torch.manual_seed(config.seed)
    method = build_method(backbone, config, 3)
    augmentation = augmentation_of(config, backbone.config, 3)
    paths = partial(dropped_paths, backbone, config.drop_path or 0.0)
    return Training(method, config, CPU, paths, augmentation=augmentation)


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


def test_class_weights_make_the_loss_that_of_balanced_pictures(backbone: Backbone, new_config: New) -> None:
    config = with_recipe(new_config(label_smoothing=0.2))
    method = build_method(backbone, config, 2)
    weighted = Training(method, config, CPU, class_weights=torch.tensor([1.0, 3.0]))
    plain = Training(method, config, CPU)
    logits = torch.tensor([[2.0, -1.0], [0.5, 0.0], [1.0, 0.3], [0.1, 0.7]])
    labels = torch.tensor([0, 0, 0, 1])
    repeated = torch.cat([torch.arange(4), torch.tensor([3, 3])])
    loss = weighted.score(weighted.begin_epoch(8), logits, labels)
    balanced = plain.score(plain.begin_epoch(8), logits[repeated], labels[repeated])
    torch.testing.assert_close(loss, balanced)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"optimizer": "sgd", "prompt_dropout": 0.3, "head_layers": 2},
        {"label_smoothing": 0.2, "drop_path": 0.4},
        {"precision": "fp16"},
        {"train_split": "train", "val_every": 1, "patience": 3},
        {"random_crop": "resized", "flip": 0.5, "rand_augment": 9, "mixup": 0.4, "random_erasing": 0.5},
        {"method": "linear", "flip": 0.5, "cutmix": 1.0},
    ],
)
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
    for part in ("module", "optimizer", "best"):
        for name, tensor in getattr(first, part).items():
            assert torch.equal(tensor, getattr(second, part)[name]), name
    assert bool(first.best) == bool(config.patience)
    assert first.scaler == second.scaler
    assert [r.loss for r in first.history] == [r.loss for r in second.history]


@pytest.mark.parametrize("method", ["dvpt", "linear", "partial"])
def test_augmented_pictures_are_learnt_too(
    backbone: Backbone, new_config: New, tmp_path: Path, method: str
) -> None:
    """Colours stay the classes' own under flips, crops and mixing."""
    options = {"random_crop": "resized", "flip": 0.5, "mixup": 0.1}
    training = new_training(backbone, new_config(method=method, epochs=20, lr=0.02, **options))
    _, seen = fit(training, tmp_path, "run")
    assert seen[-1].accuracy > 0.8
    assert seen[-1].loss < 0.7 * seen[0].loss


def test_every_epoch_is_drawn_anew(backbone: Backbone, new_config: New) -> None:
    training = new_training(backbone, new_config(epochs=3, lr=0.01, rand_augment=9))
    seen = []
    for number in (0, 0, 1):
        training.history[:] = [EpochRecord(1, 1.0, 0.5, 0.01, 1.0)] * number
        epoch = training.begin_epoch(21)
        epoch.batches[0] = torch.arange(21)
        seen.append(training.batch(pictures(), epoch)[0])
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])


def test_a_loss_that_is_no_number_stops_with_its_step(
    backbone: Backbone, new_config: New, tmp_path: Path
) -> None:
    training = new_training(backbone, new_config(epochs=3, lr=1e30, optimizer="sgd", warmup=0.0))
    with pytest.raises(
        Diverged, match=r"the loss is (nan|inf) at step \d+ \(epoch \d, learning rate .*e\+(29|30)\)"
    ):
        fit(training, tmp_path, "run")


class Spoiled(LinearMethod):
    """Its logits are no numbers from a given batch on."""

    batches_left = 7

    def logits(self, inputs: torch.Tensor) -> torch.Tensor:
        self.batches_left -= 1
        return super().logits(inputs) * (float("nan") if self.batches_left < 0 else 1.0)


def test_the_last_good_checkpoint_is_kept_when_the_loss_is_no_number(
    backbone: Backbone, new_config: New, tmp_path: Path
) -> None:
    config = new_config(method="linear", epochs=5, lr=0.01)
    method = Spoiled(backbone, config, 3)
    run = run_at(tmp_path)
    seen = pictures()
    with pytest.raises(Diverged, match=r"nan at step 8 \(epoch 3, .*; the checkpoint of epoch 2 is kept"):
        Training(method, config, CPU).fit(
            Pictures(method.inputs(seen.inputs), seen.labels), run, lambda _: None, lambda: 0.5
        )
    kept = run.load()
    assert kept is not None
    assert [record.epoch for record in kept.history] == [1, 2]
    assert all(bool(torch.isfinite(value).all()) for value in kept.module.values())


def test_an_update_that_no_loss_shows_does_not_reach_the_checkpoint(
    backbone: Backbone, new_config: New, tmp_path: Path
) -> None:
    """A rate that makes the very last update of an epoch overflow."""
    config = new_config(epochs=1, lr=1e38, weight_decay=1e4, optimizer="sgd", warmup=0.0, batch_size=21)
    run = run_at(tmp_path)
    training = new_training(backbone, config)
    with pytest.raises(Diverged, match=r"is not finite at step 1 \(epoch 1"):
        training.fit(pictures(), run, lambda _: None, lambda: 0.5)
    assert run.load() is None


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_step_is_no_longer_than_the_clipped_gradient(
    backbone: Backbone, new_config: New, tmp_path: Path, precision: str
) -> None:
    def step_length(clip_grad: float) -> float:
        config = new_config(
            epochs=1, lr=1.0, clip_grad=clip_grad, optimizer="sgd", weight_decay=0.0, warmup=0.0,
            batch_size=21, precision=precision,
        )  # fmt: skip
        training = new_training(backbone, config)
        before = parameters_to_vector(training._method.module.parameters()).detach().clone()
        fit(training, tmp_path, f"clip-{clip_grad}")
        after = parameters_to_vector(training._method.module.parameters()).detach()
        return float((after - before).norm())

    assert step_length(0.001) == pytest.approx(0.001, rel=1e-3)
    assert step_length(1e6) == pytest.approx(step_length(0), rel=1e-6)
    assert step_length(0) > 0.002


def test_label_smoothing_raises_the_least_loss(backbone: Backbone, new_config: New, tmp_path: Path) -> None:
    plain, smooth = (
        fit(new_training(backbone, new_config(epochs=12, lr=0.02, label_smoothing=part)), tmp_path, str(part))
        for part in (0.0, 0.5)
    )
    # With half of each label spread over three classes no answer has less than the entropy of 2/3, 1/6, 1/6.
    assert plain[1][-1].loss < 0.8 < smooth[1][-1].loss
    assert smooth[1][-1].accuracy == 1.0


def test_drop_path_disturbs_training_and_no_look_at_val(
    backbone: Backbone, new_config: New, tmp_path: Path
) -> None:
    config = new_config(epochs=1, drop_path=0.9, val_every=1, train_split="train")
    training, run = new_training(backbone, config), run_at(tmp_path)
    looks: list[torch.Tensor] = []

    def look() -> float:
        looks.extend(backbone.encode(backbone.embed(pictures().inputs)) for _ in range(2))
        return 0.5

    training.fit(pictures(), run, lambda _: None, look)
    assert torch.equal(*looks)
    _, plain = fit(new_training(backbone, new_config(epochs=1)), tmp_path, "plain")
    assert training.history[0].loss != plain[0].loss


def early(epochs: int = 9, patience: int = 2, **options: object) -> dict[str, object]:
    return {"epochs": epochs, "patience": patience, "val_every": 1, "train_split": "train"} | options


def test_training_stops_when_val_gets_no_better_and_goes_back_to_the_best(
    backbone: Backbone, new_config: New, tmp_path: Path
) -> None:
    training, run = new_training(backbone, new_config(**early(lr=0.01))), run_at(tmp_path)
    val, states = iter([0.2, 0.6, 0.4, 0.6, 0.9]), list[torch.Tensor]()

    def look() -> float:
        states.append(training._method.module.state_dict()["body.prompts"].clone())
        return next(val)

    training.fit(pictures(), run, lambda _: None, look)
    assert [record.val_accuracy for record in training.history] == [0.2, 0.6, 0.4, 0.6]
    kept = training.keep_best()
    assert kept is not None
    assert kept.epoch == 2
    assert torch.equal(training._method.module.state_dict()["body.prompts"], states[1])
    assert not torch.equal(states[3], states[1])


def test_a_run_that_had_stopped_early_is_finished_when_it_is_found_again(
    backbone: Backbone, new_config: New, tmp_path: Path
) -> None:
    config, run = new_config(**early()), run_at(tmp_path)
    first = new_training(backbone, config)
    first.fit(pictures(), run, lambda _: None, lambda: 0.5)
    assert len(first.history) == 3
    again, checkpoint = new_training(backbone, config), run.load()
    assert checkpoint is not None
    assert not again.finished
    again.resume(checkpoint)
    assert again.finished
    first.keep_best()
    again.keep_best()
    ours, theirs = (t._method.module.state_dict()["body.prompts"] for t in (first, again))
    assert torch.equal(ours, theirs)


def test_patience_is_judged_where_val_was_looked_at(
    backbone: Backbone, new_config: New, tmp_path: Path
) -> None:
    training = new_training(backbone, new_config(**early(epochs=8, patience=1, val_every=3)))
    training.fit(pictures(), run_at(tmp_path), lambda _: None, lambda: 0.5)
    assert [record.epoch for record in training.history][-1] == 6


def test_without_patience_the_last_epoch_counts(backbone: Backbone, new_config: New, tmp_path: Path) -> None:
    training = new_training(backbone, new_config(epochs=2, val_every=1, train_split="train"))
    training.fit(pictures(), run_at(tmp_path), lambda _: None, iter([0.9, 0.1]).__next__)
    assert training.keep_best() is None


def test_val_is_looked_at_when_asked(backbone: Backbone, new_config: New, tmp_path: Path) -> None:
    config = new_config(epochs=4, lr=0.01, val_every=2, train_split="train")
    _, seen = fit(new_training(backbone, config), tmp_path, "run")
    assert [record.val_accuracy for record in seen] == [None, 0.5, None, 0.5]


def test_defaults_are_resolved_before(backbone: Backbone, new_config: New) -> None:
    config = new_config(epochs=None)
    with pytest.raises(ValueError, match="resolved"):
        Training(build_method(backbone, config, 3), config, CPU)
    Training(build_method(backbone, config, 3), with_recipe(config), CPU)
