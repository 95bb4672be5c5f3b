from collections.abc import Callable

import pytest
import torch
from torch import nn

from adapters.kinds.head import Head
from adapters.vit.backbone import Backbone
from training.methods.heads import MlpHead, new_head, plain_head
from training.options.train_config import TrainConfig


@pytest.mark.parametrize("layers", [2, 3, 5])
def test_a_folded_head_equals_the_unfolded_one(layers: int) -> None:
    torch.manual_seed(0)
    head = MlpHead(16, 4, layers, dropout=0.1)
    for _ in range(20):
        head(torch.randn(32, 16))  # the running statistics leave their start
    for norm in head.norms:
        nn.init.uniform_(norm.get_parameter("weight"), -2, 2)
        nn.init.uniform_(norm.get_parameter("bias"), -2, 2)
    features = torch.randn(64, 16)
    folded = plain_head(head.eval())
    assert len(folded) == layers
    torch.testing.assert_close(folded(features), head(features), rtol=1e-4, atol=1e-4)


def test_folding_leaves_the_trained_head_alone() -> None:
    head = MlpHead(8, 3, 2, dropout=0.0)
    before = {name: value.clone() for name, value in head.state_dict().items()}
    head.fold()
    assert all(torch.equal(before[name], value) for name, value in head.state_dict().items())


def test_one_layer_is_a_plain_linear_head(backbone: Backbone, new_config: Callable[..., TrainConfig]) -> None:
    head = new_head(backbone, new_config(), 3)
    assert isinstance(head, Head)
    assert plain_head(head) is head


def test_other_heads_have_no_plain_form() -> None:
    with pytest.raises(TypeError, match="Linear"):
        plain_head(nn.Linear(2, 2))
