"""Copies between host and device through pinned memory, which hold up no other thread (docs/adr/0019).

A copy from or to pageable memory waits for what runs on its stream, and every other thread's call of CUDA
waits with it.
"""

import torch
from torch import Tensor


def copy_into(place: Tensor, value: Tensor) -> None:
    """Copy `value` of the host into `place`, in its type, before what is launched afterwards."""
    if place.is_cuda:
        value = value.to(place.dtype).pin_memory()
    place.copy_(value, non_blocking=True)


def host_copy(tensor: Tensor) -> Tensor:
    """A copy of its own on the host, also where the tensor itself lies there."""
    if not tensor.is_cuda:
        return tensor.clone(memory_format=torch.contiguous_format)
    pinned = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    pinned.copy_(tensor, non_blocking=True)
    copied = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]  # sleeps, keeps no core busy
    copied.record(torch.cuda.current_stream(tensor.device))
    copied.synchronize()
    return pinned.clone()
