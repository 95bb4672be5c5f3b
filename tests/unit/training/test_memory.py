import pytest
import torch

from training.errors import OutOfMemory
from training.memory import memory_faults


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "CUDA out of memory. Tried to allocate 2.50 GiB.",
            "out of memory: 2.50 GiB more were needed;",
        ),
        ("unable to mmap 12 bytes from file <x>: Cannot allocate memory (12)", "out of memory; a smaller"),
        ("std::bad_alloc", "out of memory; a smaller --batch-size"),
    ],
)
def test_what_torch_says_becomes_a_sentence(text: str, said: str) -> None:
    with pytest.raises(OutOfMemory) as caught, memory_faults():
        raise RuntimeError(text)
    assert str(caught.value).startswith(said)


def test_what_torch_really_raises_is_known() -> None:
    with pytest.raises(OutOfMemory, match=r"out of memory: \d+\.00 GiB more were needed"), memory_faults():
        torch.empty(2**50, dtype=torch.uint8)
