"""The answer to a classify request, version 1, built once from what was classified."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from adapters.config import PreprocessConfig
from service.engine.protocol import Probabilities
from service.http.classifier import Classified
from service.http.wire import ClassifyAnswer, ClassProbability, Explanation, Prediction
from service.residents.lease import Lease


def classify_answer(classified: Classified, top_k: int, *, abstain: bool = True) -> ClassifyAnswer:
    """Each picture's `top_k` classes, likeliest first, with the version that answered.

    With `abstain` each says whether it is accepted, where the version or the label has thresholds.
    """
    lease, timing = classified.lease, classified.timing
    labels = lease.config.classes
    judge = lease if abstain else None
    predictions = [_prediction(top_classes(row, labels, top_k), judge) for row in classified.rows]
    if classified.explanation is not None:
        predictions[0]["explanation"] = _explanation(classified.explanation, lease.config.preprocess)
    return {
        "task": lease.task,
        "version": lease.version,
        "label": lease.label,
        "digest": lease.config.tensors_sha256,
        "predictions": predictions,
        "timing": {
            "decode_ms": round(1000 * timing.decode_s, 3),
            "queue_ms": round(1000 * timing.queue_s, 3),
            "inference_ms": round(1000 * timing.inference_s, 3),
        },
    }


def _prediction(classes: list[ClassProbability], judge: Lease | None) -> Prediction:
    verdict = judge.verdict(classes[0]["index"], classes[0]["probability"]) if judge else None
    if verdict is None:
        return {"classes": classes}
    if verdict == "accepted":
        return {"classes": classes, "accepted": True}
    return {"classes": classes, "accepted": False, "reason": verdict}


def _explanation(weights: NDArray[np.float32], preprocess: PreprocessConfig) -> Explanation:
    rows, columns = weights.shape
    return {
        "rows": rows,
        "columns": columns,
        "weights": [[round(float(weight), 4) for weight in line] for line in weights],
        "fit": preprocess.fit,
        "resize_ratio": preprocess.resize_ratio,
    }


def top_classes(row: Probabilities, labels: Sequence[str], top_k: int) -> list[ClassProbability]:
    """The `top_k` likeliest of C classes from probabilities [C]; ties go to the lower index."""
    order = np.argsort(-row, kind="stable")[:top_k].tolist()
    # Six significant digits: more than any precision that is served can tell apart.
    return [
        {"index": index, "label": labels[index], "probability": float(f"{row[index]:.6g}")} for index in order
    ]
