from collections.abc import Callable

import pytest
import torch

from adapters.backbone import Backbone
from training.config import TrainConfig
from training.methods.prompts import PromptMethod

New = Callable[..., TrainConfig]


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
