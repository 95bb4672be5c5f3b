"""A head alone: no tensors of its own, one layout, and rows that the blocks take as they are."""

import torch

from adapters.kinds.adapter import Adapter
from adapters.kinds.layout import Layout
from adapters.kinds.linear.kind import LinearKind
from adapters.kinds.linear.options import LinearOptions
from adapters.vit.backbone import Backbone
from tests.support.pictures import pixels


def test_all_heads_share_one_layout(backbone: Backbone) -> None:
    layout = Layout.of(LinearOptions(), backbone.config)
    assert layout == Layout(LinearOptions())
    assert str(layout) == "linear"


def test_there_is_nothing_beside_the_head(backbone: Backbone) -> None:
    adapter = Adapter(LinearOptions(), backbone.config, 4, head_layers=2)
    stack = LinearKind().stack(
        LinearOptions(), backbone.config, 8, device=torch.device("cpu"), dtype=torch.float32
    )
    assert all(name.startswith("head.") for name in adapter.state_dict())
    assert (stack.tensors, stack.memory_bytes(), stack.addresses()) == ((), 0, ())


def test_it_answers_from_the_frozen_features(backbone: Backbone) -> None:
    adapter = Adapter(LinearOptions(), backbone.config, 4)
    images = pixels(2)
    assert torch.equal(adapter(backbone, images), adapter.head(backbone.encode(backbone.embed(images))))
