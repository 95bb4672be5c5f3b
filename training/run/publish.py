"""From a trained adapter to what is published: rounded tensors, and where they come from."""

import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from adapters.config import BackboneConfig
from adapters.kinds.adapter import Adapter, empty_adapter
from adapters.store.artifact import Artifact, new_artifact
from adapters.vit.backbone import Backbone
from training.card.model_card import Findings
from training.data.source import TaskData
from training.options.train_config import TrainConfig

PACKAGES = ("torch", "timm", "numpy", "pillow", "safetensors")


def unpublished(
    adapter: Adapter, config: TrainConfig, classes: tuple[str, ...], backbone: BackboneConfig
) -> Artifact:
    """The artifact as it will be published, before it is measured: no provenance and no card yet."""
    return new_artifact(
        adapter,
        method=config.method,
        classes=classes,
        backbone=backbone,
        preprocess=config.preprocess,
        provenance={},
    )


def rounded_adapter(artifact: Artifact, backbone: BackboneConfig) -> Adapter:
    """The adapter a server will load: the artifact's rounded values, computed with in float32."""
    adapter = empty_adapter(artifact.config, backbone)
    adapter.load_state_dict({name: tensor.float() for name, tensor in artifact.tensors.items()})
    return adapter.eval()


def provenance_of(
    config: TrainConfig,
    task: TaskData,
    findings: Findings,
    backbone: Backbone,
    *,
    data: Mapping[str, int | str],
) -> dict[str, Any]:
    """The free block of `adapter_config.json`: what is needed to judge the figure and to repeat it.

    `data` counts and digests the pictures.
    """
    return {
        "method": config.method,
        "backbone": backbone.config.name,
        "metrics": {
            "split": findings.split,
            "accuracy": round(findings.predictions.accuracy, 6),
            "standard_error": round(findings.standard_error, 6),
            "pictures": len(findings.predictions.labels),
            "calibration_error": round(findings.reliability.error, 6),
        },
        **_how_it_ended(findings),
        "data": {"source": task.source, "trained_on": config.train_split, **data},
        "splits_made": list(task.made),
        "seeds": {"seed": config.seed, "split_seed": config.split_seed},
        "precision": str(backbone.dtype).removeprefix("torch."),
        "options": config.model_dump(mode="json", exclude=config.unkeyed() | {"task", "data", "weights"}),
        "packages": {"python": sys.version.split()[0]} | {name: version(name) for name in PACKAGES},
        "training_seconds": round(sum(record.seconds for record in findings.history), 1),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _how_it_ended(findings: Findings) -> dict[str, Any]:
    """What early stopping and calibration did, where they were asked for."""
    found: dict[str, Any] = {}
    if findings.kept:
        found["early_stopping"] = {"epoch": findings.kept.epoch, "val_accuracy": findings.kept.val_accuracy}
    if findings.calibration:
        found["calibration"] = asdict(findings.calibration) | {
            "error_before": round(findings.uncalibrated.error, 6),
            "error_after": round(findings.reliability.error, 6),
        }
    return found
