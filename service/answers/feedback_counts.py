"""How often each version was right, of the answers whose truth was told."""

from collections import OrderedDict
from dataclasses import dataclass

from service.metrics import Metrics

MOST_TASKS = 10_000
MOST_VERSIONS = 20


@dataclass(slots=True)
class FeedbackCount:
    """Pictures whose truth was told, and of these the rightly answered."""

    answers: int = 0
    correct: int = 0


class FeedbackCounts:
    """Counts since the process began, of the tasks told of last and of their newest versions."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._counts: OrderedDict[str, dict[int, FeedbackCount]] = OrderedDict()

    def of(self, task: str) -> dict[int, FeedbackCount]:
        """The counts of a task by version."""
        return self._counts.get(task, {})

    def add(self, task: str, version: int, label: str | None, *, answers: int, correct: int) -> None:
        """Count; `label` is the task's in the metrics, None where it has no series of its own."""
        versions = self._counts.setdefault(task, {})
        self._counts.move_to_end(task)
        if len(self._counts) > MOST_TASKS:
            self._counts.popitem(last=False)
        count = versions.setdefault(version, FeedbackCount())
        count.answers += answers
        count.correct += correct
        if label is not None:
            self._metrics.feedback_answers.labels(label, version).set(count.answers)
            self._metrics.feedback_correct.labels(label, version).set(count.correct)
        if len(versions) > MOST_VERSIONS:
            oldest = min(versions)
            del versions[oldest]
            if label is not None:
                self._metrics.forget_feedback(label, oldest)
