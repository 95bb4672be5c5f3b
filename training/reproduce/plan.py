"""What a table or figure is made of: cells, each a search, and what is known of them."""

import hashlib
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from pydantic import Json, TypeAdapter, ValidationError

from adapters.config import StrictModel
from adapters.errors import ConfigError
from adapters.kinds.dvpt.options import DvptOptions
from training.data.catalogue import TASKS, CatalogueTask
from training.data.departures import AnyDeparture
from training.data.downloads import DOWNLOADS
from training.data.folders import find_folder
from training.data.task_data import DRAWN
from training.methods import with_recipe
from training.methods.table import METHODS
from training.reproduce import paper
from training.reproduce.experiments import FGVC_OPTIONS, ON_REQUEST, Experiment, System
from training.reproduce.reproduce_config import ReproduceConfig
from training.search.grid import grid
from training.search.result import SearchResult, sample_std
from training.search.search_config import SearchConfig
from training.uncertainty import Interval, wilson

DEFAULT_PROMPTS = 10
WITHOUT = {
    "drop_path": 0.0, "label_smoothing": 0.0, "head_first": False, "model_ema_decay": 0.0, "hold_back": 0.0,
    "random_shift": 0.0, "linear_floor": False, "calibrate": False, "steps": 0,
}  # fmt: skip
"""What `dvpt-train` does by default and the paper does not."""
LINEAR_EPOCHS = 100
"""Of a linear head, which `dvpt-train` fits at once."""
_DEPARTURES: TypeAdapter[tuple[AnyDeparture, ...]] = TypeAdapter(tuple[AnyDeparture, ...])


@dataclass(frozen=True)
class Cell:
    """One system on one task with one part of the training pictures: a search.

    `content` tells the task's pictures and the backbone's weights apart, however they are found; it is empty
    where there are no pictures.
    """

    system: System
    task: CatalogueTask
    percent: int
    config: SearchConfig
    content: str = ""

    @property
    def key(self) -> str:
        """Names the search by options and content; equal cells of two tables are one search."""
        options = with_recipe(self.config).model_copy(update={"lr": None}).of_the_key()
        points = [asdict(point) for point in grid(self.config)]
        where = (self.task.name, self.percent, self.content)
        text = json.dumps([options, self.config.precision, points, self.config.seeds, where])
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def __str__(self) -> str:
        part = "" if self.percent == 100 else f", {self.percent} % of the training pictures"
        return f"{self.system.name} on {self.task.title}{part}"


class CellRow(StrictModel):
    """One finished cell in `results.csv`; accuracies are parts of 1, joined by spaces, one a seed.

    `official` says whether pictures and splits are the benchmark's own, `departures`, as JSON in the file, in
    what they are not.
    """

    key: str
    task: str
    method: str
    percent: int
    prompts: int
    optimizer: str
    lr: float
    weight_decay: float
    epochs: int
    trials: int
    val_accuracy: float
    accuracies: str
    diverged_seeds: int
    pictures: int
    parameters_with_head: int
    parameters_without_head: int
    training_seconds: float
    total_seconds: float
    backbone: str
    image_size: int
    official: bool
    departures: Json[tuple[AnyDeparture, ...]]
    splits_made: str | None
    directory: str

    @classmethod
    def of(cls, cell: Cell, result: SearchResult) -> Self:
        """The row of a finished search."""
        changed = {"accuracies", "diverged_seeds", "departures", "splits_made"}
        facts = result.model_dump(include=set(cls.model_fields) - changed)
        options = cell.config.kind_options
        return cls(
            key=cell.key,
            percent=cell.percent,
            prompts=options.count if isinstance(options, DvptOptions) else 0,
            accuracies=" ".join(map(repr, result.accuracies)),
            diverged_seeds=len(result.diverged_seeds),
            official=not result.departures,
            departures=_DEPARTURES.dump_json(result.departures).decode(),
            splits_made="; ".join(result.splits_made) or None,
            **facts,
        )

    @property
    def values(self) -> tuple[float, ...]:
        """The accuracy of each seed."""
        return tuple(map(float, self.accuracies.split()))

    @property
    def std(self) -> float | None:
        """Over seeds, None for one."""
        return sample_std(self.values)

    @property
    def interval(self) -> Interval:
        """Wilson's 95 % interval of the mean over seeds, all tested on the same pictures."""
        return wilson(statistics.fmean(self.values), self.pictures)

    @property
    def notes(self) -> str:
        """In what its splits are not the benchmark's, and how those that the source lacks were made."""
        made = [self.splits_made] if self.splits_made else []
        return "; ".join([*map(str, self.departures), *made])

    @property
    def comparable(self) -> bool:
        """Whether data, backbone and input size are the paper's."""
        return self.official and self.backbone in paper.BACKBONES and self.image_size == paper.IMAGE_SIZE


