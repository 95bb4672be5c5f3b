"""The JSON of a classify answer, built once from the results."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from service.engine.protocol import Probabilities
from service.residents.registry import Lease


@dataclass(frozen=True)
class Timing:
    """Where a request's time went, in seconds."""

    decode_s: float
    queue_s: float
    inference_s: float


def classify_answer(lease: Lease, rows: Sequence[Probabilities], top_k: int, timing: Timing) -> bytes:
    """Each picture's `top_k` classes, likeliest first, with the version that answered."""
    answer = {
        "task": lease.task,
        "version": lease.version,
        "digest": lease.config.tensors_sha256,
        "predictions": [{"classes": top_classes(row, lease.config.classes, top_k)} for row in rows],
        "timing": {
            "decode_ms": round(1000 * timing.decode_s, 3),
            "queue_ms": round(1000 * timing.queue_s, 3),
            "inference_ms": round(1000 * timing.inference_s, 3),
        },
    }
    return json.dumps(answer, separators=(",", ":"), ensure_ascii=False).encode()


def top_classes(row: Probabilities, labels: Sequence[str], top_k: int) -> list[dict[str, Any]]:
    """The `top_k` likeliest of C classes from probabilities [C]; ties go to the lower index."""
    order = np.argsort(-row, kind="stable")[:top_k].tolist()
    # Six significant digits: more than any precision that is served can tell apart.
    return [
        {"index": index, "label": labels[index], "probability": float(f"{row[index]:.6g}")} for index in order
    ]
