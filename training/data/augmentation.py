"""Training pictures changed at random, anew in each epoch: timm's own transforms, on pixels in memory."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from timm.data.auto_augment import rand_augment_transform
from timm.data.mixup import Mixup, mixup_target
from timm.data.random_erasing import RandomErasing
from timm.data.transforms import RandomCropOrPad, RandomResizedCropAndInterpolation
from torch import Tensor
from torchvision.transforms import RandomCrop, RandomHorizontalFlip, RandomVerticalFlip
from torchvision.transforms.functional import pil_to_tensor, to_pil_image

from adapters.config import BackboneConfig, PreprocessConfig
from training.options.train_config import TrainConfig

OnPixels = Callable[[Tensor], Tensor]
RATIO = (3 / 4, 4 / 3)
MAGNITUDE_STD = 0.5
STRONGEST = 9.99  # at 10 timm posterizes to no bits at all, which Pillow refuses
TRANSLATE = 0.45


class Augmentation:
    """What is done to a batch of training pictures: crop, flips, RandAugment, erasing, and then mixing.

    A batch is a function of its pictures, the seed, and the numbers of epoch and batch: a resumed run sees
    the same pictures as one in a piece, and nothing else that is drawn at random changes.
    """

    def __init__(
        self, config: TrainConfig, backbone: BackboneConfig, class_count: int, shift: float = 0.0
    ) -> None:
        self._seed = config.seed
        self._class_count = class_count
        self._size = backbone.image_size
        self._steps = tuple(_steps(config, backbone, shift))
        self._erase = _erasing(config, backbone)
        self._mixes = bool(config.mixup or config.cutmix)
        # The loss smooths labels, mixed or not.
        self._mix = Mixup(config.mixup, config.cutmix, label_smoothing=0.0, num_classes=class_count)

    def __call__(self, pixels: Tensor, labels: Tensor, epoch: int, batch: int) -> tuple[Tensor, Tensor]:
        """Pixels [b, 3, H, W] uint8 and labels [b] → pixels at the input size, and labels.

        Where pictures are mixed the labels are parts of classes [b, C] float32.
        """
        with _seeded(self._seed, epoch, batch):
            changed = self._erase(torch.stack([self._one(picture) for picture in pixels]))
            return self._mixed(changed, labels) if self._mixes else (changed, labels)

    def _one(self, picture: Tensor) -> Tensor:
        for step in self._steps:
            picture = step(picture)
        return picture

    def _mixed(self, pixels: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Each picture with its opposite of the batch; timm mixes pairs, so one left over stays as it is."""
        whole = mixup_target(labels, self._class_count, 1.0, 0.0)
        even = len(labels) - len(labels) % 2
        if even:
            mixed, shares = self._mix(pixels[:even].float(), labels[:even])
            pixels = torch.cat([mixed.round().to(torch.uint8), pixels[even:]])
            whole = torch.cat([shares, whole[even:]])
        return pixels, whole


def augmentation_of(
    config: TrainConfig, backbone: BackboneConfig, class_count: int, shift: float = 0.0
) -> Augmentation | None:
    """What the options ask for, and a shift by a part of the side; None where it is nothing."""
    if not config.augments and not shift:
        return None
    return Augmentation(config, backbone, class_count, shift)


def shifted(pixels: Tensor, part: float, *numbers: int) -> Tensor:
    """Pixels [N, 3, H, W] uint8, each picture moved by up to `part` of its side, as training sees it.

    It is a function of pictures, part and `numbers`.
    """
    move = _shift(part, pixels.shape[-1])
    with _seeded(*numbers):
        return torch.stack([move(picture) for picture in pixels])


def shift_pixels(part: float, size: int) -> int:
    """How many pixels a part of a side is."""
    return round(part * size)


def kept_pictures(config: TrainConfig, image_size: int) -> tuple[PreprocessConfig, int]:
    """How training pictures are fitted and how large they are kept: with a margin where they are cropped."""
    if config.random_crop == "none":
        return config.preprocess, image_size
    # The margin is in the size: what --fit crop would cut off is what a random crop chooses from.
    return config.preprocess.model_copy(update={"resize_ratio": 1.0}), round(image_size * config.resize_ratio)


def _steps(config: TrainConfig, backbone: BackboneConfig, shift: float) -> Iterator[OnPixels]:
    """From picture [3, H, W] uint8 to picture, in timm's order."""
    if shift:
        yield _shift(shift, backbone.image_size)
    if config.random_crop == "shift":
        yield RandomCropOrPad(backbone.image_size)
    elif config.random_crop == "resized":
        yield RandomResizedCropAndInterpolation(
            backbone.image_size, (config.crop_scale, 1.0), RATIO, config.interpolation
        )
    if config.flip:
        yield RandomHorizontalFlip(config.flip)
    if config.vertical_flip:
        yield RandomVerticalFlip(config.vertical_flip)
    if config.rand_augment:
        yield _rand_augment(config, backbone)


def _shift(part: float, size: int) -> OnPixels:
    """The random shift of Kostrikov et al. 2020: padded by the edge, and cut out anywhere."""
    return RandomCrop(size, padding=shift_pixels(part, size), padding_mode="edge")


def _rand_augment(config: TrainConfig, backbone: BackboneConfig) -> OnPixels:
    """As timm trains with it; it draws on PIL pictures, and fills with the backbone's mean."""
    transform = rand_augment_transform(
        f"rand-m{config.rand_augment}-n{config.rand_augment_operations}-mstd{MAGNITUDE_STD}-inc1",
        {
            "magnitude_max": STRONGEST,
            "translate_const": int(TRANSLATE * backbone.image_size),
            "img_mean": tuple(round(255 * value) for value in backbone.mean),
        },
    )
    return lambda picture: pil_to_tensor(transform(to_pil_image(picture)))


def _erasing(config: TrainConfig, backbone: BackboneConfig) -> OnPixels:
    """A rectangle of noise in some pictures of a batch [b, 3, H, W]; timm's is of normalized pixels."""
    if not config.random_erasing:
        return lambda pixels: pixels
    erase = RandomErasing(config.random_erasing, mode="pixel", device="cpu")
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (backbone.mean, backbone.std))

    def erased(pixels: Tensor) -> Tensor:
        normalized: Tensor = erase((pixels / 255.0 - mean) / std)
        return ((normalized * std + mean) * 255.0).round().clamp(0, 255).to(torch.uint8)

    return erased


@contextmanager
def _seeded(*numbers: int) -> Iterator[None]:
    """Seed what timm's transforms draw from (Python's, NumPy's, torch's generator), and put it back."""
    entropy = np.random.SeedSequence(numbers)
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    first, second, third = (int(value) for value in entropy.generate_state(3))
    try:
        random.seed(first)
        np.random.seed(second)
        torch.default_generator.manual_seed(third)  # torch.manual_seed would seed the GPU's as well
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])
