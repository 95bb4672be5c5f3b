"""How OpenMP's threads wait for each other on cores that other processes use too."""

import os
from collections.abc import MutableMapping

WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
SPINS = "1000"


def wait_briefly(environ: MutableMapping[str, str] = os.environ) -> None:
    """Have threads sleep soon instead of spinning while they wait; what the user set stays.

    OpenMP reads this when torch is imported: call it before. A thread that spins for another keeps the core
    which that one needs, so that two busy processes beside it cost far more than their share.
    """
    if not any(name in environ for name in WAITING):
        environ["OMP_WAIT_POLICY"] = "PASSIVE"
        environ["GOMP_SPINCOUNT"] = SPINS  # libgomp, which torch brings, would not spin at all
