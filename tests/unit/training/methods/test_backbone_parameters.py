from collections.abc import Callable

import pytest
import torch

from adapters.vit.backbone import Backbone
from training.methods.backbone_parameters import full, partial
from training.options.train_config import TrainConfig

New = Callable[..., TrainConfig]


def names(module: torch.nn.Module) -> set[str]:
    return {name.removeprefix("backbone.") for name, _ in module.named_parameters() if "head" not in name}


def test_full_trains_everything_under_timms_names(new_config: New, backbone: Backbone) -> None:
    method = full(backbone, new_config(method="full"), 3)
    assert names(method.module) == {name for name, _ in backbone.vit.named_parameters()}


@pytest.mark.parametrize(("count", "first"), [(1, 1), (2, 0), (9, 0)])
def test_partial_trains_the_last_blocks_and_the_norm(
    new_config: New, backbone: Backbone, count: int, first: int
) -> None:
    trained = names(partial(backbone, new_config(method="partial", partial_blocks=count), 3).module)
    assert {name.split(".")[1] for name in trained if name.startswith("blocks.")} == {
        str(number) for number in range(first, 2)
    }
    assert {"norm.weight", "norm.bias"} <= trained
    assert not any(name.startswith(("patch_embed", "pos_embed", "cls_token")) for name in trained)


def test_partial_computes_the_frozen_blocks_once(new_config: New, backbone: Backbone) -> None:
    method = partial(backbone, new_config(method="partial"), 3)
    images = torch.randint(0, 256, (70, 3, 32, 32), dtype=torch.uint8)
    tokens = method.inputs(images)
    assert tokens.shape == (70, backbone.prefix_count + 16, backbone.config.width)
    ran = []
    handle = backbone.vit.blocks[0].register_forward_hook(lambda *_: ran.append(0))
    method.logits(tokens[:4])
    handle.remove()
    assert not ran


def test_small_steps_are_not_lost_in_bfloat16(new_config: New) -> None:
    from adapters.vit.backbone import random_backbone  # noqa: PLC0415 - cast, so not the shared one

    frozen = random_backbone(img_size=32, embed_dim=48, depth=2, num_heads=2)
    frozen.prepare(torch.device("cpu"), torch.bfloat16)
    method = full(frozen, new_config(method="full"), 3)
    assert {value.dtype for value in method.module.parameters()} == {torch.float32}
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    torch.autograd.backward(method.logits(images).sum())
    assert all(value.grad is not None for value in method.module.parameters())
