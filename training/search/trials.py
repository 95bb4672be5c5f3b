"""Trainings of a search as rows: what each came to, and which is the best."""

import logging
import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

from torch.nn import functional as F

from adapters.config import StrictModel
from training.errors import Diverged
from training.run.execution import Outcome, execute
from training.run.run import Run

LOG = logging.getLogger("training")
ON_TRAIN: Mapping[str, Any] = MappingProxyType(
    {
        "train_split": "train", "eval_split": "val", "fresh": False, "predictions": None, "publish": False,
        "calibrate": False,
    }
)  # fmt: skip
"""Options of a run that learns from train, is measured on val, and leaves nothing elsewhere."""


class TrialRow(StrictModel):
    """One training of a search: on train and measured on val, or on both and measured on test.

    A run that diverged has neither accuracy (a part of 1) nor loss. `seconds` is the wall time of the process
    that finished it, `training_seconds` the training of all its epochs. `run` is its directory's name.
    """

    task: str
    method: str
    optimizer: Literal["adamw", "sgd"]
    lr: float
    weight_decay: float
    seed: int
    split: Literal["val", "test"]
    epochs: int
    state: Literal["finished", "diverged"]
    accuracy: float | None
    loss: float | None
    pictures: int
    seconds: float
    training_seconds: float
    run: str
    version: int | None = None


def select(rows: Sequence[TrialRow]) -> TrialRow:
    """The trial with the best val accuracy at its last epoch.

    Among equals the lower val loss, then the lower learning rate, then the higher weight decay. Raises
    Diverged where no trial finished.
    """
    finished = [row for row in rows if row.state == "finished"]
    if not finished:
        raise Diverged(f"all {len(rows)} trials diverged; give lower values with --grid-lr")
    return min(finished, key=lambda row: (-(row.accuracy or 0.0), row.loss or 0.0, row.lr, -row.weight_decay))


def attempt(run: Run, command: str, *, card: bool = False) -> Outcome | None:
    """What a run ends with; None, and a line in the log, where it diverges."""
    try:
        return execute(run, command, card=card)
    except Diverged as error:
        LOG.info("%s", error)
        return None


def row_of(run: Run, outcome: Outcome | None, seconds: float) -> TrialRow:
    """The row of a run; without an outcome, or with answers that are no numbers, it diverged."""
    config = run.config
    predictions = outcome.findings.predictions if outcome else None
    loss = math.nan
    if predictions:
        loss = F.cross_entropy(predictions.logits.double(), predictions.labels).item()
    finished = predictions is not None and math.isfinite(loss)
    trained = sum(record.seconds for record in outcome.findings.history) if outcome else 0.0
    return TrialRow(
        task=config.task,
        method=config.method,
        optimizer=config.optimizer,
        lr=config.lr or 0.0,
        weight_decay=config.weight_decay,
        seed=config.seed,
        split=config.eval_split,
        epochs=config.epochs or 0,
        state="finished" if finished else "diverged",
        accuracy=predictions.accuracy if predictions and finished else None,
        loss=loss if finished else None,
        pictures=len(run.held_out),
        seconds=round(seconds, 2),
        training_seconds=round(trained, 2),
        run=run.directory.path.name,
        version=outcome.version if outcome else None,
    )
