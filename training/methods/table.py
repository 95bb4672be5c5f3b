"""The methods that can be trained, a row each: every choice, default and line of help is derived from here.

A method is one file in this folder and one row below. No torch is imported before a method is built.
"""

import importlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

PIXELS = "pixels"
AUTO = "auto"
"""A choice of `--method` that is no method: it stands for those whose rows are candidates."""


@dataclass(frozen=True)
class Recipe:
    """What a method is trained with unless the options say otherwise; its fields are named as they are.

    A `prompt_count` of 0 is one for every 16 patches, from 2 to 10.
    """

    epochs: int = 15
    steps: int = 400
    lr: float = 1e-2
    head_layers: int = 1
    prompt_count: int = 10
    prompt_start: str = "random"
    head_first: bool = True
    head_lr_ratio: float = 1.0
    bottleneck_width: int = 8
    bottleneck_lr_ratio: float = 1.0
    model_ema_decay: float = 0.98
    drop_path: float = 0.1
    label_smoothing: float = 0.1
    random_shift: float = 1 / 32
    hold_back: float = 0.5
    linear_floor: bool = False


@dataclass(frozen=True)
class MethodRow:
    """What the rest of training has to know of a method before it is built.

    `build` names what is called in `module` with backbone, options and class count. `trains` says in a few
    words what is trained beside the head. `served` says that it ends with an adapter. `prompts` are none,
    one set for every picture, or a set that a Meta-Net moves with the picture.
    """

    name: str
    module: str
    build: str
    trains: str
    recipe: Recipe = Recipe()
    served: bool = False
    candidate: bool = False
    """Whether `--method auto` tries it."""
    kind: str = "linear"
    """The kind of adapter that it ends with, if it is served."""
    prompts: Literal["none", "static", "dynamic"] = "none"
    through_blocks: bool = True
    """Whether gradients go through the backbone's blocks, so that drop path has a use."""
    inputs: str = PIXELS
    """What is computed once for each picture, options in braces; equal words stand for equal tensors."""
    joint: str = ""
    """The function of `module` that runs several of them in one forward pass, if there is one."""
    parameter: str = ""
    """The option that a number behind the name stands for, as in `mlp-5`."""
    vpt_optimizer: Literal["adamw", "sgd"] = "sgd"
    """Of VPT's grid: what trains inside the backbone takes AdamW."""

    @property
    def idle(self) -> frozenset[str]:
        """Options that change nothing for it."""
        return frozenset(
            option for options, uses in _LIMITED.items() if not uses(self) for option in options.split()
        )

    def load(self, name: str) -> Any:
        """Something of the method's module, which is imported now."""
        return getattr(importlib.import_module(self.module), name)


_LIMITED: Mapping[str, Callable[[MethodRow], bool]] = MappingProxyType(
    {
        "prompt_count prompt_start deep prompt_dropout": lambda row: row.prompts != "none",
        "meta_net meta_layers meta_hidden meta_input meta_norm meta_lr_ratio dynamic_layers": (
            lambda row: row.prompts == "dynamic"
        ),
        "partial_blocks": lambda row: row.name == "partial",
        "bottleneck_width": lambda row: row.kind in ("bottleneck", "combined"),
        "bottleneck_lr_ratio": lambda row: row.kind == "combined",
        "sequential_reduction sequential_init": lambda row: row.name == "sequential",
        "drop_path": lambda row: row.through_blocks,
        "linear_floor": lambda row: row.served and row.through_blocks,
        "warm_start calibrate hold_back": lambda row: row.served,
    }
)
"""Options that some methods have no use for, and which methods have one."""
_FEATURES = Recipe(
    epochs=100, steps=0, head_first=False, model_ema_decay=0.0, drop_path=0.0, label_smoothing=0.0,
    random_shift=0.0, hold_back=0.0,
)  # fmt: skip
_PLUS = Recipe(bottleneck_lr_ratio=0.3, prompt_count=0, prompt_start="tokens", linear_floor=True)

