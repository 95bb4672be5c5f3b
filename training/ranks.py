"""Launchers that start one command many times: torchrun and its like."""

import os
from collections.abc import Mapping


def spare_rank(environ: Mapping[str, str] = os.environ) -> str | None:
    """Why this process has nothing to do, None if it has: one process trains, the one of rank 0."""
    rank, size = environ.get("RANK", ""), environ.get("WORLD_SIZE", "")
    if not (rank.isdecimal() and size.isdecimal()) or int(rank) == 0 or int(size) < 2:
        return None
    return (
        f"nothing to do for rank {rank} of {size}: one process trains an adapter, that of rank 0, on one "
        "device; several runs at once are several commands, each with its --device"
    )
