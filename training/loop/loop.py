"""The loop of a single run; `search.joint` trains several by its steps, pre-training has its own."""

import logging
import math
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from tqdm import tqdm

from training.data.augmentation import Augmentation
from training.errors import Diverged
from training.loop.averaging import AveragedWeights
from training.loop.epoch import Epoch, Pictures
from training.loop.hold_back import HeldBack
from training.loop.loss import batch_loss
from training.loop.optimization import (
    batches,
    lr_factor,
    new_optimizer,
    optimizer_tensors,
    restore_optimizer,
    seed_epoch,
    set_lr,
    steps_in_epoch,
)
from training.loop.patience import best_epoch, out_of_patience
from training.methods.method import Method
from training.options.train_config import TrainConfig
from training.run.durations import duration
from training.run_directory import Checkpoint, EpochRecord, RunDirectory

LOG = logging.getLogger("training")
Validate = Callable[[], float]
OnEpoch = Callable[[EpochRecord], None]
WhileTraining = Callable[[], AbstractContextManager[None]]


class Training:
    """A run in progress: method, optimizer, what is known of past epochs.

    `while_training` surrounds the steps of each epoch, and not the looks at val. `class_weights` [C] say how
    much a picture of each class counts in the loss. With an `augmentation` every batch is drawn anew from the
    pixels, and goes through the method's `inputs`. What is `held_back` is trained on late, and answered
    before: `held_back_logits` [H, C], None until then.
    """

    def __init__(
        self,
        method: Method,
        config: TrainConfig,
        device: torch.device,
        while_training: WhileTraining = nullcontext,
        class_weights: Tensor | None = None,
        augmentation: Augmentation | None = None,
        held_back: HeldBack | None = None,
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
        self._class_weights = None if class_weights is None else class_weights.to(device)
        self._augmentation = augmentation
        self._held_back = held_back
        self._averaged: AveragedWeights | None = None
        if config.model_ema_decay:
            self._averaged = AveragedWeights(method.module, config.model_ema_decay)
        self.held_back_logits: Tensor | None = None
        self._best: dict[str, Tensor] = {}
        self.history: list[EpochRecord] = []

    @property
    def best(self) -> EpochRecord | None:
        """The first epoch with the best val accuracy, None where none was looked at."""
        return best_epoch(self.history)

    @property
    def finished(self) -> bool:
        """Whether all epochs are trained, or val has not got better for as long as was asked."""
        return len(self.history) >= self._epochs or out_of_patience(self.history, self._config.patience)

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on after the checkpoint's last epoch."""
        self._method.module.load_state_dict(checkpoint.module)
        restore_optimizer(self._optimizer, checkpoint.optimizer)
        if checkpoint.scaler:
            self._scaler.load_state_dict(checkpoint.scaler)
        if self._averaged is not None:
            self._averaged.restore(checkpoint.averaged)
        self.held_back_logits = checkpoint.held_back.get("logits")
        self._best = checkpoint.best
        self.history = list(checkpoint.history)

    def keep_best(self) -> EpochRecord | None:
        """Put in place what counts: averaged weights, or with patience the tensors of the best epoch.

        That epoch, None if the last one counts.
        """
        if not self._best:
            if self._averaged is not None:
                self._averaged.put()
            return None
        self._method.module.load_state_dict(self._best)
        return self.best

    def fit(self, pictures: Pictures, run: RunDirectory, on_epoch: OnEpoch, validate: Validate) -> None:
        """Train the epochs that are left, with a checkpoint after each.

        Raises Diverged when the loss or a trained value is no finite number; the last checkpoint stays.
        """
        ahead = self.begin_epoch(len(pictures.labels))
        with tqdm(total=ahead.all_steps, initial=ahead.first_step, disable=None, unit="step") as bar:
            while not self.finished:
                with self._while_training():
                    epoch = self._epoch(pictures, bar)
                record = self.end_epoch(epoch, run, validate)
                on_epoch(record)
                self._log(record, shown=bool(bar.disable))

    def begin_epoch(self, count: int) -> Epoch:
        """The next epoch over `count` pictures; its order and dropout are functions of seed and number."""
        number, size = len(self.history), self._config.batch_size
        order = seed_epoch(self._config.seed, number)
        self._method.module.train()
        rows = list(batches(self._rows_in(number, count), size, order))
        if self._held_back is not None and number < self._held_back.epochs:
            early = self._held_back.early(count)
            rows = [early[batch] for batch in rows]
        steps = [steps_in_epoch(self._rows_in(epoch, count), size) for epoch in range(self._epochs)]
        return Epoch(number, rows, time.perf_counter(), sum(steps[:number]), sum(steps))

    def _rows_in(self, epoch: int, count: int) -> int:
        """How many of `count` pictures that epoch trains on."""
        held = self._held_back
        return count - len(held.rows) if held is not None and epoch < held.epochs else count

    def batch(self, pictures: Pictures, epoch: Epoch) -> tuple[Tensor, Tensor]:
        """The epoch's next batch: what the method takes, on the device, and labels [b] or, mixed, [b, C]."""
        return self._batch(pictures, epoch.batches[epoch.done], epoch.number, epoch.done)

    def score(self, epoch: Epoch, logits: Tensor, labels: Tensor) -> Tensor:
        """Logits [b, C] and labels of the epoch's next batch → its loss, to go backward from.

        Raises Diverged.
        """
        step = epoch.first_step + epoch.done
        epoch.lr = self._peak * lr_factor(step, epoch.all_steps, self._config.warmup)
        loss, right = self._loss(logits, labels)
        value = loss.item()
        if not math.isfinite(value):
            raise self._diverged(f"the loss is {value}", step + 1, epoch.number, epoch.lr)
        epoch.count(value, right, len(labels))
        set_lr(self._optimizer, epoch.lr)
        return self._scaler.scale(loss)

    def update(self) -> None:
        """Take the step that the gradients say, and forget them."""
        if self._config.clip_grad:
            self._scaler.unscale_(self._optimizer)
            nn.utils.clip_grad_norm_(self._method.module.parameters(), self._config.clip_grad)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._optimizer.zero_grad(set_to_none=True)
        if self._averaged is not None:
            self._averaged.update()

    def end_epoch(
        self, epoch: Epoch, run: RunDirectory, validate: Validate, *, trials: int = 1
    ) -> EpochRecord:
        """Look at val if it is time to, and save. Raises Diverged where a trained value is not finite."""
        self._require_finite(epoch)
        record = epoch.record(trials)
        with self._averaged.in_place() if self._averaged is not None else nullcontext():
            if self._config.val_every and record.epoch % self._config.val_every == 0:
                record = replace(record, val_accuracy=validate())
            if self._held_back is not None and record.epoch == self._held_back.epochs:
                self.held_back_logits = self._held_back.logits()
            self._remember(record)
        self.save(run)
        return record

    def save(self, run: RunDirectory) -> None:
        """Replace the run's checkpoint by what training has come to."""
        run.save(self._checkpoint())

    def _epoch(self, pictures: Pictures, bar: "tqdm[Any]") -> Epoch:
        epoch = self.begin_epoch(len(pictures.labels))
        for _ in epoch.batches:
            inputs, labels = self.batch(pictures, epoch)
            torch.autograd.backward(self.score(epoch, self._method.logits(inputs), labels))
            self.update()
            loss, accuracy = epoch.loss_sum / epoch.seen, epoch.right / epoch.seen
            bar.update()
            bar.set_postfix(
                epoch=epoch.number + 1, loss=f"{loss:.3f}", accuracy=f"{accuracy:.3f}", refresh=False
            )
        return epoch

    def rehearse(self, pictures: Pictures, batch_size: int, steps: int) -> float:
        """Median seconds of a step after the first; what is trained is of no use afterwards."""
        order = torch.arange(batch_size * steps) % len(pictures.labels)
        self._method.module.train()
        seconds = []
        with self._while_training():
            for number, rows in enumerate(torch.split(order, batch_size)):
                began = time.perf_counter()
                inputs, labels = self._batch(pictures, rows, 0, number)
                loss, _ = self._loss(self._method.logits(inputs), labels)
                torch.autograd.backward(self._scaler.scale(loss))
                self.update()
                loss.item()  # waits for a GPU
                seconds.append(time.perf_counter() - began)
        return statistics.median(seconds[1:])

    def _batch(self, pictures: Pictures, rows: Tensor, epoch: int, number: int) -> tuple[Tensor, Tensor]:
        inputs, labels = pictures.inputs[rows], pictures.labels[rows]
        if self._augmentation is None:
            return inputs.to(self._device), labels
        pixels, labels = self._augmentation(inputs, labels, epoch, number)
        return self._method.inputs(pixels.to(self._device)).to(self._device), labels

    def _loss(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, int]:
        smoothing = self._config.label_smoothing or 0.0
        return batch_loss(logits, labels.to(self._device), smoothing, self._class_weights)

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(
            self._method.module.state_dict(),
            optimizer_tensors(self._optimizer),
            tuple(self.history),
            self._best,
            self._scaler.state_dict(),
            {} if self._averaged is None else self._averaged.tensors(),
            {} if self.held_back_logits is None else {"logits": self.held_back_logits},
        )

    def _remember(self, record: EpochRecord) -> None:
        """Add the epoch to the history, and keep its tensors if val was never better."""
        self.history.append(record)
        if self._config.patience and record.val_accuracy is not None and self.best is record:
            state = self._method.module.state_dict()
            self._best = {name: value.detach().cpu().clone() for name, value in state.items()}

    def _require_finite(self, epoch: Epoch) -> None:
        """The last update of an epoch shows in no loss, and must not reach the checkpoint."""
        for name, value in self._method.module.state_dict().items():
            if value.is_floating_point() and not bool(torch.isfinite(value).all()):
                step = epoch.first_step + len(epoch.batches)
                raise self._diverged(f"{name} is not finite", step, epoch.number, epoch.lr)

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
                "epoch %d/%d: loss %.3f, accuracy %.3f%s, %.1f s, about %s left",
                record.epoch, self._epochs, record.loss, record.accuracy, val, record.seconds, duration(left),
            )  # fmt: skip
