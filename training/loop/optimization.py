"""Optimizers, the learning rate's course, the order of pictures; all a function of options and seed."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from training.options.train_config import TrainConfig


def new_optimizer(module: nn.Module, config: TrainConfig) -> Optimizer:
    """AdamW, or SGD with momentum 0.9; head and Meta-Net may have learning rates of their own."""
    if config.lr is None:
        raise ValueError("the learning rate is resolved before training")
    groups = _groups(module, config)
    if config.optimizer == "sgd":
        return SGD(groups, lr=config.lr, momentum=0.9, weight_decay=config.weight_decay)
    return AdamW(groups, lr=config.lr, weight_decay=config.weight_decay)


def balanced_weights(labels: Sequence[int], class_count: int) -> Tensor:
    """Weights [C] that give every class the same sum over its pictures, as scikit-learn's `balanced`."""
    counts = torch.bincount(torch.tensor(labels), minlength=class_count)
    return len(labels) / (class_count * counts.clamp(min=1))


def set_lr(optimizer: Optimizer, lr: float) -> None:
    """Set the learning rate, times each group's ratio."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["lr_ratio"]


def _groups(module: nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """The parameters by learning rate and weight decay.

    Biases and the weights of norms are what has one dimension or none, as timm tells them.
    """
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, value in module.named_parameters():
        decays = config.decay_biases or value.dim() > 1
        groups.setdefault((_lr_ratio(name, config), not decays), []).append(value)
    return [
        {
            "params": groups[ratio, undecayed],
            "lr_ratio": ratio,
            "weight_decay": 0.0 if undecayed else config.weight_decay,
        }
        for ratio, undecayed in groups
    ]


def _lr_ratio(name: str, config: TrainConfig) -> float:
    """A parameter's learning rate over that of the run, by the part it is of."""
    parts = name.split(".")
    if parts[0] == "head":
        return config.head_lr_ratio or 1.0
    if "bottleneck" in parts:
        return config.bottleneck_lr_ratio or 1.0
    return config.meta_lr_ratio if "meta_net" in parts else 1.0


def lr_factor(step: int, steps: int, warmup: float) -> float:
    """Factor on the peak learning rate at `step` of `steps`: linear up over `warmup`, then a half cosine."""
    rising = round(steps * warmup)
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1.0 + math.cos(math.pi * (step - rising) / (steps - rising)))


def batches(count: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Row indices in random order, `size` at a time; the last batch may be smaller.

    A single row left over joins the batch before it: BatchNorm has no statistics of one row.
    """
    chunks = list(torch.split(torch.randperm(count, generator=generator), size))
    if len(chunks) > 1 and len(chunks[-1]) == 1:
        chunks[-2:] = [torch.cat(chunks[-2:])]
    yield from chunks


def steps_in_epoch(count: int, size: int) -> int:
    """How many batches `batches` gives."""
    whole, rest = divmod(count, size)
    return max(whole + (rest > 1), 1)


def seed_epoch(seed: int, epoch: int) -> torch.Generator:
    """Seed dropout and give the order's generator, so that an epoch needs its number alone."""
    derived = (seed * 1_000_003 + epoch + 1) % 2**63
    torch.manual_seed(derived)
    return torch.Generator().manual_seed(derived)


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """The optimizer's state as named tensors: `<parameter index>.<name>`."""
    state = optimizer.state_dict()["state"]
    return {
        f"{index}.{name}": value
        for index, values in state.items()
        for name, value in values.items()
        if isinstance(value, Tensor)
    }


def restore_optimizer(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    """The inverse of `optimizer_tensors`, for an optimizer of the same parameters."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
