"""Memory that runs out: told before where it can be, and in one sentence where it cannot."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training.errors import OutOfMemory

GIB = 2**30
MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")
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


def require_memory(needed_bytes: int, what: str, *, free_bytes: int | None = None) -> None:
    """Raise OutOfMemory if `what` is larger than what is free: `free_bytes`, or what the system says."""
    free = available_bytes() if free_bytes is None else free_bytes
    if free is not None and needed_bytes > free:
        raise OutOfMemory(
            f"{what} take {needed_bytes / GIB:.1f} GiB, and {free / GIB:.1f} GiB of memory are free; {ADVICE}"
        )


def available_bytes(meminfo: Path = MEMINFO, cgroup: Path = CGROUP) -> int | None:
    """What the machine, or a container's limit if that is less, has left; None if neither tells."""
    found = [part for part in (_of_machine(meminfo), _of_container(cgroup)) if part is not None]
    return min(found, default=None)


def _of_machine(meminfo: Path) -> int | None:
    try:
        lines = meminfo.read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, ValueError, StopIteration):
        return None


def _of_container(cgroup: Path) -> int | None:
    """Of a cgroup (v2): its limit without what is used and cannot be given back."""
    try:
        limit = int((cgroup / "memory.max").read_text())
        used = int((cgroup / "memory.current").read_text())
        stat = (cgroup / "memory.stat").read_text().splitlines()
        cached = sum(int(line.split()[1]) for line in stat if line.startswith("inactive_file "))
    except (OSError, ValueError):  # no cgroup v2, or its limit is "max"
        return None
    return max(0, limit - used + cached)


def _amount(text: str) -> str:
    """How much was asked for, where the error says it: in bytes, or with a unit."""
    if found := re.search(r"tried to allocate (\d+) bytes", text, re.IGNORECASE):
        return f": {int(found[1]) / GIB:.2f} GiB more were needed"
    if found := re.search(r"(?:tried|unable) to allocate ([\d.]+ [KMGT]iB)", text, re.IGNORECASE):
        return f": {found[1]} more were needed"
    return ""
