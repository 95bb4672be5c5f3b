import math

import pytest

from training.search.result import sample_std


def test_the_spread_over_seeds_is_the_samples() -> None:
    assert sample_std((0.8,)) is None
    assert sample_std((0.8, 0.9)) == pytest.approx(0.1 / math.sqrt(2))
