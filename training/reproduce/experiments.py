"""The tables and the figure of the paper as plans: which systems, on which tasks, beside which values."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from training.data.catalogue import TASKS
from training.methods.table import METHODS, options_of
from training.reproduce import paper


@dataclass(frozen=True)
class System:
    """A row of a table, or a line of the figure: its name, and the options of `dvpt-train` it stands for.

    `published_prompts` says that it takes the prompts published for each task unless asked otherwise.
    `beside` is the row of the paper whose figures it stands beside, if any; `note` what is not as there.
    `own_recipe` says that it is trained as `dvpt-train` does by default, and not as the paper describes it.
    """

    name: str
    options: Mapping[str, Any]
    published_prompts: bool = False
    beside: str = ""
    note: str = ""
    own_recipe: bool = False

    @property
    def slug(self) -> str:
        """The name as it is written on a command line."""
        return self.name.lower().replace(" ", "-")

    @property
    def has_prompts(self) -> bool:
        """Whether its method has any."""
        return METHODS[self.options["method"]].prompts != "none"


@dataclass(frozen=True)
class Experiment:
    """One table or figure. `blocks` are its groups of tasks, each with a mean, in the paper's order."""

    name: str
    title: str
    blocks: Mapping[str, tuple[str, ...]]
    systems: tuple[System, ...]
    published: paper.Values
    published_means: Mapping[str, Mapping[str, float]]
    percents: tuple[int, ...] = (100,)
    digits: int = 1
    """Behind the point, as the paper prints a task's figures."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """All of its tasks."""
        return tuple(task for tasks in self.blocks.values() for task in tasks)


FGVC_OPTIONS: Mapping[str, Any] = MappingProxyType({"fit": "crop", "random_crop": "shift", "flip": 0.5})
"""As VPT and the paper train on FGVC: the short side resized to 256, a random crop of 224, a flip."""

DROPOUT = "VPT's ViT trains with dropout of 0.1 behind the position embedding and in its MLPs; here is none"
SIDE = "the side network starts from random weights, VPT's from an AlexNet trained on ImageNet"
START = "its first matrix starts at random; VPT's code has both at zero, so that the last biases alone train"
ZERO = "starts as in VPT's code, with both matrices at zero"
VPT_START = "vpt_zero"
EQUAL = "VPT with as many prompts as DVPT has here; the paper has no such row"


def _system(
    name: str,
    method: str,
    *,
    published_prompts: bool = False,
    beside: str | None = None,
    note: str = "",
    **options: Any,
) -> System:
    every = MappingProxyType(options_of(method) | options)
    return System(name, every, published_prompts, name if beside is None else beside, note)


FULL, LINEAR = _system("Full", "full", note=DROPOUT), _system("Linear", "linear")
VPT, DVPT = _system("VPT", "vpt", published_prompts=True), _system("DVPT", "dvpt")

NOT_THE_PAPERS = "dvpt-train's default method and recipe; the paper has no such row"
ON_REQUEST = (
    System("DVPT-plus", MappingProxyType(options_of("dvpt-plus")), note=NOT_THE_PAPERS, own_recipe=True),
)
"""Rows that are in no table unless they are asked for."""

TABLE_1 = Experiment(
    "table1",
    "Table 1: every method on VTAB-1k",
    MappingProxyType(
        {
            group.capitalize(): tuple(t for t in paper.VTAB_TASKS if TASKS[t].group == group)
            for group in paper.GROUPS
        }
    ),
    (
        FULL,
        LINEAR,
        _system("Partial-1", "partial-1"),
        _system("Mlp-2", "mlp-2"),
        _system("Mlp-5", "mlp-5"),
        _system("Sidetune", "sidetune", note=SIDE),
        _system("Bias", "bias"),
        # As the paper prints them; its adapters are not ours.
        _system("Adapter-64", "sequential-64", note=START),
        _system(
            "Adapter-64 zero", "sequential-64", beside="Adapter-64", note=ZERO, sequential_init=VPT_START
        ),
        _system("Adapter-8", "sequential-8", note=START),
        _system("Adapter-8 zero", "sequential-8", beside="Adapter-8", note=ZERO, sequential_init=VPT_START),
        VPT,
        _system("VPT as DVPT", "vpt", beside="", note=EQUAL),
        DVPT,
    ),
    paper.TABLE_1,
    MappingProxyType(
        {
            system: dict(zip(map(str.capitalize, paper.GROUPS), means, strict=True))
            for system, means in paper.TABLE_1_MEANS.items()
        }
    ),
)

TABLE_2 = Experiment(
    "table2",
    "Table 2: linear maps of the Meta-Net",
    MappingProxyType({"VTAB-1k": tuple(paper.TABLE_2["4 layers"])}),
    tuple(_system(f"{count} layers", "dvpt", meta_layers=count) for count in (2, 4, 6)),
    paper.TABLE_2,
    MappingProxyType({}),
    digits=2,
)

TABLE_3 = Experiment(
    "table3",
    "Table 3: one dynamic prompt for all prompts of a layer, or one for each",
    MappingProxyType({"VTAB-1k": tuple(paper.TABLE_3["shared"])}),
    (
        _system("shared", "dvpt", meta_net="shared"),
        _system("specific", "dvpt", meta_net="specific"),
    ),
    paper.TABLE_3,
    MappingProxyType({}),
    digits=2,
)

FIGURE_3 = Experiment(
    "fig3",
    "Figure 3: FGVC with a part of the training pictures",
    MappingProxyType({"FGVC": paper.FGVC_TASKS}),
    (FULL, LINEAR, DVPT),
    MappingProxyType({}),
    MappingProxyType({}),
    (10, 20, 30, 40, 50, 60, 70),
)

EXPERIMENTS: Mapping[str, Experiment] = MappingProxyType(
    {experiment.name: experiment for experiment in (TABLE_1, TABLE_2, TABLE_3, FIGURE_3)}
)
