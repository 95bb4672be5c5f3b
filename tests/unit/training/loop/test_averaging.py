from __future__ import annotations

import torch
from torch import nn

from training.loop.averaging import AveragedWeights


def _trained(decay: float, values: list[float]) -> tuple[nn.Linear, AveragedWeights]:
    module = nn.Linear(1, 1, bias=False)
    averaged = AveragedWeights(module, decay)
    for value in values:
        nn.init.constant_(module.weight, value)
        averaged.update()
    return module, averaged


def test_the_average_leans_to_what_was_last() -> None:
    module, averaged = _trained(0.9, [0.0] * 200 + [1.0] * 5)
    averaged.put()
    assert 0.3 < module.weight.item() < 0.5  # 1 - 0.9**5


def test_a_young_average_forgets_its_start() -> None:
    module, averaged = _trained(0.999, [100.0, *([1.0] * 40)])
    averaged.put()
    assert module.weight.item() < 2


def test_a_look_at_the_average_leaves_what_is_trained() -> None:
    module, averaged = _trained(0.9, [0.0, 1.0])
    with averaged.in_place():
        assert module.weight.item() < 1
    assert module.weight.item() == 1


def test_a_restored_average_goes_on_where_it_was() -> None:
    module, averaged = _trained(0.9, [0.0, 3.0, 5.0])
    other, again = _trained(0.9, [])
    again.restore({name: value.clone() for name, value in averaged.tensors().items()})
    for each, average in ((module, averaged), (other, again)):
        nn.init.constant_(each.weight, 7.0)
        average.update()
        average.put()
    assert torch.equal(module.weight, other.weight)


def test_nothing_is_restored_from_a_checkpoint_without_one() -> None:
    module, averaged = _trained(0.9, [2.0])
    averaged.restore({})
    averaged.put()
    assert module.weight.item() == 2
