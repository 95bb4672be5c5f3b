"""The comparison of engines says what it compared, and does not compare what failed."""

import argparse

import numpy as np
import pytest

from adapters.vit.backbone import random_backbone
from benchmarks.engines import agree, drawn, make_sides
from service.errors import OutputNotFinite


def test_agreement_is_of_probabilities_and_of_the_first_class() -> None:
    reference = [np.array([0.6, 0.4]), np.array([0.55, 0.45])]
    other = [np.array([0.5, 0.5]), np.array([0.4, 0.6])]

    found = agree(reference, other)

    assert found == {"largest_difference": pytest.approx(0.15), "equal_top_1": 0.5}


def test_an_answer_that_is_not_finite_ends_the_comparison() -> None:
    with pytest.raises(RuntimeError, match="no finite answer"):
        agree([np.ones(1)], [OutputNotFinite("NaN")])


def test_every_engine_gets_the_same_pictures() -> None:
    (first, rows), (second, again) = drawn(3, 10, 8), drawn(3, 10, 8)

    assert rows == again
    assert all((left == right).all() for left, right in zip(first, second, strict=True))


def test_an_engine_that_is_not_there_is_left_out_with_its_reason() -> None:
    backbone = random_backbone()
    options = argparse.Namespace(device="cpu", threads=1, weights=None, tasks=2)

    sides, left_out = make_sides(["onnx bf16"], options, backbone)

    assert sides == {}
    assert "not in bf16" in left_out["onnx bf16"]
