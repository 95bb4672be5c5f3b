"""A whole run: data and backbone, training, one evaluation, the published adapter."""

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import torch
from torch import Tensor

from adapters.command.streams import as_utf8
from adapters.device import choose_device, choose_dtype
from adapters.errors import ConfigError
from adapters.kinds.adapter import Adapter
from adapters.pictures.decode import silence_pillow
from adapters.store.artifact import Artifact, adapter_of, new_artifact
from adapters.store.files import Location
from adapters.vit.backbone import Backbone
from training.card.findings import Calibration, Findings, Floor, Predictions
from training.card.model_card import model_card, plain_card
from training.card.provenance import Choice, DataFacts, Provenance
from training.data.augmentation import augmentation_of, kept_pictures
from training.data.departures import SplitName
from training.data.source import Split, TaskData
from training.data.splits import training_part
from training.harmless import harmless
from training.loop.calibration import fold_temperature
from training.loop.deterministic import deterministic
from training.loop.drop_path import dropped_paths
from training.loop.evaluate import (
    Answer,
    answer_of_adapter,
    answer_of_method,
    predict_logits,
)
from training.loop.hold_back import HeldBack, rows_to_hold_back
from training.loop.loop import Pictures, Training
from training.loop.optimization import balanced_weights
from training.memory import memory_faults
from training.methods import build_method
from training.methods.method import Method
from training.methods.table import METHODS
from training.options.train_config import TrainConfig
from training.run.board import board
from training.run.calibrated import calibrated
from training.run.identity import Identity, latest_before
from training.run.linear_reference import LinearReference
from training.run.placement import Placement
from training.run.publish import check_classes, publish, signer_of
from training.run.record import provenance_of, record_inputs, record_outputs
from training.run.settled import settled
from training.run.start import Start
from training.run.warm_start import WarmStart, find_warm_start, pinned
from training.run.workbench import Workbench
from training.run_directory import CHECKPOINT, EpochRecord, find_directory

LOG = logging.getLogger("training")


@dataclass(frozen=True)
class Outcome:
    """What a run ended with."""

    findings: Findings
    provenance: Provenance
    run: Path
    store: Location
    version: int | None
    seconds: float


