"""Prompts and Meta-Net of one adapter: parameter counts, start, and where π goes."""

from itertools import product

import pytest
import torch
from torch import Tensor

from adapters.kinds.adapter import Adapter
from adapters.kinds.dvpt.body import DvptBody
from adapters.kinds.dvpt.options import DvptOptions
from adapters.vit.backbone import Backbone
from tests.support.backbones import VIT_B16
from tests.support.pictures import pixels


def prompts_of(body: DvptBody, patches: Tensor) -> Tensor:
    prompts = body(patches).prompts
    assert isinstance(prompts, Tensor)
    return prompts


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (DvptOptions(count=10), 171_408),
        (DvptOptions(count=50), 540_048),
        (DvptOptions(count=100), 1_000_848),
        (DvptOptions(count=10, meta_net="none"), 92_160),
        (DvptOptions(count=50, meta_net="none"), 460_800),
        (DvptOptions(count=100, meta_net="none"), 921_600),
        (DvptOptions(count=10, meta_net="specific"), 510_096),
    ],
)
def test_parameters_without_head_on_vit_b16(options: DvptOptions, expected: int) -> None:
    with torch.device("meta"):
        body = DvptBody(options, VIT_B16)
    assert sum(parameter.numel() for parameter in body.parameters()) == expected


def test_prompts_start_within_the_bound_of_vpt() -> None:
    body = DvptBody(DvptOptions(count=50), VIT_B16)
    bound = (6 / (3 * 16**2 + 768)) ** 0.5
    assert bound * 0.99 < body.prompts.abs().max() <= bound


@pytest.mark.parametrize("kind", ["shared", "specific"])
def test_at_the_start_the_dynamic_prompt_is_the_prompt(backbone: Backbone, kind: str) -> None:
    body = DvptBody(DvptOptions.model_validate({"count": 3, "meta_net": kind}), backbone.config)
    assert torch.equal(prompts_of(body, torch.randn(2, 16, 48)), body.prompts.expand(2, -1, -1, -1))


@pytest.mark.parametrize(
    ("kind", "layers", "meta_input", "norm"),
    list(product(["shared", "specific"], ["first", "all"], ["mean", "token"], [False, True])),
)
def test_pi_is_added_where_the_options_say(
    backbone: Backbone, kind: str, layers: str, meta_input: str, norm: bool
) -> None:
    options = DvptOptions.model_validate(
        {"count": 3, "meta_net": kind, "dynamic_layers": layers, "meta_input": meta_input, "meta_norm": norm}
    )
    body = DvptBody(options, backbone.config)
    for parameter in body.parameters():
        torch.nn.init.normal_(parameter)
    pi = prompts_of(body, torch.randn(2, 16, 48)) - body.prompts  # [B, L, P, D]
    assert pi[:, 0].abs().max() > 0
    assert torch.allclose(pi[:, 1], pi[:, 0] if layers == "all" else torch.zeros(()), atol=1e-5)
    if kind == "shared":
        assert torch.allclose(pi[:, 0, 0], pi[:, 0, 1], atol=1e-5)
    else:
        assert not torch.allclose(pi[:, 0, 0], pi[:, 0, 1], atol=1e-2)


def test_the_mean_is_taken_before_or_after_the_meta_net(backbone: Backbone) -> None:
    body = DvptBody(DvptOptions(count=2, meta_input="token"), backbone.config)
    for parameter in body.parameters():
        torch.nn.init.normal_(parameter)
    patches = torch.randn(1, 16, 48)
    assert body.meta_net is not None
    each = torch.stack([body.meta_net(patches[:, [token]]) for token in range(16)])
    assert torch.allclose(body.meta_net(patches), each.mean(dim=0), rtol=1e-4, atol=1e-3)
    body.meta_net.per_token = False
    expected = body.meta_net(patches.mean(dim=1, keepdim=True))
    assert torch.allclose(body.meta_net(patches), expected, rtol=1e-4, atol=1e-3)


def test_gradients_reach_the_adapter_and_not_the_backbone(backbone: Backbone) -> None:
    adapter = Adapter(DvptOptions(count=2), backbone.config, 4)
    images = pixels(2)
    adapter(backbone, images).square().sum().backward()
    assert all(parameter.grad is not None for parameter in adapter.parameters())
    assert all(parameter.grad is None for parameter in backbone.parameters())
