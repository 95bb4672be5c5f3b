from collections.abc import Callable

import pytest
import torch
from torch import nn

from adapters.kinds.adapter import Adapter
from adapters.kinds.combined.options import CombinedOptions
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.options import KindOptions
from adapters.vit.backbone import Backbone
from training.loop.optimization import (
    balanced_weights,
    batches,
    lr_factor,
    new_optimizer,
    optimizer_tensors,
    restore_optimizer,
    seed_epoch,
    set_lr,
    steps_in_epoch,
)
from training.options.train_config import TrainConfig


def test_balanced_weights_give_each_class_the_same_sum() -> None:
    labels = [0, 0, 0, 1, 3, 3]
    weights = balanced_weights(labels, 4)
    sums = [float(weights[label]) * labels.count(label) for label in (0, 1, 3)]
    assert sums == pytest.approx([1.5, 1.5, 1.5])
    assert bool(torch.isfinite(weights).all())


def test_the_rate_rises_linearly_and_falls_as_a_cosine() -> None:
    course = [lr_factor(step, 100, 0.1) for step in range(100)]
    assert course[0] == pytest.approx(0.1)
    assert course[9] == course[10] == 1.0
    assert course[55] == pytest.approx(0.5)
    assert 0 < course[99] < 0.001
    assert course[10:] == sorted(course[10:], reverse=True)


def test_without_warm_up_the_rate_starts_at_its_peak() -> None:
    assert lr_factor(0, 7, 0.0) == 1.0


@pytest.mark.parametrize(("count", "size"), [(10, 4), (9, 4), (8, 4), (3, 8), (1, 8)])
def test_each_row_comes_once_and_the_last_batch_is_kept(count: int, size: int) -> None:
    drawn = list(batches(count, size, torch.Generator().manual_seed(0)))
    assert sorted(torch.cat(drawn).tolist()) == list(range(count))
    assert len(drawn) == steps_in_epoch(count, size)


def test_a_single_row_left_over_joins_the_batch_before() -> None:
    assert [len(rows) for rows in batches(9, 4, torch.Generator().manual_seed(0))] == [4, 5]


def test_an_epoch_is_a_function_of_seed_and_number() -> None:
    first = torch.randperm(50, generator=seed_epoch(3, 2)), torch.rand(4)
    again = torch.randperm(50, generator=seed_epoch(3, 2)), torch.rand(4)
    other = torch.randperm(50, generator=seed_epoch(3, 1))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_a_restored_optimizer_takes_the_same_next_step(name: str) -> None:
    config = TrainConfig.model_validate({"task": "t", "optimizer": name, "lr": 0.1})
    models = [nn.Linear(3, 2), nn.Linear(3, 2)]
    models[1].load_state_dict(models[0].state_dict())
    first, second = (new_optimizer(model, config) for model in models)

    def step(model: nn.Module, optimizer: torch.optim.Optimizer, value: float) -> None:
        optimizer.zero_grad()
        torch.autograd.backward(model(torch.full((1, 3), value)).square().sum())
        optimizer.step()

    step(models[0], first, 1.0)
    models[1].load_state_dict(models[0].state_dict())
    saved = {key: value.clone() for key, value in optimizer_tensors(first).items()}
    restore_optimizer(second, saved)
    for model, optimizer in zip(models, (first, second), strict=True):
        step(model, optimizer, 2.0)
    assert torch.equal(models[0].weight, models[1].weight)


@pytest.mark.parametrize(
    ("options", "ratio", "part"),
    [
        (DvptOptions(count=2), "meta_lr_ratio", "meta_net"),
        (CombinedOptions(), "bottleneck_lr_ratio", "bottleneck"),
    ],
)
def test_a_part_may_have_a_learning_rate_of_its_own(
    backbone: Backbone, new_config: Callable[..., TrainConfig], options: KindOptions, ratio: str, part: str
) -> None:
    adapter = Adapter(options, backbone.config, 3)
    optimizer = new_optimizer(adapter, new_config(lr=0.1, **{ratio: 0.5}))
    set_lr(optimizer, 0.02)
    lr_of = {id(value): group["lr"] for group in optimizer.param_groups for value in group["params"]}
    found = {name: lr_of[id(value)] for name, value in adapter.named_parameters()}
    assert found == {name: 0.01 if part in name else 0.02 for name in found}
    assert len({*found.values()}) == 2


def test_biases_and_norms_need_not_decay(backbone: Backbone, new_config: Callable[..., TrainConfig]) -> None:
    module = nn.ModuleDict({"adapter": Adapter(DvptOptions(count=2), backbone.config, 3)})
    module["norm"] = nn.BatchNorm1d(4)
    optimizer = new_optimizer(module, new_config(lr=0.1, weight_decay=0.3, decay_biases=False))
    decay = {
        id(value): group["weight_decay"] for group in optimizer.param_groups for value in group["params"]
    }
    found = {name: decay[id(value)] for name, value in module.named_parameters()}
    undecayed = {name for name, value in found.items() if value == 0.0}
    assert undecayed == {name for name in found if name.endswith("bias") or name.startswith("norm")}
    assert {*found.values()} == {0.0, 0.3}
    assert len(new_optimizer(module, new_config(lr=0.1)).param_groups) == 1
