"""The options of `dvpt-reproduce`."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pydantic import field_validator

from adapters.config import StrictModel
from training.data.catalogue import close_names, task_named
from training.options.knob import knob

WHAT = "what to reproduce"
PROTOCOL = "protocol"
PLACES = "data, backbone and places"
_UNPUBLISHED = (
    "store", "name", "label", "replace_classes", "publish", "sign_key", "warm_start", "calibrate",
    "accept_precision", "false_alarms",
)  # fmt: skip
_SOMEWHERE = "tasks are looked for below --data-root"
NOT_FOR_EVERY_RUN: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(_UNPUBLISHED, "nothing is published")
    | {
        "task": "--tasks before -- says which",
        "method": "--methods before -- says which",
        "data": _SOMEWHERE,
        "dataset": _SOMEWHERE,
        "config": "only dvpt-train reads one",
        "check": "only dvpt-train does that",
        "fresh": "another --runs and --out before -- start over",
        "predictions": "each run's directory has its own",
    }
)
"""Options of `dvpt-train` that would change nothing behind `--`, and why."""


class ReproduceConfig(StrictModel):
    """Options of `dvpt-reproduce`; `None` stands for all, or for what `dvpt-train` takes."""

    tasks: tuple[str, ...] | None = knob(None, WHAT, "tasks, as in cifar,dtd (default: the paper's)")
    methods: tuple[str, ...] | None = knob(None, WHAT, "rows, as in linear,adapter-8,dvpt (default: all)")
    percents: tuple[int, ...] | None = knob(
        None, WHAT, "parts of the training pictures for fig3, as in 10,30"
    )
    dry_run: bool = knob(False, WHAT, "say what would run and about how long; train nothing")

    seeds: int = knob(3, PROTOCOL, "seeds of each final training", ge=1, le=100)
    grid: Literal["modern", "vpt"] = knob("modern", PROTOCOL, "learning rates x weight decays of the search")
    grid_lr: tuple[float, ...] | None = knob(
        None, PROTOCOL, "learning rates instead of the grid's: 0.01,0.003"
    )
    grid_weight_decay: tuple[float, ...] | None = knob(None, PROTOCOL, "weight decays instead of the grid's")
    epochs: int | None = knob(None, PROTOCOL, "epochs of every training (default: the method's own)", ge=1)
    joint_trials: int = knob(
        1, PROTOCOL, "trials of VPT and DVPT that share each forward pass; pays on a GPU", ge=1, le=256
    )
    prompts: Literal["published"] | int | None = knob(
        None, PROTOCOL, "prompts of VPT and DVPT: a number, or published (default: VPT published, DVPT 10)"
    )

    data_root: Path | None = knob(None, PLACES, "folder with the tasks' data (default: $DVPT_DATA_ROOT)")
    download: bool = knob(
        False, PLACES, "let torchvision download tasks that are not found, up to 37 GB each"
    )
    backbone: str | None = knob(None, PLACES, "timm name of the ViT (default: the paper's ViT-B/16)")
    weights: Path | None = knob(None, PLACES, "local .safetensors file of the backbone's weights")
    image_size: int | None = knob(
        None, PLACES, "input pixels a side (default: the backbone's)", ge=16, le=1024
    )
    device: str = knob("auto", PLACES, "auto, cpu or cuda:N")
    runs: Path = knob(Path("runs/reproduce"), PLACES, "where searches and their trials are kept")
    out: Path = knob(Path("reproduction"), PLACES, "where results.csv and the tables are written")

    @field_validator("tasks", "methods", "percents", "grid_lr", "grid_weight_decay", mode="before")
    @classmethod
    def _from_a_list(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value

    @field_validator("tasks")
    @classmethod
    def _of_the_catalogue(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is None:
            return None
        found = {name: task_named(name) for name in value}
        for name, task in found.items():
            if task is None:
                meant = " or ".join(close_names(name))
                raise ValueError(
                    f"no task '{name}' in the catalogue" + (f"; did you mean {meant}?" if meant else "")
                )
        return tuple(dict.fromkeys(task.name for task in found.values() if task))

    @field_validator("percents")
    @classmethod
    def _parts(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if value is not None and not all(10 <= percent <= 100 for percent in value):
            raise ValueError(f"expected per cents of 10 to 100, not {list(value)}")
        return value

    @field_validator("prompts", mode="before")
    @classmethod
    def _number_of_prompts(cls, value: Any) -> Any:
        return int(value) if isinstance(value, str) and value.isdecimal() else value

    def of_every_run(self) -> dict[str, Any]:
        """The options that every search has."""
        names = ("seeds", "grid", "grid_lr", "grid_weight_decay", "epochs", "data_root", "backbone")
        more = ("weights", "image_size", "device", "runs")
        given = {name: getattr(self, name) for name in (*names, *more)}
        kept = {name: value for name, value in given.items() if value is not None}
        # A store that never is made: the tables compare, nothing is published.
        return kept | {"search": True, "publish": False, "store": self.runs / "no-store"}
