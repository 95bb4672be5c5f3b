"""What answers to pictures that were not trained on say about all others."""

import torch
from torch import Tensor

from training.card.findings import Calibration, Floor
from training.loop.acceptance import measured_acceptance
from training.loop.calibration import fit_temperature
from training.methods.table import METHODS
from training.options.train_config import TrainConfig
from training.run.run import Run


def calibration_of(run: Run, answers: Tensor | None, floor: Floor | None) -> Calibration | None:
    """A temperature from answers to pictures that were not trained on; None where there are none.

    `answers` [H, C] are the run's to pictures held back; with a `floor` it ends as a linear head.
    """
    config, trained = run.config, torch.tensor(run.train.labels)
    if not METHODS[config.method].served:
        return None
    if floor is not None or (config.method == "linear" and config.head_first):
        if not run.linear.head.folds:
            return None
        logits, labels = run.linear.head.out_of_fold, trained
    elif config.train_split == "train" and config.eval_split == "test":
        found = run.predictions(run.answer(run.draft()), run.val_pixels, run.data.splits["val"])
        logits, labels = found.logits, found.labels
    elif answers is not None and run.held_back is not None:
        logits, labels = answers, trained[run.held_back.rows]
    else:
        return None
    return calibrated(config, logits, labels, run.directory.path.name)


def calibrated(config: TrainConfig, logits: Tensor, labels: Tensor, run: str) -> Calibration:
    """The temperature of logits [N, C] against labels [N], and the thresholds behind it."""
    temperature = fit_temperature(logits, labels)
    acceptance = measured_acceptance(
        logits / temperature,
        labels,
        precision=config.accept_precision,
        false_alarms=config.false_alarms,
    )
    return Calibration(temperature, len(labels), run, acceptance)
