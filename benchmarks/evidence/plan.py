"""What is compared with what: methods, readings of DVPT, amounts of data, and the values that are tried."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from types import MappingProxyType
from typing import Any

from benchmarks.evidence.comparison import COMPARISONS
from benchmarks.evidence.instances import SUITE as INSTANCES
from benchmarks.evidence.instances import instance_trials
from benchmarks.evidence.recipe import SUITE as RECIPE_SUITE
from benchmarks.evidence.recipe import recipe_trials
from benchmarks.evidence.trial import Known, Trial, Variant, best_lr
from training.methods.table import METHODS as TABLE
from training.methods.table import options_of

SEEDS = (0, 1, 2)
MORE_SEEDS = (3, 4)
SMALL_PX, FULL_PX = 64, 224
PARTS = (0.1, 0.3, 0.5, 0.7)

DVPT = {"method": "dvpt"}
PROMPT_LRS = (3e-2, 1e-2, 3e-3)
METHODS = (
    Variant("dvpt", DVPT, PROMPT_LRS),
    Variant("vpt", {"method": "vpt"}, PROMPT_LRS),
    Variant("linear", {"method": "linear"}, PROMPT_LRS),
    Variant("bias", {"method": "bias"}, (1e-2, 3e-3, 1e-3)),
    Variant("full", {"method": "full"}, (1e-3, 3e-4, 1e-4)),
    Variant("bottleneck-8", options_of("sequential-8"), (1e-2, 3e-3, 1e-3)),
    Variant("bottleneck-64", options_of("sequential-64"), (1e-2, 3e-3, 1e-3)),
    Variant(
        "bottleneck-8-vpt_zero",
        {**options_of("sequential-8"), "sequential_init": "vpt_zero"},
        (1e-2, 3e-3, 1e-3),
    ),
    Variant("partial-1", options_of("partial-1"), (3e-3, 1e-3, 3e-4)),
    Variant("mlp-2", options_of("mlp-2"), (1e-2, 3e-3, 1e-3)),
    Variant("mlp-5", options_of("mlp-5"), (1e-2, 3e-3, 1e-3)),
    Variant("sidetune", {"method": "sidetune"}, (3e-3, 1e-3, 3e-4)),
)
MAIN = (
    Variant("dvpt", DVPT, (1e-2, 3e-3)),
    Variant("vpt", {"method": "vpt"}, (1e-2, 3e-3)),
    Variant("linear", {"method": "linear"}, (1e-2, 3e-3)),
    Variant("bias", {"method": "bias"}, (1e-2, 3e-3)),
    Variant("full", {"method": "full"}, (3e-4, 1e-4)),
)
READINGS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "dvpt": {},
        "per-token": {"meta_input": "token"},
        "all-layers": {"dynamic_layers": "all"},
        "specific": {"meta_net": "specific"},
        "meta-2": {"meta_layers": 2},
        "meta-6": {"meta_layers": 6},
        "norm": {"meta_norm": True},
        "lr-ratio-0.1": {"meta_lr_ratio": 0.1},
        "lr-ratio-0.3": {"meta_lr_ratio": 0.3},
        "per-token-norm": {"meta_input": "token", "meta_norm": True},
        "shallow": {"deep": False},
        "prompts-1": {"prompt_count": 1},
        "prompts-5": {"prompt_count": 5},
        "prompts-20": {"prompt_count": 20},
        "dropout-0.1": {"prompt_dropout": 0.1},
        "vpt": {"method": "vpt"},
        "vpt-shallow": {"method": "vpt", "deep": False},
    }
)


REGULARIZERS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "none": {},
        "drop-path-0.1": {"drop_path": 0.1},
        "drop-path-0.2": {"drop_path": 0.2},
        "smoothing-0.1": {"label_smoothing": 0.1},
        "decay-0.05": {"weight_decay": 0.05},
        "drop-path-0.1-smoothing-0.1": {"drop_path": 0.1, "label_smoothing": 0.1},
        "drop-path-0.1-dropout-0.1": {"drop_path": 0.1, "prompt_dropout": 0.1},
        "drop-path-0.2-smoothing-0.1": {"drop_path": 0.2, "label_smoothing": 0.1},
    }
)
REGULARIZED = (
    ("dvpt", DVPT, 1e-2), ("vpt", {"method": "vpt"}, 1e-2), ("full", {"method": "full"}, 3e-4),
    ("bias", {"method": "bias"}, 1e-2),
)  # fmt: skip
RECIPES = (
    ("dvpt", "drop-path-smoothing"), ("bias", "drop-path-smoothing"), ("vpt", "drop-path-smoothing"),
    ("full", "drop-path-smoothing"), ("dvpt", "dropout"), ("dvpt", "clip"),
)  # fmt: skip
RECIPE: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "drop-path-smoothing": {"drop_path": 0.1, "label_smoothing": 0.1},
        "dropout": {"prompt_dropout": 0.1},
        "clip": {"clip_grad": 1.0},
    }
)
AUGMENTED_TASKS = ("eurosat", "flowers5", "dtd10")
AUGMENTATIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "none": {},
        "flip": {"flip": 0.5},
        "crop-flip": {"random_crop": "resized", "flip": 0.5},
        "crop-flip-rand": {"random_crop": "resized", "flip": 0.5, "rand_augment": 9},
        "mixup": {"mixup": 0.2},
        "erasing": {"random_erasing": 0.25},
    }
)


def trials(suite: str, known: Sequence[Known]) -> list[Trial]:
    """What the suite consists of, as far as it is known: what depends on a selection comes after it."""
    return list(SUITES[suite](known))


def _methods(suite: str, variants: Sequence[Variant], px: int, known: Sequence[Known]) -> Iterator[Trial]:
    """Selection on val with seed 0, then the test with each seed."""
    for variant in variants:
        for lr in variant.lrs:
            yield Trial(suite, "eurosat", variant.name, lr, 0, "val", px, extra=variant.options)
    for seed, variant in product(SEEDS, variants):
        chosen = best_lr(suite, variant, known)
        if chosen is not None:
            yield Trial(suite, "eurosat", variant.name, chosen, seed, "test", px, extra=variant.options)


def _readings(known: Sequence[Known]) -> Iterator[Trial]:
    """Readings of DVPT, all at one learning rate; the whole set once before the next seed."""
    del known
    for seed, (name, options) in product(SEEDS, READINGS.items()):
        yield Trial("readings", "eurosat", name, 1e-2, seed, "test", SMALL_PX, extra={**DVPT, **options})


def _regularizers(known: Sequence[Known]) -> Iterator[Trial]:
    """What keeps a method from learning its thousand pictures by heart; DVPT's first, then the peers'."""
    del known
    for seed, (method, options, lr), name in product(SEEDS, REGULARIZED, REGULARIZERS):
        extra = {**options, **REGULARIZERS[name]}
        if TABLE[method].prompts != "none" or "prompt_dropout" not in extra:
            variant = f"{method}-{name}"
            yield Trial("regularizers", "eurosat", variant, lr, seed, "test", SMALL_PX, extra=extra)


def _recipes(known: Sequence[Known]) -> Iterator[Trial]:
    """What may close DVPT's gap at the backbone's own size, and the same for the methods ahead of it."""
    del known
    lrs = {method: lr for method, _, lr in REGULARIZED}
    for seed, (method, recipe) in product(SEEDS, RECIPES):
        extra = {"method": method, **RECIPE[recipe]}
        variant = f"{method}-{recipe}"
        yield Trial("recipe-224", "eurosat", variant, lrs[method], seed, "test", FULL_PX, extra=extra)


def _augmentation(known: Sequence[Known]) -> Iterator[Trial]:
    """Whether augmentation should be a default: on val, so that no test picture chooses it."""
    del known
    for seed, (name, options), task in product(SEEDS, AUGMENTATIONS.items(), AUGMENTED_TASKS):
        extra = {**DVPT, **RECIPE["drop-path-smoothing"], **options}
        yield Trial("augmentation", task, f"{task}-{name}", 1e-2, seed, "val", SMALL_PX, extra=extra)


def _more_seeds(known: Sequence[Known]) -> Iterator[Trial]:
    """Two seeds more of what three leave open by a hair: drop path with smoothing, and one prompt a layer."""
    del known
    for seed in MORE_SEEDS:
        yield Trial("methods-224", "eurosat", "dvpt", 1e-2, seed, "test", FULL_PX, extra=DVPT)
        extra = {**DVPT, **RECIPE["drop-path-smoothing"]}
        yield Trial(
            "recipe-224", "eurosat", "dvpt-drop-path-smoothing", 1e-2, seed, "test", FULL_PX, extra=extra
        )
    for seed, name in product(MORE_SEEDS, ("dvpt", "prompts-1", "dropout-0.1")):
        extra = {**DVPT, **READINGS[name]}
        yield Trial("readings", "eurosat", name, 1e-2, seed, "test", SMALL_PX, extra=extra)


def _prompts(known: Sequence[Known]) -> Iterator[Trial]:
    """More prompts than the default ten, as VPT publishes for some tasks (a hundred for EuroSAT)."""
    del known
    for seed, count, method in product(SEEDS, (50, 100), ("dvpt", "vpt")):
        extra = {"method": method, "prompt_count": count}
        yield Trial("prompts-224", "eurosat", f"{method}-{count}", 1e-2, seed, "test", FULL_PX, extra=extra)


def _scale(known: Sequence[Known]) -> Iterator[Trial]:
    """Parts of the thousand training pictures, at each method's learning rate of the methods suite."""
    compared = [variant for variant in METHODS if variant.name in {"dvpt", "linear", "full"}]
    for seed, part, variant in product(SEEDS, PARTS, compared):
        lr = best_lr("methods-64", variant, known)
        if lr is not None:
            name = f"{variant.name}-{part:.0%}"
            yield Trial("scale", "eurosat", name, lr, seed, "test", SMALL_PX, part, extra=variant.options)


SUITES: Mapping[str, Callable[[Sequence[Known]], Iterator[Trial]]] = MappingProxyType(
    {
        "readings": _readings,
        "methods-64": lambda known: _methods("methods-64", METHODS, SMALL_PX, known),
        "methods-224": lambda known: _methods("methods-224", MAIN, FULL_PX, known),
        "regularizers": _regularizers,
        "recipe-224": _recipes,
        "prompts-224": _prompts,
        "augmentation": _augmentation,
        "more-seeds": _more_seeds,
        "scale": _scale,
        **COMPARISONS,
        RECIPE_SUITE: recipe_trials,
        INSTANCES: instance_trials,
    }
)
