from __future__ import annotations

from typing import Any

import pytest

from adapters.vit.backbone import random_backbone
from training.methods.table import METHODS
from training.options.train_config import TrainConfig
from training.run.settled import settled

BACKBONE = random_backbone().config  # 64 px in patches of 8


def _settled(pictures: int = 1000, image_size: int = 64, patch_size: int = 8, **options: Any) -> TrainConfig:
    backbone = BACKBONE.model_copy(update={"image_size": image_size, "patch_size": patch_size})
    return settled(TrainConfig(task="digits", **options), backbone, pictures)


@pytest.mark.parametrize(
    ("pictures", "epochs"), [(100, 200), (1_000, 20), (2_000, 15), (100_000, METHODS["dvpt"].recipe.epochs)]
)
def test_few_pictures_get_more_epochs(pictures: int, epochs: int) -> None:
    assert _settled(pictures, method="dvpt").epochs == epochs


def test_who_gives_epochs_or_steps_gets_them() -> None:
    assert _settled(100, epochs=3).epochs == 3
    assert _settled(1_000, steps=40).epochs == 2
    assert _settled(1_000, steps=0).epochs == METHODS["dvpt"].recipe.epochs
    assert _settled(1_000, steps=200, epochs=20).epochs == 20


@pytest.mark.parametrize(
    ("image_size", "patch_size", "prompts"), [(64, 16, 2), (64, 8, 4), (224, 16, 10), (32, 32, 2)]
)
def test_prompts_are_in_proportion_to_patches(image_size: int, patch_size: int, prompts: int) -> None:
    sizes = {"image_size": image_size, "patch_size": patch_size}
    assert _settled(method="dvpt-plus", **sizes).prompt_count == prompts
    assert _settled(method="dvpt-plus", prompt_count=7, **sizes).prompt_count == 7
    assert _settled(method="dvpt", **sizes).prompt_count == 10


def test_a_linear_head_is_computed_and_not_trained() -> None:
    assert _settled(method="linear").epochs == 0
    assert _settled(method="linear", epochs=3).epochs == 3
