"""Provenance is written once and read as it was written."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from training.card.provenance import (
    Calibrated,
    Choice,
    DataFacts,
    EarlyStopping,
    LinearHeadBeside,
    Metrics,
    ParameterCounts,
    Provenance,
    Seeds,
    StartedFrom,
    TriedMethod,
)
from training.data.departures import DrawnByFormula, OtherSize

WORDS = st.text(min_size=1, max_size=12)
COUNTS = st.integers(0, 10**9)
PARTS = st.floats(0, 1)
DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)
PLAIN = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.floats(-1, 1), WORDS)
MEASURED = st.one_of(st.none(), PARTS)
DEPARTURES = st.one_of(
    st.builds(DrawnByFormula, benchmark=WORDS, task=WORDS, splits=st.just(("train", "test"))),
    st.builds(
        OtherSize, benchmark=WORDS, task=WORDS, splits=st.just(("test",)), pictures=COUNTS,
        official_pictures=COUNTS,
    ),
)  # fmt: skip
TRIED = st.builds(
    TriedMethod, method=WORDS, values=COUNTS, epochs=COUNTS, dropped=st.booleans(), accuracy=MEASURED,
    behind=st.none() | st.floats(-1, 1), behind_error=MEASURED,
)  # fmt: skip
CHOICES = st.builds(
    Choice, pictures=COUNTS, folds=COUNTS, tried=st.lists(TRIED, max_size=3).map(tuple), why=WORDS
)
METRICS = st.builds(
    Metrics, split=st.sampled_from(["val", "test"]), accuracy=PARTS, accuracy_low=PARTS, accuracy_high=PARTS,
    pictures=COUNTS, calibration_error=MEASURED,
)  # fmt: skip
CALIBRATED = st.builds(
    Calibrated, temperature=st.floats(0.05, 20), pictures=COUNTS, run=WORDS, error_before=MEASURED,
    error_after=MEASURED,
)  # fmt: skip
LINEAR = st.builds(
    LinearHeadBeside, accuracy=PARTS, difference=st.floats(-1, 1), difference_low=st.floats(-1, 1),
    difference_high=st.floats(-1, 1), values=COUNTS, strength=st.floats(1e-4, 10),
)  # fmt: skip
DATA = st.builds(
    DataFacts, source=WORDS, trained_on=st.sampled_from(["train", "trainval"]), pictures=COUNTS,
    train_sha256=DIGESTS, val_sha256=st.none() | DIGESTS, test_sha256=st.none() | DIGESTS,
)  # fmt: skip
PROVENANCES = st.builds(
    Provenance,
    method=WORDS,
    backbone=WORDS,
    metrics=METRICS,
    early_stopping=st.none() | st.builds(EarlyStopping, epoch=COUNTS, val_accuracy=PARTS),
    calibration=st.none() | CALIBRATED,
    linear_head=st.none() | LINEAR,
    data=DATA,
    departures=st.lists(DEPARTURES, max_size=3).map(tuple),
    splits_made=st.lists(WORDS, max_size=3).map(tuple),
    seeds=st.builds(Seeds, seed=COUNTS, split_seed=COUNTS),
    precision=WORDS,
    options=st.dictionaries(WORDS, PLAIN, max_size=4),
    packages=st.dictionaries(WORDS, WORDS, max_size=3),
    training_seconds=st.floats(0, 1e6),
    finished=WORDS,
    command=WORDS,
    parameters=st.builds(ParameterCounts, with_head=COUNTS, without_head=COUNTS),
    warm_start=st.none() | st.builds(StartedFrom, version=WORDS, tensors=WORDS),
    choice=st.none() | CHOICES,
)


@given(PROVENANCES)
def test_provenance_is_read_as_it_was_written(provenance: Provenance) -> None:
    assert Provenance.model_validate_json(json.dumps(provenance.plain())) == provenance


@given(PROVENANCES)
def test_what_does_not_apply_is_left_out_and_options_are_whole(provenance: Provenance) -> None:
    plain = provenance.plain()
    for name in ("early_stopping", "calibration", "linear_head", "warm_start"):
        assert (name in plain) == (getattr(provenance, name) is not None)
    assert plain["options"] == provenance.options
    assert ("choice" in plain) == (provenance.choice is not None)


def test_an_error_that_is_no_number_is_none() -> None:
    metrics = Metrics(split="val", accuracy=0.5, pictures=2, calibration_error=math.nan)
    assert metrics.calibration_error is None


def test_unknown_facts_are_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Seeds.model_validate({"seed": 1, "split_seed": 2, "data_seed": 3})


def test_older_results_have_a_standard_error_instead_of_an_interval() -> None:
    older = {"split": "val", "accuracy": 0.5, "standard_error": 0.1, "pictures": 25}
    assert Metrics.model_validate(older).accuracy_low is None
