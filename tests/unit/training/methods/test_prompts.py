from collections.abc import Callable

import pytest
import torch

from adapters.backbone import Backbone
from adapters.config import BackboneConfig
from adapters.dvpt import Adapter
from training.config import TrainConfig
from training.methods.prompts import PromptMethod
from training.publish import parameter_counts

New = Callable[..., TrainConfig]
VIT_B16 = BackboneConfig(
    name="vit_base_patch16_224", sha256="0" * 64, image_size=224, patch_size=16, width=768, depth=12,
    mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5),
)  # fmt: skip


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"prompt_count": 10}, 171_408),
        ({"prompt_count": 50}, 540_048),
        ({"prompt_count": 100}, 1_000_848),
        ({"prompt_count": 10, "meta_net": "specific"}, 510_096),
        ({"prompt_count": 10, "method": "vpt"}, 92_160),
        ({"prompt_count": 50, "method": "vpt"}, 460_800),
        ({"prompt_count": 100, "method": "vpt"}, 921_600),
    ],
)
def test_parameters_on_vit_b16_are_the_published_counts(
    new_config: New, options: dict[str, object], expected: int
) -> None:
    with torch.device("meta"):
        adapter = Adapter(new_config(**options).prompts, VIT_B16, 100)
    assert parameter_counts(adapter) == {"without_head": expected, "with_head": expected + 76_900}


def test_nothing_of_the_backbone_is_trained(new_config: New, backbone: Backbone) -> None:
    method = PromptMethod(backbone, new_config(), 3)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    optimizer = torch.optim.SGD(method.module.parameters(), lr=1.0)
    images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    torch.autograd.backward(method.logits(method.inputs(images)).square().sum())
    optimizer.step()
    assert all(torch.equal(before[name], value) for name, value in backbone.state_dict().items())
    assert all(parameter.grad is not None for parameter in method.module.parameters())


@pytest.mark.parametrize("head_layers", [1, 3])
def test_the_published_adapter_answers_as_the_method(
    new_config: New, backbone: Backbone, head_layers: int
) -> None:
    method = PromptMethod(backbone, new_config(head_layers=head_layers, prompt_dropout=0.5), 3)
    images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    method.module.eval()
    with torch.no_grad():
        torch.testing.assert_close(
            method.adapter()(backbone, images), method.logits(images), rtol=0, atol=1e-5
        )
