from collections.abc import Callable

import pytest
import torch

from adapters.vit.backbone import Backbone
from training.methods.bodies import BodyMethod, joint_logits
from training.options.train_config import TrainConfig

New = Callable[..., TrainConfig]


def test_nothing_of_the_backbone_is_trained(new_config: New, backbone: Backbone) -> None:
    method = BodyMethod(backbone, new_config(), 3)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    optimizer = torch.optim.SGD(method.module.parameters(), lr=1.0)
    images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    torch.autograd.backward(method.logits(method.inputs(images)).square().sum())
    optimizer.step()
    assert all(torch.equal(before[name], value) for name, value in backbone.state_dict().items())
    assert all(parameter.grad is not None for parameter in method.module.parameters())


@pytest.mark.parametrize("head_layers", [1, 3])
@pytest.mark.parametrize("name", ["dvpt", "dvpt-plus", "affine", "bottleneck"])
def test_the_published_adapter_answers_as_the_method(
    new_config: New, backbone: Backbone, name: str, head_layers: int
) -> None:
    config = new_config(method=name, head_layers=head_layers, prompt_dropout=0.5)
    method = BodyMethod(backbone, config, 3)
    with torch.no_grad():
        for parameter in method.module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    method.module.eval()
    with torch.no_grad():
        torch.testing.assert_close(
            method.adapter()(backbone, images), method.logits(images), rtol=0, atol=1e-5
        )


OF_PROMPTS: list[dict[str, object]] = [
    {},
    {"meta_net": "specific", "dynamic_layers": "all", "head_layers": 2, "head_dropout": 0.0},
    {"method": "vpt"},
]
JOINED = [OF_PROMPTS, *([{"method": name}] * 3 for name in ("dvpt-plus", "affine", "bottleneck"))]


@pytest.mark.parametrize("options", JOINED)
def test_methods_in_one_forward_answer_and_learn_as_each_alone(
    new_config: New, backbone: Backbone, options: list[dict[str, object]]
) -> None:
    alone, together = (_methods(new_config, backbone, options) for _ in range(2))
    batches = [torch.randint(0, 256, (rows, 3, 32, 32), dtype=torch.uint8) for rows in (4, 6, 3)]
    expected = [method.logits(batch) for method, batch in zip(alone, batches, strict=True)]
    answers = joint_logits(together, batches)
    torch.autograd.backward([logits.square().sum() for logits in expected])
    torch.autograd.backward([logits.square().sum() for logits in answers])
    for logits, own in zip(answers, expected, strict=True):
        torch.testing.assert_close(logits, own, rtol=0, atol=1e-5)
    for one, other in zip(alone, together, strict=True):
        for a, b in zip(one.module.parameters(), other.module.parameters(), strict=True):
            torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-5)


def test_what_is_no_number_in_one_method_reaches_no_other(new_config: New, backbone: Backbone) -> None:
    methods = _methods(new_config, backbone, [{}, {}])
    with torch.no_grad():
        next(methods[0].module.parameters()).fill_(float("nan"))
    batch = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    spoilt, sound = joint_logits(methods, [batch, batch])
    torch.autograd.backward([spoilt.sum(), sound.sum()])
    assert spoilt.isnan().all()
    assert sound.isfinite().all()
    assert all(
        value.grad is not None and value.grad.isfinite().all() for value in methods[1].module.parameters()
    )


def _methods(new_config: New, backbone: Backbone, options: list[dict[str, object]]) -> list[BodyMethod]:
    torch.manual_seed(0)
    return [BodyMethod(backbone, new_config(**own), 3) for own in options]
