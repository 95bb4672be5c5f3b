"""The methods that can be trained: a row of the table each, and a file that is imported when it is built."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from training.methods.table import METHODS

if TYPE_CHECKING:
    from adapters.vit.backbone import Backbone
    from training.methods.method import Method
    from training.options.train_config import TrainConfig


def with_recipe(config: "TrainConfig") -> "TrainConfig":
    """The same options with the method's own recipe where none were given.

    Who asks for a number of epochs is not given more of them to come to a number of steps, and whose pictures
    are cut at random anyway is not given a shift beside it.
    """
    recipe = asdict(METHODS[config.method].recipe)
    if config.steps and config.epochs is None:
        recipe["epochs"] = 1
    if config.epochs is not None:
        recipe["steps"] = 0
    if config.random_crop != "none":
        recipe["random_shift"] = 0.0
    return config.model_copy(
        update={name: value for name, value in recipe.items() if getattr(config, name) is None}
    )


def build_method(backbone: "Backbone", config: "TrainConfig", class_count: int) -> "Method":
    """The method `config` names, with fresh parameters."""
    row = METHODS[config.method]
    method: Method = row.load(row.build)(backbone, config, class_count)
    return method
