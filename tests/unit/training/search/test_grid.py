import pytest

from training.methods.table import METHODS
from training.search.grid import Point, grid
from training.search.search_config import SearchConfig


@pytest.mark.parametrize("method", METHODS)
def test_the_modern_grid_is_small_and_centred_on_the_methods_own_learning_rate(method: str) -> None:
    points = grid(SearchConfig.model_validate({"task": "x", "search": True, "method": method}))
    assert len(points) == len(set(points)) == 6
    lrs = sorted({point.lr for point in points})
    own = METHODS[method].recipe.lr
    assert lrs == [pytest.approx(0.3 * own), own, pytest.approx(3 * own)]
    assert {point.optimizer for point in points} == {"adamw"}


@pytest.mark.parametrize("method", METHODS)
def test_vpts_grid_scales_learning_rates_by_the_batch(method: str) -> None:
    points = grid(
        SearchConfig.model_validate(
            {"task": "x", "search": True, "grid": "vpt", "method": method, "batch_size": 64}
        )
    )
    # These train inside the backbone's blocks.
    within = method in {"full", "partial", "bias", "sequential", "affine", "bottleneck"}
    expected = (0.005 / 4, 16) if within else (50 / 4, 40)
    assert (max(point.lr for point in points), len(points)) == expected
    assert {point.optimizer for point in points} == {"adamw" if within else "sgd"}
    assert {point.weight_decay for point in points} == {0.01, 0.001, 0.0001, 0.0}


def test_own_values_are_taken_as_they_are() -> None:
    config = SearchConfig(
        task="x", search=True, optimizer="sgd", grid_lr=(0.7,), grid_weight_decay=(0.0, 0.1), batch_size=64
    )
    assert grid(config) == (Point("sgd", 0.7, 0.0), Point("sgd", 0.7, 0.1))
