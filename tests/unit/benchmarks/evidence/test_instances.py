"""Tasks whose instances differ: what is drawn, what is planned, and what a reading of π changes."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image

from adapters.kinds.adapter import Adapter
from adapters.kinds.combined.options import CombinedOptions
from adapters.kinds.dvpt.body import DvptBody
from adapters.vit.backbone import random_backbone
from benchmarks.evidence.instances import READINGS, SETTINGS, instance_trials, lit, turned
from benchmarks.evidence.pi_readings import reading
from training.options.train_config import TrainConfig

Change = Callable[[Image.Image, np.random.Generator], Image.Image]
STRIPES = Image.fromarray(np.tile(np.arange(64, dtype=np.uint8)[:, None, None] * 3, (1, 64, 3)))


def test_no_trial_sees_a_test_picture() -> None:
    trials = list(instance_trials([]))
    assert {trial.split for trial in trials} == {"val"}
    assert len({trial.key for trial in trials}) == len(trials) == 3 * len(READINGS) * len(SETTINGS)
    for trial in trials:
        TrainConfig.model_validate(trial.options)


@pytest.mark.parametrize("change", [turned, lit])
def test_each_picture_is_changed_in_its_own_way(change: Change) -> None:
    rng = np.random.default_rng(0)
    first, second = (np.asarray(change(STRIPES, rng)) for _ in range(2))
    assert first.shape == second.shape == (64, 64, 3)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, np.asarray(STRIPES))


@pytest.mark.parametrize("name", ["affine", "pooled"])
def test_a_reading_changes_what_pi_does_and_nothing_while_pi_is_zero(name: str) -> None:
    torch.manual_seed(0)
    backbone = random_backbone(embed_dim=24, depth=3, num_heads=3)
    adapter = Adapter(CombinedOptions(), backbone.config, 5).eval()
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        plain = adapter(backbone, images)
        with reading(name):
            torch.testing.assert_close(adapter(backbone, images), plain)
        dvpt = adapter.body.get_submodule("dvpt")
        assert isinstance(dvpt, DvptBody)
        assert dvpt.meta_net is not None
        for parameter in dvpt.meta_net.parameters():
            parameter.add_(torch.rand_like(parameter))
        dynamic = adapter(backbone, images)
        with reading(name):
            assert not torch.allclose(adapter(backbone, images), dynamic)
        torch.testing.assert_close(adapter(backbone, images), dynamic)
