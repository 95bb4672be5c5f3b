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
_AFFINE = {"method": "affine"}
_ALL = {"hold_back": 0.0}
CHANGES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        DEFAULT: {},
        "nothing-held-back": _ALL,
        "held-back-half": {"hold_back": 0.5},
        "affine": _AFFINE,
        "affine, nothing-held-back": _AFFINE | _ALL,
        "lr-0.01": {"lr": 1e-2},
        "lr-0.01, bottleneck-lr-0.3": {"lr": 1e-2, "bottleneck_lr_ratio": 0.3},
        "held-back-0.3": {"hold_back": 0.3},
        "held-back-tenth": {"val_fraction": 0.1},
        "steps-800": {"steps": 800},
        "affine, held-back-half": _AFFINE | {"hold_back": 0.5},
        "lr-0.002": {"lr": 2e-3},
        "decay-0.05": {"weight_decay": 0.05},
        "no-meta-net": {"meta_net": "none"},
        "new-head": {"head_first": False},
        "no-drop-path": {"drop_path": 0.0},
        "no-smoothing": {"label_smoothing": 0.0},
        "last-step": {"model_ema_decay": 0.0},
    }
)


def recipe_trials(known: Sequence[Known]) -> Iterator[Trial]:
    """Every change in every setting with one fold left out, then with the next."""
    del known
    for fold, (name, options), setting in product(range(FOLDS), CHANGES.items(), SETTINGS):
        backbone = {} if setting.image_size else {"backbone": EMBEDDED_BACKBONE}
        yield Trial(
            SUITE, setting.task, f"{setting.name}:{name}", OWN_LR, fold, "test", setting.image_size,
            extra={"method": "dvpt-plus", **backbone, **options}, recipe={},
        )  # fmt: skip
