"""The parts of the default recipe, each changed by itself: trained on four folds, looked at on the fifth."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from types import MappingProxyType
from typing import Any

from adapters.vit.backbone import EMBEDDED_BACKBONE
from benchmarks.evidence.comparison import Setting
from benchmarks.evidence.folds import FOLDS, SIDE
from benchmarks.evidence.trial import OWN_LR, Known, Trial

SUITE = "recipe"
DEFAULT = "default"
SETTINGS = (
    *(Setting(f"{task}-64", task, SIDE) for task in ("eurosat", "flowers5", "dtd10")),
    *(
        Setting(task, task)
        for task in (
            "sprites-location", "sprites-orientation", "scene-count", "scene-distance", "scene-angle",
        )
    ),
)  # fmt: skip
_AFFINE, _HALF = {"method": "affine"}, {"hold_back": 0.5}
CHANGES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        DEFAULT: {},
        "affine": _AFFINE,
        "held-back-half": _HALF,
        "affine, held-back-half": _AFFINE | _HALF,
        "lr-0.01": {"lr": 1e-2},
        "lr-0.01, bottleneck-lr-0.3": {"lr": 1e-2, "bottleneck_lr_ratio": 0.3},
        "lr-0.01, bottleneck-lr-0.1": {"lr": 1e-2, "bottleneck_lr_ratio": 0.1},
        "lr-0.01, no-bottleneck": {"lr": 1e-2, "bottleneck_lr_ratio": 1e-6},
        "lr-0.01, bottleneck-lr-0.1, held-back-half": {"lr": 1e-2, "bottleneck_lr_ratio": 0.1} | _HALF,
        "nothing-held-back": {"hold_back": 0.0},
        "steps-800": {"steps": 800},
        "decay-0.05": {"weight_decay": 0.05},
    }
)
"""A bottleneck ends where it begins, at zero, with as good as no learning rate."""


def recipe_trials(known: Sequence[Known]) -> Iterator[Trial]:
    """Every change in every setting with one fold left out, then with the next."""
    del known
    for fold, (name, options), setting in product(range(FOLDS), CHANGES.items(), SETTINGS):
        backbone = {} if setting.image_size else {"backbone": EMBEDDED_BACKBONE}
        yield Trial(
            SUITE, setting.task, f"{setting.name}:{name}", OWN_LR, fold, "test", setting.image_size,
            extra={"method": "dvpt-plus", **backbone, **options}, recipe={},
        )  # fmt: skip
