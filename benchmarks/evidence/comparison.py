"""Every method on every task: the same search for each, one seed of all first, then the other seeds.

A method is trained as `dvpt-train` trains it by default, but for the learning rate, which is chosen on val.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from types import MappingProxyType
from typing import Any

from benchmarks.evidence.trial import OWN_LR, Known, Trial, Variant, best_lr
from training.methods import table

SUITE, FEW_SHOT = "comparison", "few-shot"
FIRST_SEED, MORE_SEEDS = 0, (1, 2, 3, 4)
SHOTS = (5, 10, 30, 100)


@dataclass(frozen=True)
class Setting:
    """A task on a backbone; without `image_size` it is the embedded one, which reads 64 pixels a side."""

    name: str
    task: str
    image_size: int | None = None


@dataclass(frozen=True)
class Competitor:
    """A method, or a choice among methods; without `lrs` it chooses by itself, or not at all."""

    name: str
    lrs: tuple[float, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def on(self, setting: Setting) -> Variant:
        """As one setting's rows name it."""
        return Variant(f"{setting.name}:{self.name}", self.options, self.lrs)


EMBEDDED = (
    "digits", "sprites-location", "sprites-orientation", "scene-count", "scene-distance", "scene-angle",
)  # fmt: skip
PHOTOGRAPHS = ("eurosat", "flowers5", "dtd10")
GROUPS: Mapping[str, tuple[Setting, ...]] = MappingProxyType(
    {
        "ViT-Tiny at 64 pixels": tuple(Setting(f"{task}-64", task, 64) for task in PHOTOGRAPHS),
        "the embedded backbone": tuple(Setting(task, task) for task in EMBEDDED),
        "ViT-Tiny at 224 pixels": (Setting("eurosat-224", "eurosat", 224),),
    }
)
_TINY, _EMBEDDED, LARGE = GROUPS.values()
SMALL = (*_TINY, *_EMBEDDED)
FEW_SHOT_SETTINGS = _TINY[:2]

_HIGH, _LOW = (1e-2, 3e-3), (1e-3, 3e-4)
ALL = (
    Competitor(table.AUTO, options={"method": table.AUTO}),
    Competitor("default"),
    Competitor("linear", options={"method": "linear"}),
    Competitor("dvpt", _HIGH, {"method": "dvpt"}),
    Competitor("bias", _HIGH, {"method": "bias"}),
    Competitor("adapter-8", _HIGH, table.options_of("sequential-8")),
    Competitor("full", _LOW, {"method": "full"}),
    Competitor("vpt", _HIGH, {"method": "vpt"}),
)
FEW_SHOT_NAMES = (table.AUTO, "default", "dvpt", "linear")


def competitors(names: Sequence[str] | None = None) -> tuple[Competitor, ...]:
    """All, or those named."""
    return tuple(one for one in ALL if names is None or one.name in names)


def first_seed(settings: Sequence[Setting], known: Sequence[Known]) -> Iterator[Trial]:
    """Setting by setting, each competitor's search on val and then its first test."""
    for setting, one in product(settings, competitors()):
        for lr in one.lrs:
            yield _trial(setting, one, lr, FIRST_SEED, "val")
        yield from _tests(setting, one, FIRST_SEED, known)


def more_seeds(settings: Sequence[Setting], known: Sequence[Known]) -> Iterator[Trial]:
    """The other seeds, all settings once before the next seed."""
    for seed, setting, one in product(MORE_SEEDS, settings, competitors()):
        yield from _tests(setting, one, seed, known)


def few_shot(known: Sequence[Known]) -> Iterator[Trial]:
    """From a few pictures of each class, drawn anew for each seed; at the methods' own learning rates."""
    del known
    chosen = competitors(FEW_SHOT_NAMES)
    for seed, shots, setting, one in product((FIRST_SEED, *MORE_SEEDS), SHOTS, FEW_SHOT_SETTINGS, chosen):
        extra = {**one.options, "shots": shots, "split_seed": seed}
        yield Trial(
            FEW_SHOT, setting.task, few_shot_name(setting, one.name, shots), OWN_LR, seed, "test",
            setting.image_size, extra=extra, recipe={},
        )  # fmt: skip


def few_shot_name(setting: Setting, name: str, shots: int) -> str:
    """As a row names it."""
    return f"{setting.name}:{name}-{shots}"


def _tests(setting: Setting, one: Competitor, seed: int, known: Sequence[Known]) -> Iterator[Trial]:
    """The test at the learning rate that is chosen, as soon as one is."""
    lr = best_lr(SUITE, one.on(setting), known) if one.lrs else OWN_LR
    if lr is not None:
        yield _trial(setting, one, lr, seed, "test")


def _trial(setting: Setting, one: Competitor, lr: float, seed: int, split: str) -> Trial:
    return Trial(
        SUITE, setting.task, one.on(setting).name, lr, seed, split, setting.image_size,
        extra=one.options, recipe={},
    )  # fmt: skip


COMPARISONS: Mapping[str, Callable[[Sequence[Known]], Iterator[Trial]]] = MappingProxyType(
    {
        "comparison-64": lambda known: first_seed(SMALL, known),
        "few-shot": few_shot,
        "comparison-64-seeds": lambda known: more_seeds(SMALL, known),
        "comparison-224": lambda known: first_seed(LARGE, known),
        "comparison-224-seeds": lambda known: more_seeds(LARGE, known),
    }
)
