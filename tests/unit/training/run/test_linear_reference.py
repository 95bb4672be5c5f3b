"""A run ends as a linear head where what was trained is worse beyond chance, and not for a few pictures."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from adapters.config import PreprocessConfig
from adapters.vit.backbone import Backbone
from training.data.pixels import Decoder
from training.data.source import Split
from training.loop.hold_back import HeldBack
from training.run.linear_reference import LinearReference

PICTURES, HELD = 300, 100


@pytest.fixture
def reference(backbone: Backbone) -> LinearReference:
    """Two classes that a head tells apart by the first feature."""
    labels = torch.arange(PICTURES) % 2
    features = torch.randn(PICTURES, 4, generator=torch.Generator().manual_seed(0)) / 10
    features[:, 0] += labels
    names = tuple(f"{row}.png" for row in range(PICTURES))
    split = Split(names, tuple(labels.tolist()), tuple(Path(name) for name in names))
    known = {names: features}
    return LinearReference(backbone, Decoder(PreprocessConfig(), 64), split, 2, _known=known)


def answers(reference: LinearReference, rows: Tensor, wrong: int) -> Tensor:
    """Logits [H, 2] that are right for all but so many."""
    labels = torch.tensor(reference.train.labels)[rows].clone()
    labels[:wrong] = 1 - labels[:wrong]
    return torch.nn.functional.one_hot(labels, 2).float()


@pytest.mark.parametrize(("wrong", "floored"), [(0, False), (3, False), (30, True)])
def test_a_few_pictures_are_chance(reference: LinearReference, wrong: int, floored: bool) -> None:
    rows = torch.arange(HELD)
    own = answers(reference, rows, wrong)
    floor = reference.floor(HeldBack(rows, 1, lambda: own), own)
    assert (floor is not None) is floored
    if floor is not None:
        assert floor.own == pytest.approx(1 - wrong / HELD)
        assert (floor.linear, floor.pictures) == (1.0, HELD)
