from collections.abc import Callable

import torch

from adapters.vit.backbone import Backbone
from training.methods.linear import LinearMethod
from training.options.train_config import TrainConfig

New = Callable[..., TrainConfig]


def test_features_are_cached_and_the_adapter_answers_the_same(new_config: New, backbone: Backbone) -> None:
    method = LinearMethod(backbone, new_config(method="mlp", head_layers=2), 3)
    images = torch.randint(0, 256, (70, 3, 32, 32), dtype=torch.uint8)
    features = method.inputs(images)
    assert features.shape == (70, backbone.config.width)
    method.module.eval()
    with torch.no_grad():
        torch.testing.assert_close(
            method.adapter()(backbone, images), method.logits(features), rtol=0, atol=1e-5
        )


def test_only_the_head_is_trained(new_config: New, backbone: Backbone) -> None:
    method = LinearMethod(backbone, new_config(method="linear"), 3)
    assert sum(p.numel() for p in method.module.parameters()) == 3 * (backbone.config.width + 1)
