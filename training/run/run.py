"""The parts of a run: data and backbone, method, how it is trained and what is measured of it."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property, partial

import torch
from torch import Tensor

from adapters.device import choose_device, choose_dtype
from adapters.errors import ConfigError
from adapters.kinds.adapter import Adapter
from adapters.store.artifact import Artifact, adapter_of, new_artifact
from adapters.vit.backbone import Backbone
from training.card.findings import Calibration, Predictions, ShiftCheck
from training.data.augmentation import augmentation_of, kept_pictures, shift_pixels
from training.data.departures import SplitName
from training.data.source import Split, TaskData
from training.data.splits import training_part
from training.loop.calibration import fold_temperature
from training.loop.drop_path import dropped_paths
from training.loop.evaluate import (
    Answer,
    answer_of_adapter,
    answer_of_method,
    predict_logits,
)
from training.loop.hold_back import HeldBack, rows_to_hold_back
from training.loop.loop import Training
from training.loop.optimization import balanced_weights
from training.methods import build_method
from training.methods.method import Method
from training.methods.table import METHODS
from training.options.train_config import TrainConfig
from training.run.identity import Identity, latest_before
from training.run.linear_reference import LinearReference
from training.run.placement import Placement
from training.run.publish import check_classes, signer_of
from training.run.settled import settled
from training.run.start import Start
from training.run.warm_start import WarmStart, find_warm_start
from training.run.workbench import Workbench
from training.run_directory import CHECKPOINT, find_directory

LOG = logging.getLogger("training")


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

    def start(self) -> None:
        """Prompts begin as tokens, and the head as the linear head of what it is given then, if so asked."""
        rows = torch.arange(len(self.train))
        if self.held_back is not None:
            rows = self.held_back.early(len(rows))
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

    def new_training(self, *, rehearsal: bool = False) -> Training:
        """The loop, before its first step; one for a rehearsal holds back and checks nothing."""
        rate = self.config.drop_path or 0.0
        paths = partial(dropped_paths, self.backbone, rate)
        shift = (self.config.random_shift or 0.0) if rehearsal else self.shift
        augmentation = augmentation_of(self.config, self.backbone.config, len(self.data.classes), shift)
        return Training(
            self.method,
            self.config,
            self.device,
            paths,
            self._class_weights,
            augmentation,
            None if rehearsal else self.held_back,
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
    def shift_check(self) -> ShiftCheck | None:
        """What linear heads say of moved pictures, where that is asked and they can tell."""
        part = self.config.random_shift or 0.0
        if not self.config.shift_check or not shift_pixels(part, self.backbone.config.image_size):
            return None
        return self._workbench.shift_check(self.linear, self.config, part)

    @property
    def shift(self) -> float:
        """The part of their side that training pictures are moved by at most."""
        moves = not self.config.shift_check or (self.shift_check is not None and self.shift_check.passed)
        return (self.config.random_shift or 0.0) if moves else 0.0

    @cached_property
    def held_back(self) -> HeldBack | None:
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

    @cached_property
    def val_pixels(self) -> Iterable[Tensor]:
        """The pictures of val [n, 3, H, W] uint8 in chunks, which may be gone through again."""
        return self.decoder.chunks(self.data.splits["val"])

    def load_training_pixels(self, split: Split | None = None) -> Tensor:
        """Pixels [N, 3, H, W] uint8 of all or some training pictures; cropped ones have a margin."""
        preprocess, size = kept_pictures(self.config, self.backbone.config.image_size)
        decoder = self._workbench.decoder(self.config, size, preprocess)
        return decoder.load(split or self.train, "decoding the training pictures")

    def training_inputs(self, pixels: Tensor) -> Tensor:
        """What each step takes its batch from: pixels to be augmented, or what the method made of them."""
        if self.config.augments or self.shift:
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

    def answer(self, draft: Artifact | None) -> Answer:
        """What is measured: the rounded tensors that a server will load, or else the method itself."""
        if draft is None:
            return answer_of_method(self.method, self.device)
        return answer_of_adapter(self.backbone, adapter_of(draft, self.backbone.config))

    def predictions(self, answer: Answer, pixels: Iterable[Tensor], split: Split) -> Predictions:
        """The answers to a split, whose pictures `pixels` are, beside their labels."""
        logits = predict_logits(answer, self.device, pixels)
        return Predictions(split.names, torch.tensor(split.labels), logits)


def _dtype(config: TrainConfig, device: torch.device) -> torch.dtype:
    if config.precision == "fp16" and device.type != "cuda":
        raise ConfigError(
            f"--precision fp16 needs a CUDA device, and this run is on {device}; "
            "there bf16 or fp32 (or auto) is faster and more exact"
        )
    return choose_dtype(config.precision, device)
