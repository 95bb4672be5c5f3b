"""The one training loop."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer
from tqdm import tqdm

from training.config import TrainConfig
from training.errors import Diverged
from training.methods.method import Method
from training.optimization import (
    batches,
    lr_factor,
    new_optimizer,
    optimizer_tensors,
    restore_optimizer,
    seed_epoch,
    set_lr,
    steps_in_epoch,
)
from training.run_directory import Checkpoint, EpochRecord, RunDirectory

LOG = logging.getLogger("training")
Validate = Callable[[], float]
OnEpoch = Callable[[EpochRecord], None]


@dataclass(frozen=True)
class Pictures:
    """What a method made of the training pictures [N, …], and their labels [N]."""

    inputs: Tensor
    labels: Tensor


class Training:
    """A run in progress: method, optimizer, what is known of past epochs."""

    def __init__(self, method: Method, config: TrainConfig, device: torch.device) -> None:
        if config.epochs is None or config.lr is None:
            raise ValueError("epochs and learning rate are resolved before training")
        self._method = method
        self._config = config
        self._device = device
        self._epochs = config.epochs
        self._peak = config.lr
        self._optimizer: Optimizer = new_optimizer(method.module, config)
        self.history: list[EpochRecord] = []

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on after the checkpoint's last epoch."""
        self._method.module.load_state_dict(checkpoint.module)
        restore_optimizer(self._optimizer, checkpoint.optimizer)
        self.history = list(checkpoint.history)

    def fit(self, pictures: Pictures, run: RunDirectory, on_epoch: OnEpoch, validate: Validate) -> None:
        """Train the epochs that are left, with a checkpoint after each.

        Raises Diverged when the loss is no finite number; the last checkpoint stays.
        """
        steps = steps_in_epoch(len(pictures.labels), self._config.batch_size)
        first = len(self.history)
        with tqdm(total=self._epochs * steps, initial=first * steps, disable=None, unit="step") as bar:
            for epoch in range(first, self._epochs):
                record = self._epoch(epoch, steps, pictures, bar)
                if self._config.val_every and (epoch + 1) % self._config.val_every == 0:
                    record = replace(record, val_accuracy=validate())
                self.history.append(record)
                run.save(self._checkpoint())
                on_epoch(record)
                self._log(record, shown=bool(bar.disable))

    def _epoch(self, epoch: int, steps: int, pictures: Pictures, bar: "tqdm[Any]") -> EpochRecord:
        began = time.perf_counter()
        order = seed_epoch(self._config.seed, epoch)
        self._method.module.train()
        loss_sum, right, seen = 0.0, 0, 0
        for number, rows in enumerate(batches(len(pictures.labels), self._config.batch_size, order)):
            step = epoch * steps + number
            lr = self._set_lr(step, self._epochs * steps)
            loss, correct = self._step(pictures.inputs[rows], pictures.labels[rows])
            if not math.isfinite(loss):
                raise Diverged(
                    f"the loss is {loss} at step {step + 1} (epoch {epoch + 1}, learning rate {lr:.3g}); "
                    "try a lower --lr, or --precision fp32"
                )
            loss_sum, right, seen = loss_sum + loss * len(rows), right + correct, seen + len(rows)
            bar.update()
            bar.set_postfix(
                epoch=epoch + 1, loss=f"{loss_sum / seen:.3f}", accuracy=f"{right / seen:.3f}", refresh=False
            )
        return EpochRecord(epoch + 1, loss_sum / seen, right / seen, lr, time.perf_counter() - began)

    def _step(self, inputs: Tensor, labels: Tensor) -> tuple[float, int]:
        """One update → the loss before it and how many rows were right."""
        labels = labels.to(self._device)
        logits = self._method.logits(inputs.to(self._device))
        loss = F.cross_entropy(logits, labels)
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self._optimizer.step()
        return loss.item(), int((logits.argmax(dim=1) == labels).sum())

    def _set_lr(self, step: int, steps: int) -> float:
        lr = self._peak * lr_factor(step, steps, self._config.warmup)
        set_lr(self._optimizer, lr)
        return lr

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(
            self._method.module.state_dict(), optimizer_tensors(self._optimizer), tuple(self.history)
        )

    def _log(self, record: EpochRecord, *, shown: bool) -> None:
        """A line for an epoch where there is no bar, at most about twenty in a run."""
        every = max(1, self._epochs // 20)
        if shown and (record.epoch % every == 0 or record.epoch == self._epochs):
            val = "" if record.val_accuracy is None else f", val {record.val_accuracy:.3f}"
            left = record.seconds * (self._epochs - record.epoch)
            LOG.info(
                "epoch %d/%d: loss %.3f, accuracy %.3f%s, %.1f s, about %.0f s left",
                record.epoch, self._epochs, record.loss, record.accuracy, val, record.seconds, left,
            )  # fmt: skip
