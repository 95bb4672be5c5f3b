"""What the default recipe was chosen from: trained on four folds, looked at on the fifth."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from types import MappingProxyType
from typing import Any

from adapters.vit.backbone import EMBEDDED_BACKBONE
from benchmarks.evidence.comparison import Setting
from benchmarks.evidence.folds import FOLDS, SIDE
from benchmarks.evidence.trial import OWN_LR, STILL, Known, Trial

SUITE = "recipe"
FORMER = "former"
DEFAULT = "lr-0.01, bottleneck-lr-0.3, held-back-half, moved"
TWICE = f"{DEFAULT}, steps-800"
SETTINGS = (
    *(Setting(f"{task}-64", task, SIDE) for task in ("eurosat", "flowers5", "dtd10")),
    *(
        Setting(task, task)
        for task in (
            "sprites-location", "sprites-orientation", "scene-count", "scene-distance", "scene-angle",
        )
    ),
)  # fmt: skip
_FORMER_OPTIONS: Mapping[str, Any] = MappingProxyType(
    {"method": "dvpt-plus", "lr": 4e-3, "bottleneck_lr_ratio": 1.0, "hold_back": 0.7, **STILL}
)
_AFFINE, _HALF, _FAST = {"method": "affine", "lr": 1e-2}, {"hold_back": 0.5}, {"lr": 1e-2}
_SLOW = _FAST | {"bottleneck_lr_ratio": 0.1}
_MOVED = {"random_shift": 1 / 32}
_NOW = _FAST | {"bottleneck_lr_ratio": 0.3} | _HALF | _MOVED
_WIDE = _FAST | {"bottleneck_lr_ratio": 0.3, "bottleneck_width": 32} | _HALF
CHANGES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        FORMER: {},
        "affine": _AFFINE,
        "held-back-half": _HALF,
        "affine, held-back-half": _AFFINE | _HALF,
        "lr-0.01": _FAST,
        "lr-0.01, bottleneck-lr-0.3": _FAST | {"bottleneck_lr_ratio": 0.3},
        "lr-0.01, bottleneck-lr-0.1": _SLOW,
        "lr-0.01, bottleneck-lr-0.1, held-back-half": _SLOW | _HALF,
        "lr-0.01, bottleneck-lr-0.3, 32 columns, held-back-half": _WIDE,
        "lr-0.01, bottleneck-lr-0.1, held-back-half, moved": _SLOW | _HALF | _MOVED,
        DEFAULT: _NOW,
        TWICE: _NOW | {"steps": 800},
        "lr-0.01, bottleneck-lr-0.3, 32 columns, held-back-half, moved": _WIDE | _MOVED,
        "lr-0.01, bottleneck-lr-0.3, 32 columns, held-back-half, moved, steps-800": _WIDE
        | _MOVED
        | {"steps": 800},
        "affine, held-back-half, moved": _AFFINE | _HALF | _MOVED,
        "lr-0.01, bottleneck-lr-0.1, decay-0.05": _SLOW | {"weight_decay": 0.05},
        "lr-0.01, no-bottleneck": _FAST | {"bottleneck_lr_ratio": 1e-6},
        "dvpt, held-back-half": {"method": "dvpt", "lr": 1e-2} | _HALF,
        "dvpt, held-back-half, moved": {"method": "dvpt", "lr": 1e-2} | _HALF | _MOVED,
        "linear": {"method": "linear", "lr": 1e-2} | _HALF,
        "nothing-held-back": {"hold_back": 0.0},
        "steps-800": {"steps": 800},
        "decay-0.05": {"weight_decay": 0.05},
    }
)
"""A bottleneck ends where it begins, at zero, with as good as no learning rate."""


def recipe_trials(known: Sequence[Known]) -> Iterator[Trial]:
    """Every change of the former recipe in every setting with one fold left out, then with the next."""
    del known
    for fold, (name, options), setting in product(range(FOLDS), CHANGES.items(), SETTINGS):
        backbone = {} if setting.image_size else {"backbone": EMBEDDED_BACKBONE}
        yield Trial(
            SUITE, setting.task, f"{setting.name}:{name}", OWN_LR, fold, "test", setting.image_size,
            extra={**_FORMER_OPTIONS, **backbone, **options}, recipe={},
        )  # fmt: skip
