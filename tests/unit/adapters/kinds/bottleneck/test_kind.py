"""A bottleneck is neutral at first and shares a layout with all that are no wider than the default."""

import pytest
import torch

from adapters.kinds.adapter import Adapter
from adapters.kinds.bottleneck.body import BottleneckBody
from adapters.kinds.bottleneck.options import BottleneckOptions
from adapters.kinds.layout import Layout
from adapters.vit.backbone import Backbone
from tests.support.backbones import VIT_B16
from tests.support.pictures import pixels


def test_parameters_without_head_on_vit_b16() -> None:
    with torch.device("meta"):
        body = BottleneckBody(BottleneckOptions(), VIT_B16)
    assert sum(parameter.numel() for parameter in body.parameters()) == 12 * (2 * 768 * 8 + 8)


@torch.no_grad()
def test_at_the_start_it_changes_nothing(backbone: Backbone) -> None:
    adapter, images = Adapter(BottleneckOptions(), backbone.config, 4), pixels(2)
    plain = backbone.encode(backbone.embed(images))
    torch.testing.assert_close(adapter.features(backbone, images), plain, rtol=0, atol=1e-5)
    assert adapter.get_parameter("body.down").abs().max() > 0


@pytest.mark.parametrize(
    ("width", "name"),
    [(1, "affine+bottleneck8"), (8, "affine+bottleneck8"), (9, "affine+bottleneck9")],
)
def test_narrow_ones_share_a_layout(width: int, name: str) -> None:
    assert str(Layout.of(BottleneckOptions(width=width), VIT_B16)) == name
