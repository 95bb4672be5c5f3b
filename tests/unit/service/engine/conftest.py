"""What the engines' tests share: pictures of the tiny backbone's size."""

from collections.abc import Callable

import pytest
import torch

Pictures = Callable[[int], list[torch.Tensor]]


@pytest.fixture
def tiny_pictures() -> Pictures:
    """`tiny_pictures(3)`: random pictures [3, 32, 32]."""

    def make(count: int) -> list[torch.Tensor]:
        generator = torch.Generator().manual_seed(5)
        return list(torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8, generator=generator))

    return make
