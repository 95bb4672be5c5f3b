"""Figures of a table beside the paper's: cells, group means, wins."""

import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from training.reproduce import paper
from training.reproduce.experiments import Experiment, System
from training.reproduce.plan import Cell, CellRow
from training.uncertainty import Interval


@dataclass(frozen=True)
class Score:
    """An accuracy in per cent, of one task or the mean of `tasks` of `of_tasks`, beside the paper's.

    `std` is over seeds, of a mean that of the mean, None where there is one seed. `comparable` says that data
    and backbone are the paper's, so that a difference means something; `official` that the splits are.
    `interval` is that of one task by its test pictures, in per cent.
    """

    value: float
    std: float | None
    published: float | None
    comparable: bool
    official: bool
    tasks: int = 1
    of_tasks: int = 1
    interval: Interval | None = None

    @property
    def difference(self) -> float | None:
        """Ours minus the paper's, None where they do not compare."""
        return None if self.published is None or not self.comparable else self.value - self.published


class Scores:
    """All finished cells of an experiment, asked for by row, task and part of the training pictures."""

    def __init__(self, experiment: Experiment, cells: Iterable[Cell], rows: Mapping[str, CellRow]) -> None:
        self.experiment = experiment
        self.cells = tuple(cells)
        self._rows = {
            (cell.system.name, cell.task.name, cell.percent): rows[cell.key]
            for cell in self.cells
            if cell.key in rows
        }
        self.systems = tuple({cell.system.name: cell.system for cell in self.cells}.values())
        self.tasks = tuple(
            task for task in dict.fromkeys(cell.task.name for cell in self.cells) if self._measured(task)
        )
        self.percents = tuple(dict.fromkeys(cell.percent for cell in self.cells))

    @property
    def rows(self) -> tuple[CellRow, ...]:
        """Every finished cell once."""
        return tuple(self._rows.values())

    def row(self, system: System, task: str, percent: int = 100) -> CellRow | None:
        """What was measured, None where nothing was yet."""
        return self._rows.get((system.name, task, percent))

    def blocks(self) -> dict[str, tuple[str, ...]]:
        """The groups of tasks that have figures; tasks that the paper's table lacks are `Other`."""
        known = self.experiment.blocks
        found = {name: tuple(task for task in tasks if task in self.tasks) for name, tasks in known.items()}
        found["Other"] = tuple(task for task in self.tasks if task not in self.experiment.tasks)
        return {name: tasks for name, tasks in found.items() if tasks}

    def score(self, system: System, task: str, percent: int = 100) -> Score | None:
        """One cell."""
        row = self.row(system, task, percent)
        if row is None:
            return None
        std = None if row.std is None else 100 * row.std
        published = self.experiment.published.get(system.beside, {}).get(task)
        value = 100 * statistics.fmean(row.values)
        interval = Interval(100 * row.interval.low, 100 * row.interval.high)
        return Score(
            value, std, published, comparable=row.comparable, official=row.official, interval=interval
        )

    def mean(self, system: System, block: str, percent: int = 100) -> Score | None:
        """The mean of a group of tasks, or of those that have a figure.

        The paper's is its printed mean for a whole group, and the mean over the same tasks for a part.
        """
        tasks = self.experiment.blocks.get(block) or self.blocks()[block]
        scores = {task: found for task in tasks if (found := self.score(system, task, percent))}
        if not scores:
            return None
        whole = len(scores) == len(tasks)
        printed = self.experiment.published_means.get(system.beside, {}).get(block)
        return Score(
            statistics.fmean(score.value for score in scores.values()),
            _std_of_mean(scores.values()),
            printed if whole and printed is not None else _mean(scores.values()),
            comparable=all(score.comparable for score in scores.values()),
            official=all(score.official for score in scores.values()),
            tasks=len(scores),
            of_tasks=len(tasks),
        )

    def mean_of_means(self, system: System) -> Score | None:
        """The mean of the groups' means, where every group is whole."""
        means = [self.mean(system, block) for block in self.experiment.blocks]
        whole = [mean for mean in means if mean is not None and mean.tasks == mean.of_tasks]
        if len(whole) < len(means):
            return None
        return Score(
            statistics.fmean(mean.value for mean in whole),
            _std_of_mean(whole),
            _mean(whole),
            comparable=all(mean.comparable for mean in whole),
            official=all(mean.official for mean in whole),
        )

    def wins(self, system: System, block: str | None = None) -> tuple[int, int, int] | None:
        """Tasks, or those of a group, where the row is above Full: ours, the paper's, of how many.

        None where there is no task that both have.
        """
        full = next((other for other in self.systems if other.name == paper.BASELINE), None)
        if full is None or full == system:
            return None
        ours = published = count = 0
        for task in self.tasks if block is None else self.blocks().get(block, ()):
            own, other = self.score(system, task), self.score(full, task)
            if own and other:
                count += 1
                ours += own.value > other.value
                published += (own.published or 0.0) > (other.published or 0.0)
        return (ours, published, count) if count else None

    def _measured(self, task: str) -> bool:
        return any(task == name for _, name, _ in self._rows)


def _std_of_mean(scores: Iterable[Score]) -> float | None:
    """Of a mean over tasks, whose seeds have nothing to do with each other."""
    own = [score.std for score in scores]
    known = [value for value in own if value is not None]
    return math.hypot(*known) / len(own) if len(known) == len(own) else None


def _mean(scores: Iterable[Score]) -> float | None:
    published = [score.published for score in scores]
    known = [value for value in published if value is not None]
    return statistics.fmean(known) if known and len(known) == len(published) else None
