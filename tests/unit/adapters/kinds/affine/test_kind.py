"""An affine is neutral at first, small, and rides with bottlenecks unless it has free biases."""

import pytest
import torch

from adapters.kinds.adapter import Adapter
from adapters.kinds.affine.body import AffineBody
from adapters.kinds.affine.options import AffineOptions
from adapters.kinds.layout import Layout
from adapters.vit.backbone import Backbone
from tests.support.backbones import VIT_B16
from tests.support.pictures import pixels


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (AffineOptions(), 73_728),
        (AffineOptions(biases=True), 73_728 + 12 * 7 * 768 + 2 * 768),
        (AffineOptions(biases=True, hidden=4304), 73_728 + 12 * (3 * 768 + 4304) + 2 * 768),
    ],
)
def test_parameters_without_head_on_vit_b16(options: AffineOptions, expected: int) -> None:
    with torch.device("meta"):
        body = AffineBody(options, VIT_B16)
    assert sum(parameter.numel() for parameter in body.parameters()) == expected


@torch.no_grad()
@pytest.mark.parametrize("biases", [False, True])
def test_at_the_start_it_changes_nothing(backbone: Backbone, biases: bool) -> None:
    adapter, images = Adapter(AffineOptions(biases=biases), backbone.config, 4), pixels(2)
    plain = backbone.encode(backbone.embed(images))
    torch.testing.assert_close(adapter.features(backbone, images), plain, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (AffineOptions(), "affine+bottleneck8"),
        (AffineOptions(hidden=5), "affine+bottleneck8"),
        (AffineOptions(biases=True), "affine-biases3072"),
        (AffineOptions(biases=True, hidden=3072), "affine-biases3072"),
        (AffineOptions(biases=True, hidden=4304), "affine-biases4304"),
    ],
)
def test_layouts_are_named_by_what_parts_them(options: AffineOptions, name: str) -> None:
    assert str(Layout.of(options, VIT_B16)) == name
