"""What a run writes down: options and splits before; answers, and where the figure comes from, after."""

import csv
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from pydantic import ValidationError

from adapters.command.streams import as_utf8
from adapters.store.strict_json import first_error
from training.card.findings import Findings, Predictions
from training.card.provenance import (
    Calibrated,
    DataFacts,
    EarlyStopping,
    LinearFloor,
    LinearHeadBeside,
    Metrics,
    ParameterCounts,
    Provenance,
    Seeds,
    ShiftChecked,
    StartedFrom,
)
from training.data.source import TaskData
from training.errors import CheckpointDamaged, NotWritten
from training.harmless import harmless
from training.methods.method import Parameters
from training.options.option_file import toml_of
from training.options.train_config import TrainConfig
from training.run.run import Run
from training.run_directory import RunDirectory, reason

ONCE = frozenset({"fresh", "dry_run"})  # what is asked of one command, and not repeated with its options
RESULT = "result.json"
AGAIN = "the same command writes it once that is mended, without training again"
PACKAGES = ("torch", "timm", "numpy", "pillow", "safetensors")


def record_inputs(directory: RunDirectory, config: TrainConfig, data: TaskData, command: str) -> None:
    """`config.json`, `config.toml` and `splits.json`.

    Raises NotWritten for these, and for a `--predictions` file that will not be writable: after training
    that is a mere warning.
    """
    if config.predictions is not None:
        _require_writable(config.predictions)
    directory.write_json("config.json", {"command": command, **config.model_dump(mode="json")})
    # As a default it is done where it can be; by name it is refused where it cannot.
    left_out = ONCE | ({"calibrate"} - config.model_fields_set)
    directory.write_text("config.toml", toml_of(config, leave_out=left_out))
    departures = [departure.model_dump(mode="json") for departure in data.departures]
    splits = {name: split.names for name, split in data.splits.items()}
    remarks = [remark.plain() for remark in data.remarks]
    words = {"departures": departures, "made": data.made, "remarks": remarks}
    directory.write_json("splits.json", {**words, **splits})


def record_outputs(
    directory: RunDirectory,
    findings: Findings,
    provenance: Provenance,
    card: Mapping[str, bytes],
    predictions: Path | None,
) -> None:
    """`result.json`, the card, and `predictions.csv`, which `predictions` is a second place for.

    What cannot be written is a warning: the adapter is published by then, and the same command writes it all.
    """
    with harmless(RESULT, AGAIN):
        directory.write_json(RESULT, provenance.plain())
    for path in (directory.path / "predictions.csv", predictions):
        if path is not None:
            with harmless(f"predictions in {path}", AGAIN):
                write_predictions(findings.predictions, path)
    for name, content in card.items():
        with harmless(f"{name} in the run directory", AGAIN):
            directory.write_bytes(name, content)


def read_result(run: Path) -> Provenance:
    """What a finished run says of itself. Raises CheckpointDamaged."""
    try:
        return Provenance.model_validate_json((run / RESULT).read_bytes())
    except (OSError, ValidationError) as error:
        why = reason(error) if isinstance(error, OSError) else first_error(error)
        raise CheckpointDamaged(f"cannot read {run / RESULT}: {why}; start over with --fresh") from error


def write_predictions(predictions: Predictions, path: Path) -> None:
    """A CSV line for each picture: name, label, predicted index, its probability. Raises NotWritten."""
    probability = predictions.logits.softmax(dim=1).amax(dim=1)
    rows = zip(
        predictions.names,
        predictions.labels.tolist(),
        predictions.predicted.tolist(),
        probability.tolist(),
        strict=True,
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["name", "label", "predicted", "probability"])
            writer.writerows(rows)
    except OSError as error:
        raise NotWritten(f"cannot write {path}: {reason(error)}") from error


def _require_writable(path: Path) -> None:
    """Open the file as it will be opened, and leave what is there."""
    was_there = path.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
        if not was_there:
            path.unlink()
    except OSError as error:
        raise NotWritten(f"cannot write {path}: {reason(error)}") from error


def provenance_of(run: Run, findings: Findings, command: str) -> Provenance:
    """All that a run knows of where its figure comes from."""
    config, warm = run.config, run.warm
    return Provenance(
        method=config.method,
        backbone=run.backbone.config.name,
        metrics=_metrics(findings),
        early_stopping=_early_stopping(findings),
        calibration=_calibrated(findings),
        linear_floor=LinearFloor(**asdict(findings.floor)) if findings.floor else None,
        shift=_shift(run),
        linear_head=_linear_head(findings),
        choice=findings.choice,
        data=DataFacts(
            source=as_utf8(run.data.source),
            trained_on=config.train_split,
            pictures=len(run.train),
            **run.digests,
        ),
        departures=run.data.departures,
        splits_made=run.data.made,
        remarks=tuple(map(str, run.data.remarks)),
        seeds=Seeds(seed=config.seed, split_seed=config.split_seed),
        precision=str(run.backbone.dtype).removeprefix("torch."),
        options=config.model_dump(mode="json", exclude=config.unkeyed() | {"task", "data", "weights"}),
        packages={"python": sys.version.split()[0]} | {name: version(name) for name in PACKAGES},
        training_seconds=round(sum(record.seconds for record in findings.history), 1),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
        parameters=ParameterCounts(**asdict(Parameters.of(run.method))),
        warm_start=StartedFrom(version=warm.name, tensors=warm.digest) if warm else None,
    )


def _metrics(findings: Findings) -> Metrics:
    interval = findings.interval
    return Metrics(
        split=findings.split,
        accuracy=round(findings.predictions.accuracy, 6),
        accuracy_low=round(interval.low, 6),
        accuracy_high=round(interval.high, 6),
        pictures=len(findings.predictions.labels),
        balanced_accuracy=round(findings.predictions.balanced_accuracy, 6),
        calibration_error=round(findings.reliability.error, 6),
    )


def _early_stopping(findings: Findings) -> EarlyStopping | None:
    kept = findings.kept
    if kept is None or kept.val_accuracy is None:
        return None
    return EarlyStopping(epoch=kept.epoch, val_accuracy=kept.val_accuracy)


def _calibrated(findings: Findings) -> Calibrated | None:
    if findings.calibration is None:
        return None
    return Calibrated(
        temperature=findings.calibration.temperature,
        pictures=findings.calibration.pictures,
        run=findings.calibration.run,
        error_before=round(findings.uncalibrated.error, 6),
        error_after=round(findings.reliability.error, 6),
    )


def _shift(run: Run) -> ShiftChecked | None:
    check = run.shift_check
    if check is None:
        return None
    return ShiftChecked(
        pixels=check.pixels if check.passed else 0,
        pictures=check.pictures,
        still=round(check.still, 6),
        moved=round(check.moved, 6),
    )


def _linear_head(findings: Findings) -> LinearHeadBeside | None:
    linear, lead = findings.linear, findings.lead
    if linear is None or lead is None:
        return None
    return LinearHeadBeside(
        accuracy=round(linear.predictions.accuracy, 6),
        difference=round(lead.difference, 6),
        difference_low=round(lead.interval.low, 6),
        difference_high=round(lead.interval.high, 6),
        values=linear.values,
        strength=linear.strength,
    )
