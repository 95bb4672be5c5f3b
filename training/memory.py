"""Memory that runs out, in one sentence; what can be told before is `training.data.room`'s."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from training.errors import OutOfMemory

GIB = 2**30
MARKS = ("out of memory", "can't allocate memory", "Cannot allocate memory", "bad_alloc")
"""What the RuntimeErrors of torch, of CUDA and of the C++ library have in common."""
ADVICE = (
    "a smaller --batch-size needs less, then a smaller --image-size, --prompt-count or --train-percent, or "
    "--method linear; --dry-run says beforehand what a run takes; epochs that are trained are kept"
)


@contextmanager
def memory_faults() -> Iterator[None]:
    """Raise OutOfMemory for whatever Python, numpy or torch raise where there is no memory left."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not any(mark in str(error) for mark in MARKS):
            raise
        raise OutOfMemory(f"out of memory{_amount(str(error))}; {ADVICE}") from error


def _amount(text: str) -> str:
    """How much was asked for, where the error says it: in bytes, or with a unit."""
    if found := re.search(r"tried to allocate (\d+) bytes", text, re.IGNORECASE):
        return f": {int(found[1]) / GIB:.2f} GiB more were needed"
    if found := re.search(r"(?:tried|unable) to allocate ([\d.]+ [KMGT]iB)", text, re.IGNORECASE):
        return f": {found[1]} more were needed"
    return ""
