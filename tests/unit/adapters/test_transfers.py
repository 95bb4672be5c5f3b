"""Copies between host and device: of their own, and in the type of the place."""

import pytest
import torch

from adapters.transfers import copy_into, host_copy

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")),
]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_is_written_is_read_back_in_the_type_of_the_place(device: str, dtype: torch.dtype) -> None:
    stack = torch.zeros(3, 4, 5, device=device, dtype=dtype)
    value = torch.randn(2, 5)

    copy_into(stack[1, 1:3], value)
    read = host_copy(stack[1, 1:3])

    assert read.device.type == "cpu"
    torch.testing.assert_close(read, value.to(dtype), rtol=0, atol=0)
    assert not stack[0].any()


@pytest.mark.parametrize("device", DEVICES)
def test_a_copy_keeps_what_it_was_taken_of(device: str) -> None:
    stack = torch.ones(2, 3, device=device)
    columns = host_copy(stack[:, 1])

    stack.zero_()

    assert columns.tolist() == [1.0, 1.0]
    assert columns.is_contiguous()
