"""The backbone's own kernels on CUDA; where they cannot be compiled, it runs as it is."""

import copy
import logging

import torch

from adapters.vit.backbone import Backbone
from service.logs import log_event

logger = logging.getLogger("service.engine")


def fuse(backbone: Backbone) -> Backbone:
    """The same backbone that moves rows in kernels, or itself; the log says what hinders it.

    Faults of the device are raised as they are.
    """
    try:
        return copy.copy(backbone).fuse()
    except (torch.OutOfMemoryError, torch.AcceleratorError):
        raise
    except Exception as error:  # no Triton, no C compiler, nowhere to write: they share no base class
        reason = str(error).strip().partition("\n")[0]
        log_event(logger, logging.WARNING, "fuse_failed", kind=type(error).__name__, reason=reason)
    return backbone
