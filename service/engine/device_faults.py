"""What an exception of torch or ONNX Runtime means: memory ran out, or the device is lost."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from adapters.errors import DvptError
from service.errors import DeviceLost, OutOfDeviceMemory

OUT_OF_MEMORY = (
    "DefaultCPUAllocator",
    "CUDA error: out of memory",
    "CUDA failure 2:",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "Failed to allocate memory",  # ONNX Runtime's arenas
    "bad allocation",
    "bad_alloc",
)
LOST = ("CUDA error", "CUDA failure", "CUBLAS failure", "CUDNN failure")


@contextmanager
def device_faults() -> Iterator[None]:
    """Raise OutOfDeviceMemory or DeviceLost for what means it; everything else passes as it is."""
    try:
        yield
    except DvptError:
        raise
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise OutOfDeviceMemory(_first_line(error)) from error
    except Exception as error:  # ONNX Runtime's errors share no base class, and tell their kind in the text
        text = str(error)
        if any(mark in text for mark in OUT_OF_MEMORY):
            raise OutOfDeviceMemory(_first_line(error)) from error
        if isinstance(error, torch.AcceleratorError) or any(mark in text for mark in LOST):
            raise DeviceLost(_first_line(error)) from error
        raise


def _first_line(error: BaseException) -> str:
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return line.partition(" ; GPU=")[0]  # behind it ONNX Runtime tells the machine's name and source files
