"""The methods that can be trained, by the name `--method` gives them."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from adapters.backbone import Backbone
from training.config import TrainConfig
from training.methods import linear, prompts
from training.methods.method import Method, Recipe

Build = Callable[[Backbone, TrainConfig, int], Method]

METHODS: Mapping[str, tuple[Build, Recipe]] = MappingProxyType(
    {
        "dvpt": (prompts.PromptMethod, prompts.RECIPE),
        "vpt": (prompts.PromptMethod, prompts.RECIPE),
        "linear": (linear.LinearMethod, linear.RECIPE),
    }
)


def with_recipe(config: TrainConfig) -> TrainConfig:
    """The same options with the method's own epochs and learning rate where none were given."""
    _, recipe = METHODS[config.method]
    chosen = {"epochs": config.epochs or recipe.epochs, "lr": config.lr or recipe.lr}
    return config.model_copy(update=chosen)


def build_method(backbone: Backbone, config: TrainConfig, class_count: int) -> Method:
    """The method `config` names, with fresh parameters."""
    build, _ = METHODS[config.method]
    return build(backbone, config, class_count)
