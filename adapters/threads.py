"""How OpenMP's threads wait for each other on cores that other processes use too."""

import os
from collections.abc import Mapping, MutableMapping

from adapters.cores import available_cores

WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
COUNTS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
SPINS = "2000"


def wait_briefly(environ: MutableMapping[str, str] = os.environ) -> None:
    """Have threads sleep soon instead of spinning while they wait; what the user set stays.

    OpenMP reads this when torch is imported: call it before. A thread that spins for another keeps the core
    which that one needs, so that two busy processes beside it cost far more than their share.
    """
    if not any(name in environ for name in WAITING):
        environ["OMP_WAIT_POLICY"] = "PASSIVE"
        environ["GOMP_SPINCOUNT"] = SPINS  # libgomp, which torch brings, would not spin at all


def keep_to_cores(environ: Mapping[str, str] = os.environ) -> None:
    """Have torch use no more threads than the process may use cores; a number that the user set stays."""
    import torch  # noqa: PLC0415 - `wait_briefly` comes before it

    if not any(name in environ for name in COUNTS):
        torch.set_num_threads(min(torch.get_num_threads(), available_cores()))
