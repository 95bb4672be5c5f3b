"""What every method keeps to: the counts on ViT-B/16, a backbone that is left alone, answers that differ."""

from collections.abc import Callable

import pytest
import torch
from timm.models.vision_transformer import vit_base_patch16_224

from adapters.config import BackboneConfig
from adapters.vit.backbone import Backbone, random_backbone
from training.methods import build_method, with_recipe
from training.methods.method import Method, Parameters
from training.methods.table import METHODS, names
from training.options.train_config import TrainConfig

New = Callable[..., TrainConfig]
VIT_B16 = BackboneConfig(
    name="vit_base_patch16_224", sha256="0" * 64, image_size=224, patch_size=16, width=768, depth=12,
    mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5),
)  # fmt: skip
HEAD_OF_100 = 76_900


@pytest.fixture(scope="module")
def vit_b16() -> Backbone:
    """ViT-B/16 without values: shapes are all that counting needs."""
    with torch.device("meta"):
        return Backbone(vit_base_patch16_224(num_classes=0), VIT_B16)


@pytest.fixture(scope="module")
def backbone_64() -> Backbone:
    """Large enough for every method."""
    return random_backbone(img_size=64, patch_size=16, embed_dim=48, depth=2, num_heads=2)


@pytest.mark.parametrize(
    ("options", "without_head"),
    [
        ({"prompt_count": 10}, 171_408),
        ({"prompt_count": 50}, 540_048),
        ({"prompt_count": 100}, 1_000_848),
        ({"prompt_count": 10, "meta_net": "specific"}, 510_096),
        ({"prompt_count": 10, "method": "vpt"}, 92_160),
        ({"prompt_count": 50, "method": "vpt"}, 460_800),
        ({"prompt_count": 100, "method": "vpt"}, 921_600),
        ({"method": "linear"}, 0),
        ({"method": "full"}, 85_798_656),
        ({"method": "partial"}, 12 * 768**2 + 13 * 768 + 2 * 768),  # a block, and the norm behind it
        ({"method": "bias"}, 12 * 11 * 768 + 2 * 768),
        ({"method": "sequential", "sequential_reduction": 8}, 12 * (2 * 768 * 96 + 96 + 768)),
        ({"method": "sequential", "sequential_reduction": 64}, 12 * (2 * 768 * 12 + 12 + 768)),
        ({"method": "affine"}, 12 * 8 * 768),
        ({"method": "bottleneck"}, 12 * (2 * 768 * 8 + 8)),
        ({"method": "bottleneck", "bottleneck_width": 2}, 12 * (2 * 768 * 2 + 2)),
        ({"method": "dvpt-plus", "prompt_count": 10}, 171_408 + 12 * 8 * 768 + 12 * (2 * 768 * 8 + 8)),
        ({"method": "sidetune"}, 2_469_696 + 9_216 * 768 + 1),
    ],
)
def test_parameters_on_vit_b16_are_the_published_counts(
    new_config: New, vit_b16: Backbone, options: dict[str, object], without_head: int
) -> None:
    with torch.device("meta"):
        method = build_method(vit_b16, new_config(**options), 100)
    assert Parameters.of(method) == Parameters(without_head + HEAD_OF_100, without_head)


@pytest.mark.parametrize("layers", [2, 5])
def test_mlp_has_all_its_parameters_in_the_head(new_config: New, vit_b16: Backbone, layers: int) -> None:
    config = new_config(method="mlp", head_layers=layers)
    with torch.device("meta"):
        method = build_method(vit_b16, config, 100)
    a_layer = 768**2 + 768 + 2 * 768  # the map, and BatchNorm's scale and shift
    assert Parameters.of(method) == Parameters((layers - 1) * a_layer + HEAD_OF_100, 0)


@pytest.mark.parametrize("name", list(METHODS))
def test_the_backbone_is_left_alone(new_config: New, backbone_64: Backbone, name: str) -> None:
    method = _built(new_config, backbone_64, name)
    before = {key: value.clone() for key, value in backbone_64.state_dict().items()}
    _step(method)
    after = backbone_64.state_dict()
    assert all(torch.equal(before[key], value) for key, value in after.items())
    assert not any(module._forward_hooks for module in backbone_64.modules())


@pytest.mark.parametrize("name", list(METHODS))
def test_every_parameter_gets_gradients_and_a_step_changes_the_answers(
    new_config: New, backbone_64: Backbone, name: str
) -> None:
    method = _built(new_config, backbone_64, name)
    images = _images()
    method.module.eval()
    with torch.no_grad():
        before = method.logits(method.inputs(images))
    _step(method)
    assert all(parameter.grad is not None for parameter in method.module.parameters())
    method.module.eval()
    with torch.no_grad():
        assert not torch.allclose(method.logits(method.inputs(images)), before)


@pytest.mark.parametrize("name", list(METHODS))
def test_what_can_be_served_has_an_adapter_and_nothing_else_has(
    new_config: New, backbone_64: Backbone, name: str
) -> None:
    assert (_built(new_config, backbone_64, name).adapter() is not None) == METHODS[name].served


@pytest.mark.parametrize("name", names(lambda row: not row.served))
def test_publishing_what_cannot_be_served_is_refused_at_once(new_config: New, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} cannot be published"):
        new_config(method=name, publish=True)
    assert not new_config(method=name).publishes


@pytest.mark.parametrize("name", ["full", "partial", "bias", "sequential", "affine", "bottleneck"])
def test_before_training_it_answers_as_the_backbone_does(
    new_config: New, backbone_64: Backbone, name: str
) -> None:
    method, images = _built(new_config, backbone_64, name), _images()
    method.module.eval()
    with torch.no_grad():
        expected = method.head(backbone_64.encode(backbone_64.embed(images)))
        torch.testing.assert_close(method.logits(method.inputs(images)), expected, rtol=0, atol=1e-5)


def _built(new_config: New, backbone: Backbone, name: str) -> Method:
    torch.manual_seed(0)
    return build_method(backbone, with_recipe(new_config(method=name)), 3)


def _images() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (6, 3, 64, 64), dtype=torch.uint8, generator=generator)


def _step(method: Method) -> None:
    optimizer = torch.optim.SGD(method.module.parameters(), lr=0.1)
    method.module.train()
    torch.autograd.backward(method.logits(method.inputs(_images())).square().sum())
    optimizer.step()