class Run:
    """The parts of one run, made and checked before anything is trained."""

    def __init__(self, config: TrainConfig, workbench: Workbench | None = None) -> None:
        self._workbench = workbench or Workbench()
        self.device = choose_device(config.device)
        dtype = _dtype(config, self.device)
        self.data: TaskData = self._workbench.data(config)
        self.train: Split = training_part(self.data, config.train_split)
        self.held_out: Split = self.data.splits[config.eval_split]
        self.placement: Placement = self._workbench.placement(config, self.device, dtype)
        check_classes(config, self.placement.store, self.data.classes)
        signer_of(config)  # raises now, and not when everything is trained
        self.backbone: Backbone = self.placement.backbone
        self.config = settled(config, self.backbone.config, len(self.train))
        self.decoder = self._workbench.decoder(config, self.backbone.config.image_size)
        self.decoder.check_room(self.train, self.held_out)
        looked_at: set[SplitName] = {config.eval_split, *(("val",) if config.val_every else ())}
        self.digests = {"train_sha256": self._workbench.digest(self.train)} | {
            f"{name}_sha256": self._workbench.digest(self.data.splits[name]) for name in sorted(looked_at)
        }
        self.warm: WarmStart | None = find_warm_start(self.config, self.placement.store, self.data.classes)
        self.contents = self.digests | {
            # The same weights may have come from a file here and from the hub there.
            "backbone": self.backbone.config.model_copy(update={"revision": None}).model_dump_json(),
            "precision": str(dtype),
            **({"warm_start": self.warm.digest} if self.warm else {}),
        }
        self.identity = Identity(self.config.of_the_key(), self.contents)
        self._name = f"{config.published_name}-{config.method}"
        self.directory = find_directory(config.runs, self._name, self.identity.key)
        torch.manual_seed(config.seed)
        self.method: Method = build_method(self.backbone, self.config, len(self.data.classes))
        if self.warm:
            self.warm.load_into(self.method)
        self.method.module.to(self.device)

    def execute(
        self,
        command: str,
        *,
        card: bool = True,
        calibration: Calibration | None = None,
        choice: Choice | None = None,
    ) -> Outcome:
        """Train or resume, evaluate once, publish what can be served; a trial of a search needs no card.

        A `calibration` that is known already is folded in instead of one that is found here. `choice` is how
        auto came to the method. Raises RunInUse while another process does the same.
        """
        silence_pillow()
        with (
            self.directory.claimed(fresh=self.config.fresh),
            deterministic(wanted=self.config.deterministic),
            memory_faults(),
        ):
            return self._execute(command, with_card=card, calibration=calibration, choice=choice)

    def start(self) -> None:
        """Prompts begin as tokens, and the head as the linear head of what it is given then, if so asked."""
        rows = torch.arange(len(self.train))
        if self._held_back is not None:
            rows = self._held_back.early(len(rows))
        Start(self.method, self.config, self.backbone, self.linear, self.warm).make(rows)

    def explain(self) -> None:
        """Log why nothing is resumed, where a run of the same name was trained before."""
        if (self.directory.path / CHECKPOINT).exists():
            return
        before = latest_before(self.directory.path, f"{self._name}-")
        if before is not None:
            path, other = before
            changes = "; ".join(self.identity.changes_from(other)) or "what it was made with"
            LOG.info("a new run, in %s; %s differs in: %s", self.directory.path, path.name, changes)

    def new_training(self, *, hold_back: bool = True) -> Training:
        """The loop, before its first step; pictures are held back where the options say so."""
        rate = self.config.drop_path or 0.0
        paths = partial(dropped_paths, self.backbone, rate)
        augmentation = augmentation_of(self.config, self.backbone.config, len(self.data.classes))
        return Training(
            self.method,
            self.config,
            self.device,
            paths,
            self._class_weights,
            augmentation,
            self._held_back if hold_back else None,
        )

    @property
    def _class_weights(self) -> Tensor | None:
        if self.config.class_weights != "balanced":
            return None
        return balanced_weights(self.train.labels, len(self.data.classes))

    @cached_property
    def linear(self) -> LinearReference:
        """Linear heads of this run's pictures."""
        return LinearReference(
            self.backbone, self.decoder, self.train, len(self.data.classes), self._class_weights
        )

    @cached_property
    def _held_back(self) -> HeldBack | None:
        """Pictures that are trained on late, for a method that has a use for their answers."""
        config, epochs = self.config, self.config.epochs or 0
        late = round(epochs * (config.hold_back or 0.0))
        if config.train_split == "train" or not METHODS[config.method].served or not 0 < late < epochs:
            return None
        labels = torch.tensor(self.train.labels)
        rows = rows_to_hold_back(labels, self.linear.head.out_of_fold, config.val_fraction, config.split_seed)
        if rows is None:
            return None
        split = self.train.rows(rows.tolist())
        answer = answer_of_method(self.method, self.device)
        return HeldBack(rows, late, lambda: predict_logits(answer, self.device, self.decoder.chunks(split)))

    def load_training_pixels(self, split: Split | None = None) -> Tensor:
        """Pixels [N, 3, H, W] uint8 of all or some training pictures; cropped ones have a margin."""
        preprocess, size = kept_pictures(self.config, self.backbone.config.image_size)
        decoder = self._workbench.decoder(self.config, size, preprocess)
        return decoder.load(split or self.train, "decoding the training pictures")

    def training_inputs(self, pixels: Tensor) -> Tensor:
        """What each step takes its batch from: pixels to be augmented, or what the method made of them."""
        if self.config.augments:
            return pixels
        return self._workbench.inputs(self.method, self.config, self.backbone, pixels, self.train)

    def speed_up(self) -> None:
        """Set the backbone up for training; `use_fused_attention` sets it back."""
        # Plain matrix products go backward faster than fused attention on a CPU.
        self.backbone.use_fused_attention(self.device.type != "cpu")
        if self.config.compile:
            for block in self.backbone.vit.blocks:
                block.compile()

    def draft(self, adapter: Adapter | None = None, found: Calibration | None = None) -> Artifact | None:
        """The adapter as it will be published, without provenance and card; None if it cannot be served.

        By default the method's own; another one is published as a linear head.
        """
        method = self.config.method if adapter is None else "linear"
        adapter = adapter or self.method.adapter()
        if adapter is None:
            return None
        if found is not None:
            fold_temperature(adapter.head, found.temperature)
        made = new_artifact(
            adapter,
            method=method,
            classes=self.data.classes,
            backbone=self.backbone.config,
            preprocess=self.config.preprocess,
            provenance={},
        )
        described = made.config.model_copy(update={"acceptance": found.acceptance if found else None})
        return replace(made, config=described)

    def _execute(
        self, command: str, *, with_card: bool, calibration: Calibration | None, choice: Choice | None
    ) -> Outcome:
        began = time.perf_counter()
        record_inputs(self.directory, pinned(self.config, self.warm), self.data, command)
        self.identity.write(self.directory)
        held_out = self.decoder.chunks(self.held_out)
        training, kept = self._fit()
        floor = self._floor(training.held_back_logits)
        if self.config.calibrate and calibration is None:
            calibration = self._calibrate(training.held_back_logits, floor)
        draft = self.draft(self.linear.adapter() if floor else None, calibration)
        predictions = self._predict(self._answer(draft), held_out, self.held_out)
        findings = Findings(
            self.config.eval_split,
            self.data.classes,
            predictions,
            tuple(training.history),
            kept,
            calibration,
            floor=floor,
            linear=self.linear.beside(self.held_out)
            if with_card and self.config.method != "linear"
            else None,
            choice=choice,
        )
        provenance = self._provenance(findings, command)
        card = self._card(findings, provenance, served=draft is not None) if with_card else {}
        try:
            version = self._publish(draft, provenance, card)
        finally:  # what was measured is kept where the store cannot be had, too
            record_outputs(self.directory, findings, provenance, card, self.config.predictions)
        seconds = time.perf_counter() - began
        return Outcome(findings, provenance, self.directory.path, self.placement.store, version, seconds)

    def _fit(self) -> tuple[Training, EpochRecord | None]:
        """The training when it has ended, and the epoch whose tensors count where it is not the last."""
        training = self.new_training()
        checkpoint = self.directory.load()
        if checkpoint is not None:
            training.resume(checkpoint)
            LOG.info(
                "resuming %s: %d of %d epochs are trained; --fresh starts over",
                self.directory.path, len(training.history), self.config.epochs,
            )  # fmt: skip
        else:
            self.start()
        if not training.finished:
            self._train(training)
        elif checkpoint is None:  # there is nothing to train
            training.save(self.directory)
        return training, training.keep_best()

    def _train(self, training: Training) -> None:
        self.speed_up()
        inputs = self.training_inputs(self.load_training_pixels())
        pictures = Pictures(inputs, torch.tensor(self.train.labels))
        with board(self.directory.path, first_epoch=len(training.history) + 1) as add:
            training.fit(pictures, self.directory, add, self._validation_accuracy)
        self.backbone.use_fused_attention(fused=True)

    def _floor(self, answers: Tensor | None) -> Floor | None:
        """The linear head's part on the pictures held back, if it was better there and is to count then."""
        held = self._held_back
        if not self.config.linear_floor or held is None or answers is None:
            return None
        floor = self.linear.floor(held, answers)
        if floor is not None:
            LOG.warning("ends as a linear head, which was right for %s", floor)
        return floor

    @cached_property
    def _val_pixels(self) -> Iterable[Tensor]:
        return self.decoder.chunks(self.data.splits["val"])

    def _validation_accuracy(self) -> float:
        answer = answer_of_method(self.method, self.device)
        return self._predict(answer, self._val_pixels, self.data.splits["val"]).accuracy

    def _calibrate(self, answers: Tensor | None, floor: Floor | None) -> Calibration | None:
        """A temperature from answers to pictures that were not trained on; None where there are none."""
        trained = torch.tensor(self.train.labels)
        if not METHODS[self.config.method].served:
            return None
        if floor is not None or (self.config.method == "linear" and self.config.head_first):
            if not self.linear.head.folds:
                return None
            logits, labels = self.linear.head.out_of_fold, trained
        elif self.config.train_split == "train" and self.config.eval_split == "test":
            found = self._predict(self._answer(self.draft()), self._val_pixels, self.data.splits["val"])
            logits, labels = found.logits, found.labels
        elif answers is not None and self._held_back is not None:
            logits, labels = answers, trained[self._held_back.rows]
        else:
            return None
        return calibrated(self.config, logits, labels, self.directory.path.name)

    def _answer(self, draft: Artifact | None) -> Answer:
        """What is measured: the rounded tensors that a server will load, or else the method itself."""
        if draft is None:
            return answer_of_method(self.method, self.device)
        return answer_of_adapter(self.backbone, adapter_of(draft, self.backbone.config))

    def _predict(self, answer: Answer, pixels: Iterable[Tensor], split: Split) -> Predictions:
        logits = predict_logits(answer, self.device, pixels)
        return Predictions(split.names, torch.tensor(split.labels), logits)

    def _provenance(self, findings: Findings, command: str) -> Provenance:
        facts = DataFacts(
            source=as_utf8(self.data.source),
            trained_on=self.config.train_split,
            pictures=len(self.train),
            **self.digests,
        )
        return provenance_of(
            self.config, self.data, facts, findings, self.backbone, self.method, self.warm, command
        )

    def _card(self, findings: Findings, provenance: Provenance, *, served: bool) -> dict[str, bytes]:
        """The card, or a plain one where it fails: it is published with the tensors, or not at all."""
        with harmless("model card", "a plain one stands in for it"):
            return model_card(self.config.published_name, findings, provenance, served=served)
        return plain_card(self.config.published_name, findings)

    def _publish(
        self, draft: Artifact | None, provenance: Provenance, card: Mapping[str, bytes]
    ) -> int | None:
        if draft is None or not self.config.publishes:
            return None
        return publish(
            draft,
            provenance,
            card,
            config=self.config,
            store=self.placement.store,
            backbone=self.backbone.config,
        )


def _dtype(config: TrainConfig, device: torch.device) -> torch.dtype:
    if config.precision == "fp16" and device.type != "cuda":
        raise ConfigError(
            f"--precision fp16 needs a CUDA device, and this run is on {device}; "
            "there bf16 or fp32 (or auto) is faster and more exact"
        )
    return choose_dtype(config.precision, device)
