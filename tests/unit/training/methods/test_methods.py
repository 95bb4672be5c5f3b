from collections.abc import Callable

import pytest

from training.methods import METHODS, with_recipe
from training.options.train_config import TrainConfig

New = Callable[..., TrainConfig]


@pytest.mark.parametrize("name", list(METHODS))
def test_every_method_brings_its_own_defaults(new_config: New, name: str) -> None:
    config = with_recipe(new_config(method=name, epochs=None))
    _, recipe = METHODS[name]
    assert (config.epochs, config.lr) == (recipe.epochs, recipe.lr)
    assert config.head_layers == recipe.head_layers


def test_what_was_asked_for_stays(new_config: New) -> None:
    config = with_recipe(new_config(epochs=7, lr=0.25))
    assert (config.epochs, config.lr) == (7, 0.25)


@pytest.mark.parametrize("name", list(METHODS))
def test_the_help_tells_the_methods_defaults(name: str) -> None:
    _, recipe = METHODS[name]
    assert str(recipe.epochs) in (TrainConfig.model_fields["epochs"].description or "")
    assert f"{recipe.lr:g}" in (TrainConfig.model_fields["lr"].description or "")
