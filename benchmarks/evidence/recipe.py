"""The parts of the default recipe, each changed by itself: trained on train, looked at on val alone."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from types import MappingProxyType
from typing import Any

from benchmarks.evidence.comparison import Setting
from benchmarks.evidence.trial import OWN_LR, Known, Trial

SUITE = "default-recipe"
DEFAULT = "default"
SEEDS = (0, 1, 2)
SETTINGS = (
    *(Setting(f"{task}-64", task, 64) for task in ("eurosat", "flowers5", "dtd10", "sprites-orientation")),
    Setting("sprites-location", "sprites-location"),
    Setting("scene-count", "scene-count"),
)
CHANGES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        DEFAULT: {},
        "steps-800": {"steps": 800},
        "no-meta-net": {"meta_net": "none"},
        "learning-rate-0.01": {"lr": 1e-2},
        "bottleneck-16": {"bottleneck_width": 16},
        "no-smoothing": {"label_smoothing": 0.0},
        "last-step": {"model_ema_decay": 0.0},
        "pi-in-all-layers": {"dynamic_layers": "all"},
        "random-prompts": {"prompt_start": "random"},
        "new-head": {"head_first": False},
        "prompts-4": {"prompt_count": 4},
        "no-drop-path": {"drop_path": 0.0},
        "head-lr-0.1": {"head_lr_ratio": 0.1},
        "learning-rate-0.0015": {"lr": 1.5e-3},
        "steps-200": {"steps": 200, "epochs": 10},
    }
)


def recipe_trials(known: Sequence[Known]) -> Iterator[Trial]:
    """Every change in every setting with one seed, then with the next."""
    del known
    for seed, (name, options), setting in product(SEEDS, CHANGES.items(), SETTINGS):
        yield Trial(
            SUITE, setting.task, f"{setting.name}:{name}", OWN_LR, seed, "val", setting.image_size,
            extra={"method": "dvpt-plus", **options}, recipe={},
        )  # fmt: skip