ROWS = (
    MethodRow(
        "dvpt", "training.methods.bodies", "BodyMethod", "prompts and a Meta-Net",
        served=True, candidate=True, kind="dvpt", prompts="dynamic", joint="joint_logits",
    ),
    MethodRow(
        "vpt", "training.methods.bodies", "BodyMethod", "prompts",
        served=True, kind="dvpt", prompts="static", joint="joint_logits",
    ),
    MethodRow(
        "dvpt-plus", "training.methods.bodies", "BodyMethod", "what dvpt, affine and bottleneck train",
        recipe=_PLUS,
        served=True, candidate=True, kind="combined", prompts="dynamic", joint="joint_logits",
    ),
    MethodRow(
        "dvpt-wide", "training.methods.bodies", "BodyMethod", "what dvpt-plus trains, with more columns",
        recipe=replace(_PLUS, bottleneck_width=32, steps=800),
        served=True, candidate=True, kind="combined", prompts="dynamic", joint="joint_logits",
    ),
    MethodRow(
        "affine", "training.methods.bodies", "BodyMethod", "a scale and shift behind norms and branches",
        served=True, candidate=True, kind="affine", joint="joint_logits", vpt_optimizer="adamw",
    ),
    MethodRow(
        "bottleneck", "training.methods.bodies", "BodyMethod", "a few columns beside each MLP",
        recipe=Recipe(lr=3e-3), served=True, kind="bottleneck", joint="joint_logits", vpt_optimizer="adamw",
    ),
    MethodRow(
        "linear", "training.methods.linear", "LinearMethod", "nothing",
        recipe=replace(_FEATURES, epochs=0, head_first=True),
        served=True, candidate=True, through_blocks=False, inputs="features",
    ),
    MethodRow(
        "mlp", "training.methods.linear", "LinearMethod", "nothing, and the head has several maps",
        recipe=replace(_FEATURES, head_layers=2, hold_back=0.5),
        served=True, through_blocks=False, inputs="features", parameter="head_layers",
    ),
    MethodRow(
        "full", "training.methods.backbone_parameters", "full", "the whole backbone",
        recipe=Recipe(lr=3e-4), vpt_optimizer="adamw",
    ),
    MethodRow(
        "partial", "training.methods.backbone_parameters", "partial", "the last blocks",
        recipe=Recipe(lr=1e-3, random_shift=0.0), inputs="tokens behind all blocks but {partial_blocks}",
        parameter="partial_blocks", vpt_optimizer="adamw",
    ),
    MethodRow(
        "bias", "training.methods.bias", "BiasMethod", "every bias of the backbone",
        served=True, kind="affine", vpt_optimizer="adamw",
    ),
    MethodRow(
        "sequential", "training.methods.sequential", "SequentialMethod", "a narrow network behind each MLP",
        recipe=Recipe(lr=1e-3), parameter="sequential_reduction", vpt_optimizer="adamw",
    ),
    MethodRow(
        "sidetune", "training.methods.sidetune", "SidetuneMethod", "a small network beside the backbone",
        recipe=Recipe(lr=1e-3, drop_path=0.0, label_smoothing=0.0, random_shift=0.0, head_first=False),
        through_blocks=False,
    ),
)  # fmt: skip
METHODS: Mapping[str, MethodRow] = MappingProxyType({row.name: row for row in ROWS})


def names(chosen: Callable[[MethodRow], object]) -> tuple[str, ...]:
    """The methods whose rows are `chosen`, in the table's order."""
    return tuple(row.name for row in METHODS.values() if chosen(row))


def rows_of(choice: str) -> tuple[MethodRow, ...]:
    """The rows that a choice of `--method` stands for: its own, or those of the candidates."""
    if choice == AUTO:
        return tuple(row for row in METHODS.values() if row.candidate)
    return (METHODS[choice],)


def options_of(name: str) -> dict[str, Any]:
    """Options for a method's name as tables print it: `mlp-5` → method mlp with head_layers 5.

    Raises KeyError for a name that the table does not have.
    """
    if name in METHODS:
        return {"method": name}
    method, _, number = name.rpartition("-")
    return {"method": method, METHODS[method].parameter: int(number)}


def method_help(*, with_auto: bool = False) -> str:
    """What `--method` chooses, for `--help`."""
    served = ", ".join(names(lambda row: row.served))
    trained = "; ".join(f"{row.name}: {row.trains}" for row in METHODS.values())
    tried = f"; auto tries {', '.join(names(lambda row: row.candidate))} and keeps the best on val"
    return (
        f"what is trained beside the head ({trained}); {served} can be served, others only compared"
        + tried * with_auto
    )


def defaults_help(option: str) -> str:
    """The recipes' values of an option: the most frequent, then who has another, as `0.1; linear, mlp 0`."""
    values = {row.name: getattr(row.recipe, option) for row in METHODS.values()}
    usual, *others = (value for value, _ in Counter(values.values()).most_common())
    apart = [
        f"; {', '.join(name for name, own in values.items() if own == value)} {_shown(value)}"
        for value in others
    ]
    return f"default: {_shown(usual)}{''.join(apart)}"


def _shown(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else f"{value:g}"
