from dataclasses import replace

import numpy as np
import pytest

from adapters.kinds.acceptance import Acceptance
from adapters.kinds.layout import HeadShape, Layout, Slot
from adapters.kinds.linear.options import LinearOptions
from service.http.answers import classify_answer, top_classes
from service.http.classifier import Classified, Timing
from service.residents.lease import Lease
from tests.support.artifacts import MakeArtifact


@pytest.fixture
def lease(make_artifact: MakeArtifact) -> Lease:
    config = make_artifact(1).config
    layout = Layout(LinearOptions())
    return Lease("digits", 4, config, Slot(layout, 1, HeadShape(1, 16), 1, 3))


def test_the_likeliest_come_first_and_ties_by_index() -> None:
    row = np.array([0.2, 0.4, 0.4, 0.0], dtype=np.float32)

    classes = top_classes(row, ["a", "b", "c", "d"], 3)

    assert [(each["index"], each["label"]) for each in classes] == [(1, "b"), (2, "c"), (0, "a")]


def test_many_ties_are_in_the_order_of_their_indices() -> None:
    row = np.tile(np.array([0.001, 0.002], dtype=np.float32), 300)  # enough for a sort that keeps no order

    classes = top_classes(row, [str(index) for index in range(600)], 300)

    assert [each["index"] for each in classes] == list(range(1, 600, 2))


def test_more_than_there_are_gives_all() -> None:
    assert len(top_classes(np.array([1.0, 0.0], dtype=np.float32), ["a", "b"], 100)) == 2


def test_probabilities_keep_six_digits() -> None:
    row = np.array([0.9999999, 1.2345678e-7], dtype=np.float32)

    assert [each["probability"] for each in top_classes(row, ["a", "b"], 2)] == [1.0, 1.23457e-07]


def test_an_answer_has_every_member_in_milliseconds(lease: Lease) -> None:
    row = np.array([0.5, 0.25, 0.25], dtype=np.float32)

    answer = classify_answer(Classified(lease, [row, row], Timing(0.001, 0.0020004, 0.25)), 1)

    assert answer == {
        "task": "digits",
        "version": 4,
        "label": "stable",
        "digest": lease.config.tensors_sha256,
        "predictions": [{"classes": [{"index": 0, "label": "class 0", "probability": 0.5}]}] * 2,
        "timing": {"decode_ms": 1.0, "queue_ms": 2.0, "inference_ms": 250.0},
    }


def test_an_answer_with_thresholds_says_whether_to_act_on_it(lease: Lease) -> None:
    count = len(lease.config.classes)
    found = Acceptance(
        thresholds=(0.6,) * count, none_below=0.3, precision=0.95, pictures=9, accepted=1.0,
        accepted_precision=1.0, false_alarms=0.0,
    )  # fmt: skip
    strict = replace(lease, config=lease.config.model_copy(update={"acceptance": found}))
    rows = [
        np.array(row + [0.0] * (count - 2), dtype=np.float32) for row in ([0.7, 0.3], [0.5, 0.2], [0.2, 0.1])
    ]
    classified = Classified(strict, rows, Timing(0.0, 0.0, 0.0))

    predictions = classify_answer(classified, 1)["predictions"]

    assert [(each["accepted"], each.get("reason")) for each in predictions] == [
        (True, None),
        (False, "below_threshold"),
        (False, "none_of_these"),
    ]
    plain = classify_answer(classified, 1, abstain=False)["predictions"]
    assert [each.keys() for each in plain] == [{"classes"}] * 3


def test_an_explanation_says_what_part_of_the_picture_the_model_saw(lease: Lease) -> None:
    row = np.array([0.5, 0.5], dtype=np.float32)
    found = np.array([[0.12344, 1.0], [0.0, 0.5]], dtype=np.float32)

    answer = classify_answer(Classified(lease, [row], Timing(0.0, 0.0, 0.0), found), 1)

    assert answer["predictions"][0]["explanation"] == {
        "rows": 2,
        "columns": 2,
        "weights": [[0.1234, 1.0], [0.0, 0.5]],
        "fit": "squash",
        "resize_ratio": 1.143,
    }
