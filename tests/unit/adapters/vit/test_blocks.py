"""What rows bring to the blocks is what the same change of the block's own weights would be."""

import copy
from collections.abc import Iterable
from typing import Any, cast

import pytest
import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional as F

from adapters.errors import UnsupportedBackbone
from adapters.vit.backbone import Backbone
from adapters.vit.row_parameters import Affine, Biases, Bottleneck, RowParameters
from tests.support.backbones import tiny_backbone
from tests.support.pictures import pixels

CPU = torch.device("cpu")
DEPTH, WIDTH = 2, 48
VARIANTS: dict[str, dict[str, Any]] = {
    "class token": {},
    "average, registers, layer scale": {"global_pool": "avg", "reg_tokens": 2, "init_values": 0.5},
    "normalized queries and keys": {"qk_norm": True},
    "norm before the blocks": {"pre_norm": True},
}


@pytest.fixture(params=list(VARIANTS))
def vit(request: pytest.FixtureRequest) -> Backbone:
    """Prepared, so that without gradients the last block computes the class token alone where it may."""
    backbone = tiny_backbone(**VARIANTS[request.param])
    with torch.no_grad():  # biases of a new ViT are all zero
        for parameter in backbone.vit.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return backbone.prepare(CPU, torch.float32)


def blocks_of(backbone: Backbone) -> list[Block]:
    return list(cast("Iterable[Block]", backbone.vit.blocks))


def weight_of(linear: object) -> Tensor:
    return cast("nn.Linear", linear).weight


def bias_of(linear: object) -> Tensor:
    return cast("nn.Linear", linear).bias


def random(*shape: int) -> Tensor:
    return 0.3 * torch.randn(*shape)


@torch.no_grad()
def assert_same(changed: Backbone, plain: Backbone, rows: RowParameters, prompts: Tensor | None) -> None:
    """Each of two rows against a backbone of its own weights; `changed` is that of the first."""
    images = pixels(2)
    own = rows.merged(RowParameters(prompts=prompts))
    found = plain.encode(plain.embed(images), own)[:1]
    alone = None if prompts is None else prompts[:1]
    expected = changed.encode(changed.embed(images[:1]), RowParameters(prompts=alone))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(found, plain.encode(plain.embed(images[:1]), RowParameters(alone)), atol=1e-2)


@torch.no_grad()
@pytest.mark.parametrize("prompts", [0, 3])
def test_an_affine_is_other_norms_and_branches(vit: Backbone, prompts: int) -> None:
    affine = Affine(1 + random(2, DEPTH, 4, WIDTH), random(2, DEPTH, 4, WIDTH))
    changed = copy.deepcopy(vit)
    for layer, block in enumerate(blocks_of(changed)):
        scale, shift = (part[0, layer] for part in affine)
        for place, norm in ((0, block.norm1), (2, block.norm2)):
            weight_of(norm).mul_(scale[place])
            bias_of(norm).mul_(scale[place]).add_(shift[place])
        for place, linear, name in (
            (1, block.attn.get_submodule("proj"), "ls1"),
            (3, block.mlp.get_submodule("fc2"), "ls2"),
        ):
            weight_of(linear).mul_(scale[place][:, None])
            gamma = getattr(getattr(block, name), "gamma", torch.ones(WIDTH))
            bias_of(linear).mul_(scale[place]).add_(shift[place] / gamma)
    tokens = random(2, DEPTH, prompts, WIDTH) if prompts else None
    assert_same(changed, vit, RowParameters(affine=affine), tokens)


@torch.no_grad()
def test_free_biases_are_the_backbones_own_ones(vit: Backbone) -> None:
    free = Biases(random(2, 2, WIDTH), random(2, DEPTH, 3 * WIDTH), random(2, DEPTH, 4 * WIDTH))
    changed = copy.deepcopy(vit)
    for layer, block in enumerate(blocks_of(changed)):
        bias_of(block.attn.get_submodule("qkv")).add_(free.qkv[0, layer])
        bias_of(block.mlp.get_submodule("fc1")).add_(free.hidden[0, layer])
    embed, prefix = changed.embed, changed.prefix_count

    def shifted(images: Tensor) -> Tensor:
        tokens = embed(images)
        return torch.cat(
            [tokens[:, :prefix] + free.embed[0, 0], tokens[:, prefix:] + free.embed[0, 1]], dim=1
        )

    changed.embed = shifted  # type: ignore[method-assign]
    assert_same(changed, vit, RowParameters(biases=free), random(2, 1, 3, WIDTH))


@torch.no_grad()
def test_a_bottleneck_adds_to_what_the_mlp_answers(vit: Backbone) -> None:
    own = Bottleneck(random(2, DEPTH, 5, WIDTH), random(2, DEPTH, 5), random(2, DEPTH, WIDTH, 5))
    changed = copy.deepcopy(vit)

    def beside(layer: int, mlp: nn.Module, gamma: Tensor) -> nn.Module:
        class Beside(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                hidden = F.gelu(F.linear(x, own.down[0, layer], own.bias[0, layer]))
                return cast("Tensor", mlp(x)) + F.linear(hidden, own.up[0, layer]) / gamma

        return Beside()

    for layer, block in enumerate(blocks_of(changed)):
        block.mlp = beside(layer, block.mlp, getattr(block.ls2, "gamma", torch.ones(WIDTH)))
    assert_same(changed, vit, RowParameters(bottleneck=own), random(2, DEPTH, 2, WIDTH))


def test_gradients_reach_what_rows_bring(vit: Backbone) -> None:
    parts = [1 + random(2, DEPTH, 4, WIDTH), random(2, DEPTH, 4, WIDTH)]
    parts += [random(2, DEPTH, 5, WIDTH), random(2, DEPTH, 5), random(2, DEPTH, WIDTH, 5)]
    for part in parts:
        part.requires_grad_()
    rows = RowParameters(affine=Affine(*parts[:2]), bottleneck=Bottleneck(*parts[2:]))
    torch.autograd.backward(vit.encode(vit.embed(pixels(2)), rows).square().sum())
    assert all(part.grad is not None and part.grad.abs().sum() > 0 for part in parts)


@pytest.mark.parametrize(
    ("options", "rows", "complaint"),
    [
        (
            {"block_fn": "post"},
            RowParameters(bottleneck=Bottleneck(random(1, 2, 1, 48), random(1, 2, 1), random(1, 2, 48, 1))),
            "plain Block, and this ViT has a ResPostBlock",
        ),
        (
            {"mlp_layer": "glu"},
            RowParameters(biases=Biases(random(1, 2, 48), random(1, 2, 144), random(1, 2, 192))),
            "plain Attention and Mlp",
        ),
    ],
)
def test_blocks_without_such_places_are_refused(
    options: dict[str, str], rows: RowParameters, complaint: str
) -> None:
    from timm.layers.mlp import GluMlp  # noqa: PLC0415
    from timm.models.vision_transformer import ResPostBlock  # noqa: PLC0415

    kinds = {"post": ResPostBlock, "glu": GluMlp}
    backbone = tiny_backbone(**{name: kinds[value] for name, value in options.items()})
    with pytest.raises(UnsupportedBackbone, match=complaint):
        backbone.encode(backbone.embed(pixels(1)), rows)


def test_what_both_bring_is_refused() -> None:
    affine = RowParameters(affine=Affine(random(1, 2, 4, 48), random(1, 2, 4, 48)))
    with pytest.raises(ValueError, match="both bring"):
        affine.merged(affine)
