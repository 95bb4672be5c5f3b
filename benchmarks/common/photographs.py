"""Pictures to ask about, and their pixels at the input size of a ViT-Tiny."""

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from adapters.config import PreprocessConfig
from adapters.pictures.preprocess import to_pixels

VIT = "vit_tiny_patch16_224"
INPUT_PX = 224


def photograph(side_px: int, seed: int) -> bytes:
    """A JPEG about as hard to decode as a photograph: smooth shapes under some noise."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (9, 9, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((side_px, side_px), Image.Resampling.BICUBIC), dtype=np.float32)
    noisy = np.clip(smooth + random.normal(0, 8, smooth.shape), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noisy).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def fitted(data: bytes) -> Tensor:
    """A file's pixels through the service's own function."""
    return to_pixels(data, PreprocessConfig(), INPUT_PX)


def fitted_by_pillow(data: bytes) -> Tensor:
    """A file's pixels [3, H, W] uint8 as most would get them."""
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    resized = np.asarray(picture.resize((INPUT_PX, INPUT_PX), Image.Resampling.BICUBIC))
    return torch.from_numpy(resized.transpose(2, 0, 1).copy())
