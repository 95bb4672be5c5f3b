from pathlib import Path

import pytest
import torch

from training.errors import OutOfMemory
from training.memory import available_bytes, memory_faults, require_memory

GIB = 2**30


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


def test_too_much_is_refused_before_it_is_taken() -> None:
    require_memory(3 * GIB, "pictures", free_bytes=3 * GIB)
    with pytest.raises(OutOfMemory, match=r"pictures take 3.0 GiB, and 2.5 GiB of memory are free"):
        require_memory(3 * GIB, "pictures", free_bytes=5 * GIB // 2)


def test_a_containers_limit_counts_where_it_is_less(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9 kB\nMemAvailable:    8000 kB\n")
    assert available_bytes(meminfo, tmp_path / "none") == 8_192_000
    for name, text in (
        ("memory.max", "5000\n"), ("memory.current", "4000\n"), ("memory.stat", "anon 1\ninactive_file 700\n")
    ):  # fmt: skip
        (tmp_path / name).write_text(text)
    assert available_bytes(meminfo, tmp_path) == 1700
    (tmp_path / "memory.max").write_text("max\n")
    assert available_bytes(meminfo, tmp_path) == 8_192_000
    assert available_bytes(tmp_path / "none", tmp_path / "none") is None
