from collections.abc import Callable

import pytest
import torch

from adapters.vit.backbone import Backbone
from training.errors import MethodUnsuitable
from training.methods.sidetune import SideNetwork, SidetuneMethod
from training.options.train_config import TrainConfig


def test_both_sides_have_half_at_the_start() -> None:
    side = SideNetwork(8)
    pixels, features = torch.randn(2, 3, 64, 64), torch.randn(2, 8)
    with torch.no_grad():
        alone = side(pixels, torch.zeros_like(features))
        torch.testing.assert_close(side(pixels, features), alone + features / 2)


def test_inputs_too_small_for_the_side_network_are_refused(
    new_config: Callable[..., TrainConfig], backbone: Backbone
) -> None:
    with pytest.raises(MethodUnsuitable, match="at least 63 pixels, not 32"):
        SidetuneMethod(backbone, new_config(method="sidetune"), 3)
