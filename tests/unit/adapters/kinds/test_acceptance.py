"""Verdicts, and thresholds in a configuration."""

import pytest
from pydantic import ValidationError

from adapters.errors import ArtifactFormat
from adapters.kinds.acceptance import Acceptance
from adapters.kinds.adapter_config import AdapterConfig
from adapters.store.artifact import parse_config
from tests.support.artifacts import MakeArtifact

FOUND = Acceptance(
    thresholds=(0.5, 0.9, 1.0, 0.0, 0.25),
    none_below=0.3,
    precision=0.95,
    pictures=100,
    accepted=0.8,
    accepted_precision=0.96,
    false_alarms=0.04,
)


@pytest.mark.parametrize(
    ("index", "probability", "verdict"),
    [(0, 0.5, "accepted"), (0, 0.4999, "below_threshold"), (0, 0.2999, "none_of_these"),
     (1, 0.89, "below_threshold"), (2, 0.9999, "below_threshold"), (2, 1.0, "accepted"),
     (3, 0.3, "accepted"), (4, 0.26, "none_of_these")],
)  # fmt: skip
def test_a_verdict_asks_both_thresholds(index: int, probability: float, verdict: str) -> None:
    assert FOUND.verdict(index, probability) == verdict


def test_a_configuration_with_thresholds_is_read_as_it_was_written(make_artifact: MakeArtifact) -> None:
    config = make_artifact().config.model_copy(update={"acceptance": FOUND})
    assert parse_config(config.model_dump_json().encode()) == config


def test_counts_of_predicted_classes_may_be_absent(make_artifact: MakeArtifact) -> None:
    counted = FOUND.model_copy(update={"predicted": (40, 30, 20, 10, 0)})
    for found in (FOUND, counted):
        config = make_artifact().config.model_copy(update={"acceptance": found})
        text = config.model_dump_json()
        assert ("predicted" in text) is (found is counted)
        assert parse_config(text.encode()).acceptance == found


def test_a_configuration_from_before_there_were_thresholds_has_none(make_artifact: MakeArtifact) -> None:
    text = make_artifact().config.model_dump_json(exclude={"acceptance"})
    assert parse_config(text.encode()).acceptance is None
    with pytest.raises(ArtifactFormat, match="'method' is missing"):
        parse_config(make_artifact().config.model_dump_json(exclude={"method"}).encode())


@pytest.mark.parametrize(
    "wrong",
    [
        {"thresholds": [0.5]},
        {"thresholds": [0.5, 0.5, 0.5, 0.5, 1.5]},
        {"none_below": -0.1},
        {"more": 1},
        {"predicted": [100]},
        {"predicted": [20, 20, 20, 20, 21]},
        {"predicted": [101, -1, 0, 0, 0]},
    ],
)
def test_thresholds_that_make_no_sense_are_refused(
    make_artifact: MakeArtifact, wrong: dict[str, object]
) -> None:
    given = make_artifact().config.model_dump() | {"acceptance": FOUND.model_dump() | wrong}
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        AdapterConfig.model_validate(given)
