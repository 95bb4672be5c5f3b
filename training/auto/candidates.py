"""The methods that auto tries, and the options that each is run with."""

import math
from dataclasses import dataclass
from typing import Any

from training.methods.method import Parameters
from training.methods.table import AUTO, METHODS, MethodRow, rows_of
from training.options.train_config import TrainConfig
from training.run.run import Run
from training.run.workbench import Workbench
from training.search.search_config import SearchConfig
from training.search.trials import ON_TRAIN

SHORT = 0.25
"""Part of its epochs that a candidate is first tried for."""


@dataclass(frozen=True)
class Candidate:
    """A method, the values that it trains and the epochs it takes; `at_once` needs no short trial."""

    method: str
    values: int
    epochs: int
    at_once: bool = False

    @property
    def short_epochs(self) -> int:
        """What it is first tried for."""
        return self.epochs if self.at_once else max(1, math.ceil(self.epochs * SHORT))


def options_of(config: SearchConfig, method: str, **changes: Any) -> TrainConfig:
    """Options of a run of that method, without those that it has no use for.

    Epochs are for what is trained through the blocks: beside that a head costs nothing.
    """
    row = METHODS[method]
    idle = row.idle if row.through_blocks else {*row.idle, "epochs", "steps"}
    unused = {name: TrainConfig.model_fields[name].default for name in idle}
    return config.plain(**{**unused, "method": method, **changes})


def trial_options(config: SearchConfig, method: str, **changes: Any) -> TrainConfig:
    """The same for a run that learns from train and is measured on val."""
    return options_of(config, method, **{**ON_TRAIN, **changes})


def trials(config: SearchConfig, workbench: Workbench) -> dict[str, Run]:
    """A whole trial of each candidate, made and checked, the fewest trained values first."""
    rows: tuple[MethodRow, ...] = rows_of(AUTO)
    runs = {row.name: Run(trial_options(config, row.name), workbench) for row in rows}
    return dict(sorted(runs.items(), key=lambda named: _values(named[1])))


def candidate_of(run: Run) -> Candidate:
    """What a whole trial tells of its method."""
    method = run.config.method
    at_once = not METHODS[method].through_blocks
    return Candidate(method, _values(run), run.config.epochs or 0, at_once)


def _values(run: Run) -> int:
    return Parameters.of(run.method).with_head
