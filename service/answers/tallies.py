"""How often each version was right, of the answers whose truth was told."""

from collections import OrderedDict
from dataclasses import dataclass

from service.metrics import Metrics

MOST_TASKS = 10_000
MOST_VERSIONS = 20


@dataclass(slots=True)
class Tally:
    """Pictures whose truth was told, and of these the rightly answered."""

    answers: int = 0
    correct: int = 0


class Tallies:
    """Counts since the process began, of the tasks told of last and of their newest versions."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._tallies: OrderedDict[str, dict[int, Tally]] = OrderedDict()

    def of(self, task: str) -> dict[int, Tally]:
        """The counts of a task by version."""
        return self._tallies.get(task, {})

    def add(self, task: str, version: int, label: str | None, *, answers: int, correct: int) -> None:
        """Count; `label` is the task's in the metrics, None where it has no series of its own."""
        versions = self._tallies.setdefault(task, {})
        self._tallies.move_to_end(task)
        if len(self._tallies) > MOST_TASKS:
            self._tallies.popitem(last=False)
        tally = versions.setdefault(version, Tally())
        tally.answers += answers
        tally.correct += correct
        if label is not None:
            self._metrics.feedback_answers.labels(label, version).set(tally.answers)
            self._metrics.feedback_correct.labels(label, version).set(tally.correct)
        if len(versions) > MOST_VERSIONS:
            oldest = min(versions)
            del versions[oldest]
            if label is not None:
                self._metrics.forget_feedback(label, oldest)
