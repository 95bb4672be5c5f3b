"""The points of a search: which optimizer, learning rate and weight decay are tried."""

from dataclasses import dataclass
from typing import Literal

from training.methods.table import METHODS
from training.search.search_config import SearchConfig

Optimizer = Literal["adamw", "sgd"]

MODERN_FACTORS = (0.3, 1.0, 3.0)
MODERN_WEIGHT_DECAYS = (1e-4, 1e-2)

# VPT, appendix: learning rates for a batch of 256.
VPT_SGD_LRS = (50.0, 25.0, 10.0, 5.0, 2.5, 1.0, 0.5, 0.25, 0.1, 0.05)
VPT_ADAMW_LRS = (5e-3, 1e-3, 5e-4, 1e-4)
VPT_WEIGHT_DECAYS = (1e-2, 1e-3, 1e-4, 0.0)
VPT_BATCH = 256


@dataclass(frozen=True)
class Point:
    """One choice: optimizer, peak learning rate, weight decay."""

    optimizer: Optimizer
    lr: float
    weight_decay: float

    def __str__(self) -> str:
        return f"{self.optimizer}, learning rate {self.lr:g}, weight decay {self.weight_decay:g}"


def grid(config: SearchConfig) -> tuple[Point, ...]:
    """Every point of the search in the order it is tried, weight decays inside learning rates.

    Learning rates that the options give are taken as they are; VPT's are scaled by batch / 256.
    """
    optimizer, lrs, weight_decays = _vpt(config) if config.grid == "vpt" else _modern(config)
    return tuple(
        Point(optimizer, lr, weight_decay)
        for lr in config.grid_lr or lrs
        for weight_decay in config.grid_weight_decay or weight_decays
    )


def _modern(config: SearchConfig) -> tuple[Optimizer, tuple[float, ...], tuple[float, ...]]:
    own = METHODS[config.method].recipe.lr
    lrs = tuple(_short(own * factor) for factor in MODERN_FACTORS)
    return config.optimizer, lrs, MODERN_WEIGHT_DECAYS


def _vpt(config: SearchConfig) -> tuple[Optimizer, tuple[float, ...], tuple[float, ...]]:
    scale = config.batch_size / VPT_BATCH
    optimizer = METHODS[config.method].vpt_optimizer
    lrs = VPT_ADAMW_LRS if optimizer == "adamw" else VPT_SGD_LRS
    return optimizer, tuple(_short(lr * scale) for lr in lrs), VPT_WEIGHT_DECAYS


def _short(value: float) -> float:
    """Without the noise of a binary product: 0.003, not 0.0030000000000000005."""
    return float(f"{value:.6g}")
