"""A whole run, step by step: training, one evaluation, the published adapter."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from adapters.pictures.decode import silence_pillow
from adapters.store.artifact import Artifact
from adapters.store.files import Location
from training.card.findings import Calibration, Findings, Floor
from training.card.model_card import model_card, plain_card
from training.card.provenance import Choice, Provenance
from training.harmless import harmless
from training.loop.deterministic import deterministic
from training.loop.epoch import Pictures
from training.loop.loop import Training
from training.memory import memory_faults
from training.run.board import board
from training.run.calibrated import calibration_of
from training.run.publish import publish
from training.run.record import provenance_of, record_inputs, record_outputs
from training.run.run import Run
from training.run.warm_start import pinned
from training.run_directory import EpochRecord

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


def execute(
    run: Run,
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
        run.directory.claimed(fresh=run.config.fresh),
        deterministic(wanted=run.config.deterministic),
        memory_faults(),
    ):
        return _execute(run, command, with_card=card, calibration=calibration, choice=choice)


def _execute(
    run: Run, command: str, *, with_card: bool, calibration: Calibration | None, choice: Choice | None
) -> Outcome:
    began = time.perf_counter()
    record_inputs(run.directory, pinned(run.config, run.warm), run.data, command)
    run.identity.write(run.directory)
    held_out = run.decoder.chunks(run.held_out)
    training, kept = _fit(run)
    floor = _floor(run, training.held_back_logits)
    if run.config.calibrate and calibration is None:
        calibration = calibration_of(run, training.held_back_logits, floor)
    draft = run.draft(run.linear.adapter() if floor else None, calibration)
    predictions = run.predictions(run.answer(draft), held_out, run.held_out)
    findings = Findings(
        run.config.eval_split,
        run.data.classes,
        predictions,
        tuple(training.history),
        kept,
        calibration,
        floor=floor,
        linear=run.linear.beside(run.held_out) if with_card and run.config.method != "linear" else None,
        choice=choice,
    )
    provenance = provenance_of(run, findings, command)
    card = _card(run, findings, provenance, served=draft is not None) if with_card else {}
    try:
        version = _publish(run, draft, provenance, card)
    finally:  # what was measured is kept where the store cannot be had, too
        record_outputs(run.directory, findings, provenance, card, run.config.predictions)
    seconds = time.perf_counter() - began
    return Outcome(findings, provenance, run.directory.path, run.placement.store, version, seconds)


def _fit(run: Run) -> tuple[Training, EpochRecord | None]:
    """The training when it has ended, and the epoch whose tensors count where it is not the last."""
    training = run.new_training()
    checkpoint = run.directory.load()
    if checkpoint is not None:
        training.resume(checkpoint)
        LOG.info(
            "resuming %s: %d of %d epochs are trained; --fresh starts over",
            run.directory.path, len(training.history), run.config.epochs,
        )  # fmt: skip
    else:
        run.start()
    if not training.finished:
        _train(run, training)
    elif checkpoint is None:  # there is nothing to train
        training.save(run.directory)
    return training, training.keep_best()


def _train(run: Run, training: Training) -> None:
    run.speed_up()
    inputs = run.training_inputs(run.load_training_pixels())
    pictures = Pictures(inputs, torch.tensor(run.train.labels))

    def validation_accuracy() -> float:
        return run.predictions(run.answer(None), run.val_pixels, run.data.splits["val"]).accuracy

    with board(run.directory.path, first_epoch=len(training.history) + 1) as add:
        training.fit(pictures, run.directory, add, validation_accuracy)
    run.backbone.use_fused_attention(fused=True)


def _floor(run: Run, answers: Tensor | None) -> Floor | None:
    """The linear head's part on the pictures held back, if it was better there and is to count then."""
    if not run.config.linear_floor or run.held_back is None or answers is None:
        return None
    floor = run.linear.floor(run.held_back, answers)
    if floor is not None:
        LOG.warning("ends as a linear head, which was right for %s", floor)
    return floor


def _card(run: Run, findings: Findings, provenance: Provenance, *, served: bool) -> dict[str, bytes]:
    """The card, or a plain one where it fails: it is published with the tensors, or not at all."""
    with harmless("model card", "a plain one stands in for it"):
        return model_card(run.config.published_name, findings, provenance, served=served)
    return plain_card(run.config.published_name, findings)


def _publish(
    run: Run, draft: Artifact | None, provenance: Provenance, card: Mapping[str, bytes]
) -> int | None:
    if draft is None or not run.config.publishes:
        return None
    return publish(
        draft,
        provenance,
        card,
        config=run.config,
        store=run.placement.store,
        backbone=run.backbone.config,
    )
