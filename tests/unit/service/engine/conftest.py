"""What the engines' tests share: pictures of the tiny backbone's size."""

from collections.abc import Callable

import pytest
import torch

from tests.support.pictures import pixels

Pictures = Callable[[int], list[torch.Tensor]]


@pytest.fixture
def tiny_pictures() -> Pictures:
    """`tiny_pictures(3)`: random pictures [3, 32, 32]."""

    def make(count: int) -> list[torch.Tensor]:
        return list(pixels(count, seed=5))

    return make
