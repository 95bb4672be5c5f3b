"""How many cores this process may use, which in a container is fewer than there are."""

import math
import os
from pathlib import Path

CPU_MAX = Path("/sys/fs/cgroup/cpu.max")


def available_cores(cpu_max: Path = CPU_MAX) -> int:
    """Those it may run on, or what its quota of time amounts to (cgroup v2, `docker run --cpus`) if less."""
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota_us, period_us = cpu_max.read_text().split()
        return min(own, max(1, math.ceil(int(quota_us) / int(period_us))))
    except (OSError, ValueError):  # no cgroup v2, or its quota is "max"
        return own
