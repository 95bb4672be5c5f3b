"""Processor time of another process."""

import os
from contextlib import suppress
from pathlib import Path

CLOCK_HZ = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, all of its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_HZ


def threads_seconds(pid: int) -> float:
    """Processor time of the threads that a process has now, to the nanosecond (Linux)."""
    stats = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(stat.read_text().split()[0]) for stat in stats) / 1e9


def tree_seconds(pid: int) -> list[tuple[str, float]]:
    """Command line and processor time so far of a process and of all that it and they have started."""
    started: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            started.setdefault(parent, []).append(int(stat.parent.name))
    found, left = [], [pid]
    while left:
        process = left.pop()
        left += started.get(process, [])
        with suppress(OSError):
            command = Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
            found.append((command, cpu_seconds(process)))
    return found
