"""Many trials of one task in one forward pass, each row with its own trial's prompts, as the service does.

Every trial keeps its own order of pictures, learning rate, weight decay and checkpoint, so that it ends
where it would have ended alone, but for rounding and, with drop path, for the paths that are drawn.
"""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor

from training.errors import Diverged
from training.loop.deterministic import deterministic
from training.loop.drop_path import dropped_paths
from training.loop.epoch import Epoch, Pictures
from training.loop.loop import Training
from training.methods.method import Method
from training.methods.table import METHODS
from training.run.run import Run


@dataclass(frozen=True)
class _Trial:
    run: Run
    method: Method
    training: Training


def train_jointly(runs: Sequence[Run]) -> float:
    """Bring each run's checkpoint to its last epoch → seconds for each run.

    The runs are of one task, one backbone and one prompt layout; each may have been interrupted elsewhere. A
    run whose loss is no number keeps its last checkpoint: executed alone, it says what happened.
    """
    began = time.perf_counter()
    with ExitStack() as claims:
        for run in runs:
            claims.enter_context(run.directory.claimed(fresh=run.config.fresh))
        claims.enter_context(deterministic(wanted=any(run.config.deterministic for run in runs)))
        trials = [trial for trial in map(_resumed, runs) if not trial.training.finished]
        if trials:
            _train(trials)
    return (time.perf_counter() - began) / len(runs)


def _resumed(run: Run) -> _Trial:
    if not METHODS[run.config.method].joint:
        raise TypeError(f"{run.config.method} has no prompts to share a forward pass with")
    training = run.new_training()
    checkpoint = run.directory.load()
    if checkpoint is not None:
        training.resume(checkpoint)
    else:
        run.start()
    return _Trial(run, run.method, training)


def _train(trials: list[_Trial]) -> None:
    """Epoch by epoch, until every trial is finished or out."""
    run = trials[0].run
    pictures = Pictures(run.load_training_pixels(), torch.tensor(run.train.labels))
    run.speed_up()
    while trials:
        with dropped_paths(run.backbone, run.config.drop_path or 0.0):
            trials = _epoch(trials, pictures)
    run.backbone.use_fused_attention(fused=True)


def _epoch(trials: Sequence[_Trial], pictures: Pictures) -> list[_Trial]:
    """The next epoch of each trial → the trials that have more of them."""
    running = [(trial, trial.training.begin_epoch(len(pictures.labels))) for trial in trials]
    for _ in running[0][1].batches:
        running = _step(running, pictures) if running else []
    ended = [trial for trial, epoch in running if _ends(trial, epoch, len(trials))]
    return [trial for trial in ended if not trial.training.finished]


def _step(running: Sequence[tuple[_Trial, Epoch]], pictures: Pictures) -> list[tuple[_Trial, Epoch]]:
    """One batch of each trial → those whose loss was a number."""
    batches = [trial.training.batch(pictures, epoch) for trial, epoch in running]
    method = METHODS[running[0][0].run.config.method]
    joint_logits = method.load(method.joint)
    answers = joint_logits([trial.method for trial, _ in running], [inputs for inputs, _ in batches])
    losses = [
        _loss(trial, epoch, answer, labels)
        for (trial, epoch), answer, (_, labels) in zip(running, answers, batches, strict=True)
    ]
    finite = [loss for loss in losses if loss is not None]
    if finite:
        torch.autograd.backward(finite)
    sound = [pair for pair, loss in zip(running, losses, strict=True) if loss is not None]
    for trial, _ in sound:
        trial.training.update()
    return sound


def _loss(trial: _Trial, epoch: Epoch, logits: Tensor, labels: Tensor) -> Tensor | None:
    try:
        return trial.training.score(epoch, logits, labels)
    except Diverged:
        return None


def _ends(trial: _Trial, epoch: Epoch, trials: int) -> bool:
    """Save what the epoch came to; whether it came to numbers."""
    try:
        trial.training.end_epoch(epoch, trial.run.directory, _no_val, trials=trials)
    except Diverged:
        return False
    return True


def _no_val() -> float:
    raise AssertionError("joined trials do not look at val while they train")
