"""Verdicts by what is ruled for a label, and by the version's own thresholds where nothing is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.kinds.acceptance import Acceptance, Verdict
from adapters.store.label_rules import LabelThresholds

OWN = Acceptance(
    thresholds=(0.5, 0.9), none_below=0.3, precision=0.95, pictures=9, accepted=1.0, accepted_precision=1.0,
    false_alarms=0.0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("ruled", "own", "probability", "verdict"),
    [(LabelThresholds(classes={"b": 0.7}), OWN, 0.7, "accepted"),
     (LabelThresholds(classes={"b": 0.7}), OWN, 0.69, "below_threshold"),
     (LabelThresholds(classes={"a": 0.1}, default=0.8), OWN, 0.85, "accepted"),
     (LabelThresholds(classes={"a": 0.1}), OWN, 0.85, "below_threshold"),
     (LabelThresholds(none_of_these=0.6), OWN, 0.59, "none_of_these"),
     (LabelThresholds(default=0.0, none_of_these=0.0), OWN, 0.01, "accepted"),
     (LabelThresholds(default=0.0), OWN, 0.29, "none_of_these"),
     (LabelThresholds(default=0.8), None, 0.79, "below_threshold"),
     (LabelThresholds(none_of_these=0.6), None, 0.61, "accepted"),
     (LabelThresholds(none_of_these=0.6), None, 0.59, "none_of_these")],
)  # fmt: skip
def test_what_is_ruled_goes_before_the_versions_own(
    ruled: LabelThresholds, own: Acceptance | None, probability: float, verdict: Verdict
) -> None:
    assert ruled.verdict(own, 1, "b", probability) == verdict


@given(st.integers(0, 1), st.floats(0, 1))
def test_without_a_rule_the_verdict_is_the_versions(index: int, probability: float) -> None:
    nothing = LabelThresholds()
    assert nothing.verdict(OWN, index, "ab"[index], probability) == OWN.verdict(index, probability)


@pytest.mark.parametrize(
    "wrong", ['{"default": 1.1}', '{"classes": {"a": -1}}', '{"default": "0.5"}', '{"x": 1}']
)
def test_what_is_no_threshold_is_refused(wrong: str) -> None:
    with pytest.raises(ValidationError):
        LabelThresholds.model_validate_json(wrong, strict=True)
