import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from service.engine.protocol import Probabilities
from service.explain.occlusion import COPIES, GRID, covered, weights
from tests.support.pictures import pixels


def softmax(logits: Probabilities) -> Probabilities:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: Probabilities = (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)
    return shares


@pytest.mark.parametrize("size", [16, 32, 64, 224])
def test_the_windows_cover_the_picture_and_each_copy_loses_its_own(size: int) -> None:
    picture = pixels(1, size, seed=0)[0]
    before = picture.clone()

    copies = covered(picture)

    changed = torch.stack([(copy != picture).any(dim=0) for copy in copies]).reshape(GRID, GRID, size, size)
    assert len(copies) == COPIES
    assert torch.equal(picture, before)
    assert changed.any(dim=(0, 1)).float().mean() > 0.98  # a pixel may be what blurring makes of it
    for row in range(GRID):
        for column in range(GRID):
            down, across = torch.nonzero(changed[row, column]).float().mean(dim=0) + 0.5
            assert down == pytest.approx((row + 0.5) * size / GRID, abs=0.08 * size)
            assert across == pytest.approx((column + 0.5) * size / GRID, abs=0.08 * size)


def test_a_picture_of_one_colour_stays_as_it_is() -> None:
    picture = torch.full((3, 32, 32), 77, dtype=torch.uint8)

    assert all(torch.equal(copy, picture) for copy in covered(picture))


def test_what_takes_most_weighs_one_and_what_helps_nothing() -> None:
    whole = np.array([0.7, 0.2, 0.1], dtype=np.float32)
    parts = [whole] * COPIES
    parts[3], parts[10], parts[20] = (
        np.array(row, dtype=np.float32) for row in ([0.1, 0.8, 0.1], [0.4, 0.3, 0.3], [0.9, 0.05, 0.05])
    )

    told = weights(whole, parts).flatten()

    assert told[3] == 1.0
    assert 0 < told[10] < 1
    assert sorted(np.flatnonzero(told)) == [3, 10]


def test_of_a_class_that_is_all_but_certain_the_parts_are_still_told_apart() -> None:
    whole = softmax(np.array([20.0, 0.0], dtype=np.float32))
    parts = [softmax(np.array([20.0 - 0.1 * index, 0.0], dtype=np.float32)) for index in range(COPIES)]

    told = weights(whole, parts).flatten()

    assert (np.diff(told) > 0).all()


@given(
    arrays(
        np.float32, st.tuples(st.just(COPIES + 1), st.integers(1, 9)), elements=st.floats(-90, 90, width=32)
    )
)
def test_weights_are_shares_of_the_largest_whatever_the_answers_are(logits: Probabilities) -> None:
    whole, *parts = softmax(logits)

    told = weights(whole, parts)

    assert told.shape == (GRID, GRID)
    assert ((told >= 0) & (told <= 1)).all()
    assert told.max() in (0.0, 1.0)
