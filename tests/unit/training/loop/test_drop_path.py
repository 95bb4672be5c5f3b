import pytest
import torch
from timm.layers.drop import DropPath
from torch import nn

from adapters.vit.backbone import Backbone
from tests.support.backbones import tiny_backbone
from training.errors import MethodUnsuitable
from training.loop.drop_path import dropped_paths


@pytest.fixture
def deep_backbone() -> Backbone:
    return tiny_backbone(depth=3)


def chances(backbone: Backbone) -> list[tuple[float, float]]:
    blocks = list(backbone.vit.blocks)
    return [tuple(getattr(b, f"drop_path{n}").drop_prob for n in (1, 2)) for b in blocks]


def test_the_chance_rises_over_the_depth_and_the_rest_stays_in_evaluation(deep_backbone: Backbone) -> None:
    with dropped_paths(deep_backbone, 0.5):
        assert chances(deep_backbone) == [(0.0, 0.0), (0.25, 0.25), (0.5, 0.5)]
        training = [m for m in deep_backbone.modules() if m.training and m is not deep_backbone]
        assert len(training) == 6
        assert all(isinstance(module, DropPath) for module in training)
    assert not any(isinstance(module, DropPath) for module in deep_backbone.modules())


def test_paths_are_dropped_inside_only_and_by_the_seed(deep_backbone: Backbone) -> None:
    tokens = deep_backbone.embed(torch.randint(0, 255, (8, 3, 32, 32), dtype=torch.uint8))
    plain = deep_backbone.encode(tokens)
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        with dropped_paths(deep_backbone, 0.9):
            found.append(deep_backbone.encode(tokens))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert not torch.equal(found[0], plain)
    assert torch.equal(deep_backbone.encode(tokens), plain)


def test_what_goes_through_without_gradients_passes_whole(deep_backbone: Backbone) -> None:
    tokens = deep_backbone.embed(torch.randint(0, 255, (8, 3, 32, 32), dtype=torch.uint8))
    plain = deep_backbone.encode(tokens)
    with dropped_paths(deep_backbone, 0.9), torch.no_grad():
        assert torch.equal(deep_backbone.encode(tokens), plain)


def test_the_backbone_is_put_back_after_an_error(deep_backbone: Backbone) -> None:
    with pytest.raises(KeyError), dropped_paths(deep_backbone, 0.5):
        raise KeyError
    assert not any(isinstance(module, DropPath) for module in deep_backbone.modules())


def test_without_a_rate_nothing_is_touched(deep_backbone: Backbone) -> None:
    before = list(deep_backbone.modules())
    with dropped_paths(deep_backbone, 0.0):
        assert list(deep_backbone.modules()) == before


def test_blocks_without_such_paths_are_refused(deep_backbone: Backbone) -> None:
    deep_backbone.vit.blocks = nn.Sequential(nn.Identity(), nn.Identity())
    with pytest.raises(MethodUnsuitable, match="no residual paths"), dropped_paths(deep_backbone, 0.5):
        pass