def cells(experiment: Experiment, options: ReproduceConfig, more: Mapping[str, Any]) -> tuple[Cell, ...]:
    """Every cell, all of a task together so that its pictures are decoded once.

    `more` are options of `dvpt-train` for every run whose method has a use for them. Raises ConfigError for
    rows the experiment lacks, for options that cannot be had together, and for those it has no use for.
    """
    systems = chosen_systems(experiment, options)
    for name in more:
        unused = {system.slug: _why_unused(name, system, experiment) for system in systems}
        if all(unused.values()):
            raise ConfigError("; ".join(_unused_lines(name, unused)))
    if options.percents and len(experiment.percents) == 1:
        raise ConfigError(f"--percents changes nothing of {experiment.name}, only of fig3")
    return tuple(
        Cell(system, TASKS[task], percent, _config(system, TASKS[task], percent, options, more))
        for task in options.tasks or experiment.tasks
        for percent in options.percents or experiment.percents
        for system in systems
    )


def chosen_systems(experiment: Experiment, options: ReproduceConfig) -> tuple[System, ...]:
    """The rows asked for, in the table's order, those on request last. Raises ConfigError."""
    if options.methods is None:
        return experiment.systems
    known = {system.slug: system for system in (*experiment.systems, *ON_REQUEST)}
    asked = {name.lower().replace(" ", "-") for name in options.methods}
    strange = sorted(asked - known.keys())
    if strange:
        raise ConfigError(f"{experiment.name} has no row '{strange[0]}'; its rows: {', '.join(known)}")
    return tuple(system for slug, system in known.items() if slug in asked)


def left_out(experiment: Experiment, systems: Sequence[System], more: Mapping[str, Any]) -> list[str]:
    """A line for each option that some rows do not get: they have no use for it, or one of their own."""
    unused = {
        name: {system.slug: _why_unused(name, system, experiment) for system in systems} for name in more
    }
    return [line for name, why in unused.items() for line in _unused_lines(name, why)]


def _why_unused(name: str, system: System, experiment: Experiment) -> str:
    """Why a row does not get an option of `dvpt-train`; empty where it does."""
    if name in METHODS[system.options["method"]].idle:
        return "has no use for"
    own = name == "prompt_count" and _has_counted_prompts(system)
    if own or name in system.options or (name == "train_percent" and len(experiment.percents) > 1):
        return "does not change"
    return ""


def _unused_lines(name: str, unused: Mapping[str, str]) -> list[str]:
    """A line for each reason, with the rows that it holds for."""
    before = {"prompt_count": " (--prompts before -- does)", "train_percent": " (--percents before -- does)"}
    instead = {"does not change": before.get(name, ", which is of these rows")}
    return [
        f"{_flag(name)} {reason} {', '.join(slug for slug, why in unused.items() if why == reason)}"
        f"{instead.get(reason, '')}"
        for reason in dict.fromkeys(filter(None, unused.values()))
    ]


def data_at_hand(cell: Cell, *, download: bool) -> bool:
    """Whether the task's data is in a folder, can be drawn, or may be downloaded."""
    name = cell.task.name
    return find_folder(cell.config) is not None or name in DRAWN or (download and name in DOWNLOADS)


def _config(
    system: System, task: CatalogueTask, percent: int, options: ReproduceConfig, more: Mapping[str, Any]
) -> SearchConfig:
    own: dict[str, Any] = {"task": task.name, **system.options}
    more = {**FGVC_OPTIONS, **more} if task.group == "fgvc" else more
    idle = METHODS[system.options["method"]].idle
    without = {} if system.own_recipe else WITHOUT
    given = {name: value for name, value in {**without, **more}.items() if name not in idle}
    if system.options["method"] == "linear":
        given = {"epochs": LINEAR_EPOCHS} | given
    if _has_counted_prompts(system):
        own |= {"prompt_count": _prompts(system, task, options), "joint_trials": options.joint_trials}
    if percent != 100:
        own["train_percent"] = percent
    try:
        return SearchConfig.model_validate(given | options.of_every_run() | own)
    except ValidationError as error:
        fault = error.errors()[0]
        where = "".join(f"{part}: " for part in fault["loc"])
        raise ConfigError(f"{where}{fault['msg'].removeprefix('Value error, ')}") from error


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _has_counted_prompts(system: System) -> bool:
    """Whether `--prompts` says how many prompts it has."""
    return system.has_prompts and not system.own_recipe


def _prompts(system: System, task: CatalogueTask, options: ReproduceConfig) -> int:
    if isinstance(options.prompts, int):
        return options.prompts
    published = options.prompts == "published" or system.published_prompts
    return (task.vpt_prompts if published else None) or DEFAULT_PROMPTS
