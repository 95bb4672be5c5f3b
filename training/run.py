"""A whole run: data and backbone, training, one evaluation, the published adapter."""

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from adapters.artifact import Artifact
from adapters.backbone import Backbone
from adapters.device import choose_device, choose_dtype
from adapters.preprocess import silence_pillow
from adapters.store import Store
from training.config import TrainConfig
from training.data.source import Split, TaskData
from training.data.splits import training_part
from training.evaluate import (
    Answer,
    Predictions,
    answer_of_adapter,
    answer_of_method,
    predict_logits,
)
from training.loop import Pictures, Training
from training.methods import build_method, with_recipe
from training.methods.method import Method, Parameters
from training.placement import Placement
from training.publish import provenance_of, rounded_adapter, unpublished
from training.report import Findings, model_card
from training.run_directory import EpochRecord, RunDirectory
from training.workbench import Workbench

LOG = logging.getLogger("training")


@dataclass(frozen=True)
class Outcome:
    """What a run ended with."""

    findings: Findings
    provenance: Mapping[str, Any]
    run: Path
    store: Path
    version: int | None
    seconds: float


class Run:
    """The parts of one run, made and checked before anything is trained."""

    def __init__(self, config: TrainConfig, workbench: Workbench | None = None) -> None:
        self._workbench = workbench or Workbench()
        self.config = with_recipe(config)
        self.device = choose_device(config.device)
        dtype = choose_dtype(config.precision, self.device)
        self.data: TaskData = self._workbench.data(config)
        self.train: Split = training_part(self.data, config.train_split)
        self.held_out: Split = self.data.splits[config.eval_split]
        self.placement: Placement = self._workbench.placement(config, self.device, dtype)
        self.backbone: Backbone = self.placement.backbone
        self.decoder = self._workbench.decoder(config, self.backbone.config.image_size)
        self.digests = {
            "train_sha256": self._workbench.digest(self.train),
            f"{config.eval_split}_sha256": self._workbench.digest(self.held_out),
        }
        key = self.config.key(self.backbone.config.sha256, str(dtype), *self.digests.values())
        name = f"{config.published_name}-{config.method}-{key}"
        self.directory = RunDirectory.open(config.runs, name, fresh=config.fresh)
        torch.manual_seed(config.seed)
        self.method: Method = build_method(self.backbone, self.config, len(self.data.classes))
        self.method.module.to(self.device)

    def execute(self, command: str) -> Outcome:
        """Train or resume, evaluate once, publish what can be served."""
        silence_pillow()
        began = time.perf_counter()
        self._record_inputs(command)
        held_out = self.decoder.chunks(self.held_out)
        history = self._fit()
        draft = self._draft()
        predictions = self._predict(self._answer(draft), held_out, self.held_out)
        findings = Findings(self.config.eval_split, self.data.classes, predictions, history)
        provenance = self._provenance(findings, command)
        card = model_card(self.config.published_name, findings, provenance, served=draft is not None)
        self._record_outputs(findings, provenance, card)
        version = self._publish(draft, provenance, card)
        seconds = time.perf_counter() - began
        return Outcome(findings, provenance, self.directory.path, self.placement.store, version, seconds)

    def _fit(self) -> tuple[EpochRecord, ...]:
        training = Training(self.method, self.config, self.device)
        checkpoint = self.directory.load()
        if checkpoint is not None:
            training.resume(checkpoint)
            LOG.info(
                "%s: %d of %d epochs are trained; --fresh starts over",
                self.directory.path, len(training.history), self.config.epochs,
            )  # fmt: skip
        if len(training.history) < (self.config.epochs or 0):
            self._train(training)
        return tuple(training.history)

    def _train(self, training: Training) -> None:
        self._speed_up()
        images = self.decoder.load(self.train, "decoding the training pictures")
        inputs = self._workbench.inputs(self.method, self.config, self.backbone, images, self.train)
        pictures = Pictures(inputs, torch.tensor(self.train.labels))
        with SummaryWriter(self.directory.path, purge_step=len(training.history) + 1) as board:
            training.fit(
                pictures, self.directory, lambda record: _to_board(board, record), self._validation_accuracy
            )
        self.backbone.use_fused_attention(fused=True)

    def _speed_up(self) -> None:
        # Plain matrix products go backward faster than fused attention on a CPU.
        self.backbone.use_fused_attention(self.device.type != "cpu")
        if self.config.compile:
            for block in self.backbone.vit.blocks:
                block.compile()

    @cached_property
    def _val_pixels(self) -> Iterable[Tensor]:
        return self.decoder.chunks(self.data.splits["val"])

    def _validation_accuracy(self) -> float:
        answer = answer_of_method(self.method, self.device)
        return self._predict(answer, self._val_pixels, self.data.splits["val"]).accuracy

    def _draft(self) -> Artifact | None:
        """The adapter as it will be published, without provenance and card; None if it cannot be served."""
        adapter = self.method.adapter()
        if adapter is None:
            return None
        return unpublished(adapter, self.config, self.data.classes, self.backbone.config)

    def _answer(self, draft: Artifact | None) -> Answer:
        """What is measured: the rounded tensors that a server will load, or else the method itself."""
        if draft is None:
            return answer_of_method(self.method, self.device)
        return answer_of_adapter(self.backbone, rounded_adapter(draft, self.backbone.config))

    def _predict(self, answer: Answer, pixels: Iterable[Tensor], split: Split) -> Predictions:
        logits = predict_logits(answer, self.device, pixels)
        return Predictions(split.names, torch.tensor(split.labels), logits)

    def _record_inputs(self, command: str) -> None:
        config = self.config.model_dump(mode="json")
        self.directory.write_json("config.json", {"command": command, **config})
        splits = {name: split.names for name, split in self.data.splits.items()}
        self.directory.write_json("splits.json", {"made": self.data.made, **splits})

    def _record_outputs(
        self, findings: Findings, provenance: Mapping[str, Any], card: Mapping[str, bytes]
    ) -> None:
        self.directory.write_json("result.json", provenance)
        for path in (self.directory.path / "predictions.csv", self.config.predictions):
            if path is not None:
                findings.predictions.write(path)
        for name, content in card.items():
            (self.directory.path / name).write_bytes(content)

    def _provenance(self, findings: Findings, command: str) -> dict[str, Any]:
        facts = {"command": command, "parameters": asdict(Parameters.of(self.method))}
        data: dict[str, int | str] = {"pictures": len(self.train), **self.digests}
        return provenance_of(self.config, self.data, findings, self.backbone, data=data) | facts

    def _publish(
        self, draft: Artifact | None, provenance: dict[str, Any], card: Mapping[str, bytes]
    ) -> int | None:
        if draft is None or not self.config.publishes:
            return None
        config = draft.config.model_copy(update={"provenance": provenance})
        store = Store.create(self.placement.store, self.backbone.config)
        artifact = replace(draft, config=config, card=card)
        return store.publish(self.config.published_name, artifact, label=self.config.label)


def _to_board(board: SummaryWriter, record: EpochRecord) -> None:
    for name in ("loss", "accuracy", "lr", "val_accuracy"):
        value = getattr(record, name)
        if value is not None:
            board.add_scalar(name, value, record.epoch)
