"""Every bias is trained; what is published instead of them answers the same, and can be started from."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from adapters.vit.backbone import Backbone
from tests.support.backbones import tiny_backbone
from training.errors import MethodUnsuitable
from training.methods.bias import BiasMethod
from training.options.train_config import TrainConfig

New = Callable[..., TrainConfig]
BACKBONES: dict[str, dict[str, Any]] = {
    "class token": {},
    "average, registers, layer scale": {
        "global_pool": "avg", "fc_norm": True, "reg_tokens": 2, "init_values": 0.5, "mlp_ratio": 3.0,
    },
    "norm before the blocks": {"pre_norm": True},
    "no bias of queries": {"qkv_bias": False},
}  # fmt: skip


@pytest.fixture(params=list(BACKBONES))
def vit(request: pytest.FixtureRequest) -> Backbone:
    return tiny_backbone(**BACKBONES[request.param])


def trained(method: BiasMethod) -> BiasMethod:
    """As after training: every bias is moved."""
    with torch.no_grad():
        for parameter in method.module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    method.module.eval()
    return method


def test_biases_are_trained_and_nothing_else(new_config: New, backbone: Backbone) -> None:
    method = BiasMethod(backbone, new_config(method="bias"), 3)
    names = {name for name, _ in method.module.named_parameters() if not name.startswith("head.")}
    own = {f"backbone.{name}" for name, _ in backbone.vit.named_parameters() if name.endswith(".bias")}
    assert names == own


@torch.no_grad()
@pytest.mark.parametrize("head_layers", [1, 3])
def test_the_published_adapter_answers_as_the_method(
    new_config: New, vit: Backbone, head_layers: int
) -> None:
    method = trained(BiasMethod(vit, new_config(method="bias", head_layers=head_layers), 3))
    images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    expected = method.logits(images)
    torch.testing.assert_close(method.adapter()(vit, images), expected, rtol=1e-4, atol=1e-4)
    plain = method.head(vit.encode(vit.embed(images)))
    assert not torch.allclose(plain, expected, atol=0.1)


@torch.no_grad()
def test_training_goes_on_from_what_was_published(new_config: New, vit: Backbone) -> None:
    config = new_config(method="bias")
    published = trained(BiasMethod(vit, config, 3)).adapter()
    second = BiasMethod(vit, config, 3)
    second.load_body(published.body.state_dict())
    second.head.load_state_dict(published.head.state_dict())
    second.module.eval()
    images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    torch.testing.assert_close(second.logits(images), published(vit, images), rtol=1e-4, atol=1e-4)


def test_a_bias_that_no_adapter_holds_is_named(new_config: New) -> None:
    backbone = tiny_backbone(qk_norm=True)
    with pytest.raises(MethodUnsuitable, match=r"such as blocks\.0\.attn\.k_norm\.bias"):
        BiasMethod(backbone, new_config(method="bias"), 3)
