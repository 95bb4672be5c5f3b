"""Counts of told answers, as told and as metrics."""

import pytest

from service.answers import feedback_counts as module
from service.answers.feedback_counts import MOST_VERSIONS, FeedbackCounts
from service.metrics import Metrics


def values(metrics: Metrics, version: int) -> list[float | None]:
    labels = {"task": "digits", "version": str(version)}
    return [
        metrics.registry.get_sample_value(f"dvpt_feedback_{name}", labels) for name in ("answers", "correct")
    ]


def test_counts_are_of_a_version_and_in_the_metrics() -> None:
    metrics = Metrics()
    kept = FeedbackCounts(metrics)
    kept.add("digits", 3, "digits", answers=1, correct=1)
    kept.add("digits", 3, "digits", answers=1, correct=0)
    kept.add("digits", 4, None, answers=1, correct=1)

    counts = {version: (tally.answers, tally.correct) for version, tally in kept.of("digits").items()}
    assert counts == {3: (2, 1), 4: (1, 1)}
    assert values(metrics, 3) == [2, 1]
    assert values(metrics, 4) == [None, None]
    assert kept.of("pets") == {}


def test_old_versions_and_tasks_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = Metrics()
    kept = FeedbackCounts(metrics)
    for version in range(1, MOST_VERSIONS + 2):
        kept.add("digits", version, "digits", answers=1, correct=1)
    assert len(kept.of("digits")) == MOST_VERSIONS
    assert (values(metrics, 1), values(metrics, 2)) == ([None, None], [1, 1])
    monkeypatch.setattr(module, "MOST_TASKS", 1)
    kept.add("pets", 1, None, answers=1, correct=1)
    assert kept.of("digits") == {}
