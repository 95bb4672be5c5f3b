"""Rungs: candidates trained for so many epochs on each part, with rows and answers that outlive a kill."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from training.auto.candidates import Candidate, trial_options
from training.auto.choice import Lost, Tried
from training.auto.parts import Parts
from training.card.findings import Predictions
from training.errors import CheckpointDamaged
from training.run.run import Run
from training.run.workbench import Workbench
from training.run_directory import CHECKPOINT, RunDirectory
from training.search.ledger import Ledger
from training.search.search_config import SearchConfig
from training.search.trials import TrialRow, attempt, row_of

LOG = logging.getLogger("training")
ROWS = "auto.csv"
ANSWERS = "answers.safetensors"


class AutoRow(TrialRow):
    """A trial, or the final run, that trained so many `values`; `fold` counts from 1, and is none on val."""

    values: int
    fold: int | None = None


class Rungs:
    """Trials in a directory that is claimed: what has a row and its answers is not trained again."""

    def __init__(
        self, config: SearchConfig, parts: Parts, workbench: Workbench, directory: RunDirectory
    ) -> None:
        self._config = config
        self._parts = parts
        self._benches = [workbench.parted(pair) for pair in parts.pairs]
        self._directory = directory
        self.ledger = Ledger(directory.path / ROWS, AutoRow)

    def climb(self, epochs: Sequence[tuple[Candidate, int]], command: str) -> list[Tried | Lost]:
        """Each candidate after its number of epochs, trained anew: their number shapes the whole course."""
        return [self._try(candidate, count, command) for candidate, count in epochs]

    def run_of(self, tried: Tried) -> str:
        """The directory that its answers are from, the common one where they are from several."""
        row = self._find(tried.candidate, tried.epochs, 0)
        return row.run if row and not self._parts.folds else self._directory.path.name

    def _try(self, candidate: Candidate, epochs: int, command: str) -> Tried | Lost:
        answers = []
        for part in range(len(self._benches)):
            row = self._find(candidate, epochs, part) or self._train(candidate, epochs, part, command)
            if row.state == "diverged":
                LOG.info("auto: %s after %d epochs: diverged", candidate.method, epochs)
                return Lost(candidate, epochs)
            answers.append(self._read(row))
        held_out = self._parts.held_out
        found = Predictions(held_out.names, torch.tensor(held_out.labels), torch.cat(answers))
        LOG.info(
            "auto: %s after %d epochs: %.4f of %d pictures",
            candidate.method, epochs, found.accuracy, len(held_out),
        )  # fmt: skip
        return Tried(candidate, epochs, found)

    def _fold(self, part: int) -> int | None:
        return part + 1 if self._parts.folds else None

    def _find(self, candidate: Candidate, epochs: int, part: int) -> AutoRow | None:
        asked = (candidate.method, epochs, self._fold(part), "val")
        rows = [row for row in self.ledger.rows() if (row.method, row.epochs, row.fold, row.split) == asked]
        whole = [row for row in rows if row.state == "diverged" or self._path(row).is_file()]
        return whole[-1] if whole else None

    def _train(self, candidate: Candidate, epochs: int, part: int, command: str) -> AutoRow:
        """Train, or go on, and keep the answers; then a row says that they are there."""
        began = time.perf_counter()
        changes = {} if candidate.at_once else {"epochs": epochs, "steps": 0}
        config = trial_options(self._config, candidate.method, runs=self._directory.path, **changes)
        run = Run(config, self._benches[part])
        outcome = attempt(run, command)
        if outcome is not None:
            run.directory.write_bytes(ANSWERS, save({"logits": outcome.findings.predictions.logits}))
        row = row_of(run, outcome, time.perf_counter() - began)
        done = AutoRow(**row.model_dump(), values=candidate.values, fold=self._fold(part))
        self.ledger.append(done)
        # The answers are all that is needed of it.
        (run.directory.path / CHECKPOINT).unlink(missing_ok=True)
        return done

    def _path(self, row: AutoRow) -> Path:
        return self._directory.path / row.run / ANSWERS

    def _read(self, row: AutoRow) -> Tensor:
        path = self._path(row)
        try:
            return load_file(path)["logits"]
        except (SafetensorError, OSError, KeyError) as error:
            raise CheckpointDamaged(f"cannot read {path}: {error}; start over with --fresh") from error
