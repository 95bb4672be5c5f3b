"""The one training loop."""

import logging
import math
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
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
WhileTraining = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True)
class Pictures:
    """What a method made of the training pictures [N, …], and their labels [N]."""

    inputs: Tensor
    labels: Tensor


class Training:
    """A run in progress: method, optimizer, what is known of past epochs.

    `while_training` surrounds the steps of each epoch, and not the looks at val.
    """

    def __init__(
        self,
        method: Method,
        config: TrainConfig,
        device: torch.device,
        while_training: WhileTraining = nullcontext,
    ) -> None:
        if config.epochs is None or config.lr is None:
            raise ValueError("epochs and learning rate are resolved before training")
        self._method = method
        self._config = config
        self._device = device
        self._epochs = config.epochs
        self._peak = config.lr
        self._optimizer: Optimizer = new_optimizer(method.module, config)
        # Gradients of float16 would vanish unscaled; the other types have float32's range.
        self._scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "fp16")
        self._while_training = while_training
        self._best: dict[str, Tensor] = {}
        self.history: list[EpochRecord] = []

    @property
    def best(self) -> EpochRecord | None:
        """The first epoch with the best val accuracy, None where none was looked at."""
        looked = [record for record in self.history if record.val_accuracy is not None]
        return max(looked, key=lambda record: record.val_accuracy or 0.0, default=None)

    @property
    def finished(self) -> bool:
        """Whether all epochs are trained, or val has not got better for as long as was asked."""
        return len(self.history) >= self._epochs or self._out_of_patience()

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on after the checkpoint's last epoch."""
        self._method.module.load_state_dict(checkpoint.module)
        restore_optimizer(self._optimizer, checkpoint.optimizer)
        if checkpoint.scaler:
            self._scaler.load_state_dict(checkpoint.scaler)
        self._best = checkpoint.best
        self.history = list(checkpoint.history)

    def keep_best(self) -> EpochRecord | None:
        """With patience, go back to the best epoch's tensors; that epoch, None if the last one counts."""
        if not self._best:
            return None
        self._method.module.load_state_dict(self._best)
        return self.best

    def fit(self, pictures: Pictures, run: RunDirectory, on_epoch: OnEpoch, validate: Validate) -> None:
        """Train the epochs that are left, with a checkpoint after each.

        Raises Diverged when the loss or a trained value is no finite number; the last checkpoint stays.
        """
        steps = steps_in_epoch(len(pictures.labels), self._config.batch_size)
        first = len(self.history)
        with tqdm(total=self._epochs * steps, initial=first * steps, disable=None, unit="step") as bar:
            while not self.finished:
                epoch = len(self.history)
                with self._while_training():
                    record = self._epoch(epoch, steps, pictures, bar)
                self._require_finite(record, (epoch + 1) * steps)
                if self._config.val_every and (epoch + 1) % self._config.val_every == 0:
                    record = replace(record, val_accuracy=validate())
                self._remember(record)
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
                raise self._diverged(f"the loss is {loss}", step + 1, epoch, lr)
            loss_sum, right, seen = loss_sum + loss * len(rows), right + correct, seen + len(rows)
            bar.update()
            bar.set_postfix(
                epoch=epoch + 1, loss=f"{loss_sum / seen:.3f}", accuracy=f"{right / seen:.3f}", refresh=False
            )
        return EpochRecord(epoch + 1, loss_sum / seen, right / seen, lr, time.perf_counter() - began)

    def rehearse(self, pictures: Pictures, batch_size: int, steps: int) -> float:
        """Median seconds of a step after the first; what is trained is of no use afterwards."""
        order = torch.arange(batch_size * steps) % len(pictures.labels)
        self._method.module.train()
        seconds = []
        with self._while_training():
            for rows in torch.split(order, batch_size):
                began = time.perf_counter()
                self._step(pictures.inputs[rows], pictures.labels[rows])
                seconds.append(time.perf_counter() - began)
        return statistics.median(seconds[1:])

    def _step(self, inputs: Tensor, labels: Tensor) -> tuple[float, int]:
        """One update with [b, …] inputs and [b] labels → the loss before it and how many rows were right."""
        labels = labels.to(self._device)
        logits = self._method.logits(inputs.to(self._device))
        loss = F.cross_entropy(logits, labels, label_smoothing=self._config.label_smoothing)
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(self._scaler.scale(loss))
        self._scaler.step(self._optimizer)
        self._scaler.update()
        return loss.item(), int((logits.argmax(dim=1) == labels).sum())

    def _set_lr(self, step: int, steps: int) -> float:
        lr = self._peak * lr_factor(step, steps, self._config.warmup)
        set_lr(self._optimizer, lr)
        return lr

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(
            self._method.module.state_dict(),
            optimizer_tensors(self._optimizer),
            tuple(self.history),
            self._best,
            self._scaler.state_dict(),
        )

    def _remember(self, record: EpochRecord) -> None:
        """Add the epoch to the history, and keep its tensors if val was never better."""
        self.history.append(record)
        if self._config.patience and record.val_accuracy is not None and self.best is record:
            state = self._method.module.state_dict()
            self._best = {name: value.detach().cpu().clone() for name, value in state.items()}

    def _out_of_patience(self) -> bool:
        """Judged only where val was looked at: between two looks nothing can have got better."""
        if not self._config.patience or not self.history or self.history[-1].val_accuracy is None:
            return False
        best = self.best
        return best is not None and self.history[-1].epoch - best.epoch >= self._config.patience

    def _require_finite(self, record: EpochRecord, step: int) -> None:
        """The last update of an epoch shows in no loss, and must not reach the checkpoint."""
        for name, value in self._method.module.state_dict().items():
            if value.is_floating_point() and not bool(torch.isfinite(value).all()):
                raise self._diverged(f"{name} is not finite", step, record.epoch - 1, record.lr)

    def _diverged(self, what: str, step: int, epoch: int, lr: float) -> Diverged:
        kept = f"; the checkpoint of epoch {epoch} is kept" if epoch else ""
        return Diverged(
            f"{what} at step {step} (epoch {epoch + 1}, learning rate {lr:.3g}){kept}; "
            "try a lower --lr, or --precision fp32"
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
