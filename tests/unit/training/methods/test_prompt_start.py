from __future__ import annotations

import torch

from adapters.vit.backbone import random_backbone
from training.methods import build_method, with_recipe
from training.methods.prompt_start import patch_tokens_by_layer, start_from_tokens
from training.options.train_config import TrainConfig

BACKBONE = random_backbone().prepare(torch.device("cpu"), torch.float32)
IMAGES = torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def _prompts(method: str, count: int, seed: int = 0) -> torch.Tensor:
    config = with_recipe(TrainConfig(task="digits", method=method, prompt_count=count))
    module = build_method(BACKBONE, config, 10).module
    start_from_tokens(module, BACKBONE, IMAGES, seed)
    name = next(name for name in module.state_dict() if name.endswith("prompts"))
    prompts: torch.Tensor = module.state_dict()[name]
    return prompts


def test_each_prompt_is_a_token_of_its_layers_input() -> None:
    for method in ("dvpt-plus", "vpt"):
        for prompts, tokens in zip(_prompts(method, 5), patch_tokens_by_layer(BACKBONE, IMAGES), strict=True):
            assert all((tokens == prompt).all(dim=1).any() for prompt in prompts)
            assert len(prompts.unique(dim=0)) == 5


def test_the_layers_inputs_are_those_of_the_forward_pass() -> None:
    tokens = patch_tokens_by_layer(BACKBONE, IMAGES)
    assert [part.shape for part in tokens] == [(3 * 64, 192)] * 6
    assert torch.equal(tokens[0], BACKBONE.patch_tokens(BACKBONE.embed(IMAGES)).flatten(0, 1))
    assert not torch.equal(tokens[0], tokens[1])


def test_more_prompts_than_tokens_come_again() -> None:
    assert _prompts("vpt", 200).shape[1] == 200


def test_the_seed_draws_them() -> None:
    assert torch.equal(_prompts("vpt", 5), _prompts("vpt", 5))
    assert not torch.equal(_prompts("vpt", 5), _prompts("vpt", 5, seed=1))
