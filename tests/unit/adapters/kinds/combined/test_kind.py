"""Kinds together: what their tensors are called, what layout they take, and how large a task is."""

import pytest
import torch
from pydantic import ValidationError

from adapters.kinds.adapter import Adapter
from adapters.kinds.affine.options import AffineOptions
from adapters.kinds.bottleneck.options import BottleneckOptions
from adapters.kinds.combined.options import CombinedOptions
from adapters.kinds.dvpt.options import DvptOptions
from adapters.kinds.layout import Layout
from adapters.kinds.table import kind_of
from adapters.vit.backbone import Backbone
from tests.support.backbones import VIT_B16


def test_tensors_are_those_of_the_parts(backbone: Backbone) -> None:
    options = CombinedOptions(dvpt=DvptOptions(count=2, meta_net="none"))
    state = Adapter(options, backbone.config, 4).state_dict()
    assert [name for name in state if name.startswith("body.")] == [
        "body.dvpt.prompts",
        "body.affine.scale",
        "body.affine.shift",
        "body.bottleneck.down",
        "body.bottleneck.bias",
        "body.bottleneck.up",
    ]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (CombinedOptions(), "p10-deep-shared4x48+affine+bottleneck8"),
        (CombinedOptions(affine=None), "p10-deep-shared4x48+affine+bottleneck8"),
        (CombinedOptions(bottleneck=None), "p10-deep-shared4x48+affine+bottleneck8"),
        (CombinedOptions(dvpt=DvptOptions(meta_net="none")), "p10-deep-shared4x48+affine+bottleneck8"),
        (CombinedOptions(dvpt=None), "affine+bottleneck8"),
        (CombinedOptions(bottleneck=BottleneckOptions(width=16)), "p10-deep-shared4x48+affine+bottleneck16"),
        (
            CombinedOptions(affine=AffineOptions(biases=True)),
            "p10-deep-shared4x48+affine-biases3072+bottleneck8",
        ),
    ],
)
def test_layouts_are_named_by_what_parts_them(options: CombinedOptions, name: str) -> None:
    layout = Layout.of(options, VIT_B16)
    assert str(layout) == name
    assert Layout.of(layout.options, VIT_B16) == layout


def test_one_part_alone_is_its_own_kind() -> None:
    with pytest.raises(ValidationError, match="two parts or more"):
        CombinedOptions(dvpt=None, affine=None)


def test_a_task_of_vit_b16_takes_less_than_a_megabyte() -> None:
    layout = Layout.of(CombinedOptions(), VIT_B16).options
    stack = kind_of(layout).stack(layout, VIT_B16, 1, device=torch.device("meta"), dtype=torch.bfloat16)
    head_of_128 = 128 * (768 * 2 + 4)
    assert stack.memory_bytes() + head_of_128 <= 1_000_000
