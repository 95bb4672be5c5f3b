from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.errors import BackboneMismatch, BackboneWeights, ConfigError
from adapters.store.store import Store
from adapters.vit.backbone import DEFAULT_BACKBONE, EMBEDDED_BACKBONE, random_backbone
from tests.support.backbones import save_weights
from training.options.train_config import TrainConfig
from training.run.placement import default_store, place

New = Callable[..., TrainConfig]


def test_a_new_store_takes_the_backbone_that_was_asked_for(new_config: New) -> None:
    config = new_config()
    placement = place(config)
    assert placement.backbone.config.name == config.backbone
    assert placement.backbone.config.image_size == 32
    assert placement.store == config.store


def test_an_existing_store_says_which_backbone(new_config: New) -> None:
    config = new_config()
    assert config.store is not None
    Store.create(config.store, place(config).backbone.config)
    again = place(new_config(backbone=None, image_size=None))
    assert again.backbone.config == place(config).backbone.config


@pytest.mark.parametrize("options", [{"backbone": "vit_tiny_patch16_224"}, {"image_size": 64}])
def test_a_store_of_another_backbone_is_refused(new_config: New, options: dict[str, object]) -> None:
    config = new_config()
    assert config.store is not None
    Store.create(config.store, place(config).backbone.config)
    with pytest.raises(BackboneMismatch, match="--store"):
        place(new_config(**options))


def test_a_store_where_no_files_are_kept_is_refused(new_config: New) -> None:
    with pytest.raises(ConfigError, match="'s3://bucket/store': no files are kept at s3://"):
        place(new_config(store="s3://bucket/store"))


def test_other_weights_than_the_stores_are_refused(new_config: New, tmp_path: Path) -> None:
    config = new_config()
    assert config.store is not None
    Store.create(config.store, place(config).backbone.config)
    other = tmp_path / "other.safetensors"
    save_weights(random_backbone("test_vit", seed=9), other)
    with pytest.raises(BackboneMismatch):
        place(new_config(weights=other))


def test_weights_of_another_architecture_are_refused(new_config: New) -> None:
    with pytest.raises(BackboneWeights, match="do not fit vit_tiny_patch16_224"):
        place(new_config(backbone="vit_tiny_patch16_224"))


def test_default_stores_are_named_after_the_backbone() -> None:
    assert default_store(EMBEDDED_BACKBONE) == Path("stores/embedded")
    assert default_store(DEFAULT_BACKBONE) == Path("stores") / DEFAULT_BACKBONE
