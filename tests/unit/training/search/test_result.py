import math

import pytest

from training.search.result import pooled_standard_error, sample_std


def test_the_spread_over_seeds_is_the_samples() -> None:
    assert sample_std((0.8,)) is None
    assert sample_std((0.8, 0.9)) == pytest.approx(0.1 / math.sqrt(2))


def test_more_seeds_on_the_same_pictures_do_not_shrink_the_standard_error() -> None:
    one = pooled_standard_error((0.8,), 100)
    assert one == pytest.approx(0.04)
    assert pooled_standard_error((0.8, 0.8, 0.8), 100) == pytest.approx(one)
    assert pooled_standard_error((0.8, 0.5), 100) == pytest.approx(math.sqrt((0.0016 + 0.0025) / 2))
