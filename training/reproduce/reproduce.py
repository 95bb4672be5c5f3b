"""The paper's tables and figure: run what is missing, and render what there is."""

import logging
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.data.source import listed
from training.errors import DataNotFound, TrainingError
from training.reproduce.contents import Contents
from training.reproduce.experiments import Experiment
from training.reproduce.figures import picture
from training.reproduce.plan import Cell, CellRow, cells, chosen_systems, data_at_hand, left_out
from training.reproduce.reproduce_config import ReproduceConfig
from training.reproduce.scores import Scores
from training.reproduce.tables import markdown, write_csv
from training.run.dry_run import measure, trial_s
from training.run.durations import duration
from training.run.run import Run
from training.run.workbench import KEPT_BYTES, Workbench
from training.search.grid import grid
from training.search.ledger import Ledger
from training.search.result import SearchResult
from training.search.search import FINAL_COST, Search

LOG = logging.getLogger("training")
RESULTS = "results.csv"


class Reproduction:
    """One experiment under one set of options.

    A finished search is a row of `results.csv`; what has one is not run again, whichever table asked for it,
    and is shown for the pictures and weights it was made of only, wherever they lie.
    """

    def __init__(self, experiment: Experiment, options: ReproduceConfig, more: Mapping[str, Any]) -> None:
        self.experiment = experiment
        self.options = options
        self.left_out = left_out(experiment, chosen_systems(experiment, options), more)
        self._contents = Contents()
        self.cells = tuple(self._contents.of(cell) for cell in cells(experiment, options, more))
        self.missing: dict[str, str] = {}
        self._ledger = Ledger(options.out / RESULTS, CellRow)
        self._workbench = Workbench(KEPT_BYTES)

    def execute(self, command: str) -> tuple[Path, ...]:
        """Run every cell without a row whose data is there, rendering after each; the files written.

        What cannot be trained is listed with its reason, and the others go on.
        """
        for line in self.left_out:
            LOG.info("%s", line)
        left = self._to_run()
        files = self._render()
        for number, cell in enumerate(left, start=1):
            LOG.info("%d of %d: %s%s", number, len(left), cell, self._time_left(left[number - 1 :]))
            try:
                result = Search(cell.config, self._workbench).execute(command)
            except DataNotFound:
                self.missing[cell.task.title] = _where(cell)
            except TrainingError as error:
                LOG.warning("%s: %s", cell, error)
                self.missing[str(cell)] = " ".join(str(error).split())
            else:
                self._keep(cell, result)
            files = self._render()
        return files

    def outlook(self) -> str:
        """What would be run, and about how long it takes, from a few real steps of each row."""
        left = self._to_run()
        done = len(self.cells) - len(left) - self._without_data()
        lines = [f"{self.experiment.title}: {len(self.cells)} searches, {done} done, {len(left)} to run"]
        seconds: dict[str, float] = {}
        for cell in left:
            if cell.system.name not in seconds:
                seconds[cell.system.name] = self._estimate(cell)
            points = len(grid(cell.config))
            lines.append(
                f"  {cell}: {points} trials, {cell.config.seeds} seeds, "
                f"about {duration(seconds[cell.system.name])}"
            )
        lines.append(f"about {duration(sum(seconds[cell.system.name] for cell in left))} on this machine")
        lines += [f"missing: {what}: {why}" for what, why in self.missing.items()]
        lines += [f"note: {line}" for line in self.left_out]
        return "\n".join([*lines, "nothing was trained or written (--dry-run)"])

    def _keep(self, cell: Cell, result: SearchResult) -> None:
        """Write the row of a finished search, under the key of the pictures it was made of."""
        known = self._contents.of(cell, downloaded=True)
        if known.key not in {row.key for row in self._ledger.rows()}:
            self._ledger.append(CellRow.of(known, result))
        self.cells = tuple(known if other == cell else other for other in self.cells)

    def _to_run(self) -> list[Cell]:
        """Cells without a row whose data is there; notes the tasks whose data is not."""
        done = {row.key for row in self._ledger.rows()}
        left: dict[str, Cell] = {}
        for cell in self.cells:
            if cell.key in done:
                continue
            if data_at_hand(cell, download=self.options.download):
                left.setdefault(cell.key, cell)
            else:
                self.missing[cell.task.title] = _where(cell)
        return list(left.values())

    def _without_data(self) -> int:
        done = {row.key for row in self._ledger.rows()}
        return sum(cell.key not in done and self._failed(cell) for cell in self.cells)

    def _estimate(self, cell: Cell) -> float:
        """Seconds of a whole search, from a few steps of its first point."""
        options = {"train_split": "train", "eval_split": "val", "lr": grid(cell.config)[0].lr}
        run = Run(cell.config.plain(**options), self._workbench)
        costs = measure(run)
        trial, pictures = trial_s(run, costs), len(run.train)
        finals = cell.config.seeds * (FINAL_COST * trial + len(run.data.splits["test"]) * costs.evaluate_s)
        # Features are computed once for the trials, and once for the final trainings.
        return len(grid(cell.config)) * trial + finals + (1 + FINAL_COST) * pictures * costs.inputs_s

    def _time_left(self, left: Sequence[Cell]) -> str:
        """By the searches done so far."""
        rows = self._ledger.rows()
        if not rows:
            return ""
        mean = statistics.fmean(row.total_seconds for row in rows)
        known = {row.method: row.total_seconds for row in rows}
        return f"; about {duration(sum(known.get(cell.config.method, mean) for cell in left))} left"

    def _render(self) -> tuple[Path, ...]:
        rows = {row.key: row for row in self._ledger.rows()}
        scores = Scores(self.experiment, self.cells, rows)
        out, name = self.options.out, self.experiment.name
        out.mkdir(parents=True, exist_ok=True)
        waiting = [str(cell) for cell in self.cells if cell.key not in rows and not self._failed(cell)]
        more = {"not run yet": listed(waiting)} if waiting else {}
        (out / f"{name}.md").write_text(markdown(scores, self.missing | more), encoding="utf-8")
        write_csv(scores, out / f"{name}.csv")
        files = [out / f"{name}.md", out / f"{name}.csv"]
        if scores.rows:
            (out / f"{name}.png").write_bytes(picture(scores))
            files.append(out / f"{name}.png")
        return tuple(files)

    def _failed(self, cell: Cell) -> bool:
        return cell.task.title in self.missing or str(cell) in self.missing


def _where(cell: Cell) -> str:
    return f"no data found; {cell.task.benchmark}'s {cell.task.title} can be had at {cell.task.source}"
