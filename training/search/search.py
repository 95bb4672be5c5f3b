"""The 80/20 search: each point of a grid on train, the best on val trained again on all, tested once."""

import logging
import statistics
import time
from collections.abc import Sequence
from typing import Any, Literal

from training.errors import Diverged
from training.options.train_config import TrainConfig
from training.run.durations import duration
from training.run.identity import Identity
from training.run.publish import check_classes
from training.run.record import RESULT, read_result
from training.run.run import Run
from training.run.workbench import Workbench
from training.run_directory import CHECKPOINT, find_directory
from training.search.grid import Point, grid
from training.search.joint import train_jointly
from training.search.ledger import Ledger
from training.search.result import SearchResult
from training.search.search_config import SearchConfig
from training.search.trials import ON_TRAIN, TrialRow, attempt, row_of, select

LOG = logging.getLogger("training")
ROWS = "search.csv"
# Final trainings see 1,000 pictures, trials 800.
FINAL_COST = 1.25


class Search:
    """One task, one method, a grid of points.

    What is done is known from `search.csv`; a run in progress goes on from its own checkpoint. Test pictures
    are opened only when every point has its row.
    """

    def __init__(self, config: SearchConfig, workbench: Workbench) -> None:
        self.config = config
        self.points = grid(config)
        self._workbench = workbench
        probe = Run(self._on_train(), workbench)
        self._epochs = probe.config.epochs or 0
        self._placement = probe.placement
        check_classes(config, probe.placement.store, probe.data.classes)
        name = f"{config.published_name}-{config.method}-search"
        self.directory = find_directory(config.runs, name, _key(probe))
        self._ledger = Ledger(self.directory.path / ROWS, TrialRow)

    def execute(self, command: str) -> SearchResult:
        """Do what has no row yet, and write the result. Raises Diverged where nothing can be chosen."""
        with self.directory.claimed(fresh=self.config.fresh):
            left = [point for point in self.points if self._trial_row(point) is None]
            for first in range(0, len(left), self.config.joint_trials):
                self._try_all(left[first : first + self.config.joint_trials], command)
            chosen = select(self._tried())
            best = Point(chosen.optimizer, chosen.lr, chosen.weight_decay)
            LOG.info("chosen on val: %s, accuracy %.4f", best, chosen.accuracy)
            finals = [self._final(best, seed, command) for seed in self._seeds]
            result = self._result(chosen, best, finals)
            self.directory.write_json(RESULT, {"command": command} | result.model_dump(mode="json"))
        return result

    @property
    def _seeds(self) -> range:
        return range(self.config.seed, self.config.seed + self.config.seeds)

    def _on_train(self, **changes: Any) -> TrainConfig:
        """Options of a run that learns from train and is measured on val."""
        return self.config.plain(**{**ON_TRAIN, **changes})

    def _find(
        self, point: Point, seed: int, split: Literal["val", "test"], run: str | None = None
    ) -> TrialRow | None:
        """The last row of that training, of the directory `run` alone if it is given."""
        asked = (point.optimizer, point.lr, point.weight_decay, seed, split, self._epochs)
        rows = [
            row
            for row in self._ledger.rows()
            if (row.optimizer, row.lr, row.weight_decay, row.seed, row.split, row.epochs) == asked
            and run in (None, row.run)
        ]
        return rows[-1] if rows else None

    def _trial_row(self, point: Point) -> TrialRow | None:
        return self._find(point, self.config.seed, "val")

    def _tried(self) -> list[TrialRow]:
        rows = map(self._trial_row, self.points)
        return [row for row in rows if row is not None]

    def _try_all(self, points: Sequence[Point], command: str) -> None:
        """Points one by one, or trained together first, so that what is left for each is its measurement."""
        seconds = 0.0
        if len(points) > 1:
            runs = [Run(self._trial(point), self._workbench) for point in points]
            seconds = train_jointly(runs)
        for point in points:
            self._try(point, command, seconds)

    def _trial(self, point: Point) -> TrainConfig:
        return self._on_train(**_options(point), epochs=self._epochs, runs=self.directory.path)

    def _try(self, point: Point, command: str, seconds: float) -> None:
        row = self._row(Run(self._trial(point), self._workbench), command)
        row = row.model_copy(update={"seconds": round(row.seconds + seconds, 2)})
        self._ledger.append(row)
        # Selection needs the row alone, and Full's checkpoints are a gigabyte each.
        (self.directory.path / row.run / CHECKPOINT).unlink(missing_ok=True)
        self._report(point, row)

    def _final(self, best: Point, seed: int, command: str) -> TrialRow:
        """The row of that seed; what is left of it to train, to test or to publish is done."""
        run = Run(self._on_all(best, seed), self._workbench)
        # The directory is of the test pictures too: figures of others stand in the same file.
        known = self._find(best, seed, "test", run.directory.path.name)
        if known is not None and (known.state == "diverged" or not _leaves_something(run.config)):
            return known
        row = self._row(run, command)
        if known is not None:  # its time is that of the training
            row = row.model_copy(update={"seconds": known.seconds})
        self._ledger.append(row)
        LOG.info("seed %d, tested on %d pictures: %s", seed, row.pictures, _shown(row))
        return row

    def _on_all(self, best: Point, seed: int) -> TrainConfig:
        """Options of a final run; the first seed's is published, and alone writes elsewhere."""
        # As many as on train, though steps would have come to fewer on more pictures.
        changes = _options(best) | {"epochs": self._epochs, "seed": seed}
        changes |= {"runs": self.directory.path, "fresh": False}
        if seed != self.config.seed:
            changes |= {"publish": False, "calibrate": False, "predictions": None}
        return self.config.plain(**changes)

    def _row(self, run: Run, command: str) -> TrialRow:
        """Train, or go on, and measure."""
        began = time.perf_counter()
        # Drawing a card takes longer than training a head: the one that would be published has one.
        final = run.config.eval_split == "test" and run.config.seed == self.config.seed
        outcome = attempt(run, command, card=final)
        return row_of(run, outcome, time.perf_counter() - began)

    def _report(self, point: Point, row: TrialRow) -> None:
        """One line: how this point did, the best so far, the time that is left."""
        rows = self._tried()
        best = max((other.accuracy or 0.0 for other in rows), default=0.0)
        left = len(self.points) - len(rows) + FINAL_COST * len(self._seeds)
        seconds = left * statistics.fmean(other.seconds for other in rows)
        LOG.info(
            "%d of %d, %s: %s (best %.4f), %.1f s, about %s left",
            len(rows), len(self.points), point, _shown(row), best, row.seconds, duration(seconds),
        )  # fmt: skip

    def _result(self, chosen: TrialRow, best: Point, finals: Sequence[TrialRow]) -> SearchResult:
        finished = [row for row in finals if row.state == "finished"]
        if not finished:
            raise Diverged(f"{self.directory.path}: trained on all pictures, every seed diverged with {best}")
        tried = self._tried()
        facts = read_result(self.directory.path / finished[0].run)
        placement = self._placement
        return SearchResult(
            task=self.config.task,
            method=self.config.method,
            optimizer=best.optimizer,
            lr=best.lr,
            weight_decay=best.weight_decay,
            epochs=self._epochs,
            trials=len(tried),
            diverged_trials=sum(row.state == "diverged" for row in tried),
            val_accuracy=chosen.accuracy or 0.0,
            val_pictures=chosen.pictures,
            seeds=tuple(row.seed for row in finished),
            diverged_seeds=tuple(row.seed for row in finals if row.state == "diverged"),
            accuracies=tuple(row.accuracy or 0.0 for row in finished),
            pictures=finished[0].pictures,
            parameters_with_head=facts.parameters.with_head,
            parameters_without_head=facts.parameters.without_head,
            training_seconds=round(statistics.fmean(row.training_seconds for row in finished), 2),
            total_seconds=round(sum(row.seconds for row in (*tried, *finals)), 1),
            backbone=placement.backbone.config.name,
            image_size=placement.backbone.config.image_size,
            source=facts.data.source,
            departures=facts.departures,
            splits_made=facts.splits_made,
            store=str(placement.store),
            version=finals[0].version if self.config.publishes else None,
            directory=str(self.directory.path),
        )


def _key(probe: Run) -> str:
    """Names what all points have in common: options, pictures, backbone, what is started from."""
    common = probe.config.model_copy(update={"lr": None})
    return Identity(common.of_the_key(), probe.contents).key


def _leaves_something(config: TrainConfig) -> bool:
    """Whether a finished run has something to write outside of its directory again."""
    return config.publishes or config.predictions is not None


def _options(point: Point) -> dict[str, Any]:
    return {"optimizer": point.optimizer, "lr": point.lr, "weight_decay": point.weight_decay}


def _shown(row: TrialRow) -> str:
    return "diverged" if row.accuracy is None else f"accuracy {row.accuracy:.4f}"
