"""The methods that can be trained, by the name `--method` gives them."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from types import MappingProxyType

from adapters.vit.backbone import Backbone
from training.methods import backbone_parameters, bottleneck, linear, prompts, sidetune
from training.methods.method import Method, Recipe
from training.options.train_config import TrainConfig

Build = Callable[[Backbone, TrainConfig, int], Method]

METHODS: Mapping[str, tuple[Build, Recipe]] = MappingProxyType(
    {
        "dvpt": (prompts.PromptMethod, prompts.RECIPE),
        "vpt": (prompts.PromptMethod, prompts.RECIPE),
        "linear": (linear.LinearMethod, linear.RECIPE),
        "mlp": (linear.LinearMethod, linear.MLP_RECIPE),
        "full": (backbone_parameters.full, backbone_parameters.FULL_RECIPE),
        "partial": (backbone_parameters.partial, backbone_parameters.PARTIAL_RECIPE),
        "bias": (backbone_parameters.bias, backbone_parameters.BIAS_RECIPE),
        "adapter": (bottleneck.BottleneckMethod, bottleneck.RECIPE),
        "sidetune": (sidetune.SidetuneMethod, sidetune.RECIPE),
    }
)


def with_recipe(config: TrainConfig) -> TrainConfig:
    """The same options with the method's own recipe where none were given."""
    _, recipe = METHODS[config.method]
    own = {name: value for name, value in asdict(recipe).items() if getattr(config, name) is None}
    return config.model_copy(update=own)


def build_method(backbone: Backbone, config: TrainConfig, class_count: int) -> Method:
    """The method `config` names, with fresh parameters."""
    build, _ = METHODS[config.method]
    return build(backbone, config, class_count)
