"""What every answer is told to, whatever protocol asked."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from service.answers.drift import Drift
from service.answers.recent_answers import Asked, RecentAnswers
from service.answers.samples import Samples
from service.engine.protocol import Probabilities
from service.residents.lease import Lease

SHOWN_CLASSES = 5


@dataclass(frozen=True)
class AnswerObserver:
    """Tells the metrics, those who remember, and those who keep pictures, if that is on."""

    drift: Drift
    recent: RecentAnswers
    samples: Samples | None = None

    @contextmanager
    def keeping(self, task: str, pictures: Sequence[bytes | Tensor]) -> Iterator[Sequence[bytes]]:
        """A request's encoded pictures until it is answered, if it may be one to keep pictures of."""
        encoded = [picture for picture in pictures if isinstance(picture, bytes)]
        if self.samples is None or len(encoded) < len(pictures):
            yield ()
            return
        with self.samples.keeping(task, encoded) as kept:
            yield kept

    def answered(
        self, asked: Asked, lease: Lease, rows: Sequence[Probabilities], kept: Sequence[bytes] = ()
    ) -> None:
        """A request was answered with each picture's probabilities [C]; `kept` is what `keeping` gave."""
        best = [_best(row) for row in rows]
        self.drift.answered(lease, best)
        self.recent.remember(lease.task, asked, lease.version, (index for index, _ in best))
        if self.samples is None or not kept:
            return
        for at, (picture, row) in enumerate(zip(kept, rows, strict=True)):
            verdict, margin = lease.verdict(*best[at]), _margin(row)
            if verdict in ("below_threshold", "none_of_these") or margin < self.samples.limits.margin:
                facts = {"request_id": asked.request_id, "index": at, "verdict": verdict, "margin": margin}
                self.samples.offer(lease.task, picture, {**_facts(lease, row), **facts})


def _best(row: Probabilities) -> tuple[int, float]:
    """The likeliest class and its probability as an answer has it, in six digits; ties to the lower index."""
    index = int(row.argmax())
    return index, float(f"{row[index]:.6g}")


def _margin(row: Probabilities) -> float:
    """How much likelier the likeliest class is than the next; 1 where there is no other."""
    if len(row) == 1:
        return 1.0
    second, first = np.partition(row, -2)[-2:]
    return round(float(first - second), 6)


def _facts(lease: Lease, row: Probabilities) -> dict[str, Any]:
    order = np.argsort(-row, kind="stable")[:SHOWN_CLASSES].tolist()
    return {
        "task": lease.task,
        "version": lease.version,
        "digest": lease.config.tensors_sha256,
        "label": lease.label,
        "classes": [
            {"label": lease.config.classes[at], "probability": round(float(row[at]), 6)} for at in order
        ],
    }
