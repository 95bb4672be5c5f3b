from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from training.errors import Diverged
from training.options.train_config import TrainConfig
from training.run.execution import execute
from training.run.run import Run
from training.run.workbench import KEPT_BYTES, Workbench
from training.run_directory import Checkpoint
from training.search.joint import train_jointly
from training.search.result import SearchResult
from training.search.search import Search
from training.search.search_config import SearchConfig

New = Callable[..., TrainConfig]
Make = Callable[..., Path]
TRIALS: tuple[dict[str, Any], ...] = (
    {"lr": 0.02, "weight_decay": 0.1},
    {"lr": 0.005, "seed": 3},
    {"method": "vpt", "lr": 0.01},
    {"meta_net": "specific", "dynamic_layers": "all", "optimizer": "sgd", "lr": 0.1},
)


@pytest.fixture
def new_runs(new_config: New, picture_folder: Make, tmp_path: Path) -> Callable[..., list[Run]]:
    folder = picture_folder(train=7, val=3, test=3)

    def make(place: str, trials: Sequence[dict[str, Any]] = TRIALS, **common: Any) -> list[Run]:
        options = {"data": folder, "runs": tmp_path / place, "epochs": 3, "publish": False}
        options |= {"drop_path": 0.0} | common  # which paths are dropped is drawn anew for a shared pass
        bench = Workbench(KEPT_BYTES)
        return [Run(new_config(**options | own), bench) for own in trials]

    return make


def checkpoint(run: Run) -> Checkpoint:
    found = run.directory.load()
    assert found is not None
    return found


def assert_same(one: Run, other: Run) -> None:
    a, b = checkpoint(one), checkpoint(other)
    assert len(a.history) == len(b.history)
    for name, value in a.module.items():
        torch.testing.assert_close(value, b.module[name], rtol=1e-3, atol=1e-4)
    for record, twin in zip(a.history, b.history, strict=True):
        assert record.loss == pytest.approx(twin.loss, rel=1e-3)
        assert record.lr == twin.lr


@pytest.mark.slow
def test_trials_trained_together_end_where_each_would_alone(new_runs: Callable[..., list[Run]]) -> None:
    alone, together = new_runs("alone"), new_runs("together")
    for run in alone:
        execute(run, "test")
    train_jointly(together)
    for one, other in zip(alone, together, strict=True):
        assert_same(one, other)


@pytest.mark.slow
def test_augmented_trials_see_the_pictures_that_each_would_alone(
    new_runs: Callable[..., list[Run]],
) -> None:
    augmented = {"random_crop": "shift", "fit": "crop", "flip": 0.5, "mixup": 0.4}
    alone, together = new_runs("alone", **augmented), new_runs("together", **augmented)
    for run in alone[:2]:
        execute(run, "test")
    train_jointly(together)
    for one, other in zip(alone[:2], together[:2], strict=True):
        assert_same(one, other)


@pytest.mark.slow
def test_an_interrupted_trial_goes_on_among_the_others(new_runs: Callable[..., list[Run]]) -> None:
    alone, together = new_runs("alone"), new_runs("together")
    execute(alone[1], "test")
    first = new_runs("together")[1]
    first.start()
    training = first.new_training()
    epoch = training.begin_epoch(len(first.train))
    images, labels = first.decoder.load(first.train), torch.tensor(first.train.labels)
    with first.directory.claimed(fresh=False):
        for rows in epoch.batches:
            torch.autograd.backward(training.score(epoch, first.method.logits(images[rows]), labels[rows]))
            training.update()
        training.end_epoch(epoch, first.directory, lambda: 0.0)
    train_jointly(together)
    assert_same(alone[1], together[1])


@pytest.mark.slow
def test_a_trial_that_diverges_drops_out_and_harms_no_other(new_runs: Callable[..., list[Run]]) -> None:
    trials = [{"lr": 0.02}, {"lr": 1e30}, {"lr": 0.005}]
    alone, together = new_runs("alone", trials), new_runs("together", trials)
    for run in (alone[0], alone[2]):
        execute(run, "test")
    train_jointly(together)
    assert_same(alone[0], together[0])
    assert_same(alone[2], together[2])
    with pytest.raises(Diverged):
        execute(together[1], "test")


def test_only_prompts_can_share_a_forward_pass(new_runs: Callable[..., list[Run]]) -> None:
    with pytest.raises(TypeError, match="linear has no prompts"):
        train_jointly(new_runs("linear", [{"method": "linear"}]))


@pytest.mark.slow
def test_a_search_chooses_the_same_with_trials_side_by_side(new_runs: Callable[..., list[Run]]) -> None:
    plain = new_runs("search", [{}])[0].config.model_dump(exclude_unset=True, exclude={"lr", "head_layers"})
    grid = {"search": True, "grid_lr": (0.001, 0.02, 0.05), "grid_weight_decay": (0.0,)}

    def search(place: str, joint_trials: int) -> SearchResult:
        own = {"runs": plain["runs"] / place, "joint_trials": joint_trials}
        config = SearchConfig.model_validate(plain | grid | own)
        return Search(config, Workbench(KEPT_BYTES)).execute("test")

    one_by_one, side_by_side = search("one", 1), search("side", 2)
    assert side_by_side.lr == one_by_one.lr
    assert side_by_side.val_accuracy == one_by_one.val_accuracy
    assert side_by_side.trials == one_by_one.trials == 3
