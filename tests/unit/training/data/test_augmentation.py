import random
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from adapters.vit.backbone import Backbone
from tests.support.backbones import tiny_backbone
from training.data.augmentation import Augmentation, augmentation_of, kept_pictures, shifted
from training.options.train_config import TrainConfig

New = Callable[..., TrainConfig]
LABELS = torch.arange(5) % 3
ALL = {
    "random_crop": "resized", "flip": 0.5, "vertical_flip": 0.5, "rand_augment": 9, "random_erasing": 0.5,
    "mixup": 0.4, "cutmix": 1.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return tiny_backbone()


def pixels(size: int = 32) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (5, 3, size, size), dtype=torch.uint8, generator=generator)


def augmentation(backbone: Backbone, config: TrainConfig) -> Augmentation:
    found = augmentation_of(config, backbone.config, 3)
    assert found is not None
    return found


def test_by_default_nothing_is_changed(backbone: Backbone, new_config: New) -> None:
    assert augmentation_of(new_config(), backbone.config, 3) is None
    assert kept_pictures(new_config(), 32) == (new_config().preprocess, 32)


def padded(picture: Tensor, by: int) -> Tensor:
    return torch.nn.functional.pad(picture[None].float(), [by] * 4, mode="replicate")[0].to(torch.uint8)


@given(size=st.sampled_from([16, 31, 32]), part=st.floats(0, 0.25), seed=st.integers(0, 99))
def test_a_shifted_picture_is_cut_out_of_itself_with_its_edges_repeated(
    size: int, part: float, seed: int
) -> None:
    by = round(part * size)
    for before, after in zip(pixels(size), shifted(pixels(size), part, seed), strict=True):
        around = padded(before, by)
        places = product(range(2 * by + 1), repeat=2)
        assert any(torch.equal(around[:, y : y + size, x : x + size], after) for y, x in places)


def test_pictures_are_shifted_each_by_itself_and_as_the_numbers_say() -> None:
    same = pixels()[:1].expand(50, -1, -1, -1)
    moved = shifted(same, 1 / 16, 3, 4)
    assert torch.equal(moved, shifted(same, 1 / 16, 3, 4))
    assert not torch.equal(moved, shifted(same, 1 / 16, 3, 5))
    assert len({picture.numpy().tobytes() for picture in moved}) > 10  # of 25 places


def test_a_batch_is_shifted_by_what_it_is_told(backbone: Backbone, new_config: New) -> None:
    augment = augmentation_of(new_config(), backbone.config, 3, 1 / 16)
    assert augment is not None
    changed, labels = augment(pixels(), LABELS, 1, 2)
    assert changed.shape == pixels().shape
    assert not torch.equal(changed, pixels())
    assert torch.equal(labels, LABELS)


def test_a_batch_is_a_function_of_seed_epoch_and_number(backbone: Backbone, new_config: New) -> None:
    augment = augmentation(backbone, new_config(**ALL))
    first, shares = augment(pixels(), LABELS, 1, 2)
    again, same_shares = augment(pixels(), LABELS, 1, 2)
    assert torch.equal(first, again)
    assert torch.equal(shares, same_shares)
    for other in (augment(pixels(), LABELS, 2, 2), augment(pixels(), LABELS, 1, 3)):
        assert not torch.equal(first, other[0])
    assert not torch.equal(
        first, augmentation(backbone, new_config(seed=1, **ALL))(pixels(), LABELS, 1, 2)[0]
    )


def test_nothing_else_that_is_drawn_at_random_changes(backbone: Backbone, new_config: New) -> None:
    def drawn(*, augmented: bool) -> tuple[float, float, float]:
        random.seed(5)
        np.random.seed(5)
        torch.manual_seed(5)
        if augmented:
            augmentation(backbone, new_config(**ALL))(pixels(), LABELS, 0, 0)
        return random.random(), float(np.random.random()), float(torch.rand(()))

    assert drawn(augmented=True) == drawn(augmented=False)


@pytest.mark.parametrize("option", sorted(ALL))
def test_each_option_changes_pictures_and_keeps_their_form(
    backbone: Backbone, new_config: New, option: str
) -> None:
    augment = augmentation(backbone, new_config(**{option: ALL[option]}))
    changed = [augment(pixels(), LABELS, epoch, 0)[0] for epoch in range(4)]
    assert all(one.dtype == torch.uint8 and one.shape == (5, 3, 32, 32) for one in changed)
    assert any(not torch.equal(one, pixels()) for one in changed)


def test_a_flip_exchanges_left_and_right(backbone: Backbone, new_config: New) -> None:
    found, labels = augmentation(backbone, new_config(flip=1.0))(pixels(), LABELS, 0, 0)
    assert torch.equal(found, pixels().flip(3))
    assert torch.equal(labels, LABELS)


def test_a_shifted_crop_is_a_part_of_the_larger_picture(backbone: Backbone, new_config: New) -> None:
    config = new_config(random_crop="shift", fit="crop", resize_ratio=1.25)
    preprocess, size = kept_pictures(config, 32)
    assert (size, preprocess.fit, preprocess.resize_ratio) == (40, "crop", 1.0)
    found, _ = augmentation(backbone, config)(pixels(size), LABELS, 0, 0)
    windows = pixels(size).unfold(2, 32, 1).unfold(3, 32, 1)  # [5, 3, 9, 9, 32, 32]
    for picture, places in zip(found, windows, strict=True):
        assert (places == picture[:, None, None]).all(dim=(0, 3, 4)).sum() == 1


def test_erasing_leaves_the_rest_as_it_is(backbone: Backbone, new_config: New) -> None:
    found, _ = augmentation(backbone, new_config(random_erasing=1.0))(pixels(), LABELS, 0, 0)
    same = (found == pixels()).all(dim=1).double().mean(dim=(1, 2))
    assert bool((same > 0.6).all())
    assert bool((same < 1).all())


@pytest.mark.parametrize("option", ["mixup", "cutmix"])
def test_labels_are_mixed_as_the_pictures_are(backbone: Backbone, new_config: New, option: str) -> None:
    """Each class has one grey of its own, so that a picture's mean says how much of which it holds."""
    greys = torch.tensor([0, 100, 200])
    flat = greys[LABELS].to(torch.uint8)[:, None, None, None].expand(5, 3, 32, 32).clone()
    found, shares = augmentation(backbone, new_config(**{option: 1.0}))(flat, LABELS, 0, 1)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(5))
    torch.testing.assert_close(
        found.double().mean(dim=(1, 2, 3)).float(), shares @ greys.float(), atol=1.0, rtol=0
    )
    assert torch.equal(found[4], flat[4])  # five do not pair
    assert bool(((shares[:4] > 0) & (shares[:4] < 1)).any())


def test_rand_augment_can_be_drawn_at_its_strongest(backbone: Backbone, new_config: New) -> None:
    """Pillow refuses to posterize to no bits, which timm asks for at the end of its scale."""
    augment = augmentation(backbone, new_config(rand_augment=10, rand_augment_operations=8))
    for epoch in range(40):
        assert augment(pixels(), LABELS, epoch, 0)[0].shape == (5, 3, 32, 32)
