"""Operations that give the same bits each time, for the length of a run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# cuBLAS adds in a fixed order only with a workspace of fixed size, chosen before it is first used.
WORKSPACE = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


@contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """Have torch refuse operations whose bits may change from run to run; nothing happens unless `wanted`.

    Two runs are then equal on the same machine with the same number of threads.
    """
    if not wanted:
        yield
        return
    os.environ.setdefault(*WORKSPACE)
    algorithms = torch.are_deterministic_algorithms_enabled()
    benchmark, cudnn = torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = False, True
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(algorithms)
        torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = benchmark, cudnn
