"""Options that depend on the backbone and on how many pictures there are, as one run has them."""

from adapters.config import BackboneConfig
from training.loop.optimization import steps_in_epoch
from training.methods import with_recipe
from training.options.train_config import TrainConfig

PATCHES_A_PROMPT = 16
FEWEST_PROMPTS, MOST_PROMPTS = 2, 10


def settled(config: TrainConfig, backbone: BackboneConfig, pictures: int) -> TrainConfig:
    """The options with the method's recipe, prompts counted by patches and epochs by steps."""
    config = with_recipe(config)
    per_epoch = steps_in_epoch(pictures, config.batch_size)
    epochs = max(config.epochs or 0, -(-(config.steps or 0) // per_epoch))
    update: dict[str, int] = {"epochs": epochs, "steps": 0}
    if config.prompt_count == 0:
        patches = (backbone.image_size // backbone.patch_size) ** 2
        update["prompt_count"] = min(max(patches // PATCHES_A_PROMPT, FEWEST_PROMPTS), MOST_PROMPTS)
    return config.model_copy(update=update)
